//! What endpoints are asked over MQTT, and what they tell.

use std::borrow::Cow;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use syncline_core::time::UnixMillis;

use super::client::{Answer, Body, RequestError};
use crate::rules::Json;

/// A message that asks an endpoint for something.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// What the result is to have as `id`, as it was written.
    pub(super) id: Option<Json>,
    /// What is to be sent.
    pub(super) body: Option<Body>,
}

/// A message that asks for nothing that can be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    /// As of a message that asks for something, where it is beyond doubt.
    pub(super) id: Option<Json>,
    pub(super) fault: Fault,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the message is not JSON, expected an object with `id` and {0}")]
    NotJson(Wanted),
    #[error(
        "the message has `{0}` more than once, and nobody can tell which one counts: give each member once"
    )]
    Repeated(&'static str),
}

/// What endpoints of a kind of system want of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A body, for which `null` stands for none.
    Body,
    /// A value, which may be `null`.
    Value,
}

impl Asked {
    /// Reads a message: of an object its `id`, and its `body` or `value`; anything else is a body itself.
    pub(super) fn read(payload: &Bytes, wanted: Wanted) -> Result<Self, Unread> {
        let not_json = || Unread {
            id: None,
            fault: Fault::NotJson(wanted),
        };
        if payload.is_empty() {
            return Ok(Self::default());
        }
        let json = Json::new(payload.clone()).ok_or_else(not_json)?;
        if !json.as_str().starts_with('{') {
            return Ok(Self {
                id: None,
                body: Some(body(json)),
            });
        }
        let envelope = Envelope::read(json.as_str()).ok_or_else(not_json)?;
        if let Some(name) = envelope.repeated {
            return Err(Unread {
                id: envelope.id(),
                fault: Fault::Repeated(name),
            });
        }
        let counts = |value: &&RawValue| wanted == Wanted::Value || value.get() != "null";
        let found = envelope.body.filter(counts).or(envelope.value.filter(counts));
        Ok(Self {
            id: envelope.id(),
            body: found.and_then(copy).map(body),
        })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "`body`",
            Self::Value => "`value`",
        })
    }
}

/// The members of an object that count, each as it was written.
#[derive(Debug, Default)]
struct Envelope<'a> {
    id: Option<&'a RawValue>,
    body: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    /// One that is there more than once.
    repeated: Option<&'static str>,
    has_several_ids: bool,
}

impl<'a> Envelope<'a> {
    /// `None` for what is no object.
    fn read(json: &'a str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let envelope = reader.deserialize_map(Members).ok()?;
        reader.end().ok()?;
        Some(envelope)
    }

    /// The id, where there is one alone.
    fn id(&self) -> Option<Json> {
        self.id.filter(|_| !self.has_several_ids).and_then(copy)
    }
}

/// Reads the members of an object.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Envelope<'de>, M::Error> {
        let mut envelope = Envelope::default();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let value: &RawValue = members.next_value()?;
            let (name, place) = match &*name {
                "id" => ("id", &mut envelope.id),
                "body" => ("body", &mut envelope.body),
                "value" => ("value", &mut envelope.value),
                _ => continue,
            };
            if let Some(before) = place.replace(value) {
                envelope.repeated = Some(name);
                envelope.has_several_ids |= name == "id" && before.get() != value.get();
            }
        }
        Ok(envelope)
    }
}

fn copy(value: &RawValue) -> Option<Json> {
    Json::new(Bytes::copy_from_slice(value.get().as_bytes()))
}

/// The body that is the JSON text `json`.
pub(super) fn body(json: Json) -> Body {
    Body {
        text: json.as_string(),
        json: json.into_bytes(),
    }
}

/// What came of a request, as the message for `<topic>/res`.
pub(super) fn result(id: Option<&Json>, now: UnixMillis, outcome: Result<Answer, RequestError>) -> Json {
    let (name, end) = match outcome {
        Ok(answer) if answer.status.is_success() => ("result", value(&answer)),
        Ok(answer) => ("error", refusal(&answer)),
        Err(error) => ("error", failure(&error.to_string())),
    };
    told(id, now, (name, &end))
}

/// What is told where a message was written as it came.
pub(super) fn written(id: Option<&Json>, now: UnixMillis) -> Json {
    told(id, now, ("result", &Json::boolean(true)))
}

/// What is told where a value was read.
pub(super) fn read(id: Option<&Json>, now: UnixMillis, value: &Json) -> Json {
    told(id, now, ("result", value))
}

