//! What a session does that is made of the records of an earlier one.

use super::super::super::store::{RecordError, RestoreError};
use super::*;

#[test]
fn a_restored_session_goes_on_where_the_records_end() {
    for version in BOTH {
        let (mut bench, mut disk) = Bench::established_with_store(version, |config| {
            config.max_in_flight = core::num::NonZeroU16::new(3).unwrap();
        });
        for (topic, qos) in [
            ("a", QoS::AtLeastOnce),
            ("b", QoS::ExactlyOnce),
            ("c", QoS::ExactlyOnce),
            ("d", QoS::AtLeastOnce),
        ] {
            bench.publish(topic, qos);
        }
        bench.persist(&mut disk);
        bench.written();
        bench.ack(Packet::Pubrec, 2);
        bench.persist(&mut disk);

        let records = disk.records(disk.operations.len());
        let (mut bench, restored) = Bench::stored(config(version), records);
        let expected = Restored {
            queued: 1,
            in_flight: 3,
            received: 0,
        };
        assert_eq!(restored, expected);
        let mut later = Disk::default();
        bench.connect(true);
        bench.persist(&mut later);
        assert_eq!(
            bench.written(),
            "PUBLISH a q1 #1 dup; PUBREL #2; PUBLISH c q2 #3 dup; PUBLISH d q1 #4"
        );
        let new = bench.publish("new", QoS::AtLeastOnce);
        assert_eq!(
            new.to_u64(),
            5,
            "numbers of restored operations are not used again"
        );
        bench.ack(Packet::Puback, 1);
        bench.ack(Packet::Pubcomp, 2);
        bench.persist(&mut later);
        assert_eq!(bench.take(), [published(OpId::new(1)), published(OpId::new(2))]);
    }
}

#[test]
fn a_restored_session_connects_without_clean_start_and_a_new_one_with_it() {
    for version in BOTH {
        let (bench, disk) = Bench::established_with_store(version, |_| {});
        drop(bench);
        let (mut bench, _) = Bench::stored(config(version), disk.records(disk.operations.len()));
        bench.session.connect(bench.now);
        bench.take();
        bench.session.handle_transport_open(bench.now);
        assert_eq!(bench.written(), alloc::format!("CONNECT {version:?} clean=0"));
    }
}

#[test]
fn a_qos_2_message_is_not_handed_out_again_after_a_restart() {
    for version in BOTH {
        let (mut bench, mut disk) = Bench::established_with_store(version, |_| {});
        bench.deliver(QoS::ExactlyOnce, 5, false);
        bench.persist(&mut disk);
        assert_eq!(bench.messages(), 1);
        let (mut bench, mut disk) = Bench::restarted(version, &disk);
        bench.deliver(QoS::ExactlyOnce, 5, true);
        bench.persist(&mut disk);
        assert_eq!(bench.messages(), 0);
        assert_eq!(bench.written(), "PUBREC #5");
        bench.ack(Packet::Pubrel, 5);
        bench.persist(&mut disk);
        assert_eq!(bench.written(), "PUBCOMP #5");
        bench.deliver(QoS::ExactlyOnce, 5, false);
        assert_eq!(bench.messages(), 1, "the identifier is free");
    }
}

#[test]
fn the_time_that_a_message_is_worth_sending_goes_on_between_processes() {
    let expiring = |seconds| Publication {
        expiry: Some(Duration::from_secs(seconds)),
        ..publication("a", QoS::AtLeastOnce)
    };
    let (mut bench, restored) = Bench::stored(config(Version::V5), BTreeMap::new());
    assert_eq!(restored, Restored::default());
    let mut disk = Disk::default();
    bench.session.publish(bench.now, expiring(10)).unwrap();
    bench.session.publish(bench.now, expiring(100)).unwrap();
    bench.persist(&mut disk);

    let later = UnixMillis(WALL.0 + 30_000);
    let records = disk.records(disk.operations.len());
    let (session, _) = Session::restore(config(Version::V5), [1; SEED_LEN], T0, later, records).unwrap();
    bench.session = session;
    bench.now = T0;
    assert_eq!(bench.session.poll_timeout(), Some(T0));
    bench.session.handle_timeout(T0);
    let mut later = Disk::default();
    bench.persist(&mut later);
    assert_eq!(bench.take(), [lost(OpId::new(1), Loss::Expired)]);
    assert_eq!(later.operations[0].key, StoreKey::message(OpId::new(1)));
    assert_eq!(
        bench.session.poll_timeout(),
        Some(T0.after(Duration::from_secs(70)))
    );
}

