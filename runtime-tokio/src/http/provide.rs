//! Nodes that provide: a client gets the last value that was seen on the node's topic.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_core::codec::QoS;
use syncline_core::session::Message;
use syncline_core::topic::{TopicFilter, TopicName};

use super::reply::{self, Failure, Reply};
use crate::driver::{AgentHandle, Subscription};

/// Keeps the last value of one node.
#[derive(Debug)]
pub struct Provider {
    agent: AgentHandle,
    last: Arc<Mutex<Option<Bytes>>>,
    /// Absent for a topic that cannot be subscribed to, which no plan has.
    subscription: Option<Subscription>,
}

impl Provider {
    /// Subscribes to `topic` through `agent`, for as long as this lives.
    #[must_use]
    pub fn new(agent: &AgentHandle, topic: &TopicName, qos: QoS) -> Self {
        let last = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&last);
        let sink = move |message: &Message| match value_of(message.payload()) {
            Some(value) => *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(value),
            None => {
                tracing::debug!(
                    topic = message.topic(),
                    "ignoring a message that is no object with a `value`"
                );
            }
        };
        let filter = TopicFilter::new(topic.as_str().to_owned()).ok();
        let subscription = filter.map(|filter| agent.subscribe(filter, qos, Box::new(sink)));
        Self {
            agent: agent.clone(),
            last,
            subscription,
        }
    }

    /// Whether a value that is published now would be seen.
    pub(super) fn is_ready(&self) -> bool {
        self.subscription.as_ref().is_some_and(Subscription::is_ready)
    }

    /// Whether there is a connection to the broker.
    pub(super) fn is_online(&self) -> bool {
        self.agent.is_online()
    }

    /// The last value.
    ///
    /// # Errors
    /// 404 while there is none.
    pub(super) fn answer(&self) -> Result<Reply, Failure> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().map(reply::value).ok_or_else(|| {
            Failure::new(
                StatusCode::NOT_FOUND,
                "no value has been published for this node yet",
            )
        })
    }
}

/// The text of `value` in a message's JSON object.
fn value_of(payload: &[u8]) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        value: &'a RawValue,
    }
    // A list would do for serde as well.
    if !payload.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_slice(payload).ok()?;
    Some(Bytes::copy_from_slice(envelope.value.get().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_message_is_its_json_text() {
        let cases: [(&[u8], Option<&[u8]>); 7] = [
            (b"{\"timestamp\":1,\"value\": [1.10] }", Some(b"[1.10]")),
            (b"{\"value\":null}", Some(b"null")),
            (b"{\"value\":\"\"}", Some(b"\"\"")),
            (b"{\"result\":1}", None),
            (b"[1]", None),
            (b"", None),
            (b"\xff", None),
        ];
        for (payload, expected) in cases {
            assert_eq!(value_of(payload).as_deref(), expected, "{payload:?}");
        }
    }
}
