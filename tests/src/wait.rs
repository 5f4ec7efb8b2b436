//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long a condition may take that ought to come true at once; generous, since CI machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// Asks `condition` again and again until it gives a value.
///
/// # Panics
/// After `limit`, naming `what` was awaited.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begin.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(INTERVAL);
    }
}
