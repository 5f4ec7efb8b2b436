//! Answers: what became of a request, as an HTTP status and a JSON body.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use syncline_core::flowsync::{Outcome, Refusal};
use syncline_core::session::{Loss, SubmitError};

use crate::driver::{PublishError, RequestError};
use crate::node_rules::Ended;
use crate::rules::{self, Cause};
use crate::unconfirmed::UNCONFIRMED;

/// When a client may try again after 503.
const RETRY: Duration = Duration::from_secs(1);

/// Why a request that was held has no reply when the agent stops.
pub(crate) const CANCELLED: &str = "this agent stops while the request is held, which may have been carried out: find out before sending it again";

/// Why it is not known whether a message was published when the broker has forgotten it with this agent's session.
const LOST: &str = "the connection to the broker was lost before it has confirmed the message, which it may have: find out before sending it again";

/// A complete answer.
pub(super) type Reply = Response<Full<Bytes>>;

/// How errors are written for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorFormat {
    /// `{"error":{"code":…,"message":"…"}}`.
    Envelope,
    /// `application/problem+json`, RFC 9457.
    Problem,
}

impl ErrorFormat {
    /// What `Accept` asks for: a problem object only where it is named with a weight above zero.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let ranges = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let named = ranges.flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("application/problem+json"))
                && !parts.any(|weight| matches!(weight, "q=0" | "Q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        });
        if named { Self::Problem } else { Self::Envelope }
    }
}

/// Why a request ends without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    /// The code in the body: the responder's own, else the status.
    code: i64,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    allow: Option<HeaderValue>,
    /// Whether the client is told how to log in.
    authenticate: bool,
    /// Whether the connection ends, for what comes next on it is not to be trusted or not worth reading.
    ends: bool,
    /// Whether the broker certainly does not have the request; without it nobody knows.
    unpublished: bool,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let code = status.as_u16().into();
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            allow: None,
            authenticate: false,
            ends: false,
            unpublished: false,
        }
    }

    /// 401 with `WWW-Authenticate`.
    pub(super) fn unauthorized(message: &'static str) -> Self {
        Self {
            authenticate: true,
            ..Self::new(StatusCode::UNAUTHORIZED, message)
        }
    }

    /// 403.
    pub(super) fn forbidden(reads: bool) -> Self {
        let message = match reads {
            true => "these credentials may not read this path, ask for the permission",
            false => "these credentials may not write to this path, ask for the permission",
        };
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 503 with `Retry-After`: nothing has been published, or nobody will answer any more.
    pub(super) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            retry_after: Some(RETRY),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }

    /// 503 without `Retry-After`: it may have been carried out or published, so no client should send it again without a thought.
    pub(super) fn uncertain(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 405 with `Allow`.
    pub(super) fn wrong_method(allow: HeaderValue) -> Self {
        let message = "this path does not take this method, `Allow` names those that it takes";
        Self {
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
        }
    }

    /// A failure that the responder or the node's configuration describes: the code becomes the status if it is 400 to
    /// 599, and 500 otherwise.
    fn coded(code: i64, message: String) -> Self {
        let status = u16::try_from(code)
            .ok()
            .filter(|code| (400..=599).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            code,
            ..Self::new(status, message)
        }
    }

    /// The same, and the end of the connection, which the client is told.
    pub(super) fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    /// The same, for a request that the broker certainly does not have.
    pub(super) fn certainly_unpublished(self) -> Self {
        Self {
            unpublished: true,
            ..self
        }
    }

    /// Whether the broker certainly does not have the request, so that it may be made once more.
    pub(super) fn is_unpublished(&self) -> bool {
        self.unpublished
    }

    /// Bytes that it takes to keep.
    pub(super) fn size(&self) -> usize {
        self.message.len()
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn into_reply(self, format: ErrorFormat) -> Reply {
        let (body, content_type) = match format {
            ErrorFormat::Envelope => {
                let body = Envelope {
                    error: Error {
                        code: self.code,
                        message: &self.message,
                    },
                };
                (serde_json::to_vec(&body), "application/json")
            }
            ErrorFormat::Problem => {
                let body = Problem {
                    r#type: "about:blank",
                    title: self.status.canonical_reason().unwrap_or("Error"),
                    status: self.status.as_u16(),
                    detail: &self.message,
                    code: self.code,
                };
                (serde_json::to_vec(&body), "application/problem+json")
            }
        };
        let body = body.expect("numbers and text are always writable as JSON");
        let mut reply = Reply::new(Full::new(body.into()));
        *reply.status_mut() = self.status;
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if self.authenticate {
            for challenge in [
                "Basic realm=\"syncline\", charset=\"UTF-8\"",
                "Bearer realm=\"syncline\"",
            ] {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        if self.ends {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, allow);
        }
        reply
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: i64,
    message: &'a str,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: i64,
}

/// 200 with the JSON text of a value.
pub(super) fn value(json: Bytes) -> Reply {
    let mut reply = Reply::new(Full::new(json));
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A success without content.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply
}

/// 204 with `Allow`, the answer to `OPTIONS`.
pub(super) fn options(allow: HeaderValue) -> Reply {
    let mut reply = empty(StatusCode::NO_CONTENT);
    reply.headers_mut().insert(ALLOW, allow);
    reply
}

/// The answer to a held request.
pub(super) fn completion(result: Result<Outcome, RequestError>) -> Result<Reply, Failure> {
    match result {
        Ok(Outcome::Replied { value: json }) => Ok(value(json)),
        Ok(Outcome::Failed { code, message }) => Err(Failure::coded(code.number(), message)),
        Ok(Outcome::TimedOut { code, message }) => Err(Failure::coded(code.into(), message.to_string())),
        Ok(Outcome::Undeliverable(why)) => {
            let message = format!("the request was not delivered, try again: {why}");
            Err(Failure::unavailable(message).certainly_unpublished())
        }
        Ok(Outcome::Cancelled) => Err(Failure::uncertain(CANCELLED)),
        Err(RequestError::Refused(Refusal::TooLarge)) => {
            Err(larger_than_the_broker_takes().certainly_unpublished())
        }
        Err(error @ RequestError::Withdrawn) => Err(Failure::uncertain(error.to_string())),
        Err(error) => Err(Failure::unavailable(error.to_string()).certainly_unpublished()),
    }
}

/// Why a message was not published.
pub(super) fn unpublished(error: PublishError) -> Failure {
    match error {
        PublishError::Refused(SubmitError::TooLarge { .. }) => larger_than_the_broker_takes(),
        PublishError::Rejected(_)
        | PublishError::Refused(SubmitError::QosNotSupported(_) | SubmitError::RetainNotSupported) => {
            Failure::new(StatusCode::BAD_GATEWAY, error.to_string())
        }
        PublishError::Stopped | PublishError::Lost(Loss::Closed) => Failure::uncertain(UNCONFIRMED),
        PublishError::Lost(Loss::LinkLost | Loss::Dropped) => Failure::unavailable(
            "the connection to the broker was lost before the message had left, try again",
        )
        .certainly_unpublished(),
        PublishError::Lost(Loss::NotAccepted(reason)) => unpublished(PublishError::Refused(reason)),
        // Sent once more it may be there twice.
        PublishError::Lost(_) => Failure::uncertain(LOST),
        error => Failure::unavailable(error.to_string()).certainly_unpublished(),
    }
}

/// Why a request is not past its node's rules.
pub(super) fn unruled(ended: &Ended) -> Failure {
    match ended {
        Ended::Failed(failure) => rule_failed(failure),
        Ended::Busy => {
            Failure::unavailable("more messages wait for the rules of this node than may, try again")
                .certainly_unpublished()
        }
        Ended::Stopping => Failure::unavailable("this agent is stopping, try again").certainly_unpublished(),
        Ended::Stopped | Ended::Batched => {
            let message = "the rules of this node do not let the request pass";
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, message).certainly_unpublished()
        }
    }
}

/// Why a node's rule could not be carried out: 422 where that is up to what the client has sent.
fn rule_failed(failure: &rules::Failure) -> Failure {
    let status = match failure.cause {
        Cause::NotJson | Cause::Parse(_) | Cause::Jsonata(_) | Cause::Unexplained | Cause::Unfit => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Cause::InputTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Cause::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        Cause::Regex
        | Cause::TimeLimit
        | Cause::Depth
        | Cause::Sequence
        | Cause::OutputTooLong
        | Cause::NotAValue
        | Cause::Panicked
        | Cause::CollectFull => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Failure {
        retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY),
        ..Failure::new(status, failure.to_string())
    }
    .certainly_unpublished()
}

fn larger_than_the_broker_takes() -> Failure {
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the request is longer than the broker's largest packet, send a shorter body",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use syncline_core::flowsync::Undeliverable;

    async fn text(reply: Reply) -> String {
        let bytes = reply.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn format(accept: &str) -> ErrorFormat {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        ErrorFormat::accepted(&headers)
    }

    #[test]
    fn a_problem_object_is_sent_only_to_those_who_name_it() {
        for accept in [
            "application/problem+json",
            "text/html, Application/Problem+JSON;q=0.5",
        ] {
            assert_eq!(format(accept), ErrorFormat::Problem, "{accept}");
        }
        for accept in ["*/*", "application/json", "application/problem+json; q=0, */*"] {
            assert_eq!(format(accept), ErrorFormat::Envelope, "{accept}");
        }
        assert_eq!(ErrorFormat::accepted(&HeaderMap::new()), ErrorFormat::Envelope);
    }

    #[test]
    fn codes_that_are_no_http_errors_become_500() {
        for (code, status) in [
            (400, 400),
            (404, 404),
            (599, 599),
            (399, 500),
            (600, 500),
            (200, 500),
            (-404, 500),
        ] {
            assert_eq!(Failure::coded(code, String::new()).status, status, "{code}");
        }
        assert_eq!(
            Failure::coded(i64::from(u16::MAX) + 1 + 404, String::new()).status,
            500
        );
    }

    #[tokio::test]
    async fn an_error_reply_keeps_its_code_and_message() {
        let failure = completion(Ok(Outcome::Failed {
            code: 7.into(),
            message: "no \"order\"".into(),
        }))
        .unwrap_err();
        let reply = failure.clone().into_reply(ErrorFormat::Envelope);
        assert_eq!(reply.status(), 500);
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(
            text(reply).await,
            r#"{"error":{"code":7,"message":"no \"order\""}}"#
        );
        let reply = failure.into_reply(ErrorFormat::Problem);
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            text(reply).await,
            r#"{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"no \"order\"","code":7}"#
        );
    }

    #[test]
    fn what_the_broker_certainly_does_not_have_says_when_to_try_again() {
        let failures = [
            completion(Ok(Outcome::Undeliverable(Undeliverable::LinkLost))),
            completion(Err(RequestError::NotReady)),
            completion(Err(RequestError::Busy)),
            completion(Err(RequestError::Stopped)),
            completion(Err(RequestError::Gone)),
            completion(Err(RequestError::Refused(Refusal::TooManyInFlight { limit: 1 }))),
            Err(unpublished(PublishError::Offline)),
            Err(unpublished(PublishError::Lost(Loss::LinkLost))),
        ];
        for failure in failures {
            let failure = failure.unwrap_err();
            assert!(failure.is_unpublished(), "{failure:?}");
            let reply = failure.into_reply(ErrorFormat::Envelope);
            assert_eq!(reply.status(), 503);
            assert_eq!(reply.headers()[RETRY_AFTER], "1");
        }
        let reply = completion(Err(RequestError::Refused(Refusal::TooLarge))).unwrap_err();
        assert_eq!(reply.status(), 413);
    }

    #[test]
    fn what_may_have_been_carried_out_is_not_to_be_sent_again_without_a_look() {
        let failures = [
            completion(Ok(Outcome::Cancelled)).unwrap_err(),
            completion(Err(RequestError::Withdrawn)).unwrap_err(),
            unpublished(PublishError::Stopped),
            unpublished(PublishError::Lost(Loss::SessionLost)),
            unpublished(PublishError::Lost(Loss::Closed)),
        ];
        for failure in failures {
            assert!(
                failure.message().contains("find out before sending it again"),
                "{failure:?}"
            );
            let reply = failure.into_reply(ErrorFormat::Envelope);
            assert_eq!(
                (reply.status().as_u16(), reply.headers().get(RETRY_AFTER)),
                (503, None)
            );
        }
    }
}
