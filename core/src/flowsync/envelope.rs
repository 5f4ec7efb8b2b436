//! The JSON messages on treq and tres: written without a tree, read without copying their values.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{ErrorCode, TransactionId};
use crate::time::UnixMillis;

/// Bytes of an envelope besides its value: braces, names, id and a 20-digit timestamp.
const ENVELOPE_OVERHEAD: usize = 96;

/// Why a message is no envelope. It is ignored and counted; the transaction that it may have meant waits on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The payload is not one JSON text.
    #[error("payload is not JSON")]
    NotJson,
    /// The JSON text is not an object.
    #[error("payload is not a JSON object")]
    NotAnObject,
    /// There is no `id`.
    #[error("`id` is missing")]
    IdMissing,
    /// The `id` is not a UUID string.
    #[error("`id` is not a UUID string")]
    IdNotUuid,
}

/// A tres, borrowed from its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The transaction that is answered.
    pub id: TransactionId,
    /// The answer.
    pub body: ReplyBody<'a>,
}

/// Success or failure of a transaction, as its reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyBody<'a> {
    /// The JSON text of `value`; `null` where the reply has neither `value` nor `error`.
    Value(&'a str),
    /// The content of `error`.
    Error {
        /// `error.code`; 500 where there is none.
        code: ErrorCode,
        /// `error.message`; where there is none, the JSON text of `error`.
        message: Cow<'a, str>,
    },
}

/// A treq, borrowed from its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The transaction to answer.
    pub id: TransactionId,
    /// When the request was made; `None` where the member is absent or odd.
    pub timestamp: Option<UnixMillis>,
    /// The JSON text of `value`; `null` where there is none.
    pub value: &'a str,
}

impl<'a> Reply<'a> {
    /// Reads a tres. `error` wins over `value`; `"error":null` counts as none; further members are ignored, and of a
    /// repeated member the last one counts.
    ///
    /// # Errors
    /// [`Malformed`] for a payload that names no transaction.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse_correlated(payload, None)
    }

    /// As [`parse`](Self::parse), of a message that is correlated with a transaction by other means: that counts where the
    /// message has no `id`, or none that is one.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_correlated(payload: &'a [u8], correlated: Option<TransactionId>) -> Result<Self, Malformed> {
        let members = Members::parse(payload, correlated)?;
        let body = match members.error {
            Some(error) => parse_error(error.get()),
            None => ReplyBody::Value(members.value.map_or("null", RawValue::get)),
        };
        Ok(Self { id: members.id, body })
    }
}

impl<'a> Request<'a> {
    /// Reads a treq; further members are ignored, and of a repeated member the last one counts.
    ///
    /// # Errors
    /// [`Malformed`] for a payload that names no transaction.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let members = Members::parse(payload, None)?;
        Ok(Self {
            id: members.id,
            timestamp: members
                .timestamp
                .and_then(|raw| raw.get().parse().ok())
                .map(UnixMillis),
            value: members.value.map_or("null", RawValue::get),
        })
    }
}

/// Writes a message with `value`, which must be one JSON text: a treq, or the tres of a success.
#[must_use]
pub fn encode_value(id: TransactionId, timestamp: UnixMillis, value: &RawValue) -> Bytes {
    let mut out = begin(id, timestamp, value.get().len());
    out.extend_from_slice(b",\"value\":");
    out.extend_from_slice(value.get().as_bytes());
    out.push(b'}');
    out.into()
}

/// Writes the tres of a failure.
#[must_use]
pub fn encode_error(id: TransactionId, timestamp: UnixMillis, code: &ErrorCode, message: &str) -> Bytes {
    let mut out = begin(id, timestamp, message.len() + 40);
    out.extend_from_slice(b",\"error\":{\"code\":");
    match code {
        ErrorCode::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        // No character of a name has another form in JSON.
        ErrorCode::Name(name) => {
            out.push(b'"');
            out.extend_from_slice(name.as_str().as_bytes());
            out.push(b'"');
        }
    }
    out.extend_from_slice(b",\"message\":");
    out.extend_from_slice(serde_json::Value::from(message).to_string().as_bytes());
    out.extend_from_slice(b"}}");
    out.into()
}

fn begin(id: TransactionId, timestamp: UnixMillis, room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(ENVELOPE_OVERHEAD + room);
    let mut text = uuid::Uuid::encode_buffer();
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(id.0.hyphenated().encode_lower(&mut text).as_bytes());
    out.extend_from_slice(b"\",\"timestamp\":");
    out.extend_from_slice(timestamp.0.to_string().as_bytes());
    out
}

