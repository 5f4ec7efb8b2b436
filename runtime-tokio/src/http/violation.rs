//! What makes a request unfit to be handled: one sentence for client and log, and the status that says so.

use http::StatusCode;

use super::reply::Failure;

/// What makes a request unfit to be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(super) struct Violation {
    status: StatusCode,
    text: &'static str,
}

impl Violation {
    /// The head did not end in time.
    pub(super) const LATE: Self = Self::with(
        StatusCode::REQUEST_TIMEOUT,
        "the head of the request did not end in time",
    );
    /// The head goes beyond its bound in the first line.
    pub(super) const TARGET_TOO_LONG: Self = Self::with(
        StatusCode::URI_TOO_LONG,
        "the request line is longer than 16384 bytes",
    );
    /// The head goes beyond its bound.
    pub(super) const HEAD_TOO_LONG: Self = Self::with(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "the head of the request is longer than 16384 bytes",
    );
    /// There are more fields than their bound.
    pub(super) const TOO_MANY_FIELDS: Self = Self::with(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "the head of the request has more than 64 fields",
    );
    /// No body is that long.
    pub(super) const BODY_TOO_LONG: Self = Self::with(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is longer than any that is taken",
    );

    /// 400: it breaks the rules of RFC 9112, or can be read in more than one way.
    pub(super) const fn bad(text: &'static str) -> Self {
        Self::with(StatusCode::BAD_REQUEST, text)
    }

    /// 501: it needs what this server does not have.
    pub(super) const fn not_implemented(text: &'static str) -> Self {
        Self::with(StatusCode::NOT_IMPLEMENTED, text)
    }

    /// 505.
    pub(super) const fn version(text: &'static str) -> Self {
        Self::with(StatusCode::HTTP_VERSION_NOT_SUPPORTED, text)
    }

    const fn with(status: StatusCode, text: &'static str) -> Self {
        Self { status, text }
    }

    /// Status of the answer.
    pub(super) fn status(self) -> StatusCode {
        self.status
    }

    /// What the client is told.
    pub(super) fn failure(self) -> Failure {
        match self.status {
            StatusCode::BAD_REQUEST => Failure::new(
                self.status,
                format!("the request breaks the rules of HTTP: {}", self.text),
            ),
            status => Failure::new(status, self.text),
        }
    }
}
