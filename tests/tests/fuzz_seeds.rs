//! The seeds of the fuzz targets, kept in `fuzz/seeds`: one real packet of each kind, and what others would come upon late.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use syncline_core::codec::{PacketType, Version, decode, peek};
use syncline_core::rng::Rng;
use syncline_tests::http_corpus;
use syncline_tests::notation::packet;

// The invariants of the fuzz targets, whose package is not of this workspace.
#[expect(unreachable_pub, reason = "it is public where it is the library's")]
#[path = "../../fuzz/src/envelope.rs"]
mod envelope;
#[expect(unreachable_pub, reason = "it is public where it is the library's")]
#[path = "../../fuzz/src/http_head.rs"]
mod http_head;
#[expect(unreachable_pub, reason = "it is public where it is the library's")]
#[path = "../../fuzz/src/operations.rs"]
mod operations;
#[expect(unreachable_pub, reason = "it is public where it is the library's")]
#[path = "../../fuzz/src/service_file.rs"]
mod service_file;
#[expect(unreachable_pub, reason = "it is public where it is the library's")]
#[path = "../../fuzz/src/session.rs"]
mod session;
#[expect(unreachable_pub, reason = "it is public where it is the library's")]
#[path = "../../fuzz/src/store.rs"]
mod store;

/// Target, file and packets, separated by `|`. Those of a session follow a byte that says how to run it.
const SEEDS: &[(&str, &str, &str)] = &[
    (
        "decode_v3",
        "connect",
        "10 .. `MQTT` 04 F6 003C `edge-17` `status` `offline` `user` `secret`",
    ),
    ("decode_v3", "connack", "20 02 01 00"),
    ("decode_v3", "connack_refused", "20 02 00 05"),
    (
        "decode_v3",
        "publish_qos0",
        "31 .. `services/example1/treq` '{\"id\":1,\"value\":42}'",
    ),
    (
        "decode_v3",
        "publish_qos1",
        "3A .. `services/example1/tres` 0102 '{\"id\":1,\"value\":42}'",
    ),
    ("decode_v3", "puback", "40 02 0102"),
    ("decode_v3", "pubrec", "50 02 0102"),
    ("decode_v3", "pubrel", "62 02 0102"),
    ("decode_v3", "pubcomp", "70 02 0102"),
    (
        "decode_v3",
        "subscribe",
        "82 .. 0001 `services/+/+/tres` 01 `$SYS/#` 00",
    ),
    ("decode_v3", "suback", "90 04 0001 01 80"),
    ("decode_v3", "unsubscribe", "A2 .. 0002 `services/+/+/tres`"),
    ("decode_v3", "unsuback", "B0 02 0002"),
    ("decode_v3", "pingreq", "C0 00"),
    ("decode_v3", "pingresp", "D0 00"),
    ("decode_v3", "disconnect", "E0 00"),
    (
        "decode_v5",
        "connect",
        "10 .. `MQTT` 05 EE 003C (11 00000E10 21 0014 27 00100000 22 000A 17 01 19 01 26 `a` `b`) `edge-17` \
         (18 00000005 01 01 02 0000003C 03 `json`) `status` `offline` `user` `secret`",
    ),
    (
        "decode_v5",
        "connack",
        "20 .. 01 00 (11 00000E10 21 0014 24 01 25 01 27 00010000 12 `id1` 22 000A 28 01 29 01 2A 00 13 001E)",
    ),
    (
        "decode_v5",
        "connack_moved",
        "20 .. 00 9D (1C `b:80` 1F `moving`)",
    ),
    (
        "decode_v5",
        "publish_request",
        "32 .. `services/example1/treq` 0102 (01 01 02 0000003C 03 `json` 08 `edge/res` 09 0004 DEADBEEF) \
         '{\"id\":1,\"value\":42}'",
    ),
    (
        "decode_v5",
        "publish_alias",
        "34 .. 0000 0102 (23 0007 0B 01 0B 8001 0B 7F) 'on'",
    ),
    (
        "decode_v5",
        "publish_user_properties",
        "30 .. `a` (26 `k` `v` 26 `k` `w`) 'payload'",
    ),
    ("decode_v5", "puback", "40 02 0102"),
    ("decode_v5", "puback_reason", "40 03 0102 10"),
    ("decode_v5", "pubrec", "50 .. 0102 97 (1F `quota`)"),
    ("decode_v5", "pubrel", "62 03 0102 92"),
    ("decode_v5", "pubcomp", "70 .. 0102 00 (26 `a` `b`)"),
    (
        "decode_v5",
        "subscribe",
        "82 .. 0001 (0B 8001) `services/+/+/tres` 2D `$share/g/jobs` 02",
    ),
    ("decode_v5", "suback", "90 .. 0001 00 01 9E"),
    (
        "decode_v5",
        "unsubscribe",
        "A2 .. 0002 (26 `a` `b`) `services/+/+/tres`",
    ),
    ("decode_v5", "unsuback", "B0 .. 0002 00 00 11"),
    ("decode_v5", "pingreq", "C0 00"),
    ("decode_v5", "pingresp", "D0 00"),
    ("decode_v5", "disconnect", "E0 00"),
    (
        "decode_v5",
        "disconnect_by_server",
        "E0 .. 8B (1F `bye` 11 00000000 1C ``)",
    ),
    ("decode_v5", "auth", "F0 .. 18 (15 `SCRAM` 16 0004 01020304)"),
    (
        "session",
        "v3_receive",
        "00 | 32 .. `a` 0001 'x' | 34 .. `a` 0002 'y' | 62 02 0002 | 30 .. `b` 'z'",
    ),
    (
        "session",
        "v3_send",
        "08 | 40 02 0001 | 50 02 0002 | 70 02 0002 | 90 03 0003 01 | B0 02 0004 | D0 00",
    ),
    ("session", "v3_connack", "02 | 20 02 00 05"),
    (
        "session",
        "v5_receive",
        "11 | 32 .. `a` 0001 (23 0001) 'x' | 34 .. `` 0002 (23 0001) 'y' | 62 02 0002",
    ),
    (
        "session",
        "v5_send",
        "09 | 40 02 0001 | 50 02 0002 | 70 02 0002 | 90 04 0003 00 01 | B0 04 0004 00 00",
    ),
    (
        "session",
        "v5_refusals",
        "01 | 40 03 0001 97 | 50 03 0002 87 | 90 04 0003 00 87 | E0 .. 8B (1F `bye`)",
    ),
    (
        "session",
        "v5_duplicates",
        "19 | 3C .. `a` 0007 00 'x' | 3C .. `a` 0007 00 'x' | 62 02 0007 | 62 02 0007",
    ),
    (
        "session",
        "v5_connack",
        "03 | 20 .. 01 00 (21 0001 24 00 27 00000040 13 0005 25 00) | 30 .. `a` 00 'x'",
    ),
    // Kind, number and length, then the record.
    (
        "store_restore",
        "session",
        "00 0000 08 01 01 'client' | 03 0005 00",
    ),
    (
        "store_restore",
        "queued",
        "00 0000 08 01 01 'client' | 01 0001 11 FFFFFFFFFFFFFFFF 32 07 0001 'a' 0001 00 'x' | \
         01 0002 11 FFFFFFFFFFFFFFFF 34 07 0001 'b' 0001 00 'y'",
    ),
    (
        "store_restore",
        "in_flight",
        "00 0000 08 01 01 'client' | 01 0001 11 FFFFFFFFFFFFFFFF 32 07 0001 'a' 0001 00 'x' | 02 0001 09 01 00000000 00000001 | \
         01 0002 11 FFFFFFFFFFFFFFFF 34 07 0001 'b' 0001 00 'y' | 02 0002 09 02 00000000 00000002 | \
         02 0003 09 03 00000000 00000003",
    ),
    (
        "store_restore",
        "torn",
        "00 0000 08 01 01 'client' | 02 0001 09 01 00000000 00000001 | 02 0002 09 02 00000000 00000002 | \
         01 0003 11 FFFFFFFFFFFFFFFF 34 07 0001 'b' 0001 00 'y' | 02 0003 09 03 00000000 00000003",
    ),
    (
        "store_restore",
        "lost",
        "00 0000 08 01 00 'client' | 01 0001 11 0000000000000001 32 07 0001 'a' 0001 00 'x' | 02 0001 09 01 00000000 00000001",
    ),
    (
        "session_operations",
        "v3_exchange",
        // Connect, transport, write, CONNACK; QoS 1 and 2 out; their answers; the same in; goodbye.
        "01 | 00 01 0F 0D 05 00 | 03 01 05 03 02 05 0F | 0D 00 01 0D 01 02 0F 0D 03 02 | 0D 44 07 0D 84 08 0D 02 08 0F | 0A 00",
    ),
    (
        "session_operations",
        "v5_resumed",
        // Cut with two messages in flight, and back after the wait, with the Session present.
        "00 | 00 01 0F 0D 05 00 | 03 01 05 03 02 05 0F | 02 0B 16 | 01 0F 0D 05 01 0F | 0D 00 01 0D 01 02 0F 0D 03 02",
    ),
    (
        "session_operations",
        "v5_lost_session",
        // Cut with four messages in flight and a full queue, and back without the Session: all of them are queued.
        "00 | 00 01 0D 05 00 0F | 03 01 01 03 01 01 03 01 01 03 01 01 | 03 01 01 03 01 01 03 01 01 03 01 01 03 01 01 \
         03 01 01 03 01 01 03 01 01 | 02 0B 16 | 01 0F 0D 05 00 0F | 0D 00 01 0D 00 02",
    ),
    (
        "session_operations",
        "v5_authenticated",
        // A challenge before the CONNACK, its answer; a re-authentication with another one.
        "03 | 00 01 0F | 0D 4A 01 07 05 0F | 0D 45 00 | 08 03 0F 0D 4A 01 07 02 0F 0D 4A 00",
    ),
    (
        "session_operations",
        "v5_aliases",
        // Aliases both ways, a small window, manual acknowledgement out of order.
        "0C | 00 01 0F 0D 05 02 | 03 01 05 03 01 05 0F 0D 00 01 0F | 0D 64 07 0D 74 08 06 01 06 00 06 09 0F",
    ),
    (
        "session_operations",
        "auto_falls_back",
        // Two connections that end before their CONNACK, and 3.1.1 on the third.
        "02 | 00 01 0F 02 0B 16 01 0F 02 0B 17 01 0F 0D 05 00 | 04 01 0F 0D 06 01 05 01 0F 0D 07 02",
    ),
    (
        "session_operations",
        "offline_queue",
        // A full queue that drops its oldest, expiry, and a disconnect that waits for what is in flight.
        "20 | 03 21 01 03 01 05 03 02 05 03 01 05 03 02 05 03 01 05 03 01 05 03 01 05 03 01 05 | 0B 14 | 00 01 0F 0D 05 00 \
         0F 0A 0B 0D 00 01 0B 17",
    ),
];

