//! `Prefer: wait`, by which a client shortens the time that it is held (RFC 7240).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// `Prefer`.
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// `Preference-Applied`.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest wait that a client prefers: whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(u32);

impl Wait {
    /// The first `wait` of a request; the first of several counts, and one that is no number of seconds not at all.
    pub(super) fn preferred(headers: &HeaderMap) -> Option<Self> {
        let values = headers
            .get_all(PREFER)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let preference = values.flat_map(|value| value.split(',')).find_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("wait")
                .then(|| value.trim().trim_matches('"').to_owned())
        })?;
        let digits = preference.bytes().all(|byte| byte.is_ascii_digit());
        preference
            .parse()
            .ok()
            .filter(|seconds| digits && *seconds > 0)
            .map(Self)
    }

    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    /// Says that the preference has been followed.
    pub(super) fn applied(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&format!("wait={}", self.0)) {
            headers.insert(PREFERENCE_APPLIED, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wait_of_a_request_counts() {
        for (values, expected) in [
            (&["wait=10"][..], Some(10)),
            (&["respond-async, Wait = 5; x=y"], Some(5)),
            (&["return=minimal", "wait=\"7\", wait=9"], Some(7)),
            (&["wait=0"], None),
            (&["wait=+3"], None),
            (&["wait=-1"], None),
            (&["wait=soon"], None),
            (&["wait"], None),
            (&["wait=99999999999"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PREFER, HeaderValue::from_static(value));
            }
            assert_eq!(Wait::preferred(&headers), expected.map(Wait), "{values:?}");
        }
    }
}
