//! Numbers and texts as Python gives them: what does not fit is the caller's fault, in words that name the argument.

use std::ops::Deref;

use pyo3::exceptions::{PyOverflowError, PyUnicodeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::error::PacketError;

/// A number that an argument can be.
pub(crate) trait Number: Sized {
    /// Which ones, in words.
    const RANGE: &str;
}

macro_rules! ranges {
    ($($kind:ty: $range:literal,)+) => {$(
        impl Number for $kind {
            const RANGE: &str = $range;
        }
    )+};
}

ranges! {
    u8: "0 to 255",
    u16: "0 to 65535",
    u32: "0 to 4294967295",
    u64: "0 to 2**64 - 1",
    usize: "0 to 2**64 - 1",
    i64: "-2**63 to 2**63 - 1",
    f64: "seconds, 0 or more",
}

fn number<'py, T>(name: &str, given: &Bound<'py, PyAny>) -> PyResult<T>
where
    T: Number + for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    given
        .extract()
        .map_err(|error: <T as FromPyObject<'_, 'py>>::Error| {
            let error: PyErr = error.into();
            if error.is_instance_of::<PyOverflowError>(given.py()) {
                return PacketError::new_err(format!("{name} is out of range, expected {}", T::RANGE));
            }
            error
        })
}

/// A function by which the argument of its name is read, and in `optional` one for where it may be `None`.
macro_rules! numbers {
    ($($name:ident: $kind:ty,)+) => {
        $(
            pub(crate) fn $name(given: &Bound<'_, PyAny>) -> PyResult<$kind> {
                number(stringify!($name), given)
            }
        )+

        /// The same, where the argument may be `None`.
        pub(crate) mod optional {
            use super::*;

            $(
                #[allow(dead_code, reason = "an argument may be optional in no function")]
                pub(crate) fn $name(given: &Bound<'_, PyAny>) -> PyResult<Option<$kind>> {
                    if given.is_none() {
                        return Ok(None);
                    }
                    super::$name(given).map(Some)
                }
            )+
        }
    };
}

numbers! {
    ack_token: u64,
    code: i64,
    expiry: f64,
    key: u64,
    max_answer_bytes: usize,
    max_in_flight: usize,
    max_packet_size: u32,
    max_transactions: usize,
    message_expiry: u32,
    n: usize,
    node: u64,
    now_us: u64,
    packet_id: u16,
    qos: u8,
    reason_code: u8,
    retain_handling: u8,
    retention: f64,
    seq: u64,
    session_expiry: u32,
    settle: f64,
    start: usize,
    status: u16,
    subscription_identifier: u32,
    timeout: f64,
    timeout_error_code: u32,
    token: u64,
    version: u8,
    wall_ms: u64,
    will_delay: u32,
}

/// A text, which is Unicode all through: Python's own may hold halves of surrogate pairs.
#[derive(Debug)]
pub(crate) struct Text(PyBackedStr);

impl FromPyObject<'_, '_> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        object
            .extract()
            .map(Self)
            .map_err(|error| unicode(object.py(), error))
    }
}

/// The same error, or where a text is no Unicode one that says so.
pub(crate) fn unicode(py: Python<'_>, error: PyErr) -> PyErr {
    if error.is_instance_of::<PyUnicodeError>(py) {
        return PacketError::new_err("text is not Unicode: half of a surrogate pair stands alone in it");
    }
    error
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
