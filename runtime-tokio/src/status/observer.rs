//! The observer in the agent's driver: publishes presence, and notes what happens to the link.

use std::time::{Duration, UNIX_EPOCH};

use syncline_core::agent::{Agent, Output};
use syncline_core::session::{Completion, DisconnectReason, OpId};
use syncline_core::time::{Instant, UnixMillis};

use super::Status;
use super::short_connections::ShortConnections;
use crate::driver::Reactor;
use crate::presence::Presence;
use crate::transport::DialError;

pub(crate) struct Observer {
    status: Status,
    presence: Option<Presence>,
    /// The last publication of presence, until it is acknowledged.
    announcement: Option<OpId>,
    /// Whether the log has been told that presence is refused.
    refusal_logged: bool,
    short_connections: ShortConnections,
    /// Why no connection came about, until the session has told of that.
    dial_failure: Option<String>,
}

impl Observer {
    pub(crate) fn new(status: Status, presence: Option<Presence>) -> Self {
        Self {
            status,
            presence,
            announcement: None,
            refusal_logged: false,
            short_connections: ShortConnections::default(),
            dial_failure: None,
        }
    }

    fn say_offline(&mut self, now: Instant, wall: UnixMillis, agent: &mut Agent) {
        let presence = self.presence.as_mut();
        if let Some(presence) = presence.filter(|_| agent.session().is_established()) {
            presence.publish_offline(now, wall, agent);
        }
    }

    fn announced(&mut self, completion: &Completion) {
        let Completion::Published { reason, .. } = completion else {
            return;
        };
        let topic = self.presence.as_ref().map_or("", Presence::topic);
        if reason.is_error() && !std::mem::replace(&mut self.refusal_logged, true) {
            tracing::warn!(
                "the broker does not take this agent's state: {reason}; grant it write access to {topic}"
            );
        }
    }
}

impl Reactor for Observer {
    fn handle(&mut self, now: Instant, wall: UnixMillis, output: &Output, agent: &mut Agent) {
        match output {
            Output::Connected(connected) => {
                self.short_connections.began(now);
                {
                    let mut link = self.status.link();
                    let since = UNIX_EPOCH + Duration::from_millis(wall.0);
                    link.connected = Some((connected.version.to_string(), since));
                    link.connections += 1;
                    link.obstacle = None;
                }
                if let Some(presence) = &mut self.presence {
                    self.announcement = presence.publish_online(now, wall, agent);
                }
            }
            Output::Disconnected(disconnected) => {
                if let Some(presence) = &mut self.presence {
                    presence.disconnected();
                }
                let reason = &disconnected.reason;
                let by_peer = matches!(
                    reason,
                    DisconnectReason::TransportClosed | DisconnectReason::ByServer(_)
                );
                if self.short_connections.ended(now) && by_peer {
                    tracing::warn!(
                        "the broker has ended several connections in a row soon after they began; another client may use the \
                         name `{}`, and both throw each other out: give each agent its own CYBUS_AGENT_NAME",
                        agent.session().client_id()
                    );
                }
                let failure = self.dial_failure.take();
                let mut link = self.status.link();
                link.connected = None;
                link.last_end = Some(failure.unwrap_or_else(|| reason.to_string()));
            }
            Output::RegistrationDelayed(delay) => {
                let pairing_id = delay.pairing_id.as_ref().map(ToString::to_string);
                self.status.link().obstacle = Some((delay.obstacle.to_string(), pairing_id));
            }
            Output::VersionDiffers(mismatch, _) => {
                self.status.link().central = Some((mismatch.central.clone(), Some(mismatch.to_string())));
                // Before the connection ends.
                self.say_offline(now, wall, agent);
            }
            Output::VersionAgrees(version) => {
                self.status.link().central = version.clone().map(|version| (version, None));
            }
            Output::Granted(_) => self.status.link().obstacle = None,
            Output::OpCompleted(op, completion) if self.announcement == Some(*op) => {
                self.announcement = None;
                self.announced(completion);
            }
            _ => {}
        }
    }

    fn dial_failed(&mut self, error: &DialError) {
        self.dial_failure = Some(error.to_string());
    }

    fn announce(&mut self, now: Instant, services: Vec<String>, agent: &mut Agent) {
        let presence = self.presence.as_mut();
        let announced = presence.and_then(|presence| presence.publish_services(now, services, agent));
        self.announcement = announced.or(self.announcement);
    }

    fn stopping(&mut self, now: Instant, wall: UnixMillis, agent: &mut Agent) {
        self.say_offline(now, wall, agent);
    }
}
