//! JSON text that has been checked once and is passed on as it is.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use serde_json::value::RawValue;

/// One JSON value as text: numbers keep their digits, members their order. Cloning shares the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    /// Takes `text` over if it is one JSON value, white space around it left away; `None` if it is not.
    #[must_use]
    pub fn new(text: Bytes) -> Option<Self> {
        let value: &RawValue = serde_json::from_slice(&text).ok()?;
        let value = text.slice_ref(value.get().as_bytes());
        Some(Self(value))
    }

    /// `text` as a JSON string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        let mut json = String::with_capacity(text.len() + 2);
        push_string(&mut json, text);
        Self(json.into())
    }

    /// The number `value`; `None` where JSON has no such number.
    #[must_use]
    pub fn number(value: f64) -> Option<Self> {
        serde_json::Number::from_f64(value).map(|number| Self(number.to_string().into()))
    }

    /// The integer `value`.
    #[must_use]
    pub fn integer(value: i64) -> Self {
        Self(value.to_string().into())
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean(value: bool) -> Self {
        let text: &'static [u8] = if value { b"true" } else { b"false" };
        Self(Bytes::from_static(text))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// A list of `items`.
    #[must_use]
    pub fn array<'a>(items: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut json = String::from("[");
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(item.as_str());
        }
        json.push(']');
        Self(json.into())
    }

    /// An object with `members` in their order.
    #[must_use]
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, &'a Self)>) -> Self {
        let mut json = String::from("{");
        for (at, (name, value)) in members.into_iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            push_string(&mut json, name);
            json.push(':');
            json.push_str(value.as_str());
        }
        json.push('}');
        Self(json.into())
    }

    /// What a serializer has written.
    pub(super) fn written(text: String) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text as a handle of its own; no copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Length of the text in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a JSON value has at least one character.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a JSON string says; `None` for any other value.
    #[must_use]
    pub fn as_string(&self) -> Option<String> {
        serde_json::from_slice(&self.0).ok()
    }

    /// Whether an integer is in it that no double holds exactly, as JSONata's numbers are doubles.
    #[must_use]
    pub fn has_inexact_integer(&self) -> bool {
        let mut bytes = self.as_str();
        loop {
            let Some(at) = bytes.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) else {
                return false;
            };
            let token = &bytes[at..];
            let len = match token.strip_prefix('"') {
                Some(inside) => 2 + closing_quote(inside),
                None => token
                    .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
                    .unwrap_or(token.len()),
            };
            let token = &token[..len.min(token.len())];
            if token.len() > 15 && is_inexact_integer(token) {
                return true;
            }
            bytes = &bytes[at + token.len()..];
        }
    }
}

/// Offset of the quote that ends a string of which `inside` has all that follows its first quote.
fn closing_quote(inside: &str) -> usize {
    let mut escaped = false;
    let end = inside.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(inside.len())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the double is integral and within the range of the integer, or saturates to what differs"
)]
fn is_inexact_integer(token: &str) -> bool {
    if token.contains(['"', '.', 'e', 'E']) {
        return false;
    }
    match (token.parse::<i128>(), token.parse::<f64>()) {
        (Ok(exact), Ok(double)) => double as i128 != exact,
        _ => true,
    }
}

fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => drop(write!(json, "\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
}

impl fmt::Debug for Json {
    /// Shows the length, never the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &'static str) -> Json {
        Json::new(Bytes::from_static(text.as_bytes())).expect(text)
    }

    #[test]
    fn a_value_is_kept_as_it_was_written() {
        for text in [
            "9223372036854775807",
            "1e400",
            "0.10",
            "{\"b\":1,\"a\":[ 2 ]}",
            "null",
        ] {
            assert_eq!(json(text).as_str(), text);
        }
        assert_eq!(json(" \n true ").as_str(), "true");
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in ["", "{", "1 2", "nul", "'a'", "\u{feff}1", "\"\\x\""] {
            assert!(Json::new(Bytes::from_static(text.as_bytes())).is_none(), "{text}");
        }
        assert!(Json::new(Bytes::from_static(b"\"\xff\"")).is_none());
    }

    #[test]
    fn a_string_is_escaped_so_that_it_reads_back() {
        let text = "\u{0}\u{1f}\"\\\n\r\t/ä\u{2028}😀";
        assert_eq!(Json::string(text).as_string().as_deref(), Some(text));
        assert_eq!(
            Json::string(text),
            Json::new(Json::string(text).into_bytes()).unwrap()
        );
    }

    #[test]
    fn objects_and_lists_are_built_from_values_as_they_are() {
        let (one, two) = (json("1.0"), json("\"x\""));
        assert_eq!(Json::array([&one, &two]).as_str(), "[1.0,\"x\"]");
        assert_eq!(Json::array([]).as_str(), "[]");
        assert_eq!(
            Json::object([("a\"", &one), ("b", &two)]).as_str(),
            "{\"a\\\"\":1.0,\"b\":\"x\"}"
        );
    }

    #[test]
    fn integers_that_a_double_rounds_are_found_and_others_are_not() {
        for text in [
            "9007199254740993",
            "[1,{\"a\":-9007199254740993}]",
            "18446744073709551615",
            "{\"9\":\"\\\"\",\"b\":9223372036854775807}",
            "123456789012345678901234567890123456789012",
        ] {
            assert!(json(text).has_inexact_integer(), "{text}");
        }
        for text in [
            "9007199254740992",
            "1",
            "\"9007199254740993\"",
            "{\"9007199254740993\":1}",
            "[\"\\\\\",9.007199254740993e15]",
            "0.30000000000000004",
            "[]",
            "1000000000000000000",
        ] {
            assert!(!json(text).has_inexact_integer(), "{text}");
        }
    }

    #[test]
    fn debug_output_has_no_payload() {
        assert_eq!(format!("{:?}", json("\"s3cret\"")), "Json(8 bytes)");
    }
}