/// What is told where `message` says why it was not done, and `code` in one word.
pub(super) fn failed_by(id: Option<&Json>, now: UnixMillis, code: &str, message: &str) -> Json {
    let members = [("code", &Json::string(code)), ("message", &Json::string(message))];
    told(id, now, ("error", &Json::object(members)))
}

/// A value that was told with its time, as the message for `<topic>`.
pub(super) fn followed(time: UnixMillis, value: &Json) -> Json {
    Json::object([("timestamp", &timestamp(time)), ("value", value)])
}

/// What is told where `message` says why it was not done.
pub(super) fn failed(id: Option<&Json>, now: UnixMillis, message: &str) -> Json {
    told(id, now, ("error", &failure(message)))
}

fn told(id: Option<&Json>, now: UnixMillis, end: (&str, &Json)) -> Json {
    let timestamp = timestamp(now);
    let members = id
        .map(|id| ("id", id))
        .into_iter()
        .chain([("timestamp", &timestamp), end]);
    Json::object(members)
}

/// The `id` of a message that is an object and has one, as it was written.
pub(super) fn id(payload: &[u8]) -> Option<Json> {
    Envelope::read(std::str::from_utf8(payload).ok()?)?.id()
}

/// The time of the machine's clock.
pub(super) fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A value that a poll has brought, as the message for `<topic>`.
pub(super) fn polled(now: UnixMillis, answer: &Answer) -> Json {
    Json::object([("timestamp", &timestamp(now)), ("value", &value(answer))])
}

fn timestamp(now: UnixMillis) -> Json {
    Json::integer(i64::try_from(now.0).unwrap_or(i64::MAX))
}

/// The body of an answer: JSON as it is, text as a string, other bytes in Base64, nothing as `null`.
fn value(answer: &Answer) -> Json {
    let body = &answer.body;
    let is_text = answer
        .content_type
        .as_deref()
        .is_some_and(|kind| kind.starts_with("text/"));
    let json = (!is_text).then(|| Json::new(body.clone())).flatten();
    match (json, std::str::from_utf8(body)) {
        (Some(json), _) => json,
        (None, _) if body.is_empty() => Json::null(),
        (None, Ok(text)) => Json::string(text),
        (None, Err(_)) => Json::string(&STANDARD.encode(body)),
    }
}

fn refusal(answer: &Answer) -> Json {
    let status = Json::integer(answer.status.as_u16().into());
    let message = Json::string(&format!("the server has answered {answer}"));
    Json::object([
        ("status", &status),
        ("message", &message),
        ("body", &value(answer)),
    ])
}

