//! The asking side of FlowSync.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::value::RawValue;
use syncline_core::codec::ReasonCode;
use syncline_core::flowsync::{
    self, Delivery, NodeConfig, NodeId, Outcome, Refusal, TransactionId, Undeliverable,
};
use syncline_core::time::{Instant, UnixMillis};

use crate::argument::{self, Text};
use crate::buffer::Lent;
use crate::config::{duration, quality};
use crate::error::{self, MisuseError, PacketError};
use crate::session::seed;

/// Open transactions, joined to their replies by id.
#[pyclass(module = "syncline.core")]
pub(crate) struct Requester(flowsync::Requester);

/// A request to publish.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Treq {
    transaction: String,
    topic: String,
    qos: u8,
    payload: Py<PyBytes>,
    deadline: u64,
}

#[pymethods]
impl Treq {
    fn __repr__(&self) -> String {
        format!("<Treq {} on {:?}>", self.transaction, self.topic)
    }
}

/// The end of a transaction.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Completion {
    token: u64,
    transaction: String,
    outcome: &'static str,
    value: Option<String>,
    code: i64,
    code_name: Option<String>,
    message: String,
}

#[pymethods]
impl Completion {
    fn __repr__(&self) -> String {
        format!("<Completion of {}: {}>", self.transaction, self.outcome)
    }
}

#[pymethods]
impl Requester {
    #[new]
    fn new(seed: &[u8]) -> PyResult<Self> {
        Ok(Self(flowsync::Requester::new(self::seed(seed)?)))
    }

    #[pyo3(signature = (base, *, qos=0, timeout=2.0, timeout_error_code=500, timeout_error_message=None,
                        max_in_flight=10_000))]
    fn add_node(
        &mut self,
        base: Text,
        #[pyo3(from_py_with = argument::qos)] qos: u8,
        #[pyo3(from_py_with = argument::timeout)] timeout: f64,
        #[pyo3(from_py_with = argument::timeout_error_code)] timeout_error_code: u32,
        timeout_error_message: Option<Text>,
        #[pyo3(from_py_with = argument::max_in_flight)] max_in_flight: usize,
    ) -> PyResult<u64> {
        let message = timeout_error_message.as_deref();
        let message = message.unwrap_or(NodeConfig::DEFAULT_TIMEOUT_ERROR_MESSAGE);
        let timeout = duration("timeout", timeout)?;
        let config = NodeConfig::new(&base)
            .and_then(|config| config.timeout(timeout))
            .and_then(|config| config.max_in_flight(max_in_flight))
            .map_err(|error| error::node(&error))?;
        let config = config
            .qos(quality(qos)?)
            .timeout_error(timeout_error_code, message);
        self.0.add_node(config).map(NodeId::to_u64).ok_or_else(|| {
            MisuseError::new_err("a node with this topic exists, or there is no room for another node")
        })
    }

    fn remove_node(&mut self, #[pyo3(from_py_with = argument::node)] node: u64) -> PyResult<()> {
        match self.0.remove_node(NodeId::from_u64(node)) {
            Some(_) => Ok(()),
            None => Err(error::refusal(Refusal::NoSuchNode)),
        }
    }

    #[pyo3(signature = (now_us, wall_ms, node, value, *, token, timeout=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "as many as the core's; Python names them"
    )]
    fn begin(
        &mut self,
        py: Python<'_>,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        #[pyo3(from_py_with = argument::wall_ms)] wall_ms: u64,
        #[pyo3(from_py_with = argument::node)] node: u64,
        value: Text,
        #[pyo3(from_py_with = argument::token)] token: u64,
        #[pyo3(from_py_with = argument::optional::timeout)] timeout: Option<f64>,
    ) -> PyResult<Treq> {
        let value = json(&value)?;
        let (now, wall) = (Instant::from_micros(now_us), UnixMillis(wall_ms));
        let timeout = timeout.map(|timeout| duration("timeout", timeout)).transpose()?;
        let treq = self
            .0
            .begin(now, wall, NodeId::from_u64(node), value, token, timeout)
            .map_err(error::refusal)?;
        Ok(Treq {
            transaction: treq.transaction.to_string(),
            topic: treq.topic.as_str().to_owned(),
            qos: treq.qos as u8,
            payload: PyBytes::new(py, &treq.payload).unbind(),
            deadline: treq.deadline.as_micros(),
        })
    }

    #[pyo3(signature = (topic, payload, *, retain=false))]
    fn handle_message(&mut self, topic: Text, payload: Lent<'_>, retain: bool) -> &'static str {
        match self.0.handle_message(&topic, &payload.to_shared(), retain) {
            Delivery::NotMine => "not-mine",
            Delivery::Completed(_) => "completed",
            Delivery::Ignored(_) => "ignored",
        }
    }

    fn handle_timeout(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_timeout(Instant::from_micros(now_us));
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.0.poll_timeout().map(Instant::as_micros)
    }

    fn poll(&mut self) -> PyResult<Option<Completion>> {
        let Some(flowsync::Completion {
            token,
            transaction,
            outcome,
        }) = self.0.poll()
        else {
            return Ok(None);
        };
        let code_name = match &outcome {
            Outcome::Failed { code, .. } => code.name().map(|name| name.as_str().to_owned()),
            _ => None,
        };
        let (outcome, value, code, message) = match outcome {
            Outcome::Replied { value } => (
                "replied",
                Some(String::from_utf8(value.into())?),
                0,
                String::new(),
            ),
            Outcome::Failed { code, message } => ("failed", None, code.number(), message),
            Outcome::TimedOut { code, message } => {
                ("timed-out", None, code.into(), message.as_ref().to_owned())
            }
            Outcome::Cancelled => ("cancelled", None, 0, String::new()),
            Outcome::Undeliverable(why) => ("undeliverable", None, 0, why.to_string()),
        };
        Ok(Some(Completion {
            token,
            transaction: transaction.to_string(),
            outcome,
            value,
            code,
            code_name,
            message,
        }))
    }

    fn abort(&mut self, transaction: Text) -> PyResult<()> {
        self.0.abort(self::transaction(&transaction)?);
        Ok(())
    }

    /// The treq did not reach the server: refused with this Reason Code, or lost with its connection.
    #[pyo3(signature = (transaction, reason_code=None))]
    fn undeliverable(
        &mut self,
        transaction: Text,
        #[pyo3(from_py_with = argument::optional::reason_code)] reason_code: Option<u8>,
    ) -> PyResult<()> {
        let why = reason_code.map_or(Undeliverable::LinkLost, |code| {
            Undeliverable::Refused(ReasonCode(code))
        });
        self.0.undeliverable(self::transaction(&transaction)?, why);
        Ok(())
    }

    fn cancel_all(&mut self) {
        self.0.cancel_all();
    }

    #[getter]
    fn open(&self) -> usize {
        self.0.open()
    }

    fn __repr__(&self) -> String {
        format!("<Requester with {} transactions open>", self.0.open())
    }
}

/// One JSON text.
pub(crate) fn json(text: &str) -> PyResult<&RawValue> {
    serde_json::from_str(text)
        .map_err(|error| PacketError::new_err(format!("value is not one JSON text: {error}")))
}

pub(crate) fn transaction(text: &str) -> PyResult<TransactionId> {
    text.parse()
        .map_err(|error: flowsync::InvalidTransactionId| PacketError::new_err(error.to_string()))
}
