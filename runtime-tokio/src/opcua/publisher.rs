//! Nodes that receive: what a client writes goes out on the node's topic.

use std::time::Duration;

use bytes::Bytes;
use opcua::types::StatusCode;
use serde_json::value::RawValue;
use syncline_core::codec::QoS;
use syncline_core::session::{Lifetime, Publication};
use syncline_core::topic::TopicName;
use tokio::time::{Instant, timeout_at};

use super::failure::{self, Failure};
use crate::driver::{AgentHandle, Offline};
use crate::envelope::enveloped;
use crate::node_rules::{Ended, NodeRules};

/// Longest wait for the broker's acknowledgement.
const CONFIRMATION_TIME: Duration = Duration::from_secs(30);

/// Publishes for one node.
#[derive(Debug)]
pub(crate) struct Publisher {
    agent: AgentHandle,
    topic: TopicName,
    qos: QoS,
    rules: Option<NodeRules>,
}

impl Publisher {
    /// Publishes on `topic` through `agent`, after `rules`.
    pub(crate) fn new(agent: AgentHandle, topic: &TopicName, qos: QoS, rules: Option<NodeRules>) -> Self {
        let topic = topic.clone();
        Self {
            agent,
            topic,
            qos,
            rules,
        }
    }

    /// Publishes, and returns when that is done: at QoS 1 and 2 when the broker has confirmed it. What a rule stops or keeps for
    /// its batch is done as well.
    pub(super) async fn publish(&self, value: &RawValue) -> Result<(), Failure> {
        if !self.agent.is_online() {
            let text = "the broker cannot be reached, try again";
            return Err(Failure::new(StatusCode::BadNoCommunication, text));
        }
        let deadline = Instant::now() + CONFIRMATION_TIME;
        let mut payload = Bytes::from(enveloped(value));
        if let Some(rules) = &self.rules {
            payload = match timeout_at(deadline, rules.pass(payload)).await {
                Ok(Ok(passed)) => passed,
                Ok(Err(Ended::Stopped | Ended::Batched)) => return Ok(()),
                Ok(Err(Ended::Busy)) | Err(_) => return Err(Failure::busy()),
                Ok(Err(Ended::Stopping)) => return Err(Failure::stopping()),
                Ok(Err(Ended::Failed(failure))) => return Err(failure::rule_failed(&failure)),
            };
        }
        let mut publication = Publication::new(self.topic.clone(), payload).qos(self.qos);
        // Its client does not outlive this process, and writes it again when it has no answer.
        publication.lifetime = Lifetime::Process;
        match timeout_at(deadline, self.agent.publish(publication, Offline::Refuse)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failure::unpublished(error)),
            Err(_) => {
                let text = "the broker has not confirmed the value in time, it may have it";
                Err(Failure::new(StatusCode::BadTimeout, text))
            }
        }
    }
}
