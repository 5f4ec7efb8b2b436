//! What an error reply says by its `code`: a number, or a name.

use alloc::boxed::Box;
use core::fmt;

use crate::limits::MAX_ERROR_NAME;

/// The number of an error reply that tells none.
const DEFAULT: i64 = 500;

/// `error.code` of an error reply. Which numbers and names there are is a matter of the client's protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    /// A number, however it was spelt: `404`, `404.0`, `"404"`.
    Number(i64),
    /// A name, for example that of a `StatusCode` of OPC UA.
    Name(ErrorName),
}

/// A name of letters, digits and `_`, of at most [`MAX_ERROR_NAME`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorName(Box<str>);

impl ErrorCode {
    /// That of an error reply that tells none of its own.
    pub const DEFAULT: Self = Self::Number(DEFAULT);

    /// The number; 500 for a name.
    #[must_use]
    pub fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Name(_) => DEFAULT,
        }
    }

    /// The name, where it is one.
    #[must_use]
    pub fn name(&self) -> Option<&ErrorName> {
        match self {
            Self::Number(_) => None,
            Self::Name(name) => Some(name),
        }
    }

    /// Reads `error.code`; `None` where it is neither a number nor a name.
    pub(super) fn of(value: &serde_json::Value) -> Option<Self> {
        integer(value)
            .map(Self::Number)
            .or_else(|| ErrorName::new(value.as_str()?).map(Self::Name))
    }
}

impl ErrorName {
    /// The name of this text, where it is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_sound = (1..=MAX_ERROR_NAME).contains(&text.len())
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_sound.then(|| Self(text.into()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<i64> for ErrorCode {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name.as_str()),
        }
    }
}

/// An integer however it is spelt: `404`, `404.0` (as many script languages write it), `"404"`.
fn integer(value: &serde_json::Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        serde_json::Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "integral and within 2^53, so exact"
            )]
            (float % 1.0 == 0.0 && float.abs() <= EXACT).then_some(float as i64)
        }),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use serde_json::json;

    #[test]
    fn a_code_is_a_number_or_a_name() {
        for (value, expected) in [
            (json!(404), Some("404")),
            (json!(404.0), Some("404")),
            (json!("404"), Some("404")),
            (json!("-7"), Some("-7")),
            (json!("BadOutOfRange"), Some("BadOutOfRange")),
            (json!("E_42"), Some("E_42")),
            (json!(4.5), None),
            (json!(""), None),
            (json!("4x"), None),
            (json!("Bad Out"), None),
            (json!("Schl\u{fc}ssel"), None),
            (json!("a\"b"), None),
            (json!(null), None),
            (json!({}), None),
        ] {
            let code = ErrorCode::of(&value);
            assert_eq!(code.map(|code| code.to_string()).as_deref(), expected, "{value}");
        }
        let named = ErrorCode::of(&json!("BadOutOfRange")).unwrap();
        assert_eq!(
            (named.number(), named.name().map(ErrorName::as_str)),
            (500, Some("BadOutOfRange"))
        );
        assert_eq!(ErrorCode::from(404).number(), 404);
    }

    #[test]
    fn a_name_has_a_bound() {
        let longest = "x".repeat(MAX_ERROR_NAME);
        assert!(ErrorName::new(&longest).is_some());
        assert!(ErrorName::new(&(longest + "x")).is_none());
    }
}
