//! Nodes that provide: a client gets the last value that was seen on the node's topic.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use serde_json::value::RawValue;
use syncline_core::codec::QoS;
use syncline_core::session::Message;
use syncline_core::topic::{TopicFilter, TopicName};

use super::reply::{self, Failure, Reply};
use crate::driver::{AgentHandle, Inbox, Mailbox, Receipt, Sink, Subscription};
use crate::envelope::{value_of, value_of_result};
use crate::followed::Followed;
use crate::rules::{Departure, Pipeline};

/// Keeps the last value of one node.
#[derive(Debug)]
pub struct Provider {
    agent: AgentHandle,
    last: Last,
    /// Absent for a topic that cannot be subscribed to, which no plan has.
    subscription: Option<Subscription>,
}

/// The last value.
#[derive(Debug, Clone, Default)]
struct Last(Arc<Mutex<Option<Bytes>>>);

impl Provider {
    /// Subscribes to `topic` through `agent`, for as long as this lives.
    #[must_use]
    pub fn new(agent: &AgentHandle, topic: &TopicName, qos: QoS) -> Self {
        let last = Last::default();
        let kept = last.clone();
        let sink =
            move |message: &Message, _: &Receipt| kept.take(value_of(message.payload()), message.topic());
        Self::with(agent, topic, qos, last, Box::new(sink))
    }

    /// The same, where messages go through rules before.
    #[must_use]
    pub(crate) fn ruled(
        agent: &AgentHandle,
        topic: &TopicName,
        qos: QoS,
        pipeline: Pipeline,
        (mailbox, inbox): (Mailbox, Inbox),
    ) -> Self {
        let last = Last::default();
        tokio::spawn(last.clone().follow(Followed::new(inbox, Some(pipeline))));
        Self::with(agent, topic, qos, last, mailbox.sink(0))
    }

    fn with(agent: &AgentHandle, topic: &TopicName, qos: QoS, last: Last, sink: Sink) -> Self {
        let filter = TopicFilter::new(topic.as_str().to_owned()).ok();
        Self {
            agent: agent.clone(),
            last,
            subscription: filter.map(|filter| agent.subscribe(filter, qos, sink)),
        }
    }

    /// Whether a value that is published now would be seen.
    pub(crate) fn is_ready(&self) -> bool {
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
        self.last.value().map(reply::value).ok_or_else(|| {
            Failure::new(
                StatusCode::NOT_FOUND,
                "no value has been published for this node yet",
            )
        })
    }
}

impl Last {
    fn value(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, value: Option<&RawValue>, topic: &str) {
        let Some(value) = value else {
            tracing::debug!(topic, "ignoring a message that is no object with a `value`");
            return;
        };
        let value = Bytes::copy_from_slice(value.get().as_bytes());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Takes what the rules make of messages, until the subscription ends.
    async fn follow(self, mut followed: Followed) {
        while let Some(Departure { payload, context }) = followed.next().await {
            self.take(value_of_result(&payload), &context.topic);
        }
    }
}
