//! The session log on a disk that stops, fails, loses and damages.

use std::sync::Arc;

use super::super::crash::{CrashLayer, Fault};
use super::*;

/// Small, so that a few batches have the file written anew.
const TEST_SLACK: usize = 300;

fn put(key: u64, record: &str) -> StoreOperation {
    operation(key, Change::Put(Bytes::copy_from_slice(record.as_bytes())))
}

fn delete(key: u64) -> StoreOperation {
    operation(key, Change::Delete)
}

fn operation(key: u64, change: Change) -> StoreOperation {
    StoreOperation {
        seq: 0,
        key: StoreKey::from_u64(key),
        change,
    }
}

/// Batches that put, replace and delete, and more bytes than the file may have.
fn batches() -> Vec<Vec<StoreOperation>> {
    (0..6)
        .map(|n| {
            vec![
                put(0, &format!("session {n}")),
                put(100 + n, &"message ".repeat(10)),
                delete(100 + n.saturating_sub(1) / 2),
                put(7, ""),
            ]
        })
        .collect()
}

fn open(layer: &Arc<CrashLayer>) -> SessionLog {
    let opened = SessionLog::open(Arc::clone(layer) as Arc<dyn FileLayer>).unwrap();
    assert_eq!(opened.damage, None);
    SessionLog {
        slack: TEST_SLACK,
        ..opened.log
    }
}

/// The records after each number of batches.
fn states() -> Vec<Records> {
    let mut log = open(&Arc::default());
    let mut states = vec![Records::new()];
    for batch in batches() {
        log.note(&batch);
        states.push(log.records.clone());
    }
    states
}

/// The file after all batches, written without a fault.
fn whole_file() -> Vec<u8> {
    let layer = Arc::new(CrashLayer::default());
    let mut log = open(&layer);
    log.slack = usize::MAX / 4;
    for batch in batches() {
        log.commit(&batch).unwrap();
    }
    layer.read(NAME, u64::MAX).unwrap().unwrap()
}

fn layer_with(file: &[u8]) -> Arc<CrashLayer> {
    let layer = Arc::new(CrashLayer::default());
    layer.create(NAME, file).unwrap();
    layer
}

#[test]
fn records_are_read_as_they_were_committed() {
    let layer = Arc::new(CrashLayer::default());
    for (batch, state) in batches().iter().zip(&states()[1..]) {
        let mut log = open(&layer);
        log.commit(batch).unwrap();
        assert_eq!(&open(&layer).records, state);
    }
}

#[test]
fn the_file_stays_within_twice_its_records_and_the_slack() {
    let layer = Arc::new(CrashLayer::default());
    let mut log = open(&layer);
    let record = "x".repeat(50);
    for n in 0..1000 {
        log.commit(&[put(n % 3, &record), put(9, &record), delete(9)])
            .unwrap();
        let length = layer.read(NAME, u64::MAX).unwrap().unwrap().len();
        assert!(length <= 2 * log.compact + TEST_SLACK, "{length} bytes after {n}");
    }
    log.rewrite().unwrap();
    assert_eq!(layer.read(NAME, u64::MAX).unwrap().unwrap().len(), log.compact);
    assert_eq!(open(&layer).compact, log.compact);
}

