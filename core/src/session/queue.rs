//! Messages that wait to be sent: in order and bounded, each to be taken out early when it expires or makes room.

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::config::{Config, QueueFull};
use super::op::{OpId, Publication};
use crate::codec::QoS;
use crate::time::Instant;

/// Entries of messages that are gone, beyond as many as there are messages, until they are cleared away.
const STALE_ENTRIES: usize = 64;

/// A message with the operation that it belongs to.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) op: OpId,
    pub(super) publication: Publication,
    pub(super) expires_at: Option<Instant>,
}

/// The queue. Every operation takes constant or logarithmic time, amortised.
///
/// A message that leaves from the middle leaves its slot behind, and its entries in the two indices. Once those
/// outnumber the messages, all three are made anew.
#[derive(Debug)]
pub(super) struct Queue {
    policy: QueueFull,
    max_messages: usize,
    max_bytes: usize,
    /// In order; the front one is never empty.
    slots: VecDeque<Option<Outgoing>>,
    /// Number of the front slot. Slots are counted on, so that the indices can name them.
    first: u64,
    total: Load,
    /// The share of QoS 0.
    qos0: Load,
    /// Messages that expire, the next one on top, which is never stale.
    expiries: BinaryHeap<Reverse<(Instant, u64)>>,
    /// QoS 0 messages in order, where the policy drops these.
    oldest_qos0: VecDeque<u64>,
}

/// What messages amount to.
#[derive(Debug, Default)]
struct Load {
    messages: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, publication: &Publication) {
        self.messages += 1;
        self.bytes += publication.weight();
    }

    fn remove(&mut self, publication: &Publication) {
        self.messages -= 1;
        self.bytes -= publication.weight();
    }
}

impl Queue {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            policy: config.queue_full,
            max_messages: config.queue_messages,
            max_bytes: config.queue_bytes,
            slots: VecDeque::new(),
            first: 0,
            total: Load::default(),
            qos0: Load::default(),
            expiries: BinaryHeap::new(),
            oldest_qos0: VecDeque::new(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.total.messages
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.total.messages == 0
    }

    /// Whether there is room for a message of this weight, or the policy can make it.
    pub(super) fn can_take(&self, weight: usize) -> bool {
        let Load { messages, bytes } = self.total;
        match self.policy {
            QueueFull::Reject => self.fits(messages, bytes, weight),
            QueueFull::DropOldestQos0 => {
                self.fits(messages - self.qos0.messages, bytes - self.qos0.bytes, weight)
            }
            QueueFull::DropOldest => self.fits(0, 0, weight),
        }
    }

    /// Drops one message if there is no room for one of this weight, which [`Queue::can_take`] has allowed.
    pub(super) fn make_room(&mut self, weight: usize) -> Option<Outgoing> {
        if self.fits(self.total.messages, self.total.bytes, weight) {
            return None;
        }
        match self.policy {
            QueueFull::Reject => None,
            QueueFull::DropOldest => self.pop_front(),
            QueueFull::DropOldestQos0 => loop {
                let number = self.oldest_qos0.pop_front()?;
                if let Some(outgoing) = self.remove(number) {
                    return Some(outgoing);
                }
            },
        }
    }

    pub(super) fn push_back(&mut self, outgoing: Outgoing) {
        let number = self.first + self.slots.len() as u64;
        self.note(&outgoing, number);
        self.slots.push_back(Some(outgoing));
    }

    /// Puts messages back before everything else, in their order. They were accepted before and are not refused now.
    pub(super) fn push_front(&mut self, outgoing: Vec<Outgoing>) {
        if outgoing.is_empty() {
            return;
        }
        for message in outgoing.into_iter().rev() {
            self.slots.push_front(Some(message));
        }
        self.rebuild();
    }

