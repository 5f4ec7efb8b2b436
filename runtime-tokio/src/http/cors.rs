//! Cross-origin requests: which web pages of other origins may use a server (Fetch §3.2).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::reply::Reply;
use super::route::Router;

/// What a page may send beyond what every page may.
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, prefer");
/// What a page may read beyond what every page may.
const REPLY_HEADERS: HeaderValue =
    HeaderValue::from_static("allow, preference-applied, retry-after, www-authenticate");
/// Seconds for which a browser keeps the answer to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// What one request gets of the server that it goes to.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// The origin that may read the answer.
    allowed: Option<HeaderValue>,
    /// Whether the answer depends on `Origin`.
    varies: bool,
    /// The methods of the path, where a browser asks whether a request would be allowed.
    preflight: Option<HeaderValue>,
}

impl Sharing {
    pub(super) fn of(router: &Router, parts: &Parts) -> Self {
        let Some((origins, methods)) = router.origins(parts.uri.path()) else {
            return Self::default();
        };
        let mut asked = parts.headers.get_all(ORIGIN).iter();
        let origin = match (asked.next(), asked.next()) {
            (Some(origin), None) => origin.to_str().ok(),
            _ => None,
        };
        let anyone = origins.contains(&"*");
        let allowed = origin.and_then(|origin| match anyone {
            true => Some(HeaderValue::from_static("*")),
            false => origins
                .iter()
                .any(|known| known.eq_ignore_ascii_case(origin))
                .then(|| HeaderValue::from_str(origin).ok())
                .flatten(),
        });
        let asks =
            parts.method == Method::OPTIONS && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Self {
            preflight: methods.filter(|_| asks && allowed.is_some()),
            varies: !anyone,
            allowed,
        }
    }

    /// The answer to a preflight, which comes without credentials and is not the node's to answer.
    pub(super) fn preflight(&self) -> Option<Reply> {
        let methods = self.preflight.clone()?;
        let mut reply = Reply::default();
        *reply.status_mut() = StatusCode::NO_CONTENT;
        let headers = reply.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(reply)
    }

    /// Tells the browser who may read the answer, an error as well.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(allowed) = self.allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, REPLY_HEADERS);
        }
    }
}
