//! What the session stores when, and what waits for it. Without a store, nothing does.

use bytes::Bytes;

use super::record::{SessionRecord, encode_flight};
use super::{Change, Held, Lifetime, StoreKey, StoreOperation};
use crate::codec::{EncodeError, PacketId, QoS};
use crate::session::Session;
use crate::session::op::{OpId, Publication};
use crate::session::outbound::Awaited;
use crate::session::output::Output;
use crate::time::Instant;

impl Session {
    /// Reports that all store operations up to number `seq` are durable. A number that was reported before, or was not
    /// handed out yet, changes nothing more.
    ///
    /// An owner whose store fails for good, and who would rather go on without it than stop, reports operations that are
    /// not: messages then live as long as the process.
    pub fn handle_persisted(&mut self, seq: u64) {
        let Some(store) = &mut self.store else { return };
        store.persisted = store.persisted.max(seq.min(store.issued));
        while let Some(held) = self.store.as_mut().and_then(super::Store::next_held) {
            self.send_held(held);
        }
    }

    /// Number of the last store operation that the session waits for; `None` while it waits for none.
    #[must_use]
    pub fn awaits_persisted(&self) -> Option<u64> {
        let store = self.store.as_ref()?;
        (!store.is_persisted(store.issued)).then_some(store.issued)
    }

    /// Stores a message that was accepted.
    pub(in crate::session) fn store_message(
        &mut self,
        op: OpId,
        publication: &Publication,
        expires_at: Option<Instant>,
    ) -> Result<(), EncodeError> {
        if let Some(store) = &self.store
            && is_stored(publication)
        {
            let expires_at = expires_at.map(|at| store.clock.unix(at));
            let record = super::record::encode_message(publication, expires_at)?;
            self.put(StoreKey::message(op), record);
        }
        Ok(())
    }

    /// A message that was stored needs no sending any more.
    pub(in crate::session) fn forget_message(&mut self, op: OpId, publication: &Publication) {
        if self.store.is_some() && is_stored(publication) {
            self.delete(StoreKey::message(op));
        }
    }

    /// Stores what an identifier awaits, and returns the number of the operation that a packet under it waits for.
    pub(in crate::session) fn store_flight(
        &mut self,
        id: PacketId,
        awaited: Awaited,
        op: OpId,
        lifetime: Lifetime,
    ) -> u64 {
        if self.store.is_none() || (awaited == Awaited::Puback && lifetime == Lifetime::Process) {
            return 0;
        }
        match encode_flight(awaited, op) {
            Some(record) => self.put(StoreKey::flight(id), record),
            None => 0,
        }
    }

    /// Stores that the server has a QoS 2 message, which is never to be sent again.
    pub(in crate::session) fn store_pubrec(&mut self, id: PacketId, op: OpId, publication: &Publication) {
        let gate = self.store_flight(id, Awaited::Pubcomp, op, publication.lifetime);
        self.forget_message(op, publication);
        if let Some(flight) = self.outbound.flight(id) {
            flight.gate = gate;
        }
    }

    /// An identifier is free again.
    pub(in crate::session) fn forget_flight(&mut self, id: PacketId, awaited: Awaited, lifetime: Lifetime) {
        let is_stored = match awaited {
            Awaited::Puback => lifetime == Lifetime::Session,
            Awaited::Pubrec | Awaited::Pubcomp => true,
            Awaited::Suback { .. } | Awaited::Unsuback { .. } => false,
        };
        if self.store.is_some() && is_stored {
            self.delete(StoreKey::flight(id));
        }
    }

    /// Stores that a QoS 2 message was received, before its PUBREC.
    pub(in crate::session) fn store_received(&mut self, id: PacketId) {
        if self.store.is_some() {
            self.put(StoreKey::received(id), Bytes::new());
        }
    }

    /// A QoS 2 message that was received is released, before its PUBCOMP.
    pub(in crate::session) fn forget_received(&mut self, id: PacketId) {
        if self.store.is_some() {
            self.delete(StoreKey::received(id));
        }
    }

    /// None of the QoS 2 messages that were received will be released.
    pub(in crate::session) fn forget_all_received(&mut self) {
        if !self.inbound.is_unfinished() {
            return;
        }
        for id in self.inbound.session_lost() {
            self.forget_received(id);
        }
    }

    /// Stores the session's own record where it has changed.
    pub(in crate::session) fn store_session(&mut self) {
        let record = self.session_record();
        if let Some(store) = &mut self.store
            && store.session != record
        {
            store.session = record.clone();
            self.put(StoreKey::SESSION, record);
        }
    }

    /// Whether a message may be sent only after the store has it.
    pub(in crate::session) fn waits_for_store(&self, publication: &Publication) -> bool {
        self.store.is_some() && (is_stored(publication) || publication.qos == QoS::ExactlyOnce)
    }

    /// Sends a packet now, or as soon as everything is durable that was stored before.
    pub(in crate::session) fn send_or_hold(&mut self, packet: Held) {
        match &mut self.store {
            Some(store) if !store.is_persisted(store.issued) => {
                let seq = store.issued;
                store.held.push_back((seq, packet));
            }
            _ => self.send_held(packet),
        }
    }

    pub(super) fn session_record(&self) -> Bytes {
        SessionRecord::encode(self.resumable, self.gave_up, &self.config.client_id)
    }

    fn put(&mut self, key: StoreKey, record: Bytes) -> u64 {
        self.change(key, Change::Put(record))
    }

    pub(super) fn delete(&mut self, key: StoreKey) {
        self.change(key, Change::Delete);
    }

    fn change(&mut self, key: StoreKey, change: Change) -> u64 {
        let Some(store) = &mut self.store else { return 0 };
        store.issued += 1;
        let seq = store.issued;
        self.outputs
            .push_back(Output::Store(StoreOperation { seq, key, change }));
        seq
    }
}

/// Whether a message goes to the store.
fn is_stored(publication: &Publication) -> bool {
    publication.qos != QoS::AtMostOnce && publication.lifetime == Lifetime::Session
}
