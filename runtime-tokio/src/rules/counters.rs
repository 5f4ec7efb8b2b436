//! How many messages went which way.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals of one chain of rules, read while it runs.
#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    passed: AtomicU64,
    batched: AtomicU64,
    stopped: AtomicU64,
    failed: AtomicU64,
    overloaded: AtomicU64,
}

impl Counters {
    /// Messages that came.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Messages that went on; a batch of `burst` is one.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Messages that `burst` has kept for a batch. The one that completes a batch goes on as that.
    #[must_use]
    pub fn batched(&self) -> u64 {
        self.batched.load(Ordering::Relaxed)
    }

    /// Messages that a rule stopped as it should.
    #[must_use]
    pub fn stopped(&self) -> u64 {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Messages for which a rule failed, or that could not be published.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Messages that came while too many waited.
    #[must_use]
    pub fn overloaded(&self) -> u64 {
        self.overloaded.load(Ordering::Relaxed)
    }

    pub(crate) fn count_received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_passed(&self) {
        self.passed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_batched(&self) {
        self.batched.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_stopped(&self) {
        self.stopped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// The total with this one.
    pub(crate) fn count_overloaded(&self) -> u64 {
        self.overloaded.fetch_add(1, Ordering::Relaxed) + 1
    }
}
