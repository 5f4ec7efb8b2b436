//! The W3C Trace Context that a client sends along.

use http::HeaderMap;
use syncline_core::flowsync::{TRACEPARENT, TraceParent};

/// The `traceparent` of a request, where it has one that is valid. None is made up: this agent records no spans, and an id that no
/// tracing system knows leads nobody anywhere.
pub(super) fn parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    only.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn one_valid_header_is_taken_and_nothing_else() {
        let parsed = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACEPARENT, HeaderValue::from_static(value));
            }
            parent(&headers).map(|trace| trace.as_str().to_owned())
        };
        assert_eq!(parsed(&[VALID]).as_deref(), Some(VALID));
        for none in [&[][..], &["x"], &[VALID, VALID]] {
            assert_eq!(parsed(none), None);
        }
    }
}
