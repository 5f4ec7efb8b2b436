//! Nodes that receive: a client's body goes out on the node's topic.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use syncline_core::codec::QoS;
use syncline_core::session::{Lifetime, Publication};
use syncline_core::topic::TopicName;
use tokio::time::timeout;

use super::body::Received;
use super::reply::{self, Failure, Reply};
use crate::driver::{AgentHandle, Offline};

/// Longest wait for the broker's acknowledgement.
const CONFIRMATION_TIME: Duration = Duration::from_secs(30);

/// Publishes for one node.
#[derive(Debug)]
pub struct Receiver {
    agent: AgentHandle,
    topic: TopicName,
    qos: QoS,
    retain: bool,
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
        }
    }

    /// Whether there is a broker to publish to.
    pub(super) fn is_ready(&self) -> bool {
        self.agent.is_online()
    }

    /// Publishes, and answers when that is done: at QoS 1 and 2 when the broker has confirmed it.
    ///
    /// # Errors
    /// 503 without a broker, 502 when it refuses, 504 when it does not confirm in time, 413 for what is too long for it.
    pub(super) async fn publish(&self, received: Received) -> Result<Reply, Failure> {
        let payload = match received {
            Received::Bytes(bytes) => bytes,
            Received::Value(value) => enveloped(&value),
        };
        let mut publication = Publication::new(self.topic.clone(), payload).qos(self.qos);
        publication.retain = self.retain;
        // Its client does not outlive this process, and sends it again when it has no answer.
        publication.lifetime = Lifetime::Process;
        let published = self.agent.publish(publication, Offline::Refuse);
        match timeout(CONFIRMATION_TIME, published).await {
            Ok(Ok(())) => Ok(reply::published()),
            Ok(Err(error)) => Err(reply::unpublished(error)),
            Err(_) => Err(Failure::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the broker has not confirmed the message in time, it may have it",
            )),
        }
    }
}

fn enveloped(value: &RawValue) -> Vec<u8> {
    #[derive(Serialize)]
    struct Envelope<'a> {
        timestamp: u64,
        value: &'a RawValue,
    }
    // A clock before 1970 is no reason to lose a value.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    serde_json::to_vec(&Envelope { timestamp, value })
        .expect("a number and JSON text are always writable as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_json_text_in_its_envelope() {
        let value = RawValue::from_string("{\"b\": 1.10,\"a\":18446744073709551616}".to_owned()).unwrap();
        let text = String::from_utf8(enveloped(&value)).unwrap();
        let (timestamp, rest) = text
            .strip_prefix("{\"timestamp\":")
            .and_then(|rest| rest.split_once(','))
            .unwrap();
        assert!(timestamp.parse::<u64>().unwrap() > 1_700_000_000_000);
        assert_eq!(rest, "\"value\":{\"b\": 1.10,\"a\":18446744073709551616}}");
    }
}
