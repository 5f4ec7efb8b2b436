//! Messages on their way from the driver to a task, which may be slower than they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use syncline_core::session::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::receipt::Receipt;
use super::subscriptions::Sink;
use crate::rules::Counters;

/// Messages that wait for one task; a further one is dropped and counted.
const MESSAGES: usize = 1_000;
/// Bytes of payload that wait for one task.
const BYTES: usize = 16 << 20;

/// A message for a task.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// Which of the task's subscriptions it is for: the task's own number.
    pub(crate) source: usize,
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    /// To be dropped when the message was handled.
    pub(crate) receipt: Receipt,
}

/// The driver's end of a mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: mpsc::Sender<Delivery>,
    waiting: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    owner: Arc<str>,
    deadline: watch::Receiver<Option<Instant>>,
}

/// The task's end of a mailbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Delivery>,
    waiting: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    owner: Arc<str>,
    deadline: watch::Receiver<Option<Instant>>,
}

/// Closes a mailbox: what waits is handed out still, and what comes after that stays with the broker.
#[derive(Debug)]
pub(crate) struct Closer(watch::Sender<Option<Instant>>);

/// A mailbox for a task that the log calls `owner`; what it has no room for is counted in `counters`.
pub(crate) fn mailbox(owner: Arc<str>, counters: Arc<Counters>) -> (Mailbox, Inbox, Closer) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let (close, deadline) = watch::channel(None);
    let inbox = Inbox {
        receiver,
        waiting: Arc::clone(&waiting),
        counters: Arc::clone(&counters),
        owner: Arc::clone(&owner),
        deadline: deadline.clone(),
    };
    let mailbox = Mailbox {
        sender,
        waiting,
        counters,
        owner,
        deadline,
    };
    (mailbox, inbox, Closer(close))
}

impl Closer {
    /// Closes it for a task that should have ended by `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        self.0.send_replace(Some(deadline));
    }
}

impl Mailbox {
    /// Where the messages of a subscription go that is the task's number `source`.
    pub(crate) fn sink(&self, source: usize) -> Sink {
        let mailbox = self.clone();
        Box::new(move |message: &Message, receipt: &Receipt| {
            mailbox.deliver(Delivery {
                source,
                topic: message.topic().into(),
                // Copied: who keeps the message must not keep the receive buffer.
                payload: Bytes::copy_from_slice(message.payload()),
                receipt: receipt.clone(),
            });
        })
    }

    fn deliver(&self, delivery: Delivery) {
        let len = delivery.payload.len();
        // Counted before the task can see it and count it off again.
        let waiting = self.waiting.fetch_add(len, Ordering::Relaxed);
        if waiting.saturating_add(len) <= BYTES {
            match self.sender.try_send(delivery) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {}
                Err(mpsc::error::TrySendError::Closed(late)) => {
                    self.waiting.fetch_sub(len, Ordering::Relaxed);
                    if self.deadline.borrow().is_none() || !late.receipt.leave() {
                        self.counters.count_overloaded();
                        tracing::debug!("{}: a message that comes after its end is dropped", self.owner);
                    }
                    return;
                }
            }
        }
        self.waiting.fetch_sub(len, Ordering::Relaxed);
        let count = self.counters.count_overloaded();
        if count.is_power_of_two() {
            tracing::warn!(
                "{}: messages come faster than they are handled, {count} dropped so far",
                self.owner
            );
        }
    }
}

impl Inbox {
    /// The next message; `None` when there will be none.
    pub(crate) async fn recv(&mut self) -> Option<Delivery> {
        let received = tokio::select! {
            biased;
            Ok(_) = self.deadline.wait_for(Option::is_some), if !self.receiver.is_closed() => None,
            delivery = self.receiver.recv() => Some(delivery),
        };
        let delivery = match received {
            Some(delivery) => delivery,
            None => {
                self.receiver.close();
                self.receiver.recv().await
            }
        }?;
        self.waiting.fetch_sub(delivery.payload.len(), Ordering::Relaxed);
        Some(delivery)
    }

    /// Waits until it is closed: when its task should have ended then, where somebody has said so. It does not keep the messages.
    pub(crate) fn closing(&self) -> impl Future<Output = Option<Instant>> + Send + use<> {
        let mut deadline = self.deadline.clone();
        async move {
            let closed = deadline.wait_for(Option::is_some).await;
            closed.ok().and_then(|deadline| *deadline)
        }
    }

    /// When its task should have ended, where the mailbox was closed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        *self.deadline.borrow()
    }
}

impl Drop for Inbox {
    /// Nothing that the broker believes to be delivered is lost without a word.
    fn drop(&mut self) {
        self.receiver.close();
        let stays = self.deadline.borrow().is_some();
        let mut dropped = 0;
        while let Ok(delivery) = self.receiver.try_recv() {
            if !stays || !delivery.receipt.leave() {
                dropped += 1;
                self.counters.count_overloaded();
            }
        }
        if dropped > 0 {
            tracing::warn!(
                "{}: ended before {dropped} messages that waited for it were handled",
                self.owner
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(len: usize) -> Delivery {
        Delivery {
            source: 0,
            topic: Arc::from("t"),
            payload: Bytes::from(vec![0; len]),
            receipt: Receipt::default(),
        }
    }

    #[tokio::test]
    async fn a_full_mailbox_drops_what_comes_and_has_room_again_when_one_was_taken() {
        let counters = Arc::default();
        let (mailbox, mut inbox, _closer) = mailbox(Arc::from("test"), Arc::clone(&counters));
        for _ in 0..MESSAGES + 3 {
            mailbox.deliver(delivery(1));
        }
        assert_eq!(counters.overloaded(), 3);
        assert!(inbox.recv().await.is_some());
        mailbox.deliver(delivery(1));
        assert_eq!(counters.overloaded(), 3);
    }

    #[tokio::test]
    async fn the_bytes_that_wait_have_a_bound_too() {
        let counters = Arc::default();
        let (mailbox, mut inbox, _closer) = mailbox(Arc::from("test"), Arc::clone(&counters));
        mailbox.deliver(delivery(BYTES - 1));
        mailbox.deliver(delivery(2));
        assert_eq!(counters.overloaded(), 1);
        mailbox.deliver(delivery(1));
        assert_eq!(counters.overloaded(), 1);
        assert_eq!(
            inbox.recv().await.map(|delivery| delivery.payload.len()),
            Some(BYTES - 1)
        );
        mailbox.deliver(delivery(2));
        assert_eq!(counters.overloaded(), 1);
    }

    #[tokio::test]
    async fn a_mailbox_that_is_closed_hands_out_what_waits_and_counts_what_comes_after() {
        let counters = Arc::default();
        let (mailbox, mut inbox, closer) = mailbox(Arc::from("test"), Arc::clone(&counters));
        for _ in 0..3 {
            mailbox.deliver(delivery(1));
        }
        let deadline = Instant::now();
        closer.close(deadline);
        for _ in 0..3 {
            assert!(inbox.recv().await.is_some());
        }
        mailbox.deliver(delivery(1));
        assert!(inbox.recv().await.is_none());
        assert_eq!((counters.overloaded(), inbox.deadline()), (1, Some(deadline)));
    }

    #[test]
    fn what_a_task_leaves_behind_is_counted() {
        let counters = Arc::default();
        let (mailbox, inbox, _closer) = mailbox(Arc::from("test"), Arc::clone(&counters));
        for _ in 0..3 {
            mailbox.deliver(delivery(1));
        }
        drop(inbox);
        assert_eq!(counters.overloaded(), 3);
    }
}