fn failure(message: &str) -> Json {
    Json::object([("message", &Json::string(message))])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::*;

    const NOW: UnixMillis = UnixMillis(7);

    fn asked(text: &'static str) -> Option<(Option<String>, Option<Bytes>)> {
        let asked = Asked::read(&Bytes::from_static(text.as_bytes()), Wanted::Body).ok()?;
        let id = asked.id.map(|id| id.as_str().to_owned());
        Some((id, asked.body.map(|body| body.json)))
    }

    fn answer(status: u16, content_type: Option<&str>, body: &'static [u8]) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: content_type.map(str::to_owned),
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn a_message_has_an_id_and_a_body_or_is_one() {
        let some = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        for (text, id, body) in [
            (
                "{\"id\":\"a\",\"body\":{\"x\":1e400}}",
                Some("\"a\""),
                some("{\"x\":1e400}"),
            ),
            (
                "{\"id\":9007199254740993,\"value\":[1.0]}",
                Some("9007199254740993"),
                some("[1.0]"),
            ),
            ("{\"id\":\"a\",\"body\":1,\"value\":2}", Some("\"a\""), some("1")),
            ("{\"id\":\"a\"}", Some("\"a\""), None),
            ("[1]", None, some("[1]")),
            ("\"text\"", None, some("\"text\"")),
            ("", None, None),
        ] {
            assert_eq!(asked(text), Some((id.map(str::to_owned), body)), "{text}");
        }
        assert_eq!(asked("{"), None);
    }

    #[test]
    fn a_result_echoes_the_id_and_has_the_body_as_it_came() {
        let id = Json::string("a");
        for (content_type, body, told) in [
            (
                Some("application/json"),
                &b" {\"n\":9007199254740993} "[..],
                "{\"n\":9007199254740993}",
            ),
            (None, b"[1]", "[1]"),
            (Some("text/plain"), b"1", "\"1\""),
            (Some("application/json"), b"{", "\"{\""),
            (Some("image/png"), b"\xff", "\"/w==\""),
            (None, b"", "null"),
        ] {
            let told = format!("{{\"id\":\"a\",\"timestamp\":7,\"result\":{told}}}");
            assert_eq!(
                result(Some(&id), NOW, Ok(answer(200, content_type, body))).as_str(),
                told
            );
        }
        let polled = polled(NOW, &answer(200, None, b"1.50"));
        assert_eq!(polled.as_str(), "{\"timestamp\":7,\"value\":1.50}");
    }

    #[test]
    fn what_failed_is_an_error_in_place_of_a_result() {
        let refused = result(None, NOW, Ok(answer(404, None, b"{\"why\":1}")));
        assert_eq!(
            refused.as_str(),
            "{\"timestamp\":7,\"error\":{\"status\":404,\"message\":\"the server has answered 404 Not Found\",\"body\":{\"why\":1}}}"
        );
        let origin = "http://h:1".to_owned();
        let silent = result(
            Some(&Json::integer(1)),
            NOW,
            Err(RequestError::Timeout {
                origin,
                time: Duration::from_secs(30),
            }),
        );
        assert_eq!(
            silent.as_str(),
            "{\"id\":1,\"timestamp\":7,\"error\":{\"message\":\"http://h:1 has not answered within 30 s\"}}"
        );
    }

    #[test]
    fn null_is_a_value_and_no_body() {
        let read = |text: &'static str, wanted| {
            let asked = Asked::read(&Bytes::from_static(text.as_bytes()), wanted).unwrap();
            asked.body.map(|body| body.json)
        };
        let null = Some(Bytes::from_static(b"null"));
        for (text, value, body) in [
            ("{\"value\":null}", null.clone(), None),
            ("{\"body\":null}", null.clone(), None),
            ("null", null.clone(), null),
        ] {
            assert_eq!(read(text, Wanted::Value), value, "{text}");
            assert_eq!(read(text, Wanted::Body), body, "{text}");
        }
        let both = "{\"body\":null,\"value\":1}";
        assert_eq!(read(both, Wanted::Body), Some(Bytes::from_static(b"1")));
    }

    #[test]
    fn of_a_member_that_comes_twice_none_counts_and_the_id_is_known_where_there_is_one() {
        for (text, id, name) in [
            ("{\"id\":1,\"value\":1,\"value\":2}", Some("1"), "value"),
            ("{\"value\":1,\"id\":2,\"\\u0076alue\":2}", Some("2"), "value"),
            ("{\"body\":1,\"body\":1}", None, "body"),
            ("{\"id\":1,\"id\":2}", None, "id"),
            ("{\"id\":1,\"id\":1}", Some("1"), "id"),
        ] {
            let unread = Asked::read(&Bytes::from_static(text.as_bytes()), Wanted::Value).unwrap_err();
            assert_eq!(unread.id.as_ref().map(Json::as_str), id, "{text}");
            assert_eq!(unread.fault, Fault::Repeated(name), "{text}");
        }
        assert_eq!(asked("{\"a\":1,\"a\":2}"), Some((None, None)));
    }

    #[test]
    fn the_id_of_what_is_written_is_found_in_objects_alone() {
        let found =
            |text: &'static str| id(&Bytes::from_static(text.as_bytes())).map(|id| id.as_str().to_owned());
        for (text, expected) in [
            (
                " {\"id\":12345678901234567890,\"x\":[]}",
                Some("12345678901234567890"),
            ),
            ("{\"x\":{\"id\":1}}", None),
            ("[1]", None),
            ("{\"id\":1", None),
            ("\u{1}\u{2}", None),
            ("", None),
        ] {
            assert_eq!(found(text).as_deref(), expected, "{text}");
        }
        let id = Json::integer(7);
        assert_eq!(
            written(Some(&id), NOW).as_str(),
            "{\"id\":7,\"timestamp\":7,\"result\":true}"
        );
        assert_eq!(
            failed(None, NOW, "no").as_str(),
            "{\"timestamp\":7,\"error\":{\"message\":\"no\"}}"
        );
    }

    #[test]
    fn a_string_is_sent_as_it_is_where_it_is_no_json() {
        let body = body(Json::string("a\"b"));
        assert_eq!(body.clone().bytes(true), "\"a\\\"b\"");
        assert_eq!(body.bytes(false), "a\"b");
    }
}
