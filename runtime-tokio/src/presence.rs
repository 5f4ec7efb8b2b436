//! Presence: the retained message that tells everyone whether this agent is there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::json;
use syncline_core::agent::Agent;
use syncline_core::codec::{PropertyBuf, QoS};
use syncline_core::session::{Lifetime, OpId, Publication, Will};
use syncline_core::time::{Instant, UnixMillis};
use syncline_core::topic::TopicName;

use crate::config::AgentName;

/// What an agent says of itself on `syncline/agents/<name>/state`: `online` with every connection, `offline` when it
/// stops, and by its Will when it disappears.
#[derive(Debug, Clone)]
pub struct Presence {
    topic: TopicName,
    hostname: String,
    services: Vec<String>,
    /// Since when the agent is there, as it was last told; none while it is not.
    since: Option<UnixMillis>,
}

impl Presence {
    /// The presence of an agent that runs `services`.
    ///
    /// # Panics
    /// Never: an agent's name has no character that a Topic Name may not have.
    #[must_use]
    pub fn new(agent: &AgentName, services: Vec<String>) -> Self {
        let topic = format!("syncline/agents/{agent}/state");
        Self {
            topic: TopicName::try_from(topic).expect("a Topic Name"),
            hostname: crate::host_name().unwrap_or_default(),
            services,
            since: None,
        }
    }

    /// Where it is published.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// The Will Message that says `offline`.
    #[must_use]
    pub fn will(&self) -> Will {
        Will {
            topic: self.topic.clone(),
            payload: self.payload("offline", None),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: PropertyBuf::new(),
        }
    }

    pub(crate) fn publish_online(
        &mut self,
        now: Instant,
        since: UnixMillis,
        agent: &mut Agent,
    ) -> Option<OpId> {
        self.since = Some(since);
        self.publish(now, self.payload("online", Some(since)), agent)
    }

    pub(crate) fn publish_offline(&mut self, now: Instant, since: UnixMillis, agent: &mut Agent) {
        self.since = None;
        self.publish(now, self.payload("offline", Some(since)), agent);
    }

    /// There is no connection any more, and the Will says the rest.
    pub(crate) fn disconnected(&mut self) {
        self.since = None;
    }

    /// The agent runs these services from now on: who was told of others is told again.
    pub(crate) fn publish_services(
        &mut self,
        now: Instant,
        services: Vec<String>,
        agent: &mut Agent,
    ) -> Option<OpId> {
        if self.services == services {
            return None;
        }
        self.services = services;
        let since = self.since?;
        self.publish(now, self.payload("online", Some(since)), agent)
    }

    fn publish(&self, now: Instant, payload: Bytes, agent: &mut Agent) -> Option<OpId> {
        let mut publication = Publication::new(self.topic.clone(), payload)
            .qos(QoS::AtLeastOnce)
            .retained();
        // The next process speaks for itself.
        publication.lifetime = Lifetime::Process;
        agent
            .publish(now, publication)
            .inspect_err(|refused| {
                tracing::warn!(
                    "this agent's state cannot be published on {}: {}",
                    self.topic.as_str(),
                    refused.reason
                );
            })
            .ok()
    }

    /// A Will carries no `since`: it is written when the connection begins.
    fn payload(&self, status: &str, since: Option<UnixMillis>) -> Bytes {
        let mut state = json!({
            "status": status,
            "version": env!("CARGO_PKG_VERSION"),
            "hostname": self.hostname,
        });
        if let Some(since) = since {
            state["since"] = timestamp(since).into();
        }
        if status == "online" {
            state["services"] = self.services.clone().into();
        }
        state.to_string().into()
    }
}

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn timestamp(at: UnixMillis) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(at.0))
}

/// As [`timestamp`], of the system's time. What no year of four digits holds becomes the last moment that one does.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    /// 9999-12-31T23:59:59Z.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_millis(at.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_names_version_host_and_services_and_the_will_is_retained() {
        let presence = Presence::new(&AgentName::parse("line-1").unwrap(), vec!["a".to_owned()]);
        let online: serde_json::Value =
            serde_json::from_slice(&presence.payload("online", Some(UnixMillis(1_795_312_800_000)))).unwrap();
        assert_eq!(online["status"], "online");
        assert_eq!(online["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(online["since"], "2026-11-22T02:00:00.000Z");
        assert_eq!(online["services"], json!(["a"]));
        let will = presence.will();
        assert_eq!(will.topic.as_str(), "syncline/agents/line-1/state");
        assert!(will.retain && will.qos == QoS::AtLeastOnce);
        let offline: serde_json::Value = serde_json::from_slice(&will.payload).unwrap();
        assert_eq!(offline["status"], "offline");
    }

    #[test]
    fn a_clock_that_is_centuries_off_still_gives_a_timestamp() {
        assert_eq!(timestamp(UnixMillis(u64::MAX / 2)), "9999-12-31T23:59:59.000Z");
        assert_eq!(
            rfc3339(UNIX_EPOCH - Duration::from_secs(1)),
            "1970-01-01T00:00:00.000Z"
        );
    }
}
