//! One connection to the broker on trial: made, accepted, and left again.

use std::time::Duration;

use syncline_core::agent::{Agent, Output};
use syncline_core::registration::Registration;
use syncline_core::session::{Config, Disconnect, DisconnectReason};
use tokio::time::timeout;

use super::clock::{Clock, Timer};
use super::link::{Link, LinkEvent};
use crate::transport::{DialError, Dialer, text};

/// Time for the whole trial.
const PROBE_TIME: Duration = Duration::from_secs(30);
/// Connections that may end before one is accepted: the session tries the older version in the second.
const ATTEMPTS: usize = 2;

/// Why the trial failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The broker was not reached; nothing follows from that for what was on trial.
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    /// The broker refuses the login.
    #[error("{0}")]
    Login(String),
    /// Whoever listens there has answered with something else than MQTT.
    #[error("{0}")]
    NotMqtt(String),
    /// The connection ended, or time was up, before there was any answer.
    #[error("{0}")]
    Unanswered(String),
    /// The broker was reached, and there was no session with it.
    #[error("{0}")]
    Failed(String),
}

/// Makes one connection with a session of `config`, and takes leave when the broker has accepted it.
pub(crate) async fn probe(dialer: &Dialer, config: Config) -> Result<(), ProbeError> {
    timeout(PROBE_TIME, connect(dialer, config))
        .await
        .unwrap_or_else(|_| {
            Err(ProbeError::Unreachable(format!(
                "no answer within {} s",
                PROBE_TIME.as_secs()
            )))
        })
}

async fn connect(dialer: &Dialer, config: Config) -> Result<(), ProbeError> {
    let failed = |error: &dyn ToString| ProbeError::Failed(error.to_string());
    let mut seed = [0; syncline_core::rng::SEED_LEN];
    getrandom::fill(&mut seed).map_err(|error| failed(&error))?;
    let mut agent = Agent::new(config, seed).map_err(|error| failed(&error))?;
    let start = tokio::time::Instant::now();
    let clock = Clock(start);
    let mut link = Link::Down;
    let mut timer = Timer::default();
    // What the transport has said, which tells more than the session's view of it.
    let mut cause = None;
    let mut accepted = false;
    let mut attempts = 0;
    agent.connect(clock.now());
    loop {
        while let Some(output) = agent.poll(clock.now()) {
            match output {
                Output::OpenTransport => {
                    let dialer = dialer.clone();
                    link = Link::Dialing(Box::pin(async move { dialer.dial().await }));
                }
                Output::CloseTransport => link.close(),
                Output::Connected(_) => {
                    accepted = true;
                    // The default can always be sent.
                    let _ = agent.disconnect(clock.now(), Disconnect::default());
                }
                Output::Disconnected(_) if accepted => {}
                Output::Disconnected(disconnected) => {
                    attempts += 1;
                    let reason = cause.take().unwrap_or_else(|| ended(disconnected.reason));
                    if attempts == ATTEMPTS || disconnected.retry_at.is_none() {
                        return Err(reason);
                    }
                }
                _ => {}
            }
        }
        if accepted && matches!(link, Link::Down) {
            return Ok(());
        }
        timer.set(agent.poll_timeout(), start);
        tokio::select! {
            event = link.next(&mut agent, clock) => match event {
                LinkEvent::Moved { .. } => {}
                LinkEvent::Dialed(Ok(transport)) => {
                    link = Link::Up(transport);
                    agent.handle_transport_open(clock.now());
                }
                LinkEvent::Dialed(Err(error)) => {
                    cause = Some(match &error {
                        DialError::Resolve(_) | DialError::Connect(_) => ProbeError::Unreachable(error.to_string()),
                        DialError::Tls(failure) => failed(failure),
                    });
                    link = Link::Down;
                    agent.handle_transport_closed(clock.now());
                }
                LinkEvent::Lost(error) => {
                    cause = error.map(|error| ProbeError::Unanswered(text(&error)));
                    link = Link::Down;
                    agent.handle_transport_closed(clock.now());
                }
            },
            () = timer.elapsed() => agent.handle_timeout(clock.now()),
        }
    }
}

/// What the session's view of the end of a connection that was never accepted comes to.
fn ended(reason: DisconnectReason) -> ProbeError {
    let text = reason.to_string();
    match reason {
        DisconnectReason::Refused(code) if Registration::is_about_credentials(code) => {
            ProbeError::Login(text)
        }
        DisconnectReason::Malformed(_) | DisconnectReason::Violation(_) => ProbeError::NotMqtt(text),
        DisconnectReason::TransportClosed | DisconnectReason::ConnackTimeout => ProbeError::Unanswered(text),
        _ => ProbeError::Failed(text),
    }
}
