//! Connections that end soon after they began, several in a row: mostly two clients that use one name.

use std::time::Duration;

use syncline_core::time::Instant;

/// A connection that ends before this time is short.
const SHORT: Duration = Duration::from_secs(10);
/// So many short ones in a row are worth a hint.
const IN_A_ROW: u32 = 3;

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct ShortConnections {
    began: Option<Instant>,
    in_a_row: u32,
}

impl ShortConnections {
    pub(crate) fn began(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// The connection, if there was one, has ended without this side's doing. True when it is time for a hint: once in
    /// each row.
    pub(crate) fn ended(&mut self, now: Instant) -> bool {
        let Some(began) = self.began.take() else {
            return false;
        };
        let lasted = Duration::from_micros(now.as_micros().saturating_sub(began.as_micros()));
        if lasted >= SHORT {
            self.in_a_row = 0;
            return false;
        }
        self.in_a_row += 1;
        self.in_a_row == IN_A_ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(durations: &[u64]) -> Vec<bool> {
        let mut short = ShortConnections::default();
        let mut now = 0;
        let run = durations.iter().map(|seconds| {
            short.began(Instant::from_micros(now));
            now += seconds * 1_000_000;
            let hint = short.ended(Instant::from_micros(now));
            // An attempt that fails is no connection.
            assert!(!short.ended(Instant::from_micros(now)));
            hint
        });
        run.collect()
    }

    #[test]
    fn the_third_short_connection_in_a_row_gives_one_hint() {
        assert_eq!(hints(&[1, 2, 9, 1, 1]), [false, false, true, false, false]);
    }

    #[test]
    fn a_long_connection_begins_a_new_row() {
        assert_eq!(
            hints(&[1, 1, 10, 1, 1, 1]),
            [false, false, false, false, false, true]
        );
    }
}
