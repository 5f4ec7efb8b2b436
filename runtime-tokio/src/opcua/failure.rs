//! Why a Write or a Call ends without success: a `StatusCode` of the severity Bad, and a text for who asks for diagnostics.

use std::borrow::Cow;

use bytes::Bytes;
use opcua::types::{DiagnosticBits, DiagnosticInfo, StatusCode, UAString};
use syncline_core::flowsync::{ErrorCode, Outcome, Refusal};
use syncline_core::session::SubmitError;

use super::text;
use crate::driver::{PublishError, RequestError};
use crate::http::CANCELLED;
use crate::rules::{self, Cause};

/// The severity of a `StatusCode`, its two highest bits, that is Bad.
const BAD: u32 = 0b10;

/// Why a request of a client ends without success.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    text: Cow<'static, str>,
    /// Whether the node's place was gone when the request came to it.
    is_gone: bool,
}

impl Failure {
    pub(super) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            text: text.into(),
            is_gone: false,
        }
    }

    /// Whether the node was changed or removed before it took the request, which is as if it had never been made.
    pub(super) fn is_of_a_node_gone(&self) -> bool {
        self.is_gone
    }

    pub(super) fn busy() -> Self {
        Self::new(
            StatusCode::BadServerTooBusy,
            "this agent is at its limit, try again",
        )
    }

    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::BadShutdown, "this agent is stopping, try again")
    }

    /// What a responder says: its code where that is one of the severity Bad, by number or by name.
    fn coded(code: &ErrorCode, text: String) -> Self {
        let named = code.name().and_then(|name| text::status_by_name(name.as_str()));
        let code = code.number();
        // Who computes with 32 bits and a sign has the same code as a negative number.
        let numbered = u32::try_from(code).ok().or_else(|| {
            let signed = i32::try_from(code).ok()?;
            Some(signed.cast_unsigned())
        });
        let status = named
            .or(numbered.map(StatusCode::from))
            // The library takes the severity that is reserved, with both bits set, for Bad (Part 4, §7.39.1).
            .filter(|status| status.bits() >> 30 == BAD)
            .unwrap_or(StatusCode::BadInternalError);
        Self::new(status, text)
    }

    /// What the client is told besides the code: only who asked for it may be sent it (Part 4, §7.12).
    pub(super) fn diagnostics(self, asked: DiagnosticBits) -> Option<DiagnosticInfo> {
        asked
            .contains(DiagnosticBits::OPERATIONAL_LEVEL_ADDITIONAL_INFO)
            .then(|| DiagnosticInfo {
                additional_info: Some(UAString::from(self.text.into_owned())),
                ..DiagnosticInfo::null()
            })
    }
}

impl From<StatusCode> for Failure {
    fn from(status: StatusCode) -> Self {
        Self::new(status, status.sub_code().description().trim())
    }
}

/// What became of a transaction: the JSON text of its value, or why there is none.
pub(super) fn completion(result: Result<Outcome, RequestError>) -> Result<Bytes, Failure> {
    Err(match result {
        Ok(Outcome::Replied { value }) => return Ok(value),
        Ok(Outcome::Failed { code, message }) => Failure::coded(&code, message),
        Ok(Outcome::TimedOut { code, message }) => timed_out(code, &message),
        Ok(Outcome::Cancelled) => Failure::new(StatusCode::BadShutdown, CANCELLED),
        Err(RequestError::Stopped) => Failure::stopping(),
        Ok(Outcome::Undeliverable(why)) => Failure::new(StatusCode::BadNoCommunication, why.to_string()),
        Err(error) => refused(error),
    })
}

/// The node's answer after its time; the plan has checked that the code is Bad.
pub(super) fn timed_out(code: u32, text: &str) -> Failure {
    Failure::new(StatusCode::from(code), text.to_owned())
}

fn refused(error: RequestError) -> Failure {
    let status = match error {
        RequestError::Busy | RequestError::Refused(Refusal::TooManyInFlight { .. } | Refusal::QueueFull) => {
            StatusCode::BadServerTooBusy
        }
        RequestError::Refused(Refusal::TooLarge) => StatusCode::BadRequestTooLarge,
        // The node may have carried it out, which its client could not know of an id that does not exist.
        RequestError::Withdrawn | RequestError::Stopped => StatusCode::BadShutdown,
        RequestError::Gone => StatusCode::BadNodeIdUnknown,
        _ => StatusCode::BadNoCommunication,
    };
    Failure {
        is_gone: matches!(error, RequestError::Gone),
        ..Failure::new(status, error.to_string())
    }
}

/// Why a value was not published.
pub(super) fn unpublished(error: PublishError) -> Failure {
    let status = match error {
        PublishError::Busy | PublishError::Refused(SubmitError::QueueFull) => StatusCode::BadServerTooBusy,
        PublishError::Refused(SubmitError::TooLarge { .. }) => StatusCode::BadRequestTooLarge,
        PublishError::Stopped => StatusCode::BadShutdown,
        PublishError::Rejected(_) => StatusCode::BadUserAccessDenied,
        _ => StatusCode::BadNoCommunication,
    };
    Failure::new(status, error.to_string())
}

/// Why a rule of the node could not be carried out.
pub(super) fn rule_failed(failure: &rules::Failure) -> Failure {
    let status = match failure.cause {
        Cause::Stopping => StatusCode::BadShutdown,
        Cause::InputTooLong => StatusCode::BadRequestTooLarge,
        _ => StatusCode::BadInternalError,
    };
    Failure::new(status, failure.to_string())
}

#[cfg(test)]
mod tests {
    use syncline_core::flowsync::ErrorName;

    use super::*;

    #[test]
    fn a_responders_code_is_passed_on_where_it_is_bad() {
        let named = |name| ErrorCode::Name(ErrorName::new(name).unwrap());
        for (code, expected) in [
            (ErrorCode::Number(0x803C_0000), StatusCode::BadOutOfRange),
            (
                ErrorCode::Number(0x803C_0000_u32.cast_signed().into()),
                StatusCode::BadOutOfRange,
            ),
            (named("BadOutOfRange"), StatusCode::BadOutOfRange),
            (named("BadNoSuchThing"), StatusCode::BadInternalError),
            (named("Good"), StatusCode::BadInternalError),
            (named("UncertainInitialValue"), StatusCode::BadInternalError),
            (ErrorCode::Number(500), StatusCode::BadInternalError),
            (ErrorCode::Number(0), StatusCode::BadInternalError),
            (ErrorCode::Number(0x4000_0000), StatusCode::BadInternalError),
            (ErrorCode::Number(0xC000_0000), StatusCode::BadInternalError),
            (ErrorCode::Number(-1), StatusCode::BadInternalError),
            (ErrorCode::Number(i64::MAX), StatusCode::BadInternalError),
        ] {
            assert_eq!(Failure::coded(&code, String::new()).status, expected, "{code}");
        }
    }

    #[test]
    fn the_text_goes_to_who_asked_for_it() {
        let failure = Failure::new(StatusCode::BadOutOfRange, "above the limit");
        assert_eq!(failure.clone().diagnostics(DiagnosticBits::empty()), None);
        let told = failure
            .diagnostics(DiagnosticBits::OPERATIONAL_LEVEL_ADDITIONAL_INFO)
            .unwrap();
        assert_eq!(told.additional_info, Some(UAString::from("above the limit")));
    }
}
