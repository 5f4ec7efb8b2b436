//! A disk that takes its time: operations become durable in order, and a crash leaves the first so many of them.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use syncline_core::session::StoreOperation;
use syncline_core::session::store::{Change, StoreKey};
use syncline_core::time::{Duration, Instant};

/// The disk.
#[derive(Debug)]
pub struct VirtualDisk {
    /// Longest time from an operation to its being durable.
    delay: Duration,
    records: BTreeMap<StoreKey, Bytes>,
    /// What is not durable, each with the time when it will be.
    pending: VecDeque<(Instant, StoreOperation)>,
    /// Number of this process's last operation that is durable.
    durable: u64,
}

impl VirtualDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self {
            delay,
            records: BTreeMap::new(),
            pending: VecDeque::new(),
            durable: 0,
        }
    }

    /// Takes an operation, which becomes durable after a share of the delay: `haste` of 255.
    pub(super) fn write(&mut self, now: Instant, operation: StoreOperation, haste: u8) {
        let latest = self.pending.back().map_or(now, |(at, _)| *at);
        let at = now.after(self.delay * u32::from(haste) / 255);
        self.pending.push_back((at.max(latest), operation));
    }

    /// When the next operation becomes durable.
    pub(super) fn next_durable(&self) -> Option<Instant> {
        self.pending.front().map(|(at, _)| *at)
    }

    /// What has become durable by now: the number of the last such operation.
    pub(super) fn persist(&mut self, now: Instant) -> Option<u64> {
        let due = self.pending.iter().take_while(|(at, _)| *at <= now).count();
        self.apply(due);
        (due > 0).then_some(self.durable)
    }

    /// Loses what is not durable, but for its first few operations.
    pub(super) fn crash(&mut self, luck: usize) {
        self.apply(luck % (self.pending.len() + 1));
        self.pending.clear();
    }

    /// Number of the last operation that is durable.
    pub(super) fn last_durable(&self) -> u64 {
        self.durable
    }

    /// The records, for a new process that counts its operations from one.
    pub(super) fn start_process(&mut self) -> BTreeMap<StoreKey, Bytes> {
        self.durable = 0;
        self.records.clone()
    }

    fn apply(&mut self, n: usize) {
        for (_, StoreOperation { seq, key, change }) in self.pending.drain(..n) {
            self.durable = seq;
            match change {
                Change::Put(record) => drop(self.records.insert(key, record)),
                Change::Delete => drop(self.records.remove(&key)),
            }
        }
    }
}
