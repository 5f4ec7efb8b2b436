//! What a session hands out, each kind an object of its own.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use syncline_core::codec::{QoS, ReasonCode, Version};
use syncline_core::session::store::Change;
use syncline_core::session::{self, Completion, Details, DisconnectReason, Loss, Output, Reasons};
use syncline_core::time::Instant;

use crate::argument;
use crate::message::Message;
use crate::properties::Properties;

/// Open a transport to the server.
#[pyclass(module = "syncline.core", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct OpenTransport;

#[pymethods]
impl OpenTransport {
    #[new]
    fn new() -> Self {
        Self
    }

    fn __repr__(&self) -> &'static str {
        "OpenTransport()"
    }
}

/// Close the transport.
#[pyclass(module = "syncline.core", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct CloseTransport;

#[pymethods]
impl CloseTransport {
    #[new]
    fn new() -> Self {
        Self
    }

    fn __repr__(&self) -> &'static str {
        "CloseTransport()"
    }
}

/// What a server allows.
#[pyclass(module = "syncline.core", frozen, eq)]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct ServerLimits(pub(crate) session::ServerLimits);

#[pymethods]
impl ServerLimits {
    #[getter]
    fn receive_maximum(&self) -> u16 {
        self.0.receive_maximum
    }

    #[getter]
    fn maximum_qos(&self) -> u8 {
        self.0.maximum_qos as u8
    }

    #[getter]
    fn retain_available(&self) -> bool {
        self.0.retain_available
    }

    #[getter]
    fn maximum_packet_size(&self) -> u32 {
        self.0.maximum_packet_size
    }

    #[getter]
    fn wildcard_available(&self) -> bool {
        self.0.wildcard_available
    }

    #[getter]
    fn subscription_id_available(&self) -> bool {
        self.0.subscription_id_available
    }

    #[getter]
    fn shared_available(&self) -> bool {
        self.0.shared_available
    }

    #[getter]
    fn keep_alive(&self) -> f64 {
        self.0.keep_alive.as_secs_f64()
    }

    #[getter]
    fn topic_alias_maximum(&self) -> u16 {
        self.0.topic_alias_maximum
    }

    fn __repr__(&self) -> String {
        let limits = &self.0;
        let mut parts = vec![
            format!("receive_maximum={}", limits.receive_maximum),
            format!("maximum_packet_size={}", limits.maximum_packet_size),
        ];
        if limits.maximum_qos != QoS::ExactlyOnce {
            parts.push(format!("maximum_qos={}", limits.maximum_qos as u8));
        }
        for (name, available) in [
            ("retain", limits.retain_available),
            ("wildcard", limits.wildcard_available),
            ("subscription_id", limits.subscription_id_available),
            ("shared", limits.shared_available),
        ] {
            if !available {
                parts.push(format!("{name}_available=False"));
            }
        }
        format!("<ServerLimits: {}>", parts.join(", "))
    }
}

/// The server accepted the connection.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Connected {
    session_present: bool,
    version: &'static str,
    server: Py<ServerLimits>,
    session_expiry: Option<u32>,
    properties: Properties,
}

#[pymethods]
impl Connected {
    fn __repr__(&self) -> String {
        let session = if self.session_present { "resumed" } else { "new" };
        format!("<Connected by MQTT {}, {session} session>", self.version)
    }
}

/// The connection ended, or could not be made.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Disconnected {
    reason: &'static str,
    reason_code: u8,
    text: String,
    retry_at: Option<u64>,
    properties: Properties,
}

#[pymethods]
impl Disconnected {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        let Self { reason, text, .. } = self;
        let then = if self.retry_at.is_some() {
            "tries again"
        } else {
            "stays offline"
        };
        format!("<Disconnected ({reason}): {text}; {then}>")
    }
}

/// QoS 0: written to the transport. QoS 1 and 2: acknowledged.
#[pyclass(module = "syncline.core", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Published {
    #[pyo3(get)]
    op: u64,
    #[pyo3(get)]
    reason_code: u8,
    details: Details,
}

#[pymethods]
impl Published {
    #[getter]
    fn properties(&self) -> Properties {
        Properties::copied(self.details.properties())
    }

    #[getter]
    fn is_error(&self) -> bool {
        ReasonCode(self.reason_code).is_error()
    }

    fn __repr__(&self) -> String {
        format!("<Published op={}: {}>", self.op, ReasonCode(self.reason_code))
    }
}

/// The server answered a SUBSCRIBE.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Subscribed {
    op: u64,
    reason_codes: Vec<u8>,
    properties: Properties,
}

#[pymethods]
impl Subscribed {
    fn __repr__(&self) -> String {
        format!("<Subscribed op={}: {}>", self.op, codes(&self.reason_codes))
    }
}

/// The server answered an UNSUBSCRIBE.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Unsubscribed {
    op: u64,
    reason_codes: Vec<u8>,
    properties: Properties,
}

#[pymethods]
impl Unsubscribed {
    fn __repr__(&self) -> String {
        format!("<Unsubscribed op={}: {}>", self.op, codes(&self.reason_codes))
    }
}

/// The server accepted a re-authentication.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Authenticated {
    op: u64,
    properties: Properties,
}

#[pymethods]
impl Authenticated {
    fn __repr__(&self) -> String {
        format!("<Authenticated op={}>", self.op)
    }
}

/// An operation is over without an acknowledgement.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Lost {
    op: u64,
    loss: &'static str,
    text: String,
}

#[pymethods]
impl Lost {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<Lost op={}: {}>", self.op, self.text)
    }
}

