//! Errors of the core as the exceptions of `syncline.errors`: by blame, each with the core's own words.

use pyo3::import_exception;
use pyo3::prelude::*;
use syncline_core::codec::{DecodeError, EncodeError, ReasonCode};
use syncline_core::error::Blame;
use syncline_core::flowsync::{NodeConfigError, Refusal, RespondError};
use syncline_core::session::store::RestoreError;
use syncline_core::session::{ConfigError as SessionConfigError, SubmitError};
use syncline_core::topic::TopicError as CoreTopicError;

import_exception!(syncline.errors, ClosingError);
import_exception!(syncline.errors, ConfigError);
import_exception!(syncline.errors, IncompatibleError);
import_exception!(syncline.errors, LimitError);
import_exception!(syncline.errors, MisuseError);
import_exception!(syncline.errors, NotConnectedError);
import_exception!(syncline.errors, PacketError);
import_exception!(syncline.errors, ProtocolError);
import_exception!(syncline.errors, QueueFullError);
import_exception!(syncline.errors, RestoreFailedError);
import_exception!(syncline.errors, StaleTokenError);
import_exception!(syncline.errors, TopicError);
import_exception!(syncline.errors, UnknownTransactionError);

pub(crate) fn decode(error: &DecodeError) -> PyErr {
    let code = error.reason_code();
    if code == ReasonCode::PACKET_TOO_LARGE {
        return LimitError::new_err(error.to_string());
    }
    ProtocolError::new_err((error.to_string(), code.0))
}

pub(crate) fn encode(error: &EncodeError) -> PyErr {
    match error {
        EncodeError::PacketTooLarge => LimitError::new_err(error.to_string()),
        _ => PacketError::new_err(error.to_string()),
    }
}

pub(crate) fn topic(error: &CoreTopicError) -> PyErr {
    TopicError::new_err(error.to_string())
}

pub(crate) fn config(error: &SessionConfigError) -> PyErr {
    ConfigError::new_err(error.to_string())
}

pub(crate) fn node(error: &NodeConfigError) -> PyErr {
    match error {
        NodeConfigError::Topic(inner) => topic(inner),
        _ => ConfigError::new_err(error.to_string()),
    }
}

pub(crate) fn submit(error: &SubmitError) -> PyErr {
    let text = error.to_string();
    match error {
        SubmitError::QueueFull => QueueFullError::new_err(text),
        SubmitError::NotConnected => NotConnectedError::new_err(text),
        SubmitError::Closing => ClosingError::new_err(text),
        SubmitError::StaleToken => StaleTokenError::new_err(text),
        SubmitError::Invalid(_) => PacketError::new_err(text),
        _ => match error.blame() {
            Blame::Misuse => MisuseError::new_err(text),
            Blame::Protocol => ProtocolError::new_err((text, ReasonCode::UNSPECIFIED_ERROR.0)),
            Blame::Incompatible => IncompatibleError::new_err(text),
            Blame::Limit => LimitError::new_err(text),
        },
    }
}

pub(crate) fn restore(error: &RestoreError) -> PyErr {
    match error {
        RestoreError::Config(inner) => config(inner),
        _ => RestoreFailedError::new_err(error.to_string()),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::NoSuchNode => MisuseError::new_err(refusal.to_string()),
        _ => LimitError::new_err(refusal.to_string()),
    }
}

pub(crate) fn respond(error: RespondError) -> PyErr {
    UnknownTransactionError::new_err(error.to_string())
}
