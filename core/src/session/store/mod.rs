//! The store: Session state that outlives the process, as operations for the owner to carry out ahead of the wire.
//!
//! A session made by [`Session::restore`](super::Session::restore) hands out each change of its QoS 1 and 2 state as
//! [`Output::Store`](super::Output::Store): one
//! [`StoreOperation`] puts or deletes the record of one key. Its owner carries the operations out in order, so that a
//! crash at any time leaves those up to some number and none after it, and reports what is durable with
//! [`Session::handle_persisted`](super::Session::handle_persisted). What those records must precede stays back until then:
//!
//! | packet | is sent when it is durable that |
//! |---|---|
//! | PUBLISH, QoS 1 and 2 | the message exists and has this Packet Identifier |
//! | PUBREL | the PUBLISH is never to be sent again |
//! | PUBREC | the message was received, and is not to be handed out again |
//! | PUBCOMP | the identifier is free, and the next message under it is a new one |
//!
//! Pings, PUBACK, subscriptions and QoS 0 messages that nothing precedes wait for no disk. A [`Lifetime::Process`]
//! message waits at QoS 2 alone, whose Packet Identifier the server remembers.
//!
//! # What a crash can cost
//!
//! - A message submitted and not yet durable is gone: it is kept from the time that its [`StoreKey::message`] is.
//! - A QoS 2 message handed out is handed out again where the crash came before its PUBREC. With
//!   [`AckMode::Manual`](super::AckMode::Manual) that means before its acknowledgement was durable.
//! - A message may be sent again that the server has acknowledged: at QoS 1 as a repetition, at QoS 2 as one that the
//!   server recognises.
//!
//! The records are of [`FORMAT`]; `record.rs` beside this file lays them out.

mod operations;
pub(super) mod record;
mod restore;

use alloc::collections::VecDeque;
use core::fmt;

use bytes::Bytes;

pub use record::{FORMAT, RecordError};
pub use restore::{RestoreError, Restored};

use super::op::OpId;
use crate::codec::{PacketId, ReasonCode};
use crate::time::{Duration, Instant, UnixMillis};

/// One change of the stored state. Operations are numbered from 1 without a gap and carried out in that order.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreOperation {
    /// Number of the operation, for [`Session::handle_persisted`](super::Session::handle_persisted).
    pub seq: u64,
    /// Which record.
    pub key: StoreKey,
    /// What becomes of it.
    pub change: Change,
}

impl fmt::Debug for StoreOperation {
    /// Shows the record's length, never the record.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            Change::Put(record) => write!(f, "#{} put {} ({} bytes)", self.seq, self.key, record.len()),
            Change::Delete => write!(f, "#{} delete {}", self.seq, self.key),
        }
    }
}

/// What becomes of a record.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// It is these bytes now, whether or not there was one.
    Put(Bytes),
    /// It is gone. A record that is not there counts as deleted.
    Delete,
}

/// Key of a record: an integer, so that any store can carry it. The eight highest bits say of what kind it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey(u64);

impl StoreKey {
    const KIND_SHIFT: u32 = 56;
    const NUMBER: u64 = (1 << Self::KIND_SHIFT) - 1;

    /// The session itself. Its record is the first that is ever put, and is never deleted.
    pub const SESSION: Self = Self(0);

    /// The message of an operation, until the server has it.
    #[must_use]
    pub const fn message(op: OpId) -> Self {
        Self(1 << Self::KIND_SHIFT | op.to_u64() & Self::NUMBER)
    }

    /// A Packet Identifier that a message of this side uses.
    pub(super) fn flight(id: PacketId) -> Self {
        Self(2 << Self::KIND_SHIFT | u64::from(id.get()))
    }

    /// A Packet Identifier of a QoS 2 message that was received and not released.
    pub(super) fn received(id: PacketId) -> Self {
        Self(3 << Self::KIND_SHIFT | u64::from(id.get()))
    }

