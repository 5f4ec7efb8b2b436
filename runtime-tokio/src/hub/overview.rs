//! The agents as they present themselves: retained messages on `syncline/agents/<name>/state`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use syncline_core::agent::{Agent, Output};
use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions};
use syncline_core::session::Filter;
use syncline_core::time::{Instant, UnixMillis};
use syncline_core::topic::TopicFilter;

use crate::driver::Reactor;

/// Where agents present themselves.
const FILTER: &str = "syncline/agents/+/state";
/// Most agents that are listed.
const MAX_AGENTS: usize = 10_000;
/// Longest text that is shown of any part.
const MAX_TEXT: usize = 128;

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Presence {
    /// `online` or `offline`.
    pub(super) status: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) hostname: String,
}

/// The agents by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Overview(Arc<Mutex<BTreeMap<String, Presence>>>);

impl Overview {
    pub(super) fn agents(&self) -> BTreeMap<String, Presence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in a message; what is no presence changes nothing.
    fn update(&self, topic: &str, payload: &[u8]) {
        let name = topic
            .strip_prefix("syncline/agents/")
            .and_then(|rest| rest.strip_suffix("/state"));
        let Some(name) = name.filter(|name| !name.contains('/')) else {
            return;
        };
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if payload.is_empty() {
            agents.remove(name);
            return;
        }
        let Ok(presence) = serde_json::from_slice::<Presence>(payload) else {
            tracing::debug!(agent = name, "an agent's state is not its JSON");
            return;
        };
        if agents.len() < MAX_AGENTS || agents.contains_key(name) {
            agents.insert(shortened(name.to_owned()), presence.shortened());
        }
    }
}

impl Presence {
    fn shortened(self) -> Self {
        Self {
            status: shortened(self.status),
            version: shortened(self.version),
            hostname: shortened(self.hostname),
        }
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

impl Reactor for Overview {
    fn handle(&mut self, _now: Instant, _wall: UnixMillis, output: &Output, agent: &mut Agent) {
        match output {
            Output::Connected(_) => {
                let Ok(filter) = TopicFilter::try_from(FILTER) else {
                    return;
                };
                let options = SubscribeOptions {
                    qos: QoS::AtLeastOnce,
                    ..SubscribeOptions::default()
                };
                if let Err(error) = agent.subscribe(&[Filter { filter, options }], &PropertyBuf::new()) {
                    tracing::warn!("the hub cannot subscribe to the agents' states: {error}");
                }
            }
            Output::Message(message) => self.update(message.topic(), &message.payload_bytes()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agents_say_is_listed_in_bounded_length_and_number() {
        let overview = Overview::default();
        let topic = |name: &str| format!("syncline/agents/{name}/state");
        let long = "x".repeat(1000);
        let state = format!(r#"{{"status":"online","version":"{long}","hostname":"h","services":[]}}"#);
        overview.update(&topic("line-1"), state.as_bytes());
        overview.update(&topic("line-2"), b"garbage");
        overview.update("syncline/agents/a/b/state", state.as_bytes());
        overview.update("other", state.as_bytes());
        let agents = overview.agents();
        assert_eq!(agents.keys().collect::<Vec<_>>(), ["line-1"]);
        assert_eq!(agents["line-1"].version.len(), MAX_TEXT);
        overview.update(&topic("line-1"), br#"{"status":"offline"}"#);
        assert_eq!(overview.agents()["line-1"].status, "offline");
        overview.update(&topic("line-1"), b"");
        assert!(overview.agents().is_empty());

        for number in 0..=MAX_AGENTS {
            overview.update(&topic(&number.to_string()), br#"{"status":"online"}"#);
        }
        assert_eq!(overview.agents().len(), MAX_AGENTS);
    }
}
