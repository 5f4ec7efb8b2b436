//! A request as its function sees it, and the errors that it may be answered with.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_core::flowsync::{TraceParent, TransactionId};
use syncline_core::time::UnixMillis;
use tokio::time::Instant;

/// A request to answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// Its transaction.
    pub id: TransactionId,
    /// Topic that it came on.
    pub topic: String,
    /// Its value, one JSON text as it came.
    pub value: Box<RawValue>,
    /// When the requester made it, by its own clock.
    pub timestamp: Option<UnixMillis>,
    /// When nobody waits for the answer any more.
    pub deadline: Instant,
    /// Who asked, where the request says so.
    pub trace: Option<TraceParent>,
}

impl Request {
    /// The value as a `T`.
    ///
    /// # Errors
    /// [`Error`] with code 400 where it is none.
    pub fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Error> {
        serde_json::from_str(self.value.get()).map_err(|error| {
            // The library's own text would repeat the value.
            let (line, column) = (error.line(), error.column());
            Error::new(
                400,
                format!("the value is not what is expected here, from line {line} column {column} on"),
            )
        })
    }

    /// The time until the [deadline](Self::deadline).
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// An answer that is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct Error {
    /// Code in the terms of the client's protocol: for HTTP 400 to 599.
    pub code: i64,
    /// Text for the client.
    pub message: String,
}

impl Error {
    /// An error of this code and text.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_kind_is_refused_with_its_place_and_without_a_word_of_it() {
        let request = Request {
            id: TransactionId::from_bytes([1; 16]),
            topic: "a/treq".to_owned(),
            value: RawValue::from_string("{\"n\":\"s3cret\"}".to_owned()).unwrap(),
            timestamp: None,
            deadline: Instant::now(),
            trace: None,
        };
        let error = request
            .parse::<std::collections::BTreeMap<String, u8>>()
            .unwrap_err();
        assert_eq!(error.code, 400);
        assert!(
            error.message.contains("line 1") && !error.message.contains("s3cret"),
            "{error}"
        );
        assert_eq!(
            request.parse::<serde_json::Value>().unwrap()["n"],
            serde_json::json!("s3cret")
        );
    }
}
