//! What the log is told while the broker is out of reach: each cause once.

use syncline_core::session::{DisconnectReason, Disconnected};
use syncline_core::time::Instant;

use crate::transport::Endpoint;

/// Why the broker is out of reach, as the log was last told.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// What the transport said, until the session says when it tries again.
    pub(super) cause: Option<String>,
    logged: Option<String>,
    /// Whether the end is that of a connection, not of an attempt.
    connected: bool,
}

impl Outage {
    /// There is a connection: the next cause is told anew.
    pub(super) fn over() -> Self {
        Self {
            connected: true,
            ..Self::default()
        }
    }

    /// Logs the end of a connection: each cause once as a warning until there is a connection again.
    pub(super) fn report(&mut self, endpoint: &Endpoint, disconnected: &Disconnected, now: Instant) {
        let from_transport = self.cause.take();
        let connected = std::mem::take(&mut self.connected);
        let cause = match disconnected.reason {
            DisconnectReason::Requested => {
                match connected {
                    true => tracing::info!(broker = %endpoint, "disconnected from the broker"),
                    false => tracing::info!(
                        "no more attempts to reach the broker at {endpoint}: there is no connection to end"
                    ),
                }
                return;
            }
            DisconnectReason::TransportFailed | DisconnectReason::TransportClosed => from_transport,
            _ => None,
        };
        let cause = cause.unwrap_or_else(|| format!("{endpoint}: {}", disconnected.reason));
        let next = disconnected.retry_at.map_or_else(
            || "not trying again".to_owned(),
            |retry_at| format!("next try in {:.1} s", retry_at.since(now).as_secs_f64()),
        );
        if self.logged.as_ref() == Some(&cause) {
            tracing::debug!("broker {cause}; {next}");
        } else {
            tracing::warn!("broker {cause}; {next}");
            self.logged = Some(cause);
        }
    }
}
