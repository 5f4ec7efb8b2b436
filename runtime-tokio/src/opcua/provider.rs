//! Variables that provide: messages of a topic become their values.

use bytes::Bytes;
use opcua::types::{DataValue, DateTime, NodeId, Variant};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use syncline_core::codec::QoS;
use syncline_core::topic::{TopicFilter, TopicName};
use tokio::task::JoinHandle;

use super::content::Content;
use super::misfit::{Complaints, Found, Misfit};
use super::value::Shape;
use crate::driver::{AgentHandle, Inbox, Mailbox, Subscription};
use crate::envelope::{value_of, value_of_result};
use crate::followed::Followed;
use crate::rules::{Departure, Pipeline};

/// Milliseconds from the beginning of OPC UA's time to that of Unix.
const UNIX_EPOCH: i64 = 11_644_473_600_000;
/// Ticks of OPC UA's time in a millisecond.
const TICKS: i64 = 10_000;

/// Keeps one variable at the last value of its topic, until this is dropped.
#[derive(Debug)]
pub(crate) struct Provider {
    task: JoinHandle<()>,
    _subscription: Option<Subscription>,
}

impl Provider {
    /// Subscribes to `topic` through `agent`, and has the messages go through `pipeline` where there is one.
    pub(crate) fn start(
        agent: &AgentHandle,
        topic: &TopicName,
        qos: QoS,
        pipeline: Option<Pipeline>,
        (mailbox, inbox): (Mailbox, Inbox),
        variable: (Content, NodeId, Shape),
        complaints: Complaints,
    ) -> Self {
        let (content, id, shape) = variable;
        let filter = TopicFilter::new(topic.as_str().to_owned()).ok();
        let follower = Follower {
            content,
            id,
            shape,
            complaints,
        };
        Self {
            task: tokio::spawn(follower.run(Followed::new(inbox, pipeline))),
            _subscription: filter.map(|filter| agent.subscribe(filter, qos, mailbox.sink(0))),
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    content: Content,
    id: NodeId,
    shape: Shape,
    complaints: Complaints,
}

impl Follower {
    async fn run(self, mut followed: Followed) {
        let is_ruled = followed.is_ruled();
        while let Some(Departure { payload, .. }) = followed.next().await {
            self.take(&payload, is_ruled);
        }
    }

    /// The value of an object with `value`; what rules have made may be the value itself.
    fn take(&self, payload: &Bytes, is_ruled: bool) {
        let enveloped = value_of(payload);
        let value = match is_ruled {
            true => enveloped.or_else(|| value_of_result(payload)),
            false => enveloped,
        };
        let value = match fitting(value, self.shape) {
            Ok(value) => value,
            Err(misfit) => {
                return self
                    .complaints
                    .note(&misfit, "a message does not change the value");
            }
        };
        let now = DateTime::now();
        let value = DataValue {
            value: Some(value),
            source_timestamp: Some(enveloped.and_then(|_| time(payload)).unwrap_or(now)),
            server_timestamp: Some(now),
            ..DataValue::null()
        };
        self.content.set(&self.id, value);
    }
}

fn fitting(value: Option<&RawValue>, shape: Shape) -> Result<Variant, Misfit> {
    let json: Value =
        serde_json::from_str(value.ok_or(Misfit::NoValue)?.get()).map_err(|_| Misfit::Unreadable)?;
    shape.value(&json).ok_or_else(|| Misfit::Value {
        expected: shape,
        found: Found::from(&json),
    })
}

/// The `timestamp` of a message, Unix milliseconds, where OPC UA has such a time. An odd one counts as none.
fn time(payload: &[u8]) -> Option<DateTime> {
    #[derive(Deserialize)]
    struct Stamped {
        timestamp: Value,
    }
    let stamped: Stamped = serde_json::from_slice(payload).ok()?;
    let ticks = stamped
        .timestamp
        .as_i64()?
        .checked_add(UNIX_EPOCH)?
        .checked_mul(TICKS)?;
    (0..=DateTime::endtimes_ticks())
        .contains(&ticks)
        .then(|| DateTime::from(ticks))
}

#[cfg(test)]
mod tests {
    use crate::service::plan::DataType;

    use super::*;

    #[test]
    fn a_message_that_changes_nothing_says_why() {
        let fitting = |payload: &'static str| {
            let shape = Shape::new(DataType::Int16, -1);
            fitting(value_of(payload.as_bytes()), shape)
                .map_err(|misfit| misfit.to_string())
                .map(|_| ())
        };
        assert_eq!(fitting(r#"{"value": 7}"#), Ok(()));
        for (payload, reason) in [
            ("7", "expected a JSON object with a `value`"),
            (r#"{"result": 7}"#, "expected a JSON object with a `value`"),
            (
                r#"{"value": 70000}"#,
                "`value`: expected Int16, found a number that is none",
            ),
            (
                r#"{"value": "7"}"#,
                "`value`: expected Int16, found a text that is none",
            ),
            (
                r#"{"value": [7]}"#,
                "`value`: expected Int16, found a list that is none",
            ),
            (
                r#"{"value": 1e400}"#,
                "`value`: expected numbers within the range of a double, and at most 127 levels",
            ),
        ] {
            assert_eq!(fitting(payload), Err(reason.to_owned()), "{payload}");
        }
    }

    #[test]
    fn the_time_of_a_message_is_kept_where_there_is_such_a_time() {
        let at = |timestamp: &str| time(format!("{{\"value\": 1, \"timestamp\": {timestamp}}}").as_bytes());
        assert_eq!(at("0").unwrap().to_string(), "1970-01-01T00:00:00+00:00");
        assert_eq!(
            at("1795309646505").unwrap().to_string(),
            "2026-11-22T01:07:26.505+00:00"
        );
        for odd in ["-11644473600001", "9223372036854775807", "\"now\"", "null", "1.5"] {
            assert_eq!(at(odd), None, "{odd}");
        }
    }
}
