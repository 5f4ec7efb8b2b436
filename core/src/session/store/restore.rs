//! Restoring: a session made of the records that an earlier process left.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use bytes::Bytes;

use super::record::{SessionRecord, decode_flight, decode_message};
use super::{RecordError, Store, StoreKey, Subject, WallClock};
use crate::codec::{PacketId, QoS};
use crate::rng::SEED_LEN;
use crate::session::op::{OpId, Publication};
use crate::session::outbound::{Awaited, Flight};
use crate::session::queue::Outgoing;
use crate::session::{Config, ConfigError, Session};
use crate::time::{Instant, UnixMillis};

/// What a restored session goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Messages that were not sent, in the queue. Their operations have the numbers that they had.
    pub queued: usize,
    /// Messages in flight: sent again, or finished, once the server resumes the Session.
    pub in_flight: usize,
    /// QoS 2 messages that were received and not released.
    pub received: usize,
}

/// Why records do not make a session. They are as they were: nothing is lost yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The configuration itself is at fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A record cannot be read.
    #[error("stored session cannot be read: {key}: {error}; move it aside to start with a new session")]
    Record {
        /// Which.
        key: StoreKey,
        /// Why.
        error: RecordError,
    },
    /// A key that this version does not write.
    #[error("stored session has an {0}; move it aside to start with a new session")]
    UnknownKey(StoreKey),
    /// Two records of one key, or two identifiers of one message.
    #[error("stored session contradicts itself at {0}; move it aside to start with a new session")]
    Contradiction(StoreKey),
    /// There are records, but not the session's own, which is put before any other.
    #[error("stored session lacks its first record; move it aside to start with a new session")]
    NoSession,
    /// The session is another client's.
    #[error(
        "stored session is that of client identifier {stored:?}, and {configured:?} is configured; configure the former or \
         move the stored session aside"
    )]
    OtherClient {
        /// Client Identifier of the records.
        stored: String,
        /// Client Identifier of the configuration.
        configured: String,
    },
}

impl Session {
    /// A session with a store: offline until [`connect`](Self::connect), and with the state that `records` hold. Without
    /// records it is new.
    ///
    /// `now` and `wall` are the same moment on both clocks, by which expiries are carried from process to process.
    /// Messages that have expired meanwhile complete as such at the first [`handle_timeout`](Self::handle_timeout). The
    /// first outputs may be store operations: records that a crash has left without their other half go.
    ///
    /// # Errors
    /// [`RestoreError`] names the record that is at fault.
    pub fn restore(
        config: Config,
        seed: [u8; SEED_LEN],
        now: Instant,
        wall: UnixMillis,
        records: impl IntoIterator<Item = (StoreKey, Bytes)>,
    ) -> Result<(Self, Restored), RestoreError> {
        let mut session = Self::new(config, seed)?;
        session.store = Some(Store::new(WallClock { now, wall }));
        let mut records = Records::sort(records)?;
        let restored = match records.session.take() {
            Some(record) => session.take_up(record, records)?,
            None if records.is_empty() => Restored::default(),
            None => return Err(RestoreError::NoSession),
        };
        session.store_session();
        Ok((session, restored))
    }

    fn take_up(&mut self, record: SessionRecord, records: Records) -> Result<Restored, RestoreError> {
        let configured = &self.config.client_id;
        if !configured.is_empty() && *configured != record.client_id {
            return Err(RestoreError::OtherClient {
                stored: record.client_id,
                configured: configured.clone(),
            });
        }
        self.config.client_id = record.client_id;
        self.resumable = record.resumable;
        self.gave_up = record.gave_up;
        let as_stored = self.session_record();
        if let Some(store) = &mut self.store {
            store.session = as_stored;
        }
        let Records {
            mut messages,
            flights,
            received,
            ..
        } = records;
        for id in &received {
            self.inbound.receive(*id);
        }
        let last_op = messages.keys().chain(flights.values().map(|(_, op)| op)).max();
        self.next_op = last_op.map_or(1, |op| op.to_u64() + 1);
        let mut in_flight = BTreeMap::new();
        for (id, (awaited, op)) in flights {
            let message = messages.remove(&op);
            match self.taken_up(awaited, op, message) {
                Some(flight) => drop(in_flight.insert(id, flight)),
                None => self.delete(StoreKey::flight(id)),
            }
        }
        let restored = Restored {
            queued: messages.len(),
            in_flight: in_flight.len(),
            received: received.len(),
        };
        self.outbound.restore(in_flight);
        let queue = messages
            .into_iter()
            .map(|(op, message)| self.outgoing(op, message))
            .collect();
        self.outbound.queue.push_front(queue);
        Ok(restored)
    }

