//! Answers of the hub, with the headers that keep a browser from doing more than it should.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// Whole seconds, after which `wait` is over.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// An answer under construction.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))],
            body: body.into(),
        }
    }

    pub(super) fn html(status: StatusCode, page: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", page)
    }

    pub(super) fn json(status: StatusCode, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    /// An error for programs.
    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        Self::json(
            status,
            &json!({"error": {"code": status.as_u16(), "message": message}}),
        )
    }

    pub(super) fn file(content_type: &'static str, text: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, content_type, text)
    }

    /// 303: what was asked for is done, look there.
    pub(super) fn see_other(path: &'static str) -> Self {
        let mut answer = Self::new(StatusCode::SEE_OTHER, "text/plain", Bytes::new());
        answer.headers.push((LOCATION, HeaderValue::from_static(path)));
        answer
    }

    pub(super) fn timed_out() -> Self {
        Self::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "the hub has too much to do, try again",
        )
        .retry_after(Duration::from_secs(5))
    }

    pub(super) fn retry_after(mut self, wait: Duration) -> Self {
        self.headers.push((RETRY_AFTER, seconds(wait).into()));
        self
    }

    /// Adds `Set-Cookie`; a text that no header can have is left out.
    pub(super) fn cookie(mut self, cookie: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(cookie) {
            value.set_sensitive(true);
            self.headers.push((SET_COOKIE, value));
        }
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        for (name, value) in [
            (CACHE_CONTROL, "no-store"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // With `no-referrer` browsers would leave the origin of a form out, which is checked.
            (REFERRER_POLICY, "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