fn bytes_of(text: &str) -> Vec<u8> {
    text.split('|').flat_map(|part| packet(part.trim())).collect()
}

fn path(target: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target)
        .join(name)
}

#[test]
fn seeds_are_what_this_table_says() {
    // UPDATE_SEEDS=1 writes them.
    let update = std::env::var_os("UPDATE_SEEDS").is_some();
    for (target, name, text) in SEEDS {
        let path = path(target, name);
        if update {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
            fs::write(&path, bytes_of(text)).expect("a writable file");
        }
        let seed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            seed,
            bytes_of(text),
            "{}: run this test with UPDATE_SEEDS=1",
            path.display()
        );
    }
}

#[test]
fn seeds_are_valid_packets_of_every_type() {
    for (wanted, version, types) in [("decode_v3", Version::V3_1_1, 14), ("decode_v5", Version::V5, 15)] {
        let mut found: BTreeSet<PacketType> = BTreeSet::new();
        for (_, name, text) in SEEDS.iter().filter(|(target, _, _)| *target == wanted) {
            let bytes = packet(text);
            let read = peek(&bytes, version, u32::MAX).and_then(|header| {
                let header = header.expect("a whole header");
                decode(header, &bytes, version)
            });
            let read = read.unwrap_or_else(|error| panic!("{wanted}/{name}: {error}"));
            found.insert(read.packet_type());
        }
        assert_eq!(found.len(), types, "{wanted}: {found:?}");
    }
}

