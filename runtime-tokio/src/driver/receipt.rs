//! Messages that are being handled: each is acknowledged to the broker when the last who handles it is done, or when that takes long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use syncline_core::agent::Agent;
use syncline_core::codec::QoS;
use syncline_core::session::{AckToken, Message};
use syncline_core::time::{Duration, Instant};
use tokio::sync::mpsc;

use super::handle::Control;

/// Longest time for which a message goes without its acknowledgement. A broker sends only so many before it waits for one, and
/// acknowledgements keep their order: whoever takes longer must not hold up what others wait for.
const LONGEST: Duration = Duration::from_secs(1);

/// Stands for the acknowledgement of a message that a [`Sink`](super::Sink) was given.
///
/// A message of QoS 1 is acknowledged when each clone of this is gone, or a second after it came. If the process ends
/// before that, the message comes again in the next one. A message of QoS 2 is acknowledged when all sinks have seen it, so that
/// none comes twice.
#[derive(Clone, Default)]
pub struct Receipt(Option<Arc<Held>>);

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").finish_non_exhaustive()
    }
}

/// What the clones of one receipt share.
struct Held {
    id: u64,
    fate: AtomicU8,
    control: mpsc::UnboundedSender<Control>,
}

/// Nothing has been decided: the message is acknowledged when this is gone.
const OPEN: u8 = 0;
/// The message stays with the broker.
const LEFT: u8 = 1;
/// The broker has been told already.
const ACKNOWLEDGED: u8 = 2;

impl Receipt {
    /// Leaves the message with the broker, to come again on the next connection; false where it is too late for that.
    pub(crate) fn leave(&self) -> bool {
        let Some(held) = &self.0 else { return false };
        let before = held
            .fate
            .compare_exchange(OPEN, LEFT, Ordering::Relaxed, Ordering::Relaxed);
        matches!(before, Ok(_) | Err(LEFT))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let end = match *self.fate.get_mut() {
            OPEN => Control::Handled(self.id),
            LEFT => Control::Left(self.id),
            _ => return,
        };
        // A driver that has ended acknowledges nothing.
        let _ = self.control.send(end);
    }
}

/// The messages of a connection that have no acknowledgement yet.
#[derive(Default)]
pub(super) struct Unacknowledged {
    /// Receipts made so far.
    made: u64,
    /// In the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    /// No more acknowledgements are given.
    is_over: bool,
}

struct Waiting {
    token: AckToken,
    since: Instant,
    held: Weak<Held>,
}

impl Unacknowledged {
    /// The receipt of a message that has just come.
    pub(super) fn receipt(
        &mut self,
        now: Instant,
        message: &Message,
        control: &mpsc::UnboundedSender<Control>,
    ) -> Receipt {
        let Some(token) = message.ack_token() else {
            return Receipt::default();
        };
        self.made += 1;
        let held = Arc::new(Held {
            id: self.made,
            fate: AtomicU8::new(OPEN),
            control: control.clone(),
        });
        let waiting = Waiting {
            token,
            since: now,
            held: Arc::downgrade(&held),
        };
        self.waiting.insert(held.id, waiting);
        Receipt(Some(held))
    }

    /// All sinks have seen `message`.
    pub(super) fn seen(&mut self, message: &Message, receipt: Receipt, agent: &mut Agent) {
        let Some(held) = receipt.0 else { return };
        if message.qos() == QoS::ExactlyOnce && held.fate.load(Ordering::Relaxed) == OPEN {
            self.acknowledge(held.id, agent);
        } else if let Some(mut held) = Arc::into_inner(held) {
            // Nobody handles it any more.
            let id = held.id;
            match std::mem::replace(held.fate.get_mut(), ACKNOWLEDGED) {
                LEFT => self.left(id),
                _ => self.acknowledge(id, agent),
            }
        }
    }

    /// It was handled.
    pub(super) fn handled(&mut self, id: u64, agent: &mut Agent) {
        if !self.is_over {
            self.acknowledge(id, agent);
        }
    }

    /// It stays with the broker.
    pub(super) fn left(&mut self, id: u64) {
        self.waiting.remove(&id);
    }

    /// From now on nothing counts as handled.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.waiting.clear();
    }

    /// The connection has ended: what was not acknowledged comes again.
    pub(super) fn link_lost(&mut self) {
        self.waiting.clear();
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (_, first) = self.waiting.first_key_value()?;
        Some(first.since.after(LONGEST))
    }

    /// Acknowledges what takes too long.
    pub(super) fn handle_timeout(&mut self, now: Instant, agent: &mut Agent) {
        while self.poll_timeout().is_some_and(|deadline| deadline <= now)
            && let Some((id, _)) = self.waiting.first_key_value()
        {
            self.acknowledge(*id, agent);
        }
    }

    fn acknowledge(&mut self, id: u64, agent: &mut Agent) {
        let Some(Waiting { token, held, .. }) = self.waiting.remove(&id) else {
            return;
        };
        if let Some(held) = held.upgrade() {
            let open = held
                .fate
                .compare_exchange(OPEN, ACKNOWLEDGED, Ordering::Relaxed, Ordering::Relaxed);
            if open.is_err() {
                return;
            }
        }
        // Its connection may have ended just now: then it comes again.
        let _ = agent.acknowledge(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> (Receipt, mpsc::UnboundedReceiver<Control>) {
        let (control, ends) = mpsc::unbounded_channel();
        let fate = AtomicU8::new(OPEN);
        (Receipt(Some(Arc::new(Held { id: 7, fate, control }))), ends)
    }

    #[test]
    fn a_message_is_handled_when_the_last_who_has_it_is_done() {
        let (receipt, mut ends) = receipt();
        let other = receipt.clone();
        drop(receipt);
        assert!(ends.try_recv().is_err(), "another is at work on it");
        drop(other);
        assert!(matches!(ends.try_recv(), Ok(Control::Handled(7))));
    }

    #[test]
    fn a_message_that_one_leaves_stays_with_the_broker_whoever_has_handled_it() {
        let (receipt, mut ends) = receipt();
        assert!(receipt.clone().leave() && receipt.leave());
        drop(receipt);
        assert!(matches!(ends.try_recv(), Ok(Control::Left(7))));
    }

    #[test]
    fn a_message_that_took_too_long_can_be_left_no_more() {
        let (receipt, mut ends) = receipt();
        let held = receipt.0.as_ref().unwrap();
        held.fate.store(ACKNOWLEDGED, Ordering::Relaxed);
        assert!(!receipt.leave() && !Receipt::default().leave());
        drop(receipt);
        assert!(ends.try_recv().is_err());
    }
}