    /// A flight of the records. Without its message, one that awaits an acknowledgement of that is over: a crash has left
    /// half of it, or the message was of its process alone.
    fn taken_up(&mut self, awaited: Awaited, op: OpId, message: Option<Stored>) -> Option<Flight> {
        match (awaited, message) {
            (Awaited::Pubrec, None) => Some(Flight::orphan()),
            (Awaited::Pubcomp, message) => {
                if message.is_some() {
                    self.delete(StoreKey::message(op));
                }
                Some(Flight::new(awaited, op, None))
            }
            (_, None) => None,
            (_, Some(message)) => {
                let Outgoing {
                    publication,
                    expires_at,
                    ..
                } = self.outgoing(op, message);
                Some(Flight::new(awaited, op, Some((publication, expires_at))))
            }
        }
    }

    fn outgoing(&self, op: OpId, (publication, expires_at): Stored) -> Outgoing {
        let clock = self.store.as_ref().map(|store| store.clock);
        Outgoing {
            op,
            publication,
            expires_at: clock.zip(expires_at).map(|(clock, at)| clock.instant(at)),
        }
    }
}

/// A message as its record has it.
type Stored = (Publication, Option<UnixMillis>);

/// Records by kind, each one read.
#[derive(Default)]
struct Records {
    session: Option<SessionRecord>,
    messages: BTreeMap<OpId, Stored>,
    flights: BTreeMap<PacketId, (Awaited, OpId)>,
    received: BTreeSet<PacketId>,
}

impl Records {
    fn sort(records: impl IntoIterator<Item = (StoreKey, Bytes)>) -> Result<Self, RestoreError> {
        let mut sorted = Self::default();
        for (key, record) in records {
            let fault = |error| RestoreError::Record { key, error };
            let is_first = match key.subject().ok_or(RestoreError::UnknownKey(key))? {
                Subject::Session => {
                    let record = SessionRecord::decode(&record).map_err(fault)?;
                    sorted.session.replace(record).is_none()
                }
                Subject::Message(op) => {
                    let message = decode_message(&record).map_err(fault)?;
                    sorted.messages.insert(op, message).is_none()
                }
                Subject::Flight(id) => {
                    let flight = decode_flight(&record).map_err(fault)?;
                    sorted.flights.insert(id, flight).is_none()
                }
                Subject::Received(id) if record.is_empty() => sorted.received.insert(id),
                Subject::Received(_) => return Err(fault(RecordError::Damaged)),
            };
            if !is_first {
                return Err(RestoreError::Contradiction(key));
            }
        }
        sorted.check_flights()?;
        Ok(sorted)
    }

    /// Whether each message has one identifier at most, which awaits what its QoS calls for.
    fn check_flights(&self) -> Result<(), RestoreError> {
        let mut owners = BTreeSet::new();
        for (id, (awaited, op)) in &self.flights {
            let qos = self.messages.get(op).map(|(publication, _)| publication.qos);
            let agrees = match awaited {
                Awaited::Puback => qos.is_none_or(|qos| qos == QoS::AtLeastOnce),
                _ => qos.is_none_or(|qos| qos == QoS::ExactlyOnce),
            };
            if !agrees || !owners.insert(*op) {
                return Err(RestoreError::Contradiction(StoreKey::flight(*id)));
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.flights.is_empty() && self.received.is_empty()
    }
}
