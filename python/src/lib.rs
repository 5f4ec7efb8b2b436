//! `syncline._native`: the core's codec and requester for Python, in plain types; the façade gives them their names.

mod error;
mod packet;
mod requester;

use pyo3::prelude::*;

/// The core of Syncline, compiled. Use the package `syncline`, which gives types to what this takes and returns.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::error::{LimitError, ProtocolError, SynclineError};
    #[pymodule_export]
    use super::packet::{decode_publish, encode_publish, peek};
    #[pymodule_export]
    use super::requester::Requester;
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
