//! What is said to the client registry, and what its answers mean.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::credentials::Credentials;
use super::state::Input;
use crate::limits::{MAX_REASON_TEXT, MAX_REGISTRY_ANSWER};

/// Path of the client registry below its base URL.
pub const REGISTER_PATH: &str = "/api/client-registry/register";

const CERTIFICATE_BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Tells the answer to one request from that to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

impl RequestId {
    /// As a number, for callers outside of Rust.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// From the number that [`to_u64`](Self::to_u64) gave. Any other one names no request, whose answer is ignored.
    #[must_use]
    pub const fn from_u64(raw: u64) -> Self {
        Self(raw)
    }
}

/// An HTTP request to make of the client registry. A redirect is an answer and is not followed: it would carry the
/// password to another server.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Comes back with the answer.
    pub id: RequestId,
    /// Request method.
    pub method: &'static str,
    /// Path, to be appended to the base URL of the registry.
    pub path: &'static str,
    /// Body, `application/json`.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    /// Leaves out the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What came of a request.
#[derive(Clone, Copy)]
pub enum Answer<'a> {
    /// An HTTP response.
    Response {
        /// Status code.
        status: u16,
        /// The field `Retry-After`, if there is one.
        retry_after: Option<&'a str>,
        /// Body; of one that is longer than [`MAX_REGISTRY_ANSWER`], at least one byte more than that.
        body: &'a [u8],
    },
    /// No response.
    Failed(Failure),
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The registry could not be reached, or the connection was lost.
    Unreachable,
    /// No response came in time.
    TimedOut,
    /// The server's certificate was not accepted.
    Untrusted,
    /// What came was not HTTP.
    NotHttp,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) input: Input,
    /// The signed certificate of a 201.
    pub(super) certificate: Option<String>,
    /// What the registry said about its refusal.
    pub(super) reason: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    username: &'a str,
    password: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    csr: Option<&'a str>,
}

/// The JSON of a request.
pub(super) fn body(credentials: &Credentials, csr: Option<&str>) -> Bytes {
    let body = Body {
        username: credentials.username(),
        password: credentials.password(),
        csr,
    };
    // A struct of texts always has a JSON form.
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}

/// What `answer` says to a request that had a certificate signed or not.
pub(super) fn verdict(
    answer: &Answer<'_>,
    credentials: &Credentials,
    asked_for_certificate: bool,
) -> Verdict {
    let plain = |input| Verdict {
        input,
        certificate: None,
        reason: None,
    };
    let Answer::Response { status, body, .. } = answer else {
        return plain(Input::NoRegistry);
    };
    if body.len() > MAX_REGISTRY_ANSWER {
        return plain(Input::NoRegistry);
    }
    let input = match status {
        201 if asked_for_certificate => {
            return match certificate(body) {
                Some(certificate) => Verdict {
                    certificate: Some(certificate),
                    ..plain(Input::Granted)
                },
                None => plain(Input::Unavailable),
            };
        }
        201 => Input::Granted,
        202 => Input::Pending,
        423 => Input::Locked,
        409 => Input::Conflict,
        401 | 403 => Input::Rejected,
        400 | 422 => Input::Invalid,
        408 | 425 | 429 | 500..=599 => Input::Unavailable,
        // A redirect, another success, a missing page: whoever answers so is no client registry.
        _ => Input::NoRegistry,
    };
    let reason = match input {
        Input::Rejected | Input::Invalid | Input::Unavailable => reason(body, credentials.password()),
        _ => None,
    };
    Verdict {
        reason,
        ..plain(input)
    }
}

fn certificate(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Granted {
        certificate: String,
    }
    let granted: Granted = serde_json::from_slice(body).ok()?;
    granted
        .certificate
        .contains(CERTIFICATE_BEGIN)
        .then_some(granted.certificate)
}