#[test]
fn a_session_that_is_kept_waits_for_the_next_connection_or_process() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    bench.publish("a", QoS::AtLeastOnce);
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
    let keep = Disconnect {
        unfinished: Unfinished::Keep,
        ..Disconnect::default()
    };
    bench.session.disconnect(bench.now, keep).unwrap();
    assert_eq!(bench.written(), "DISCONNECT 0x00");
    bench.persist(&mut disk);
    let outputs = bench.take();
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Completed(..))),
        "{outputs:?}"
    );
    assert_eq!(disconnected(&outputs).retry_at, None);
    let (mut later, _) = Bench::restarted(Version::V5, &disk);
    assert_eq!(later.written(), "PUBLISH a q1 #1 dup");
    bench.connect(true);
    assert_eq!(bench.written(), "PUBLISH a q1 #1 dup");
}

/// Puts a session through all that a store sees, and returns the disk.
fn busy_disk(version: Version) -> Disk {
    let (mut bench, mut disk) = Bench::established_with_store(version, |_| {});
    for round in 0..3 {
        bench.publish("a", QoS::AtLeastOnce);
        bench.publish("b", QoS::ExactlyOnce);
        bench.deliver(QoS::ExactlyOnce, 5, false);
        bench.persist(&mut disk);
        bench.written();
        bench.ack(Packet::Pubrel, 5);
        bench.ack(Packet::Puback, 1);
        bench.ack(Packet::Pubrec, 2);
        bench.persist(&mut disk);
        bench.written();
        bench.deliver(QoS::ExactlyOnce, 6 + round, false);
        if round != 2 {
            bench.ack(Packet::Pubcomp, 2);
        }
        bench.persist(&mut disk);
    }
    bench.cut();
    bench.publish("late", QoS::AtLeastOnce);
    bench.collect(&mut disk);
    bench.finish_connect(false, &[]);
    bench.persist(&mut disk);
    disk
}

#[test]
fn a_crash_after_any_operation_leaves_a_session_that_can_be_restored() {
    for version in BOTH {
        let disk = busy_disk(version);
        assert!(disk.operations.len() > 30);
        for crash in 0..=disk.operations.len() {
            let records = disk.records(crash);
            let (mut bench, restored) = Bench::stored(config(version), records.clone());
            // What it tidies away at once is tidied away for good.
            let mut later = Disk::default();
            bench.collect(&mut later);
            let mut tidied = records;
            for (key, record) in later.records(later.operations.len()) {
                tidied.insert(key, record);
            }
            for operation in &later.operations {
                if operation.change == Change::Delete {
                    tidied.remove(&operation.key);
                }
            }
            let (mut again, restored_again) = Bench::stored(config(version), tidied);
            assert_eq!(restored_again, restored, "after operation {crash}");
            let mut nothing = Disk::default();
            again.collect(&mut nothing);
            assert!(nothing.operations.is_empty(), "{:?}", nothing.operations);
        }
    }
}

#[test]
fn the_records_are_as_their_format_lays_them_out() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    let publication = Publication {
        properties: buf(&[Property::ContentType("t")]),
        expiry: Some(Duration::from_secs(1)),
        ..publication("a", QoS::ExactlyOnce).retained()
    };
    bench.session.publish(bench.now, publication).unwrap();
    bench.deliver(QoS::ExactlyOnce, 5, false);
    bench.persist(&mut disk);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect::<String>()
    };
    let records = disk.records(disk.operations.len());
    let shown: Vec<_> = records
        .iter()
        .map(|(key, record)| alloc::format!("{:016x} {}", key.to_u64(), hex(record)))
        .collect();
    assert_eq!(
        shown,
        [
            "0000000000000000 010162656e6368",
            "0100000000000001 0000018bcfe56be8350b0001610001040300017478",
            "0200000000000001 020000000000000001",
            "0300000000000005 ",
        ]
    );
}

type RawRecord<'a> = (u64, &'a [u8]);