fn parse_error(error: &str) -> ReplyBody<'_> {
    match serde_json::from_str(error) {
        Ok(serde_json::Value::String(message)) => ReplyBody::Error {
            code: ErrorCode::DEFAULT,
            message: Cow::Owned(message),
        },
        Ok(serde_json::Value::Object(mut object)) => ReplyBody::Error {
            code: object
                .get("code")
                .and_then(ErrorCode::of)
                .unwrap_or(ErrorCode::DEFAULT),
            message: match object.remove("message") {
                Some(serde_json::Value::String(message)) => Cow::Owned(message),
                Some(other) => Cow::Owned(other.to_string()),
                None => Cow::Borrowed(error),
            },
        },
        _ => ReplyBody::Error {
            code: ErrorCode::DEFAULT,
            message: Cow::Borrowed(error),
        },
    }
}

/// The members that either message may have, still as text.
struct Members<'a> {
    id: TransactionId,
    timestamp: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

#[derive(Default)]
struct RawMembers<'a> {
    id: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    fn parse(payload: &'a [u8], correlated: Option<TransactionId>) -> Result<Self, Malformed> {
        // Once for all of it: else each member would be looked through again.
        let text = core::str::from_utf8(payload).map_err(|_| Malformed::NotJson)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let raw = deserializer.deserialize_map(MembersVisitor).map_err(|_| {
            // A second look, off the hot path, tells JSON of another kind from what is no JSON at all.
            match serde_json::from_str::<&RawValue>(text) {
                Ok(raw) if !raw.get().starts_with('{') => Malformed::NotAnObject,
                _ => Malformed::NotJson,
            }
        })?;
        deserializer.end().map_err(|_| Malformed::NotJson)?;
        let id = match raw.id {
            Some(id) => parse_id(id.get()),
            None => Err(Malformed::IdMissing),
        };
        Ok(Self {
            id: id.or_else(|malformed| correlated.ok_or(malformed))?,
            timestamp: raw.timestamp,
            value: raw.value,
            error: raw.error.filter(|error| error.get() != "null"),
        })
    }
}

