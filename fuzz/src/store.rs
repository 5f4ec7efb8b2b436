//! The invariant of restoring: records make a session that finishes what they began, or are refused by name.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use syncline_core::codec::{
    Ack, Connack, Packet, PacketId, Properties, QoS, ReasonCode, Version, decode, peek,
};
use syncline_core::rng::SEED_LEN;
use syncline_core::session::store::{Change, RestoreError, Restored, StoreKey};
use syncline_core::session::{Config, OpId, Output, Session, StoreOperation, VersionPolicy};
use syncline_core::time::{Instant, UnixMillis};

const NOW: Instant = Instant::from_micros(1_000_000);
const WALL: UnixMillis = UnixMillis(1_000);

/// Rounds of answering after which a session that is not at rest never will be: each message takes two at most, and the
/// Receive Maximum lets one go at a time.
const ROUNDS: usize = 10_000;

type Records = BTreeMap<StoreKey, Bytes>;

/// Asserts it for `data` as records: a byte each for the kind and the length of the record, two for the number.
///
/// # Errors
/// [`RestoreError`]: the records are refused, as they may be.
pub fn check(data: &[u8]) -> Result<Restored, RestoreError> {
    let records = records(data);
    let restored = Bench::restore(&records);
    if let Err(
        RestoreError::Record { key, .. } | RestoreError::UnknownKey(key) | RestoreError::Contradiction(key),
    ) = &restored
    {
        assert!(records.contains_key(key), "an error names a record that is there");
    }
    let mut bench = restored?;
    bench.carry_out();
    let again = Bench::restore(&bench.records).unwrap_or_else(|error| panic!("tidied records: {error}"));
    assert_eq!(
        again.restored, bench.restored,
        "tidying changes nothing that counts"
    );
    bench.finish();
    Ok(bench.restored)
}

fn records(mut data: &[u8]) -> Records {
    let mut records = Records::new();
    while let Some(([kind, high, low, len], rest)) = data.split_first_chunk() {
        let (record, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        let number = u64::from(u16::from_be_bytes([*high, *low]));
        let key = StoreKey::from_u64(u64::from(*kind) << 56 | number);
        records.insert(key, Bytes::copy_from_slice(record));
        data = rest;
    }
    records
}

/// A restored session with its store and its server.
struct Bench {
    session: Session,
    restored: Restored,
    records: Records,
    stored: u64,
    owed: BTreeSet<OpId>,
}

impl Bench {
    fn restore(records: &Records) -> Result<Self, RestoreError> {
        let mut config = Config::new("");
        config.version = VersionPolicy::V5;
        let (session, restored) = Session::restore(config, [1; SEED_LEN], NOW, WALL, records.clone())?;
        assert_eq!(session.queued(), restored.queued);
        assert_eq!(session.in_flight(), restored.in_flight);
        let owed = session.unfinished_messages().collect();
        Ok(Self {
            session,
            restored,
            records: records.clone(),
            stored: 0,
            owed,
        })
    }

    /// Drains the outputs, with a store that is at once durable.
    fn carry_out(&mut self) {
        loop {
            while let Some(output) = self.session.poll(NOW) {
                match output {
                    Output::Store(StoreOperation { seq, key, change }) => {
                        assert_eq!(seq, self.stored + 1, "numbered without a gap");
                        self.stored = seq;
                        match change {
                            Change::Put(record) => drop(self.records.insert(key, record)),
                            Change::Delete => drop(self.records.remove(&key)),
                        }
                    }
                    Output::Completed(op, _) => {
                        assert!(self.owed.remove(&op), "{op:?} was nobody's, or completed before");
                    }
                    _ => {}
                }
            }
            if self.session.awaits_persisted().is_none() {
                return;
            }
            self.session.handle_persisted(self.stored);
        }
    }

    /// Lets a server that has the Session acknowledge everything.
    fn finish(&mut self) {
        self.session.connect(NOW);
        self.session.handle_timeout(NOW);
        self.carry_out();
        self.session.handle_transport_open(NOW);
        self.exchange();
        let is_resumed = self.records[&StoreKey::SESSION][1] & 1 != 0;
        self.receive(&Packet::Connack(Connack {
            session_present: is_resumed,
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }));
        for _ in 0..ROUNDS {
            if self.exchange() == 0 {
                assert!(self.owed.is_empty(), "never completed: {:?}", self.owed);
                let is_left = |key: &StoreKey| key.to_u64() >> 56 != 0 && key.to_u64() >> 56 != 3;
                assert!(
                    !self.records.keys().any(is_left),
                    "left in the store: {:?}",
                    self.records.keys()
                );
                return;
            }
        }
        panic!("not at rest after {ROUNDS} rounds");
    }

    /// Answers what the session has sent, and returns how many packets that were.
    fn exchange(&mut self) -> usize {
        self.carry_out();
        let sent = self.session.transmit().runs().collect::<Vec<_>>().concat();
        self.session.tx_advance(NOW, sent.len());
        self.carry_out();
        let mut rest = &sent[..];
        let mut packets = 0;
        while !rest.is_empty() {
            let header = peek(rest, Version::V5, u32::MAX)
                .expect("a header")
                .expect("a whole one");
            let (frame, after) = rest.split_at(header.packet_len());
            let packet = decode(header, frame, Version::V5).expect("a packet that a server reads");
            self.answer(&packet);
            packets += 1;
            rest = after;
        }
        packets
    }

    fn answer(&mut self, packet: &Packet<'_>) {
        let ack = |packet_id: PacketId| Ack::success(packet_id);
        match packet {
            Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => self.receive(&Packet::Puback(ack(id))),
                (QoS::ExactlyOnce, Some(id)) => self.receive(&Packet::Pubrec(ack(id))),
                _ => panic!("a message at QoS 0 was stored"),
            },
            Packet::Pubrel(pubrel) => self.receive(&Packet::Pubcomp(ack(pubrel.packet_id))),
            Packet::Connect(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn receive(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes).expect("a packet of ours");
        assert_eq!(self.session.rx_extend(&bytes), bytes.len());
        self.carry_out();
    }
}
