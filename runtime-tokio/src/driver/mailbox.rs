//! Messages on their way from the driver to a task, which may be slower than they come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use syncline_core::session::Message;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::receipt::Receipt;
use super::subscriptions::Sink;
use crate::log_name::LogName;
use crate::rules::Counters;

/// Messages that wait for one task; a further one is dropped and counted. A broker sends at once what it has kept while the agent was
/// away, faster than it is handled.
const MESSAGES: usize = 10_000;
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
    owner: LogName,
    closing: watch::Receiver<Option<Closing>>,
}

/// The task's end of a mailbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Delivery>,
    waiting: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    owner: LogName,
    closing: watch::Receiver<Option<Closing>>,
    /// What a task before this one has not begun, once that has handed it over.
    earlier: Option<Rest>,
    /// The same, handed over.
    first: VecDeque<Delivery>,
    /// For the task that comes after this one.
    rest: Option<oneshot::Sender<VecDeque<Delivery>>>,
}

/// Why no more messages come than those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The agent stops: the task should have ended by then, and what it leaves stays with the broker.
    Leaving(Instant),
    /// Another task takes its place, and what it has not begun.
    HandingOver,
}

/// Closes a mailbox: what waits is handed out still, and what comes after that stays with the broker. Where it is dropped, no more comes
/// either.
#[derive(Debug)]
pub(crate) struct Closer {
    closing: watch::Sender<Option<Closing>>,
    rest: Rest,
}

/// What a task has not begun when another takes its place.
#[derive(Debug)]
struct Rest(oneshot::Receiver<VecDeque<Delivery>>);

/// Lets a task see that its mailbox is closed although it takes nothing just now.
#[derive(Debug)]
pub(crate) struct Closings(watch::Receiver<Option<Closing>>);

/// A mailbox for a task that the log calls `owner`; what it has no room for is counted in `counters`.
pub(crate) fn mailbox(owner: impl Into<LogName>, counters: Arc<Counters>) -> (Mailbox, Inbox, Closer) {
    let owner = owner.into();
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let (close, closing) = watch::channel(None);
    let (rest, handed_over) = oneshot::channel();
    let inbox = Inbox {
        receiver,
        waiting: Arc::clone(&waiting),
        counters: Arc::clone(&counters),
        owner: owner.clone(),
        closing: closing.clone(),
        earlier: None,
        first: VecDeque::new(),
        rest: Some(rest),
    };
    let mailbox = Mailbox {
        sender,
        waiting,
        counters,
        owner,
        closing,
    };
    let closer = Closer {
        closing: close,
        rest: Rest(handed_over),
    };
    (mailbox, inbox, closer)
}

impl Closer {
    /// Closes it for a task that should have ended by `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        self.closing.send_replace(Some(Closing::Leaving(deadline)));
    }

    /// Has `inbox` begin with what this mailbox's task has not begun, which takes no more.
    pub(super) fn hand_over_to(self, inbox: &mut Inbox) {
        self.closing.send_replace(Some(Closing::HandingOver));
        inbox.earlier = Some(self.rest);
    }
}

