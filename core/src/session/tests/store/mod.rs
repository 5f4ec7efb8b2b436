//! A session with a store: the test is its disk, too.

mod restore;
mod write_ahead;

use alloc::collections::BTreeMap;

use super::super::store::{Change, Restored, StoreKey};
use super::*;
use crate::time::UnixMillis;

const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

/// A disk: every operation in the order in which it came, durable up to `written`.
#[derive(Default, Clone)]
struct Disk {
    operations: Vec<StoreOperation>,
    written: usize,
}

impl Disk {
    /// The records after the first `n` operations.
    fn records(&self, n: usize) -> BTreeMap<StoreKey, bytes::Bytes> {
        let mut records = BTreeMap::new();
        for StoreOperation { key, change, .. } in &self.operations[..n] {
            match change {
                Change::Put(record) => drop(records.insert(*key, record.clone())),
                Change::Delete => drop(records.remove(key)),
            }
        }
        records
    }

    fn keys(&self) -> Vec<String> {
        let records = self.records(self.operations.len());
        records.keys().map(ToString::to_string).collect()
    }
}

impl Bench {
    fn stored(config: Config, records: BTreeMap<StoreKey, bytes::Bytes>) -> (Self, Restored) {
        let mut bench = Self::new(config.clone());
        let (session, restored) = Session::restore(config, [7; SEED_LEN], T0, WALL, records).unwrap();
        bench.session = session;
        (bench, restored)
    }

    /// Moves the store operations among the outputs to the disk; they are not durable yet.
    fn collect(&mut self, disk: &mut Disk) {
        self.drain();
        self.outputs.retain(|output| match output {
            Output::Store(operation) => {
                disk.operations.push(operation.clone());
                assert_eq!(
                    operation.seq,
                    disk.operations.len() as u64,
                    "numbered without a gap"
                );
                false
            }
            _ => true,
        });
    }

    fn persist(&mut self, disk: &mut Disk) {
        self.collect(disk);
        disk.written = disk.operations.len();
        self.session.handle_persisted(disk.written as u64);
        self.drain();
    }

    /// A new session with a store and a connection; everything is durable.
    fn established_with_store(version: Version, adjust: impl FnOnce(&mut Config)) -> (Self, Disk) {
        let mut config = config(version);
        adjust(&mut config);
        let (mut bench, restored) = Self::stored(config, BTreeMap::new());
        assert_eq!(restored, Restored::default());
        let mut disk = Disk::default();
        bench.collect(&mut disk);
        bench.connect(false);
        bench.persist(&mut disk);
        (bench, disk)
    }

    /// What the process after this one finds, with everything durable; connected, the Session present.
    fn restarted(version: Version, disk: &Disk) -> (Self, Disk) {
        let (mut bench, _) = Self::stored(config(version), disk.records(disk.operations.len()));
        let mut later = Disk::default();
        bench.collect(&mut later);
        bench.connect(true);
        bench.persist(&mut later);
        (bench, later)
    }
}

fn config(version: Version) -> Config {
    let mut config = Config::new("bench");
    config.version = policy(version);
    config
}
