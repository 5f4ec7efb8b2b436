//! Nodes that receive: a client's body goes out on the node's topic.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use syncline_core::codec::QoS;
use syncline_core::session::{Lifetime, Publication};
use syncline_core::topic::TopicName;
use tokio::time::{Instant, timeout_at};

use super::body::Received;
use super::reply::{self, Failure, Reply};
use crate::driver::{AgentHandle, Offline};
use crate::envelope::enveloped;
use crate::node_rules::{Ended, NodeRules};

/// Longest wait for the broker's acknowledgement.
const CONFIRMATION_TIME: Duration = Duration::from_secs(30);

/// Publishes for one node.
#[derive(Debug)]
pub struct Receiver {
    agent: AgentHandle,
    topic: TopicName,
    qos: QoS,
    retain: bool,
    rules: Option<NodeRules>,
}

impl Receiver {
    /// Publishes on `topic` through `agent`.
    #[must_use]
    pub fn new(agent: AgentHandle, topic: &TopicName, qos: QoS, retain: bool) -> Self {
        Self {
            agent,
            topic: topic.clone(),
            qos,
            retain,
            rules: None,
        }
    }

    /// Messages go through `rules` before they are published.
    #[must_use]
    pub(crate) fn ruled(self, rules: NodeRules) -> Self {
        Self {
            rules: Some(rules),
            ..self
        }
    }

    /// Whether there is a broker to publish to.
    pub(super) fn is_ready(&self) -> bool {
        self.agent.is_online()
    }

    /// Publishes, and answers when that is done: at QoS 1 and 2 when the broker has confirmed it. What a rule stops is answered with
    /// 204, for nothing is published, and what waits for its batch with 202.
    ///
    /// # Errors
    /// 503 without a broker, 502 when it refuses, 504 when it does not confirm in time, 413 for what is too long for it, 422 for
    /// what a rule cannot be carried out for.
    pub(super) async fn publish(&self, received: Received) -> Result<Reply, Failure> {
        let deadline = Instant::now() + CONFIRMATION_TIME;
        let mut payload = match received {
            Received::Bytes(bytes) => bytes.into(),
            Received::Value(value) => Bytes::from(enveloped(&value)),
        };
        if let Some(rules) = &self.rules {
            payload = match timeout_at(deadline, rules.pass(payload)).await {
                Ok(Ok(passed)) => passed,
                Ok(Err(Ended::Stopped)) => return Ok(reply::empty(StatusCode::NO_CONTENT)),
                Ok(Err(Ended::Batched)) => return Ok(reply::empty(StatusCode::ACCEPTED)),
                Ok(Err(ended)) => return Err(reply::unruled(&ended)),
                Err(_) => {
                    let message = "the rules of this node take too long, try again";
                    return Err(Failure::unavailable(message).certainly_unpublished());
                }
            };
        }
        let mut publication = Publication::new(self.topic.clone(), payload).qos(self.qos);
        publication.retain = self.retain;
        // Its client does not outlive this process, and sends it again when it has no answer.
        publication.lifetime = Lifetime::Process;
        let published = self.agent.publish(publication, Offline::Refuse);
        match timeout_at(deadline, published).await {
            Ok(Ok(())) => Ok(reply::empty(StatusCode::OK)),
            Ok(Err(error)) => Err(reply::unpublished(error)),
            Err(_) => Err(Failure::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the broker has not confirmed the message in time, it may have it",
            )),
        }
    }
}
