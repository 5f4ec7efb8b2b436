//! What is answered to which request.

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::metrics::{self, Format};
use super::{call, page};
use crate::http::Refused;
use crate::status::View;

pub(super) type Answer = Response<Full<Bytes>>;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Powers {
    /// Look.
    Look,
    /// Look, and make requests of nodes.
    Act,
}

/// Answers one request.
pub(super) async fn answer(view: &View, powers: Powers, request: Request<Incoming>) -> Answer {
    if powers == Powers::Act && request.method() == Method::POST && request.uri().path() == "/call" {
        return call::answer(view, request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = json_answer(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({ "error": "only GET and HEAD" }),
        );
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match request.uri().path() {
        "/livez" => match view.report().await {
            Some(_) => json_answer(StatusCode::OK, &json!({ "live": true })),
            None => {
                let reasons = ["the link's task does not answer"];
                unavailable(&json!({ "live": false, "reasons": reasons }))
            }
        },
        "/readyz" => {
            let reasons = view.obstacles().await;
            match reasons.is_empty() {
                true => json_answer(StatusCode::OK, &json!({ "ready": true })),
                false => unavailable(&json!({ "ready": false, "reasons": reasons })),
            }
        }
        "/metrics" => {
            let accept = request.headers().get(ACCEPT);
            let format = Format::accepted(accept.and_then(|value| value.to_str().ok()).unwrap_or_default());
            written(
                metrics::text(view.snapshot().await, format),
                format.content_type(),
            )
        }
        "/status" => match serde_json::to_value(view.snapshot().await) {
            Ok(snapshot) => json_answer(StatusCode::OK, &snapshot),
            Err(error) => broken(&error.to_string()),
        },
        "/" => written(page::html(&view.snapshot().await), "text/html; charset=utf-8"),
        _ => json_answer(
            StatusCode::NOT_FOUND,
            &json!({ "error": "there are /, /livez, /readyz, /metrics and /status" }),
        ),
    }
}

/// Turns away who has not logged in, or may not see this.
pub(super) fn refusal(refused: Refused) -> Answer {
    let error = |text: &str| json!({ "error": text });
    match refused {
        Refused::Read | Refused::Write => json_answer(
            StatusCode::FORBIDDEN,
            &error("these credentials may not see this path, ask for the permission"),
        ),
        Refused::NoLogin | Refused::Nobody => {
            let mut answer = json_answer(
                StatusCode::UNAUTHORIZED,
                &error("a login is needed, Basic or Bearer, of the file that SYNCLINE_ADMIN_AUTH names"),
            );
            // Nothing can be changed here, so that no other site gains anything by a password that a browser keeps.
            answer.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"syncline\", charset=\"UTF-8\""),
            );
            answer
        }
    }
}

fn unavailable(body: &Value) -> Answer {
    json_answer(StatusCode::SERVICE_UNAVAILABLE, body)
}

fn broken(why: &str) -> Answer {
    json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": why }))
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Answer {
    with_type(status, format!("{body}\n"), "application/json")
}

fn written(text: Result<String, std::fmt::Error>, content_type: &'static str) -> Answer {
    match text {
        Ok(text) => with_type(StatusCode::OK, text, content_type),
        Err(error) => broken(&error.to_string()),
    }
}

pub(super) fn with_type(status: StatusCode, body: impl Into<Bytes>, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    answer
}