fn parse_id(json: &str) -> Result<TransactionId, Malformed> {
    let text = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .ok_or(Malformed::IdNotUuid)?;
    if !text.contains('\\') {
        return text.parse().map_err(|_| Malformed::IdNotUuid);
    }
    let unescaped: String = serde_json::from_str(json).map_err(|_| Malformed::IdNotUuid)?;
    unescaped.parse().map_err(|_| Malformed::IdNotUuid)
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = RawMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with an `id`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = RawMembers::default();
        while let Some(name) = map.next_key::<MemberName>()? {
            match name {
                MemberName::Id => members.id = Some(map.next_value()?),
                MemberName::Timestamp => members.timestamp = Some(map.next_value()?),
                MemberName::Value => members.value = Some(map.next_value()?),
                MemberName::Error => members.error = Some(map.next_value()?),
                MemberName::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum MemberName {
    Id,
    Timestamp,
    Value,
    Error,
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const ID: &str = "6f0c1b6e-3c5d-4a7e-9a51-0a2b3c4d5e6f";

    fn id() -> TransactionId {
        ID.parse().unwrap()
    }

    fn reply_body(rest: &str) -> ReplyBody<'static> {
        let text = format!(r#"{{"id":"{ID}"{rest}}}"#).leak();
        Reply::parse(text.as_bytes()).unwrap().body
    }

    fn error(code: i64, message: &'static str) -> ReplyBody<'static> {
        ReplyBody::Error {
            code: code.into(),
            message: Cow::Borrowed(message),
        }
    }

    #[test]
    fn a_request_is_written_as_documented() {
        let value = RawValue::from_string(r#"{"a": 1.10}"#.into()).unwrap();
        let bytes = encode_value(id(), UnixMillis(1_790_000_000_000), &value);
        let expected = format!(r#"{{"id":"{ID}","timestamp":1790000000000,"value":{{"a": 1.10}}}}"#);
        assert_eq!(bytes, expected.as_bytes());
        let request = Request::parse(&bytes).unwrap();
        assert_eq!(request.id, id());
        assert_eq!(request.timestamp, Some(UnixMillis(1_790_000_000_000)));
        assert_eq!(request.value, r#"{"a": 1.10}"#);
    }

    #[test]
    fn an_error_reply_survives_quotes_and_control_characters() {
        let bytes = encode_error(id(), UnixMillis(1), &404.into(), "no \"order\"\n\u{1}");
        let reply = Reply::parse(&bytes).unwrap();
        assert_eq!(reply.body, error(404, "no \"order\"\n\u{1}"));
    }

    #[test]
    fn a_value_keeps_its_text_to_the_letter() {
        assert_eq!(
            reply_body(r#","value":{"n":0.10e2,"n":2}"#),
            ReplyBody::Value(r#"{"n":0.10e2,"n":2}"#)
        );
    }

    #[test]
    fn error_wins_over_value_and_neither_is_null() {
        assert_eq!(
            reply_body(r#","value":1,"error":{"code":418,"message":"no"}"#),
            error(418, "no")
        );
        assert_eq!(reply_body(r#","error":null,"value":1"#), ReplyBody::Value("1"));
        assert_eq!(reply_body(""), ReplyBody::Value("null"));
    }

    #[test]
    fn an_error_of_any_shape_still_fails_the_transaction() {
        assert_eq!(reply_body(r#","error":"broken""#), error(500, "broken"));
        assert_eq!(
            reply_body(r#","error":{"message":"broken"}"#),
            error(500, "broken")
        );
        assert_eq!(
            reply_body(r#","error":{"code":404}"#),
            error(404, r#"{"code":404}"#)
        );
        assert_eq!(
            reply_body(r#","error":{"code":404.0,"message":7}"#),
            error(404, "7")
        );
        assert_eq!(
            reply_body(r#","error":{"code":"409","message":""}"#),
            error(409, "")
        );
        assert_eq!(
            reply_body(r#","error":{"code":1e300,"message":""}"#),
            error(500, "")
        );
        assert_eq!(reply_body(r#","error":true"#), error(500, "true"));
        assert_eq!(
            reply_body(r#","error":{"code":2151415808,"message":"x"}"#),
            error(2_151_415_808, "x")
        );
    }

    #[test]
    fn an_odd_timestamp_is_accepted() {
        for timestamp in ["null", "\"now\"", "-1", "{}", "1.5"] {
            let text = format!(r#"{{"timestamp":{timestamp},"id":"{ID}","value":7}}"#);
            let request = Request::parse(text.as_bytes()).unwrap();
            assert_eq!((request.timestamp, request.value), (None, "7"));
        }
    }

    #[test]
    fn what_names_no_transaction_is_malformed() {
        let cases: [(&str, Malformed); 12] = [
            ("", Malformed::NotJson),
            ("{", Malformed::NotJson),
            ("{}x", Malformed::NotJson),
            (r#"{"id":"\xff"}"#, Malformed::NotJson),
            ("[]", Malformed::NotAnObject),
            ("7", Malformed::NotAnObject),
            ("\"text\"", Malformed::NotAnObject),
            ("{}", Malformed::IdMissing),
            (
                r#"{"Id":"6f0c1b6e-3c5d-4a7e-9a51-0a2b3c4d5e6f"}"#,
                Malformed::IdMissing,
            ),
            (r#"{"id":7}"#, Malformed::IdNotUuid),
            (r#"{"id":"7"}"#, Malformed::IdNotUuid),
            (
                r#"{"id":"6f0c1b6e3c5d4a7e9a510a2b3c4d5e6f"}"#,
                Malformed::IdNotUuid,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Reply::parse(text.as_bytes()), Err(expected), "{text}");
        }
        assert_eq!(Reply::parse(b"{\"id\":\"\xff\"}"), Err(Malformed::NotJson));
        let mut payload = format!(r#"{{"id":"{ID}","value":1,"ignored":"?"}}"#).into_bytes();
        assert!(Reply::parse(&payload).is_ok());
        *payload.iter_mut().find(|byte| **byte == b'?').unwrap() = 0xff;
        assert_eq!(Reply::parse(&payload), Err(Malformed::NotJson));
    }

    #[test]
    fn correlation_stands_in_for_an_id_and_never_goes_before_one() {
        let other = TransactionId::from_bytes([1; 16]);
        let parse = |text: &str| Reply::parse_correlated(text.as_bytes(), Some(other)).map(|reply| reply.id);
        assert_eq!(parse(r#"{"value":1}"#), Ok(other));
        assert_eq!(parse(r#"{"id":7,"value":1}"#), Ok(other));
        assert_eq!(parse(&format!(r#"{{"id":"{ID}"}}"#)), Ok(id()));
        assert_eq!(parse("1"), Err(Malformed::NotAnObject));
        assert_eq!(parse("{"), Err(Malformed::NotJson));
    }

    #[test]
    fn an_id_is_recognised_in_upper_case_and_with_escapes() {
        let upper = ID.to_uppercase();
        let escaped = ID.replace('-', "\\u002d");
        for spelling in [upper, escaped] {
            let text = format!(r#"{{"id":"{spelling}"}}"#);
            assert_eq!(Reply::parse(text.as_bytes()).unwrap().id, id());
        }
    }

    #[test]
    fn the_last_of_a_repeated_member_counts() {
        let text = format!(r#"{{"id":"x","id":"{ID}","value":1,"value":2}}"#);
        assert_eq!(Reply::parse(text.as_bytes()).unwrap().body, ReplyBody::Value("2"));
    }

    #[test]
    fn deep_nesting_is_refused_or_read_but_never_overflows_the_stack() {
        for depth in [100, 100_000] {
            let text = format!(
                r#"{{"id":"{ID}","value":{}{}}}"#,
                "[".repeat(depth),
                "]".repeat(depth)
            );
            let _ = Reply::parse(text.as_bytes());
            let text = format!(
                r#"{{"id":"{ID}","error":{}{}}}"#,
                "[".repeat(depth),
                "]".repeat(depth)
            );
            assert!(matches!(
                Reply::parse(text.as_bytes()).unwrap().body,
                ReplyBody::Error {
                    code: ErrorCode::Number(500),
                    ..
                }
            ));
        }
    }
}