#[test]
fn the_seeds_of_store_restore_are_sessions_that_come_to_rest() {
    for (_, name, text) in SEEDS.iter().filter(|(target, ..)| *target == "store_restore") {
        let restored = store::check(&bytes_of(text)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            restored.queued + restored.in_flight + restored.received > 0,
            "{name}: {restored:?}"
        );
    }
}

/// Runs every seed of a target.
fn replay(target: &str, mut check: impl FnMut(&[u8])) {
    let folder = path(target, "");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("a folder of seeds") {
        let seed = entry.expect("a readable entry").path();
        println!("{}", seed.display());
        check(&fs::read(&seed).expect("a readable seed"));
        count += 1;
    }
    assert!(count > 4, "{}: {count} seeds", folder.display());
}

#[test]
fn seeds_of_sessions_keep_the_invariants_of_their_targets() {
    replay("session", session::check);
    replay("session_operations", operations::check);
}

#[test]
fn seeds_of_messages_and_files_keep_the_invariants_of_their_targets() {
    replay("flowsync_envelope", envelope::check);
    replay("service_file", service_file::check);
}

#[test]
fn requests_of_the_corpus_and_of_the_seeds_have_one_meaning_or_none() {
    replay("http_head", |seed| {
        http_head::check(seed);
    });
    for case in http_corpus::all() {
        let text = String::from_utf8(case.request).expect("text");
        let (passed, refused) = http_head::check(text.replace("{host}", "h").as_bytes());
        match case.status {
            200 => assert_eq!((passed, refused), (1, None), "{}", case.name),
            // It is the handler that finds it too long, or a limit of hyper's.
            413 if refused.is_none() => {}
            400 if case.name == "flood of extensions" => assert_eq!(refused, None),
            status => assert!(
                refused == Some(status) || refused == Some(413) && status == 400,
                "{}: {refused:?}",
                case.name
            ),
        }
    }
}

