//! What endpoints have done, counted while they work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::rules::Counters;

/// Why a request of another system has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The message asks for nothing that can be asked.
    Malformed,
    /// There was no connection, or it was lost.
    Unreachable,
    /// The other system has not answered in time.
    Timeout,
    /// The other system has said no.
    Refused,
    /// The answer is longer than it may be.
    TooLong,
}

impl Cause {
    /// The word for labels.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::TooLong => "too_long",
        }
    }

    /// All of them, in the order in which they are told.
    pub(crate) const ALL: [Self; 5] = [
        Self::Malformed,
        Self::Unreachable,
        Self::Timeout,
        Self::Refused,
        Self::TooLong,
    ];
}

/// Totals of one endpoint since it was started, read while it works.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    messages: Arc<Counters>,
    requests: AtomicU64,
    answered: AtomicU64,
    failed: [AtomicU64; Cause::ALL.len()],
    passed_over: AtomicU64,
}

impl Tally {
    /// The messages: those that went through its rules, and what became of them.
    pub(crate) fn messages(&self) -> &Arc<Counters> {
        &self.messages
    }

    /// What it has asked the other system: polls, reads or writes.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that have succeeded.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Requests that have failed for this cause.
    pub(crate) fn failed(&self, cause: Cause) -> u64 {
        self.failed[cause as usize].load(Ordering::Relaxed)
    }

    /// Requests that have not ended yet.
    pub(crate) fn under_way(&self) -> u64 {
        let failed: u64 = Cause::ALL.iter().map(|cause| self.failed(*cause)).sum();
        // Read one after the other while it works.
        self.requests().saturating_sub(self.answered() + failed)
    }

    /// Messages that asked for nothing.
    pub(crate) fn passed_over(&self) -> u64 {
        self.passed_over.load(Ordering::Relaxed)
    }

    /// A message asks for nothing.
    pub(super) fn count_passed_over(&self) {
        self.passed_over.fetch_add(1, Ordering::Relaxed);
    }

    /// A request begins.
    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has ended.
    pub(super) fn count_end(&self, end: Result<(), Cause>) {
        match end {
            Ok(()) => self.answered.fetch_add(1, Ordering::Relaxed),
            Err(cause) => self.failed[cause as usize].fetch_add(1, Ordering::Relaxed),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_counted_once_and_by_its_cause() {
        let tally = Tally::default();
        for (at, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, at);
            tally.count_request();
            tally.count_end(Err(cause));
        }
        tally.count_request();
        assert_eq!(tally.under_way(), 1);
        tally.count_end(Ok(()));
        assert_eq!((tally.requests(), tally.answered(), tally.under_way()), (6, 1, 0));
        assert_eq!(Cause::ALL.map(|cause| tally.failed(cause)), [1; 5]);
    }
}