/// The message of an error answer as one printable line; none that repeats the password.
fn reason(body: &[u8], password: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Error {
        Text(String),
        Object { message: String },
    }
    #[derive(Deserialize)]
    struct Refusal {
        message: Option<String>,
        error: Option<Error>,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let text = match (refusal.error, refusal.message) {
        (Some(Error::Object { message } | Error::Text(message)), None) | (_, Some(message)) => message,
        (None, None) => return None,
    };
    if text.contains(password) && !password.is_empty() {
        return None;
    }
    let printable = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character });
    let line: String = printable.take(MAX_REASON_TEXT).collect();
    match line.trim() {
        "" => None,
        line => Some(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn credentials() -> Credentials {
        Credentials::new("line-1", "s3cret-\"word").unwrap()
    }

    fn response(status: u16, body: &str, asked_for_certificate: bool) -> Verdict {
        let answer = Answer::Response {
            status,
            retry_after: None,
            body: body.as_bytes(),
        };
        verdict(&answer, &credentials(), asked_for_certificate)
    }

    #[test]
    fn body_is_json_with_a_csr_only_where_there_is_one() {
        let plain = body(&credentials(), None);
        assert_eq!(plain, r#"{"username":"line-1","password":"s3cret-\"word"}"#);
        let with_csr: serde_json::Value =
            serde_json::from_slice(&body(&credentials(), Some("a\nb"))).unwrap();
        assert_eq!(with_csr["csr"], "a\nb");
    }

    #[test]
    fn a_request_shows_no_password() {
        let request = Request {
            id: RequestId(1),
            method: "POST",
            path: REGISTER_PATH,
            body: body(&credentials(), None),
        };
        assert!(!format!("{request:?}").contains("s3cret"));
    }

    #[test]
    fn a_grant_that_lacks_the_certificate_is_no_grant() {
        let pem = format!("{CERTIFICATE_BEGIN}\\nMIIB\\n-----END CERTIFICATE-----\\n");
        let granted = response(201, &format!("{{\"certificate\":\"{pem}\"}}"), true);
        assert_eq!(granted.input, Input::Granted);
        assert!(granted.certificate.unwrap().contains("MIIB\n"));
        for body in ["", "{}", r#"{"certificate":7}"#, r#"{"certificate":"none"}"#] {
            assert_eq!(response(201, body, true).input, Input::Unavailable, "{body}");
        }
        assert_eq!(response(201, "", false).input, Input::Granted);
    }

    #[test]
    fn what_the_registry_says_is_one_printable_line_without_the_password() {
        let said = |body: &str| response(422, body, false).reason;
        assert_eq!(
            said(r#"{"message":"too short\n\u001b[31mred"}"#).as_deref(),
            Some("too short  [31mred")
        );
        assert_eq!(
            said(r#"{"error":{"message":"no such role"}}"#).as_deref(),
            Some("no such role")
        );
        assert_eq!(said(r#"{"error":"no"}"#).as_deref(), Some("no"));
        assert_eq!(said(r#"{"message":"s3cret-\"word is too weak"}"#), None);
        for body in ["", "garbage", "[]", "{}", r#"{"message":"  "}"#, r#"{"error":7}"#] {
            assert_eq!(said(body), None, "{body}");
        }
        let long = format!("{{\"message\":\"{}\"}}", "é".repeat(MAX_REASON_TEXT + 1));
        assert_eq!(said(&long).unwrap().chars().count(), MAX_REASON_TEXT);
    }

    #[test]
    fn an_answer_beyond_the_limit_is_no_registrys() {
        let body = alloc::vec![b' '; MAX_REGISTRY_ANSWER + 1];
        let answer = |body| Answer::Response {
            status: 202,
            retry_after: None,
            body,
        };
        let over = verdict(&answer(&body), &credentials(), false);
        assert_eq!(over.input, Input::NoRegistry);
        let at_limit = verdict(&answer(&body[1..]), &credentials(), false);
        assert_eq!(at_limit.input, Input::Pending);
    }
}
