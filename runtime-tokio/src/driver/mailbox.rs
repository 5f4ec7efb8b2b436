//! Messages on their way from the driver to a task, which may be slower than they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use syncline_core::session::Message;
use tokio::sync::mpsc;

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
}

/// The driver's end of a mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: mpsc::Sender<Delivery>,
    waiting: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    owner: Arc<str>,
}

/// The task's end of a mailbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Delivery>,
    waiting: Arc<AtomicUsize>,
}

/// A mailbox for a task that the log calls `owner`; what it has no room for is counted in `counters`.
pub(crate) fn mailbox(owner: Arc<str>, counters: Arc<Counters>) -> (Mailbox, Inbox) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let inbox = Inbox {
        receiver,
        waiting: Arc::clone(&waiting),
    };
    let mailbox = Mailbox {
        sender,
        waiting,
        counters,
        owner,
    };
    (mailbox, inbox)
}

impl Mailbox {
    /// Where the messages of a subscription go that is the task's number `source`.
    pub(crate) fn sink(&self, source: usize) -> Sink {
        let mailbox = self.clone();
        Box::new(move |message: &Message| {
            mailbox.deliver(Delivery {
                source,
                topic: message.topic().into(),
                // Copied: who keeps the message must not keep the receive buffer.
                payload: Bytes::copy_from_slice(message.payload()),
            });
        })
    }

    fn deliver(&self, delivery: Delivery) {
        let len = delivery.payload.len();
        // Counted before the task can see it and count it off again.
        let waiting = self.waiting.fetch_add(len, Ordering::Relaxed);
        if waiting.saturating_add(len) <= BYTES && self.sender.try_send(delivery).is_ok() {
            return;
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
        let delivery = self.receiver.recv().await?;
        self.waiting.fetch_sub(delivery.payload.len(), Ordering::Relaxed);
        Some(delivery)
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
        }
    }

    #[tokio::test]
    async fn a_full_mailbox_drops_what_comes_and_has_room_again_when_one_was_taken() {
        let counters = Arc::default();
        let (mailbox, mut inbox) = mailbox(Arc::from("test"), Arc::clone(&counters));
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
        let (mailbox, mut inbox) = mailbox(Arc::from("test"), Arc::clone(&counters));
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
}
