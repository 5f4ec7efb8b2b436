//! The W3C Trace Context of a request: who asked, in words that other systems understand.

use core::fmt;
use core::str::FromStr;

/// Bytes of a `traceparent` of version 00.
const LEN: usize = 55;

/// Name of the User Property, as of the HTTP header.
pub const TRACEPARENT: &str = "traceparent";

/// A valid `traceparent` (W3C Trace Context §3.2), passed through as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent([u8; LEN]);

/// A text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("traceparent is not of the form 00-<32 hex digits>-<16 hex digits>-<2 hex digits>")]
pub struct InvalidTraceParent;

impl TraceParent {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It is ASCII by construction.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Reads version 00, which has four fields in lower case, none of the two ids all zero. What a later version adds is not
    /// understood, so it is not passed on either.
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let bytes: [u8; LEN] = text.as_bytes().try_into().map_err(|_| InvalidTraceParent)?;
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_id = |id: &[u8]| id.iter().all(is_digit) && id.iter().any(|digit| *digit != b'0');
        let is_sound = bytes.starts_with(b"00-")
            && is_id(&bytes[3..35])
            && bytes[35] == b'-'
            && is_id(&bytes[36..52])
            && bytes[52] == b'-'
            && bytes[53..].iter().all(is_digit);
        match is_sound {
            true => Ok(Self(bytes)),
            false => Err(InvalidTraceParent),
        }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceParent({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_parent_is_taken_as_the_specification_has_it_or_not_at_all() {
        let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(sound.parse::<TraceParent>().unwrap().as_str(), sound);
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParent), "{text}");
        }
    }
}