#[test]
fn stopped_at_any_step_and_with_any_loss_the_batches_up_to_one_are_found() {
    let states = states();
    let mut looked_at = 0;
    for fault in [Fault::Stop, Fault::StopHalfway] {
        for step in 0.. {
            let layer = Arc::new(CrashLayer::default());
            let mut log = open(&layer);
            layer.fail_at(step, fault);
            let mut durable = 0;
            for batch in batches() {
                match log.commit(&batch) {
                    Ok(()) => durable += 1,
                    Err(_) => break,
                }
            }
            if !layer.stopped() {
                break;
            }
            for after in layer.after_crash() {
                let after = Arc::new(after);
                let mut log = open(&after);
                let found = &states[durable..=durable + 1];
                assert!(
                    found.contains(&log.records),
                    "{fault:?} at step {step}: {:?}",
                    log.records
                );
                // The next process goes on from there, whatever was left behind.
                log.commit(&[put(1, "next")]).unwrap();
                log.commit(&[put(2, "and more")]).unwrap();
                let expected = log.records.clone();
                assert!(
                    after
                        .after_crash()
                        .into_iter()
                        .all(|layer| open(&Arc::new(layer)).records == expected)
                );
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} states were looked at");
}

#[test]
fn after_an_error_at_any_step_nothing_durable_is_lost_and_the_next_commit_mends_the_file() {
    let states = states();
    for fault in [
        Fault::Error(io::ErrorKind::StorageFull),
        Fault::ErrorHalfway(io::ErrorKind::StorageFull),
    ] {
        for step in 0.. {
            let layer = Arc::new(CrashLayer::default());
            let mut log = open(&layer);
            layer.fail_at(step, fault);
            let mut failures = 0;
            for (index, batch) in batches().iter().enumerate() {
                if log.commit(batch).is_err() {
                    failures += 1;
                    for after in layer.after_crash() {
                        let found = open(&Arc::new(after)).records;
                        assert!(
                            states[index..=index + 1].contains(&found),
                            "{fault:?} at step {step}"
                        );
                    }
                }
            }
            assert!(failures <= 1);
            if matches!(log.file, File::Unknown) {
                log.commit(&[]).unwrap();
            }
            assert!(
                layer
                    .after_crash()
                    .into_iter()
                    .all(|layer| open(&Arc::new(layer)).records == states[6])
            );
            if failures == 0 && layer.steps() < step {
                break;
            }
        }
    }
}

#[test]
fn a_file_that_was_cut_anywhere_gives_the_batches_before_the_cut() {
    let (file, states) = (whole_file(), states());
    // A file comes into being with its first batch.
    let begin = (0..file.len())
        .find(|length| frame::read(&Bytes::copy_from_slice(&file[..*length])).is_ok())
        .unwrap();
    let mut last = 1;
    for length in begin..=file.len() {
        let found = open(&layer_with(&file[..length])).records;
        let index = states.iter().position(|state| *state == found).unwrap();
        assert!(
            index >= last,
            "{length} bytes gave fewer batches than one byte less"
        );
        last = index;
    }
    assert_eq!(last, 6);
}

#[test]
fn a_byte_that_was_changed_anywhere_is_found_and_the_file_moved_aside_unless_a_crash_may_have_done_it() {
    let (file, states) = (whole_file(), states());
    // Where the last batch begins.
    let last = (0..file.len())
        .rev()
        .find(|at| {
            open(&layer_with(&file[..*at])).records == states[5]
                && matches!(open(&layer_with(&file[..*at])).file, File::Known { .. })
        })
        .unwrap();
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x20;
        let layer = layer_with(&damaged);
        let opened = SessionLog::open(Arc::clone(&layer) as Arc<dyn FileLayer>).unwrap();
        if at < last {
            let damage = opened
                .damage
                .unwrap_or_else(|| panic!("the damage of byte {at} was not found"));
            assert!(
                damage.starts_with("cannot be read from byte ") && damage.ends_with(BROKEN_NOW),
                "{damage}"
            );
            assert!(opened.log.records.is_empty());
            assert_eq!(
                layer.read(BROKEN, u64::MAX).unwrap().as_deref(),
                Some(&damaged[..])
            );
            assert_eq!(layer.read(NAME, u64::MAX).unwrap(), None);
        } else {
            assert_eq!(opened.damage, None);
            assert_eq!(opened.log.records, states[5]);
        }
    }
}

const BROKEN_NOW: &str = "it is session.log.broken now";

#[test]
fn a_message_that_looks_like_a_batch_is_none() {
    let layer = Arc::new(CrashLayer::default());
    let mut log = open(&layer);
    log.commit(&[put(1, "a")]).unwrap();
    // Everything that an outsider knows of a batch, within one that is cut short.
    let other = open(&layer_with(&whole_file()));
    let File::Known { salt, .. } = &other.file else {
        panic!()
    };
    let mut forged = Vec::new();
    salt.write_batch(&mut forged, 3, [(StoreKey::from_u64(9), Some(&b"forged"[..]))])
        .unwrap();
    log.slack = usize::MAX / 4;
    log.commit(&[operation(2, Change::Put(forged.into())), put(3, "b")])
        .unwrap();
    let file = layer.read(NAME, u64::MAX).unwrap().unwrap();
    let found = open(&layer_with(&file[..file.len() - 1])).records;
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [StoreKey::from_u64(1)]);
}

#[test]
fn a_removed_log_leaves_nothing_to_take_up_and_is_written_again() {
    let layer = Arc::new(CrashLayer::default());
    let mut log = open(&layer);
    log.commit(&[put(1, "a")]).unwrap();
    log.remove().unwrap();
    assert!(
        layer
            .after_crash()
            .into_iter()
            .all(|layer| open(&Arc::new(layer)).records.is_empty())
    );
    log.note(&[put(2, "b")]);
    log.rewrite().unwrap();
    assert!(
        layer
            .after_crash()
            .into_iter()
            .all(|layer| open(&Arc::new(layer)).records == log.records)
    );
    assert_eq!(log.records.len(), 2);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_reading_fail_otherwise_than_by_saying_so(
        begin in 0..600_usize,
        garbage in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..200),
    ) {
        let mut file = whole_file();
        file.truncate(begin);
        file.extend_from_slice(&garbage);
        match frame::read(&Bytes::from(file)) {
            Ok(content) => proptest::prop_assert!(states().contains(&content.records)),
            Err(Damaged { at }) => proptest::prop_assert!(at <= begin.max(HEAD_BYTES)),
        }
    }
}
