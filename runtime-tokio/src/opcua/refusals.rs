//! What is refused to clients: counted, and told to the log at a pace that nobody can drive.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines that the log has of one kind at once.
const BURST: u32 = 10;
/// Time after which it has one more.
const REFILL: Duration = Duration::from_secs(6);

/// Refusals of one kind.
#[derive(Debug)]
pub(super) struct Refusals {
    kind: &'static str,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    total: u64,
    untold: u64,
    /// By when all lines are free again.
    spent_until: Option<Instant>,
}

impl Refusals {
    /// `kind` is what messages call them, in the plural.
    pub(super) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            noted: Mutex::default(),
        }
    }

    /// How many there were.
    pub(super) fn total(&self) -> u64 {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// Counts a refusal, and tells the log of it where that has not heard of too many; of those, it tells how many they were.
    pub(super) fn note(&self, reason: &dyn fmt::Display) {
        let Some((total, untold)) = self.count(Instant::now()) else {
            return;
        };
        let kind = self.kind;
        match untold {
            0 => tracing::warn!("refused one of the {kind}, {total} since the start: {reason}"),
            untold => tracing::warn!(
                "refused one of the {kind}, {total} since the start, {untold} of them not told here: {reason}"
            ),
        }
    }

    /// How many there were in total, and since the last line, where there may be another line.
    fn count(&self, now: Instant) -> Option<(u64, u64)> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.total += 1;
        let spent_until = noted.spent_until.unwrap_or(now).max(now);
        if spent_until > now + REFILL * (BURST - 1) {
            noted.untold += 1;
            return None;
        }
        noted.spent_until = Some(spent_until + REFILL);
        Some((noted.total, std::mem::take(&mut noted.untold)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_costs_few_lines() {
        let refusals = Refusals::new("logins");
        let begin = Instant::now();
        let told = (0..1000).filter_map(|_| refusals.count(begin)).count();
        assert_eq!(told, 10);
        assert_eq!(refusals.count(begin + REFILL), Some((1001, 990)));
        assert_eq!(refusals.count(begin + REFILL), None);
        let later = begin + REFILL * 100;
        assert_eq!(refusals.count(later), Some((1003, 1)));
        let told = (0..1000).filter_map(|_| refusals.count(later)).count();
        assert_eq!(told, 9);
    }
}