impl Closings {
    /// Waits until the mailbox is closed.
    pub(crate) async fn begun(&mut self) {
        // The end of what could close it is the end of its messages as well.
        let _ = self.0.wait_for(Option::is_some).await;
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
        let leaves = matches!(*self.closing.borrow(), Some(Closing::Leaving(_)));
        // Also where its task is at work just now and has not seen it: others of the same message may have left it already.
        if leaves && delivery.receipt.leave() {
            return;
        }
        let len = delivery.payload.len();
        // Counted before the task can see it and count it off again.
        let waiting = self.waiting.fetch_add(len, Ordering::Relaxed);
        if waiting.saturating_add(len) <= BYTES {
            match self.sender.try_send(delivery) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    self.waiting.fetch_sub(len, Ordering::Relaxed);
                    self.counters.count_overloaded();
                    tracing::debug!("{}: a message that comes after its end is dropped", self.owner);
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
    /// The next message; `None` when there will be none. Cancel safe.
    pub(crate) async fn recv(&mut self) -> Option<Delivery> {
        self.take_over().await;
        let delivery = match self.first.pop_front() {
            Some(delivery) => delivery,
            None => self.recv_own().await?,
        };
        self.waiting.fetch_sub(delivery.payload.len(), Ordering::Relaxed);
        Some(delivery)
    }

    async fn recv_own(&mut self) -> Option<Delivery> {
        let is_leaving = |closing: &Option<Closing>| matches!(closing, Some(Closing::Leaving(_)));
        let received = tokio::select! {
            biased;
            Ok(_) = self.closing.wait_for(is_leaving), if !self.receiver.is_closed() => None,
            delivery = self.receiver.recv() => Some(delivery),
        };
        match received {
            Some(delivery) => delivery,
            None => {
                self.receiver.close();
                self.receiver.recv().await
            }
        }
    }

    /// Waits for what the task before this one has not begun. Cancel safe.
    async fn take_over(&mut self) {
        let Some(Rest(earlier)) = &mut self.earlier else {
            return;
        };
        // It may have ended without a word.
        let earlier = earlier.await.unwrap_or_default();
        self.earlier = None;
        self.put_first(earlier);
    }

    fn put_first(&mut self, mut earlier: VecDeque<Delivery>) {
        let beyond = earlier.split_off(earlier.len().min(MESSAGES));
        self.forget(beyond.len());
        let bytes = earlier.iter().map(|delivery| delivery.payload.len()).sum();
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.first = earlier;
    }

    /// Lets the task see that it is closed.
    pub(crate) fn closings(&self) -> Closings {
        Closings(self.closing.clone())
    }

    /// Why it is closed, where it is; a source that has ended does not say.
    pub(crate) fn closing(&self) -> Option<Closing> {
        *self.closing.borrow()
    }

    /// When its task should have ended, where the agent stops.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.closing() {
            Some(Closing::Leaving(deadline)) => Some(deadline),
            _ => None,
        }
    }

    /// Gives what has come and was not taken to the task that takes this one's place.
    pub(crate) async fn hand_over(mut self) {
        let mut rest = VecDeque::new();
        // It ends when the driver delivers no more.
        while let Some(delivery) = self.recv().await {
            rest.push_back(delivery);
        }
        if let Some(successor) = self.rest.take()
            && let Err(rest) = successor.send(rest)
        {
            self.forget(rest.len());
        }
    }

    /// Leaves with the broker what waits and was not acknowledged yet; the rest waits on.
    pub(crate) async fn leave(&mut self) {
        let mut waiting = self.take_waiting().await;
        waiting.retain(|delivery| !delivery.receipt.leave());
        self.put_first(waiting);
    }

    /// All that waits, for good.
    pub(crate) async fn take_waiting(&mut self) -> VecDeque<Delivery> {
        self.take_over().await;
        self.drain()
    }

    fn drain(&mut self) -> VecDeque<Delivery> {
        self.receiver.close();
        let mut waiting = std::mem::take(&mut self.first);
        while let Ok(delivery) = self.receiver.try_recv() {
            waiting.push_back(delivery);
        }
        let bytes = waiting.iter().map(|delivery| delivery.payload.len()).sum();
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        waiting
    }

    /// Nothing that the broker believes to be delivered is lost without a word.
    fn forget(&self, count: usize) {
        for _ in 0..count {
            self.counters.count_overloaded();
        }
        if count > 0 {
            tracing::warn!(
                "{}: ended before {count} messages that waited for it were handled",
                self.owner
            );
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let stays = self.deadline().is_some();
        let mut waiting = self.drain();
        let earlier = self.earlier.take();
        if let Some(mut earlier) = earlier.and_then(|Rest(mut earlier)| earlier.try_recv().ok()) {
            waiting.append(&mut earlier);
        }
        waiting.retain(|delivery| !stays || !delivery.receipt.leave());
        self.forget(waiting.len());
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
