//! What has become of the requests of a responder.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since a responder was started.
///
/// `fresh` is the sum of `answered`, `refused`, `panicked` and `expired`, apart from those that are being worked on; each request that
/// came is one of `fresh`, `repeated`, `in_progress`, `ignored`, `late` and `overloaded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Requests that the function was called for.
    pub fresh: u64,
    /// Those that it answered with a value.
    pub answered: u64,
    /// Those that it answered with an error.
    pub refused: u64,
    /// Those that it panicked at: answered with 500.
    pub panicked: u64,
    /// Those that it was not done with at their deadline: not answered.
    pub expired: u64,
    /// Requests that came again and were answered with the same answer.
    pub repeated: u64,
    /// Requests that came again while they were being worked on.
    pub in_progress: u64,
    /// Messages that are no requests: malformed, retained, or without a topic to answer to.
    pub ignored: u64,
    /// Requests whose deadline had come before they were looked at.
    pub late: u64,
    /// Requests that came while too many waited.
    pub overloaded: u64,
    /// Answers that the broker did not take.
    pub undelivered: u64,
}

/// The same, while it is being counted.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) fresh: Count,
    pub(super) answered: Count,
    pub(super) refused: Count,
    pub(super) panicked: Count,
    pub(super) expired: Count,
    pub(super) repeated: Count,
    pub(super) in_progress: Count,
    pub(super) ignored: Count,
    pub(super) late: Count,
    pub(super) overloaded: Count,
    pub(super) undelivered: Count,
}

/// One total.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Counts one; returns the total with it.
    pub(super) fn one(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counting {
    pub(super) fn read(&self) -> Counters {
        Counters {
            fresh: self.fresh.read(),
            answered: self.answered.read(),
            refused: self.refused.read(),
            panicked: self.panicked.read(),
            expired: self.expired.read(),
            repeated: self.repeated.read(),
            in_progress: self.in_progress.read(),
            ignored: self.ignored.read(),
            late: self.late.read(),
            overloaded: self.overloaded.read(),
            undelivered: self.undelivered.read(),
        }
    }
}
