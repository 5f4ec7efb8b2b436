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
    due: VecDeque<Deferred>,
    /// Bytes of the packets in `due`.
    due_bytes: usize,
    /// Token of the front of `due`.
    first_token: u64,
}

/// An acknowledgement that waits for the caller, or for those before it.
#[derive(Debug, Clone, Copy)]
struct Deferred {
    ack: DueAck,
    /// Whether the caller has given it.
    given: bool,
    /// Bytes of the PUBLISH that the caller holds.
    packet_len: usize,
}

impl Inbound {
    pub(super) fn new() -> Self {
        Self {
            unreleased: PacketIdSet::default(),
            due: VecDeque::new(),
            due_bytes: 0,
            first_token: 0,
        }
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

    /// Defers the acknowledgement of a PUBLISH of `packet_len` bytes until its token comes back.
    pub(super) fn defer(&mut self, ack: DueAck, packet_len: usize) -> AckToken {
        let token = AckToken(self.first_token + self.due.len() as u64);
        self.due_bytes += packet_len;
        self.due.push_back(Deferred {
            ack,
            given: false,
            packet_len,
        });
        token
    }

    /// Defers an acknowledgement that the caller has given already, until those before it are given.
    pub(super) fn defer_acknowledged(&mut self, ack: DueAck) {
        self.due.push_back(Deferred {
            ack,
            given: true,
            packet_len: 0,
        });
    }

    /// Acknowledgements that are deferred.
    pub(super) fn deferred(&self) -> usize {
        self.due.len()
    }

    /// Bytes of the packets whose acknowledgement is deferred.
    pub(super) fn deferred_bytes(&self) -> usize {
        self.due_bytes
    }

    /// Whether an acknowledgement of this message is deferred.
    pub(super) fn is_deferred(&self, ack: DueAck) -> bool {
        self.due.iter().any(|due| due.ack == ack)
    }

    /// The caller acknowledges; `None` for a token that is not outstanding.
    pub(super) fn acknowledge(&mut self, token: AckToken) -> Option<DueAck> {
        let place = token
            .0
            .checked_sub(self.first_token)
            .and_then(|place| usize::try_from(place).ok())?;
        let due = self.due.get_mut(place).filter(|due| !due.given)?;
        due.given = true;
        Some(due.ack)
    }

    /// The next acknowledgement that may be sent, in order of receipt.
    pub(super) fn next_due(&mut self) -> Option<DueAck> {
        let due = *self.due.front().filter(|due| due.given)?;
        self.due.pop_front();
        self.due_bytes -= due.packet_len;
        self.first_token += 1;
        Some(due.ack)
    }

    /// The connection ended: its tokens are stale, and what was never acknowledged will come again. What the caller has
    /// acknowledged will come again, too, but not to the caller.
    pub(super) fn link_lost(&mut self) {
        self.first_token += self.due.len() as u64;
        self.due_bytes = 0;
        for due in core::mem::take(&mut self.due) {
            if let (DueAck::Pubrec(id), false) = (due.ack, due.given) {
                self.unreleased.remove(id);
            }
        }
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