/// Not a substitute for the fuzzer: it finds what lies near the seeds, on every machine and in a second.
#[test]
fn what_lies_near_the_seeds_keeps_the_invariants_too() {
    for (target, check, rounds) in [
        ("flowsync_envelope", envelope::check as fn(&[u8]), 2_000),
        (
            "http_head",
            |data: &[u8]| {
                http_head::check(data);
            },
            1_000,
        ),
        ("service_file", service_file::check, 40),
    ] {
        let mut rng = Rng::from_seed([3; 32]);
        replay(target, |seed| {
            for _ in 0..rounds {
                let mut data = seed.to_vec();
                for _ in 0..=rng.next_u64() % 3 {
                    mutate(&mut data, &mut rng);
                }
                check(&data);
            }
        });
    }
}

/// Changes, removes, inserts or repeats a few bytes.
fn mutate(data: &mut Vec<u8>, rng: &mut Rng) {
    const TELLING: &[u8] = b"\r\n\0 :,;{}[]\"'-&*!#\\x01\x02\t";
    let random = rng.next_u64();
    let pick = |bound: usize, shift: u32| usize::try_from(random >> shift).unwrap_or(0) % bound.max(1);
    let at = pick(data.len() + 1, 8);
    let until = (at + pick(9, 40)).min(data.len());
    match random % 5 {
        0 => drop(data.drain(at..until)),
        1 => data.insert(at, TELLING[pick(TELLING.len(), 48)]),
        2 => data.insert(at, u8::try_from(pick(256, 48)).unwrap_or(0)),
        3 => {
            let part = data[at..until].to_vec();
            data.splice(at..at, part);
        }
        _ => {
            if let Some(byte) = data.get_mut(at) {
                *byte ^= 1 << pick(8, 48);
            }
        }
    }
}
