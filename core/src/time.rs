//! Points in time as the caller counts them: monotonic microseconds and wall-clock milliseconds.

pub use core::time::Duration;

/// A point on a monotonic clock, in microseconds since an epoch of the caller's choice.
///
/// The core only ever compares instants and adds durations to them, so any epoch serves: process start, boot, zero in
/// a simulation. Arithmetic saturates; [`Instant::FAR_FUTURE`] stands for "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// Later than any instant that a clock will show.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This instant moved on by `by`, [`Instant::FAR_FUTURE`] at most.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(saturating_micros(by)))
    }

    /// Time from `earlier` to this instant; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The earlier one of two deadlines, where there are any.
///
/// The minimum of an array of deadlines says the same in a line, and is compiled to hundreds of instructions.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

fn saturating_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z, as FlowSync messages carry it in `timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addition_saturates_at_the_far_future() {
        assert_eq!(
            Instant::FAR_FUTURE.after(Duration::from_secs(1)),
            Instant::FAR_FUTURE
        );
        assert_eq!(Instant::ZERO.after(Duration::MAX), Instant::FAR_FUTURE);
    }

    #[test]
    fn time_since_a_later_instant_is_zero() {
        assert_eq!(Instant::ZERO.since(Instant::from_micros(5)), Duration::ZERO);
        assert_eq!(
            Instant::from_micros(5).since(Instant::ZERO),
            Duration::from_micros(5)
        );
    }
}