fn restore(records: &[RawRecord<'_>]) -> Result<Restored, RestoreError> {
    let records = records
        .iter()
        .map(|(key, record)| (StoreKey::from_u64(*key), bytes::Bytes::copy_from_slice(record)));
    Session::restore(config(Version::V5), [7; SEED_LEN], T0, WALL, records).map(|(_, restored)| restored)
}

const SESSION: RawRecord<'_> = (0, b"\x01\x01bench");
const NEVER: &[u8] = &[0xFF; 8];

#[test]
fn records_that_are_not_a_sessions_are_refused_by_name() {
    let message = |packet: &[u8]| [NEVER, packet].concat();
    let damaged = |key| RestoreError::Record {
        key: StoreKey::from_u64(key),
        error: RecordError::Damaged,
    };
    let contradiction = |key| RestoreError::Contradiction(StoreKey::from_u64(key));
    let (m1, f1, r1) = (1 << 56 | 1, 2 << 56 | 1, 3 << 56 | 1);
    let qos_1 = message(b"\x32\x07\0\x01a\0\x01\0x");
    let qos_0 = message(b"\x30\x05\0\x01a\0x");
    let alias = message(b"\x32\x0a\0\x01a\0\x01\x03\x23\0\x01x");
    let long = message(b"\x32\x07\0\x01a\0\x01\0xy");
    let awaits = |packet: u8, op: u64| [&[packet][..], &op.to_be_bytes()].concat();
    let format_2 = RestoreError::Record {
        key: StoreKey::SESSION,
        error: RecordError::Format(2),
    };
    let cases: &[(&[RawRecord<'_>], RestoreError)] = &[
        (&[(0, b"\x02\x01bench")], format_2),
        (&[(0, b"")], damaged(0)),
        (&[(0, b"\x01")], damaged(0)),
        (&[(0, b"\x01\x04bench")], damaged(0)),
        (&[(0, b"\x01\x01\xFF")], damaged(0)),
        (&[(0, b"\x01\x01\0")], damaged(0)),
        (&[SESSION, SESSION], contradiction(0)),
        (&[(m1, &qos_1)], RestoreError::NoSession),
        (&[SESSION, (m1, &qos_0)], damaged(m1)),
        (&[SESSION, (m1, &alias)], damaged(m1)),
        (&[SESSION, (m1, &long)], damaged(m1)),
        (&[SESSION, (m1, b"")], damaged(m1)),
        (&[SESSION, (f1, &awaits(4, 1))], damaged(f1)),
        (&[SESSION, (f1, &awaits(1, 0))], damaged(f1)),
        (&[SESSION, (f1, &awaits(1, u64::MAX))], damaged(f1)),
        (&[SESSION, (f1, b"\x01\0")], damaged(f1)),
        (&[SESSION, (r1, b"x")], damaged(r1)),
        (&[SESSION, (m1, &qos_1), (f1, &awaits(2, 1))], contradiction(f1)),
        (
            &[
                SESSION,
                (m1, &qos_1),
                (f1, &awaits(1, 1)),
                (f1 + 1, &awaits(1, 1)),
            ],
            contradiction(f1 + 1),
        ),
    ];
    for (records, error) in cases {
        assert_eq!(restore(records), Err(error.clone()), "{records:02x?}");
    }
    for key in [
        1,
        1 << 56,
        2 << 56,
        2 << 56 | 65_536,
        3 << 56,
        4 << 56 | 1,
        u64::MAX,
    ] {
        let error = RestoreError::UnknownKey(StoreKey::from_u64(key));
        assert_eq!(restore(&[SESSION, (key, b"")]), Err(error));
    }
    let expected = RestoreError::OtherClient {
        stored: "other".into(),
        configured: "bench".into(),
    };
    assert_eq!(restore(&[(0, b"\x01\x01other")]), Err(expected));
    let restored = restore(&[SESSION, (m1, &qos_1), (f1, &awaits(1, 1)), (r1, b"")]);
    let expected = Restored {
        queued: 0,
        in_flight: 1,
        received: 1,
    };
    assert_eq!(restored, Ok(expected));
}

#[test]
fn an_assigned_client_identifier_outlives_the_process() {
    let mut anonymous = config(Version::V5);
    anonymous.client_id.clear();
    let (mut bench, _) = Bench::stored(anonymous.clone(), BTreeMap::new());
    let mut disk = Disk::default();
    bench.collect(&mut disk);
    bench.connect_with(false, &[Property::AssignedClientIdentifier("given")]);
    bench.persist(&mut disk);
    let records = disk.records(disk.operations.len());
    let (bench, _) = Bench::stored(anonymous, records);
    assert_eq!(bench.session.client_id(), "given");
}