/// Carry this out in the store.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct StoreOperation {
    seq: u64,
    key: u64,
    record: Option<Py<PyBytes>>,
    text: String,
}

#[pymethods]
impl StoreOperation {
    fn __repr__(&self) -> String {
        format!("<StoreOperation {}>", self.text)
    }
}

/// The server asks for authentication data.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct AuthChallenge {
    properties: Properties,
}

#[pymethods]
impl AuthChallenge {
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Bound::new(py, self.properties.clone())?.getattr("authentication_data")
    }

    fn __repr__(&self) -> &'static str {
        "<AuthChallenge>"
    }
}

/// The words of Reason Codes.
fn codes(codes: &[u8]) -> String {
    let words: Vec<_> = codes.iter().map(|code| ReasonCode(*code).to_string()).collect();
    words.join(", ")
}

fn object<'py, T>(py: Python<'py>, made: T) -> PyResult<Bound<'py, PyAny>>
where
    T: pyo3::PyClass + Into<PyClassInitializer<T>>,
{
    Ok(Bound::new(py, made)?.into_any())
}

/// An output as its object.
pub(crate) fn output<'py>(py: Python<'py>, output: Output) -> PyResult<Bound<'py, PyAny>> {
    match output {
        Output::OpenTransport => object(py, OpenTransport),
        Output::CloseTransport => object(py, CloseTransport),
        Output::Connected(facts) => object(
            py,
            Connected {
                session_present: facts.session_present,
                version: version(facts.version),
                server: Py::new(py, ServerLimits(facts.server))?,
                session_expiry: (facts.session_expiry != u32::MAX).then_some(facts.session_expiry),
                properties: details(&facts.details),
            },
        ),
        Output::Disconnected(end) => {
            let (reason, reason_code) = reason(&end.reason);
            let ended = Disconnected {
                reason,
                reason_code,
                text: end.reason.to_string(),
                retry_at: end.retry_at.map(Instant::as_micros),
                properties: details(&end.details),
            };
            object(py, ended)
        }
        Output::Message(message) => object(py, Message::received(py, &message)),
        Output::Completed(op, completion) => completed(py, op.to_u64(), completion),
        Output::Store(operation) => {
            let text = format!("{operation:?}");
            let record = match operation.change {
                Change::Put(record) => Some(PyBytes::new(py, &record).unbind()),
                Change::Delete => None,
            };
            object(
                py,
                StoreOperation {
                    seq: operation.seq,
                    key: operation.key.to_u64(),
                    record,
                    text,
                },
            )
        }
        Output::AuthChallenge(challenge) => object(
            py,
            AuthChallenge {
                properties: details(&challenge),
            },
        ),
    }
}

fn completed<'py>(py: Python<'py>, op: u64, completion: Completion) -> PyResult<Bound<'py, PyAny>> {
    let parts = |reasons: &Reasons| {
        let reason_codes: Vec<u8> = reasons.iter().map(|code| code.0).collect();
        (reason_codes, details(reasons.details()))
    };
    match completion {
        Completion::Published { reason, details } => object(
            py,
            Published {
                op,
                reason_code: reason.0,
                details,
            },
        ),
        Completion::Subscribed(reasons) => {
            let (reason_codes, properties) = parts(&reasons);
            object(
                py,
                Subscribed {
                    op,
                    reason_codes,
                    properties,
                },
            )
        }
        Completion::Unsubscribed(reasons) => {
            let (reason_codes, properties) = parts(&reasons);
            object(
                py,
                Unsubscribed {
                    op,
                    reason_codes,
                    properties,
                },
            )
        }
        Completion::Authenticated(told) => object(
            py,
            Authenticated {
                op,
                properties: details(&told),
            },
        ),
        Completion::Lost(why) => object(
            py,
            Lost {
                op,
                loss: loss(why),
                text: why.to_string(),
            },
        ),
    }
}

fn details(details: &Details) -> Properties {
    Properties::copied(details.properties())
}

pub(crate) fn version(version: Version) -> &'static str {
    match version {
        Version::V3_1_1 => "3.1.1",
        Version::V5 => "5",
    }
}

fn loss(loss: Loss) -> &'static str {
    match loss {
        Loss::LinkLost => "link-lost",
        Loss::SessionLost => "session-lost",
        Loss::Expired => "expired",
        Loss::Dropped => "dropped",
        Loss::Closed => "closed",
        Loss::NotAccepted(_) => "not-accepted",
        _ => "other",
    }
}

fn reason(reason: &DisconnectReason) -> (&'static str, u8) {
    match reason {
        DisconnectReason::TransportFailed => ("transport-failed", 0),
        DisconnectReason::ConnectTimeout => ("connect-timeout", 0),
        DisconnectReason::ConnackTimeout => ("connack-timeout", 0),
        DisconnectReason::Refused(code) => ("refused", code.0),
        DisconnectReason::ByServer(code) => ("by-server", code.0),
        DisconnectReason::TransportClosed => ("transport-closed", 0),
        DisconnectReason::PingTimeout => ("ping-timeout", 0),
        DisconnectReason::Malformed(error) => ("malformed", error.reason_code().0),
        DisconnectReason::Violation(violation) => ("violation", violation.reason.0),
        DisconnectReason::Requested => ("requested", 0),
        _ => ("other", 0),
    }
}

/// The words of a Reason Code.
#[pyfunction]
pub(crate) fn reason_text(#[pyo3(from_py_with = argument::reason_code)] reason_code: u8) -> String {
    ReasonCode(reason_code).to_string()
}
