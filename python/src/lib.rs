//! `syncline._native`: the core's machines for Python; the package `syncline` gives them their names and their types.

mod argument;
mod buffer;
mod config;
mod error;
mod message;
mod output;
mod packet;
mod properties;
mod registration;
mod requester;
mod responder;
mod session;
mod topic;

use pyo3::prelude::*;

/// The core of Syncline, compiled. Use the package `syncline`, where everything of this module has its documentation.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::output::{
        AuthChallenge, Authenticated, CloseTransport, Connected, Disconnected, Lost, OpenTransport,
        Published, ServerLimits, StoreOperation, Subscribed, Unsubscribed, reason_text,
    };
    #[pymodule_export]
    use super::packet::{decode_publish, encode_publish, peek};
    #[pymodule_export]
    use super::properties::Properties;
    #[pymodule_export]
    use super::registration::{
        Ask, Connect, Credentials, Delayed, Denied, Granted, Registration, StoreCredentials,
    };
    #[pymodule_export]
    use super::requester::{Completion, Requester, Treq};
    #[pymodule_export]
    use super::responder::{Fresh, Ignored, Repeated, Responder, tres_topic};
    #[pymodule_export]
    use super::session::{Restored, Session};
    #[pymodule_export]
    use super::topic::{TopicFilter, check_topic_name};
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
