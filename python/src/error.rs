//! Exceptions by blame: the peer, a limit; for misuse Python's own `ValueError` and `KeyError`.

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyKeyError, PyValueError};
use pyo3::prelude::*;
use syncline_core::codec::{DecodeError, EncodeError, ReasonCode};
use syncline_core::flowsync::Refusal;

create_exception!(
    syncline,
    SynclineError,
    PyException,
    "What all errors of this package have in common."
);
create_exception!(
    syncline,
    ProtocolError,
    SynclineError,
    "The peer broke the protocol; `reason_code` is the answer."
);
create_exception!(
    syncline,
    LimitError,
    SynclineError,
    "A limit was reached: wait, ask for less, or raise it."
);

pub(crate) fn decode(py: Python<'_>, error: &DecodeError) -> PyErr {
    if error.reason_code() == ReasonCode::PACKET_TOO_LARGE {
        return LimitError::new_err(error.to_string());
    }
    let raised = ProtocolError::new_err(error.to_string());
    match raised.value(py).setattr("reason_code", error.reason_code().0) {
        Ok(()) => raised,
        Err(failed) => failed,
    }
}

pub(crate) fn encode(error: &EncodeError) -> PyErr {
    match error {
        EncodeError::PacketTooLarge => LimitError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::NoSuchNode => PyKeyError::new_err(refusal.to_string()),
        _ => LimitError::new_err(refusal.to_string()),
    }
}
