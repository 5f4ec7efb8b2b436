//! What the log is told while the broker is out of reach: each cause once.

use std::sync::Arc;

use syncline_core::registration::Registration;
use syncline_core::session::{DisconnectReason, Disconnected};
use syncline_core::time::Instant;

use crate::transport::Endpoint;

/// How the log tells the broker of one driver from those of others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    /// Stands in front of what is told of it: `connection c of service s: `, nothing for the agent's own.
    pub(crate) prefix: Arc<str>,
    /// What to do where it refuses the login, behind what it has said.
    pub(crate) login_cure: &'static str,
}

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
    pub(super) fn report(
        &mut self,
        naming: &Naming,
        endpoint: &Endpoint,
        disconnected: &Disconnected,
        now: Instant,
    ) {
        let prefix = &naming.prefix;
        let from_transport = self.cause.take();
        let connected = std::mem::take(&mut self.connected);
        let cause = match disconnected.reason {
            DisconnectReason::Requested => {
                match connected {
                    true => tracing::info!(broker = %endpoint, "{prefix}disconnected from the broker"),
                    false => tracing::info!(
                        "{prefix}no more attempts to reach the broker at {endpoint}: there is no connection to end"
                    ),
                }
                return;
            }
            DisconnectReason::TransportFailed | DisconnectReason::TransportClosed => from_transport,
            _ => None,
        };
        let cure = match disconnected.reason {
            DisconnectReason::Refused(code) if Registration::is_about_credentials(code) => naming.login_cure,
            _ => "",
        };
        let cause = cause.unwrap_or_else(|| format!("{endpoint}: {}{cure}", disconnected.reason));
        let next = disconnected.retry_at.map_or_else(
            || "not trying again".to_owned(),
            |retry_at| format!("next try in {:.1} s", retry_at.since(now).as_secs_f64()),
        );
        if self.logged.as_ref() == Some(&cause) {
            tracing::debug!("{prefix}broker {cause}; {next}");
        } else {
            tracing::warn!("{prefix}broker {cause}; {next}");
            self.logged = Some(cause);
        }
    }
}
