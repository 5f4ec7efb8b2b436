//! The clocks of the machine as the core wants them, and its next deadline as a timer.

use std::time::{SystemTime, UNIX_EPOCH};

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

/// The core's next deadline as a timer, registered anew only when it has changed.
#[derive(Default)]
pub(super) struct Timer {
    deadline: Option<Instant>,
    sleep: Option<std::pin::Pin<Box<Sleep>>>,
}

impl Timer {
    pub(super) fn set(&mut self, deadline: Option<Instant>, start: tokio::time::Instant) {
        let deadline = deadline.filter(|deadline| *deadline != Instant::FAR_FUTURE);
        if deadline == self.deadline {
            return;
        }
        self.deadline = deadline;
        let Some(deadline) = deadline else { return };
        let deadline = start + std::time::Duration::from_micros(deadline.as_micros());
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(sleep_until(deadline))),
        }
    }

    /// Pending for ever while there is no deadline.
    pub(super) async fn elapsed(&mut self) {
        match (&mut self.sleep, self.deadline) {
            (Some(sleep), Some(_)) => {
                sleep.as_mut().await;
                self.deadline = None;
            }
            _ => std::future::pending().await,
        }
    }
}