    /// Operations of the messages, in order.
    pub(super) fn operations(&self) -> impl Iterator<Item = OpId> + '_ {
        self.slots.iter().flatten().map(|outgoing| outgoing.op)
    }

    pub(super) fn front(&self) -> Option<&Outgoing> {
        self.slots.front()?.as_ref()
    }

    pub(super) fn pop_front(&mut self) -> Option<Outgoing> {
        self.remove(self.first)
    }

    /// When the next message expires.
    #[inline]
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes a message out whose expiry has come.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Outgoing> {
        let Reverse((at, number)) = *self.expiries.peek()?;
        if at > now {
            return None;
        }
        self.remove(number)
    }

    /// Gives back what more messages have needed than wait now.
    pub(super) fn release_memory(&mut self) {
        self.slots.shrink_to_fit();
        self.expiries.shrink_to_fit();
        self.oldest_qos0.shrink_to_fit();
    }

    fn fits(&self, messages: usize, bytes: usize, weight: usize) -> bool {
        messages < self.max_messages && bytes.saturating_add(weight) <= self.max_bytes
    }

    fn note(&mut self, outgoing: &Outgoing, number: u64) {
        self.total.add(&outgoing.publication);
        if outgoing.publication.qos == QoS::AtMostOnce {
            self.qos0.add(&outgoing.publication);
            if self.policy == QueueFull::DropOldestQos0 {
                self.oldest_qos0.push_back(number);
            }
        }
        if let Some(at) = outgoing.expires_at {
            self.expiries.push(Reverse((at, number)));
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    fn is_there(&self, number: u64) -> bool {
        let slot = self.index(number).and_then(|index| self.slots.get(index));
        matches!(slot, Some(Some(_)))
    }

    fn remove(&mut self, number: u64) -> Option<Outgoing> {
        let index = self.index(number)?;
        let outgoing = self.slots.get_mut(index)?.take()?;
        self.total.remove(&outgoing.publication);
        if outgoing.publication.qos == QoS::AtMostOnce {
            self.qos0.remove(&outgoing.publication);
        }
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        while let Some(Reverse((_, number))) = self.expiries.peek()
            && !self.is_there(*number)
        {
            self.expiries.pop();
        }
        let bound = 2 * self.total.messages + STALE_ENTRIES;
        if self
            .slots
            .len()
            .max(self.expiries.len())
            .max(self.oldest_qos0.len())
            > bound
        {
            self.rebuild();
        }
        Some(outgoing)
    }

    /// Closes gaps and makes the indices anew.
    fn rebuild(&mut self) {
        self.slots.retain(Option::is_some);
        self.first = 0;
        self.total = Load::default();
        self.qos0 = Load::default();
        self.expiries.clear();
        self.oldest_qos0.clear();
        let slots = core::mem::take(&mut self.slots);
        for (number, outgoing) in (0..).zip(slots.iter().flatten()) {
            self.note(outgoing, number);
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::TopicName;
    use core::time::Duration;

    fn queue(policy: QueueFull, messages: usize, bytes: usize) -> Queue {
        let mut config = Config::new("test");
        config.queue_full = policy;
        config.queue_messages = messages;
        config.queue_bytes = bytes;
        Queue::new(&config)
    }

    fn outgoing(op: u64, qos: QoS, expires_at: Option<u64>) -> Outgoing {
        Outgoing {
            op: OpId::new(op),
            publication: Publication::new(TopicName::from_static("t").unwrap(), "payload").qos(qos),
            expires_at: expires_at.map(|at| Instant::ZERO.after(Duration::from_secs(at))),
        }
    }

    fn op(outgoing: Option<Outgoing>) -> Option<OpId> {
        outgoing.map(|outgoing| outgoing.op)
    }

    fn order(queue: &mut Queue) -> Vec<u64> {
        core::iter::from_fn(|| queue.pop_front())
            .map(|outgoing| outgoing.op.to_u64())
            .collect()
    }

    #[test]
    fn messages_taken_from_the_middle_leave_the_others_in_order() {
        let mut queue = queue(QueueFull::DropOldestQos0, 6, usize::MAX);
        for op in 1..=6 {
            let qos = if op % 2 == 0 {
                QoS::AtMostOnce
            } else {
                QoS::AtLeastOnce
            };
            queue.push_back(outgoing(op, qos, (op > 3).then_some(op)));
        }
        assert_eq!(op(queue.make_room(8)), Some(OpId::new(2)));
        assert_eq!(op(queue.make_room(8)), None);
        let at = Instant::ZERO.after(Duration::from_secs(4));
        assert_eq!(queue.next_expiry(), Some(at));
        assert_eq!(op(queue.pop_expired(at)), Some(OpId::new(4)));
        assert_eq!(op(queue.pop_expired(at)), None);
        queue.push_front(alloc::vec![
            outgoing(7, QoS::AtLeastOnce, None),
            outgoing(8, QoS::AtLeastOnce, Some(1))
        ]);
        assert_eq!(op(queue.pop_expired(at)), Some(OpId::new(8)));
        assert_eq!(order(&mut queue), [7, 1, 3, 5, 6]);
        assert_eq!(
            (queue.total.bytes, queue.qos0.bytes, queue.next_expiry()),
            (0, 0, None)
        );
    }

    #[test]
    fn what_is_gone_leaves_no_more_behind_than_what_is_there() {
        let mut queue = queue(QueueFull::DropOldestQos0, 10, usize::MAX);
        queue.push_back(outgoing(1, QoS::AtLeastOnce, None));
        for op in 2..100_000 {
            while queue.make_room(8).is_some() {}
            queue.push_back(outgoing(op, QoS::AtMostOnce, Some(op)));
        }
        assert_eq!(queue.len(), 10);
        let bound = 2 * 10 + STALE_ENTRIES + 1;
        for entries in [queue.slots.len(), queue.expiries.len(), queue.oldest_qos0.len()] {
            assert!(entries <= bound, "{entries}");
        }
        assert_eq!(order(&mut queue)[..2], [1, 99_991]);
    }

    #[test]
    fn room_is_counted_in_bytes_too_and_a_message_that_never_fits_drops_nothing() {
        let mut queue = queue(QueueFull::DropOldest, 10, 20);
        queue.push_back(outgoing(1, QoS::AtLeastOnce, None));
        queue.push_back(outgoing(2, QoS::AtLeastOnce, None));
        assert!(!queue.can_take(21));
        assert!(queue.can_take(20));
        assert_eq!(op(queue.make_room(12)), Some(OpId::new(1)));
        assert_eq!(op(queue.make_room(12)), None);
    }
}
