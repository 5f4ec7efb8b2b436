//! Requests whose message the broker has not confirmed: counted, and answered when the agent stops before that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// What whoever sent the message is told then.
pub(crate) const UNCONFIRMED: &str = "this agent stops before the broker has confirmed the message, which it may have: find out before sending it again";

/// The requests of one server that wait for the broker's confirmation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unconfirmed {
    count: Arc<AtomicUsize>,
    given_up: watch::Sender<bool>,
}

/// One of them, for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Unconfirmed {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Has all of them answered, and further ones at once.
    pub(crate) fn give_up(&self) {
        self.given_up.send_replace(true);
    }

    /// What comes of `publishing`; `None` where all are given up before.
    pub(crate) async fn confirmed<T>(&self, publishing: impl Future<Output = T>) -> Option<T> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.count);
        let mut given_up = self.given_up.subscribe();
        tokio::select! {
            biased;
            answer = publishing => Some(answer),
            _ = given_up.wait_for(|given_up| *given_up) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_that_wait_are_answered_when_they_are_given_up() {
        let unconfirmed = Unconfirmed::default();
        let mut waiting = Box::pin(unconfirmed.confirmed(std::future::pending::<()>()));
        assert!(goes_on(&mut waiting).await);
        assert_eq!(unconfirmed.count(), 1);
        unconfirmed.give_up();
        assert_eq!(waiting.await, None);
        assert_eq!(unconfirmed.count(), 0);
        let confirmed = unconfirmed.confirmed(async { 1 });
        assert_eq!(confirmed.await, Some(1), "it was confirmed after all");
    }

    /// Whether a future that was polled once goes on.
    async fn goes_on(future: &mut (impl Future + Unpin)) -> bool {
        std::future::poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut *future).poll(context);
            std::task::Poll::Ready(polled.is_pending())
        })
        .await
    }
}