    /// The key as an integer.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The key that [`StoreKey::to_u64`] gave. [`Session::restore`](super::Session::restore) refuses any other integer.
    #[must_use]
    pub const fn from_u64(raw: u64) -> Self {
        Self(raw)
    }

    /// What the record of this key is about; `None` for a key that no session writes.
    #[must_use]
    pub fn subject(self) -> Option<Subject> {
        let number = self.0 & Self::NUMBER;
        let packet_id = || u16::try_from(number).ok().and_then(PacketId::new);
        match self.0 >> Self::KIND_SHIFT {
            0 if number == 0 => Some(Subject::Session),
            1 if number != 0 => Some(Subject::Message(OpId::new(number))),
            2 => packet_id().map(Subject::Flight),
            3 => packet_id().map(Subject::Received),
            _ => None,
        }
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject() {
            Some(Subject::Session) => f.write_str("session"),
            Some(Subject::Message(op)) => write!(f, "message {}", op.to_u64()),
            Some(Subject::Flight(id)) => write!(f, "packet identifier {id} in flight"),
            Some(Subject::Received(id)) => write!(f, "packet identifier {id} received"),
            None => write!(f, "unknown key {:#018x}", self.0),
        }
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({self})")
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The session itself.
    Session,
    /// The message of an operation.
    Message(OpId),
    /// A Packet Identifier that a message of this side uses.
    Flight(PacketId),
    /// A Packet Identifier of a QoS 2 message that was received and not released.
    Received(PacketId),
}

/// How long a QoS 1 or 2 message is kept for sending. Without a store there is no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lifetime {
    /// As long as the Session: it goes to the store, and is sent after a restart.
    #[default]
    Session,
    /// As long as the process: it is worth nothing to the next one, and spares the store the work.
    Process,
}

/// The session's side of the store.
#[derive(Debug)]
pub(super) struct Store {
    /// Number of the last operation handed out.
    issued: u64,
    /// Number of the last operation that is durable.
    persisted: u64,
    clock: WallClock,
    /// Packets that wait for the operations up to a number, in the order of these.
    held: VecDeque<(u64, Held)>,
    /// The session's record as it was last put.
    session: Bytes,
}

/// A packet that waits for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Pubrec(PacketId),
    Pubrel(PacketId, ReasonCode),
    Pubcomp(PacketId, ReasonCode),
}

impl Store {
    fn new(clock: WallClock) -> Self {
        Self {
            issued: 0,
            persisted: 0,
            clock,
            held: VecDeque::new(),
            session: Bytes::new(),
        }
    }

    /// Number of the last operation that is durable.
    pub(super) fn persisted(&self) -> u64 {
        self.persisted
    }

    fn is_persisted(&self, seq: u64) -> bool {
        seq <= self.persisted
    }

    /// Packets that wait.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    fn next_held(&mut self) -> Option<Held> {
        let (seq, held) = *self.held.front()?;
        if !self.is_persisted(seq) {
            return None;
        }
        self.held.pop_front();
        Some(held)
    }

    /// The connection ended, and with it what was to be sent on it.
    pub(super) fn link_lost(&mut self) {
        self.held.clear();
    }
}

/// One point in time on both clocks, by which deadlines of one process are told to the next.
#[derive(Debug, Clone, Copy)]
struct WallClock {
    now: Instant,
    wall: UnixMillis,
}

impl WallClock {
    /// The wall-clock time of an instant.
    fn unix(&self, at: Instant) -> UnixMillis {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let UnixMillis(wall) = self.wall;
        UnixMillis(if at >= self.now {
            wall.saturating_add(millis(at.since(self.now)))
        } else {
            wall.saturating_sub(millis(self.now.since(at)))
        })
    }

    /// The instant of a wall-clock time; what has passed is now.
    fn instant(&self, UnixMillis(at): UnixMillis) -> Instant {
        self.now
            .after(Duration::from_millis(at.saturating_sub(self.wall.0)))
    }
}
