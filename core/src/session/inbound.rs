//! Messages on their way in: which QoS 2 identifiers are open, and which acknowledgements are due in which order.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::message::AckToken;
use crate::codec::PacketId;

/// An acknowledgement that a received message waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DueAck {
    Puback(PacketId),
    Pubrec(PacketId),
}

/// The receiving half of the Session state.
#[derive(Debug)]
pub(super) struct Inbound {
    /// QoS 2 messages received and not yet released.
    unreleased: PacketIdSet,
    /// With manual acknowledgement: what was handed out, in order of receipt.
    due: VecDeque<(DueAck, bool)>,
    /// Token of the front of `due`.
    first_token: u64,
    /// PUBLISH packets with QoS > 0 of this connection whose exchange is not over.
    unfinished: u32,
}

impl Inbound {
    pub(super) fn new() -> Self {
        Self {
            unreleased: PacketIdSet::default(),
            due: VecDeque::new(),
            first_token: 0,
            unfinished: 0,
        }
    }

    /// Notes a received QoS 1 or new QoS 2 message and returns how many are unfinished now.
    pub(super) fn begin(&mut self) -> u32 {
        self.unfinished += 1;
        self.unfinished
    }

    /// The exchange of one message is over.
    pub(super) fn finish(&mut self) {
        self.unfinished = self.unfinished.saturating_sub(1);
    }

    /// Notes a QoS 2 message; false if it is known already.
    pub(super) fn receive(&mut self, id: PacketId) -> bool {
        self.unreleased.insert(id)
    }

    /// Whether this identifier's message was received and not released: a server may release it without its PUBREC.
    pub(super) fn is_unreleased(&self, id: PacketId) -> bool {
        self.unreleased.contains(id)
    }

    /// PUBREL or failed PUBREC: the identifier is free again; false if it was not in use.
    pub(super) fn release(&mut self, id: PacketId) -> bool {
        self.unreleased.remove(id)
    }

    /// Defers an acknowledgement until its token comes back.
    pub(super) fn defer(&mut self, ack: DueAck) -> AckToken {
        let token = AckToken(self.first_token + self.due.len() as u64);
        self.due.push_back((ack, false));
        token
    }

    /// Defers an acknowledgement that the caller has given already, until those before it are given.
    pub(super) fn defer_acknowledged(&mut self, ack: DueAck) {
        self.due.push_back((ack, true));
    }

    /// Acknowledgements that are deferred.
    pub(super) fn deferred(&self) -> usize {
        self.due.len()
    }

    /// Whether an acknowledgement of this message is deferred.
    pub(super) fn is_deferred(&self, ack: DueAck) -> bool {
        self.due.iter().any(|(due, _)| *due == ack)
    }

    /// The caller acknowledges; `None` for a token that is not outstanding.
    pub(super) fn acknowledge(&mut self, token: AckToken) -> Option<DueAck> {
        let place = token
            .0
            .checked_sub(self.first_token)
            .and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.due.get_mut(place)) {
            Some((ack, done @ false)) => {
                *done = true;
                Some(*ack)
            }
            _ => None,
        }
    }

    /// The next acknowledgement that may be sent, in order of receipt.
    pub(super) fn next_due(&mut self) -> Option<DueAck> {
        let (ack, true) = *self.due.front()? else {
            return None;
        };
        self.due.pop_front();
        self.first_token += 1;
        Some(ack)
    }

    /// The connection ended: its tokens are stale, and what was never acknowledged will come again. What the caller has
    /// acknowledged will come again, too, but not to the caller.
    pub(super) fn link_lost(&mut self) {
        self.first_token += self.due.len() as u64;
        for due in core::mem::take(&mut self.due) {
            if let (DueAck::Pubrec(id), false) = due {
                self.unreleased.remove(id);
            }
        }
        self.unfinished = 0;
    }

    /// Whether a QoS 2 message was received that the server has not released.
    pub(super) fn is_unfinished(&self) -> bool {
        !self.unreleased.is_empty()
    }

    /// Gives back what is not needed now.
    pub(super) fn release_memory(&mut self) {
        if self.unreleased.is_empty() {
            self.unreleased = PacketIdSet::default();
        }
        self.due.shrink_to_fit();
    }

    /// The server has no Session: nothing that was received will be released. Returns the identifiers that were open.
    pub(super) fn session_lost(&mut self) -> impl Iterator<Item = PacketId> + use<> {
        core::mem::take(&mut self.unreleased).into_ids()
    }
}

/// A set of Packet Identifiers: nothing while empty, 8 KiB once used.
#[derive(Debug, Default)]
struct PacketIdSet(Option<Box<[u64; 1024]>>);

impl PacketIdSet {
    fn is_empty(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|words| words.iter().all(|word| *word == 0))
    }

    fn insert(&mut self, id: PacketId) -> bool {
        let words = self.0.get_or_insert_with(|| Box::new([0; 1024]));
        let (word, bit) = Self::place(id);
        let is_new = words[word] & bit == 0;
        words[word] |= bit;
        is_new
    }

    fn contains(&self, id: PacketId) -> bool {
        let (word, bit) = Self::place(id);
        self.0.as_ref().is_some_and(|words| words[word] & bit != 0)
    }

    fn remove(&mut self, id: PacketId) -> bool {
        let Some(words) = &mut self.0 else { return false };
        let (word, bit) = Self::place(id);
        let was_there = words[word] & bit != 0;
        words[word] &= !bit;
        was_there
    }

    fn into_ids(self) -> impl Iterator<Item = PacketId> {
        (1..=u16::MAX)
            .filter_map(PacketId::new)
            .filter(move |id| self.contains(*id))
    }

    fn place(id: PacketId) -> (usize, u64) {
        (usize::from(id.get() >> 6), 1 << (id.get() & 63))
    }
}
