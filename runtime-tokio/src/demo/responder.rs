//! The other side of the demo: a second MQTT client that confirms every request.

use serde_json::value::RawValue;
use syncline_core::agent::{Agent, Output};
use syncline_core::codec::{PropertyBuf, SubscribeOptions};
use syncline_core::flowsync::{Answer, Incoming, Responder, ResponderConfig, tres_topic};
use syncline_core::session::{Completion, Filter, Publication};
use syncline_core::time::{Instant, UnixMillis};
use syncline_core::topic::{TopicFilter, TopicName};
use tokio::sync::watch;

use crate::driver::Reactor;

/// Answers each treq that its filter matches with `{"confirmed":<value>}`.
pub struct Confirmer {
    filter: TopicFilter,
    responder: Responder,
    subscribed: watch::Sender<bool>,
}

impl Confirmer {
    /// A responder for `filter`, and what turns true when its subscription is in force.
    #[must_use]
    pub fn new(filter: TopicFilter) -> (Self, watch::Receiver<bool>) {
        let (subscribed, is_subscribed) = watch::channel(false);
        (
            Self {
                filter,
                responder: Responder::new(ResponderConfig::default()),
                subscribed,
            },
            is_subscribed,
        )
    }

    fn answer(&mut self, now: Instant, wall: UnixMillis, payload: &bytes::Bytes) -> Option<bytes::Bytes> {
        match self.responder.handle_request(now, payload, None) {
            Incoming::Fresh {
                transaction, value, ..
            } => {
                let confirmation = format!("{{\"confirmed\":{}}}", str::from_utf8(&value).ok()?);
                let value = RawValue::from_string(confirmation).ok()?;
                self.responder
                    .respond(wall, transaction, &Answer::Value(&value))
                    .ok()
            }
            Incoming::Repeated(answer) => Some(answer),
            Incoming::InProgress | Incoming::Malformed(_) | Incoming::Overloaded => None,
        }
    }
}

impl Reactor for Confirmer {
    fn handle(&mut self, now: Instant, wall: UnixMillis, output: &Output, agent: &mut Agent) {
        match output {
            Output::Connected(_) => {
                let filter = Filter {
                    filter: self.filter.clone(),
                    options: SubscribeOptions::default(),
                };
                if let Err(error) = agent.subscribe(&[filter], &PropertyBuf::new()) {
                    tracing::error!("the responder cannot subscribe: {error}");
                }
            }
            Output::OpCompleted(_, Completion::Subscribed(reasons)) => {
                self.subscribed.send_replace(reasons.first_error().is_none());
            }
            Output::Disconnected(_) => drop(self.subscribed.send_replace(false)),
            Output::Message(message) => {
                let Some(topic) =
                    tres_topic(message.topic()).and_then(|topic| TopicName::try_from(topic).ok())
                else {
                    return;
                };
                if let Some(answer) = self.answer(now, wall, &message.payload_bytes())
                    && let Err(refused) =
                        agent.publish(now, Publication::new(topic, answer).qos(message.qos()))
                {
                    tracing::warn!("the responder cannot answer: {refused}");
                }
            }
            _ => {}
        }
    }
}
