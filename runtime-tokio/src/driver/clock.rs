//! The clocks of the machine as the core wants them, and its next deadline as a timer.

use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use syncline_core::time::{Instant, UnixMillis};
use tokio::time::{Sleep, sleep_until};

/// The core's clock: microseconds since the driver was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(pub(super) tokio::time::Instant);

impl Clock {
    pub(super) fn now(self) -> Instant {
        Instant::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// Wall time.
pub(super) fn wall() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// The core's next deadline as a timer.
///
/// Most deadlines are put off before they come: with each transaction that ends, and each packet that is sent. The system's
/// timer is left as it is then, and set anew when it goes off too early.
#[derive(Default)]
pub(super) struct Timer {
    deadline: Option<tokio::time::Instant>,
    /// When `sleep` goes off, unless it has.
    armed: Option<tokio::time::Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(super) fn set(&mut self, deadline: Option<Instant>, start: tokio::time::Instant) {
        let deadline = deadline.filter(|deadline| *deadline != Instant::FAR_FUTURE);
        self.deadline = deadline.map(|deadline| start + Duration::from_micros(deadline.as_micros()));
    }

    /// Pending for ever while there is no deadline. Cancel safe.
    pub(super) async fn elapsed(&mut self) {
        let Some(deadline) = self.deadline else {
            return std::future::pending().await;
        };
        loop {
            if self.armed.is_none_or(|armed| armed > deadline) {
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(deadline),
                    None => self.sleep = Some(Box::pin(sleep_until(deadline))),
                }
                self.armed = Some(deadline);
            }
            if let Some(sleep) = &mut self.sleep {
                sleep.as_mut().await;
            }
            if self.armed.take().is_some_and(|armed| armed >= deadline) {
                self.deadline = None;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 1_000_000;

    async fn elapsed_after(timer: &mut Timer, start: tokio::time::Instant) -> Duration {
        timer.elapsed().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_put_off_or_brought_forward_is_kept_to() {
        let start = tokio::time::Instant::now();
        let mut timer = Timer::default();
        for (first, second) in [(2, 5), (9, 7)] {
            timer.set(Some(Instant::from_micros(first * STEP)), start);
            let began = tokio::time::timeout(Duration::ZERO, timer.elapsed()).await;
            assert!(began.is_err(), "{first} s have not passed");
            timer.set(Some(Instant::from_micros(second * STEP)), start);
            let after = elapsed_after(&mut timer, start).await;
            assert_eq!(after.as_secs(), second, "set to {first} s before");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_deadline_it_never_elapses() {
        let start = tokio::time::Instant::now();
        let mut timer = Timer::default();
        timer.set(Some(Instant::from_micros(STEP)), start);
        let _ = tokio::time::timeout(Duration::ZERO, timer.elapsed()).await;
        for never in [None, Some(Instant::FAR_FUTURE)] {
            timer.set(never, start);
            let waited = tokio::time::timeout(Duration::from_secs(3600), timer.elapsed()).await;
            assert!(waited.is_err(), "{never:?}");
        }
    }
}
