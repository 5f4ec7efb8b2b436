//! Whether the server of a connection is there: asked again and again, told when it changes.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::client::Client;
use super::state::LinkState;
use crate::service::plan::{Probe, ProbeMethod, RetryStrategy};

/// Longest wait for the answer to a probe where the file names none.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Probes for ever.
pub(super) async fn run(
    client: Arc<Client>,
    state: Arc<LinkState>,
    probe: Probe,
    strategy: RetryStrategy,
    owner: String,
) {
    let method = match probe.method {
        ProbeMethod::Head => Method::HEAD,
        ProbeMethod::Get => Method::GET,
    };
    let time = probe.timeout.unwrap_or(PROBE_TIME);
    let mut delays = Delays::new(strategy);
    let mut told_of_absence = false;
    loop {
        // Whatever it answers: it is there.
        let answer = client.probe(&method, &probe.path, time).await;
        let is_there = answer.is_ok();
        match answer {
            Ok(_) => {
                told_of_absence = false;
                if state.connected() {
                    tracing::info!("{owner}: {} is there", client.origin());
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut told_of_absence, true) {
                    tracing::warn!("{owner}: {error}");
                }
                state.disconnected(error.to_string());
            }
        }
        let delay = delays.after(is_there).unwrap_or(probe.interval);
        sleep(delay.max(Duration::from_millis(10))).await;
    }
}

/// The times between attempts while they fail.
#[derive(Debug)]
pub(super) struct Delays {
    strategy: RetryStrategy,
    next: Duration,
}

impl Delays {
    pub(super) fn new(strategy: RetryStrategy) -> Self {
        Self {
            next: strategy.initial_delay,
            strategy,
        }
    }

    /// The time until the next attempt after one that failed; `None` after one that did not.
    pub(super) fn after(&mut self, succeeded: bool) -> Option<Duration> {
        let RetryStrategy {
            initial_delay,
            increment_factor,
            max_delay,
        } = self.strategy;
        if succeeded {
            self.next = initial_delay;
            return None;
        }
        let delay = self.next.min(max_delay);
        let longer = delay.as_secs_f64() * increment_factor.max(1.0);
        self.next = Duration::try_from_secs_f64(longer).map_or(max_delay, |longer| longer.min(max_delay));
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_bound_and_begin_anew_after_a_success() {
        let mut delays = Delays::new(RetryStrategy {
            initial_delay: Duration::from_millis(100),
            increment_factor: 2.0,
            max_delay: Duration::from_millis(350),
        });
        let mut failed = || delays.after(false).map(|delay| delay.as_millis());
        assert_eq!(
            [failed(), failed(), failed(), failed()],
            [100, 200, 350, 350].map(Some)
        );
        assert_eq!(delays.after(true), None);
        assert_eq!(delays.after(false), Some(Duration::from_millis(100)));
    }
}
