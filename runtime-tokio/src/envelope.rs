//! The message that a value travels in: `{"timestamp": …, "value": …}`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The message of `value`, with the time of now.
pub(crate) fn enveloped(value: &RawValue) -> Vec<u8> {
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

/// The text of `value` in a message's JSON object.
pub(crate) fn value_of(payload: &[u8]) -> Option<&RawValue> {
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
    Some(envelope.value)
}

/// The value of what rules have made: of an object with `value` that, of other JSON all of it.
pub(crate) fn value_of_result(payload: &[u8]) -> Option<&RawValue> {
    value_of(payload).or_else(|| serde_json::from_slice(payload).ok())
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

    #[test]
    fn the_value_of_a_message_is_its_json_text() {
        let cases: [(&[u8], Option<&str>); 7] = [
            (b"{\"timestamp\":1,\"value\": [1.10] }", Some("[1.10]")),
            (b"{\"value\":null}", Some("null")),
            (b"{\"value\":\"\"}", Some("\"\"")),
            (b"{\"result\":1}", None),
            (b"[1]", None),
            (b"", None),
            (b"\xff", None),
        ];
        for (payload, expected) in cases {
            assert_eq!(value_of(payload).map(RawValue::get), expected, "{payload:?}");
        }
    }

    #[test]
    fn what_rules_make_is_a_value_itself_unless_it_has_one() {
        let cases: [(&[u8], Option<&str>); 6] = [
            (b"{\"timestamp\":1,\"value\": [1.10] }", Some("[1.10]")),
            (b"{\"result\": 1}", Some("{\"result\": 1}")),
            (b" 9007199254740993 ", Some("9007199254740993")),
            (b"[1]", Some("[1]")),
            (b"", None),
            (b"\xff", None),
        ];
        for (payload, expected) in cases {
            assert_eq!(
                value_of_result(payload).map(RawValue::get),
                expected,
                "{payload:?}"
            );
        }
    }
}
