//! The asking side of FlowSync.

use bytes::Bytes;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::value::RawValue;
use syncline_core::flowsync::{self, Delivery, NodeConfig, NodeId, Outcome, TransactionId};
use syncline_core::time::{Duration, Instant, UnixMillis};

use crate::error;
use crate::packet::quality;

/// Transaction, topic, QoS, payload, deadline.
type Treq<'py> = (String, String, u8, Bound<'py, PyBytes>, u64);

/// Token, transaction, outcome, code, and the value's JSON text or the message.
type Completion = (u64, String, &'static str, i64, String);

/// Open transactions, joined to their replies by id.
#[pyclass(module = "syncline._native")]
pub(crate) struct Requester(flowsync::Requester);

#[pymethods]
impl Requester {
    #[new]
    fn new(seed: &[u8]) -> PyResult<Self> {
        let length = seed.len();
        let seed = seed.try_into().map_err(|_| {
            PyValueError::new_err(format!(
                "seed is {length} bytes long, expected 32: use os.urandom(32)"
            ))
        })?;
        Ok(Self(flowsync::Requester::new(seed)))
    }

    /// Adds a node and returns its number.
    #[pyo3(signature = (base, *, qos, timeout_ms, timeout_error_code, timeout_error_message, max_in_flight))]
    fn add_node(
        &mut self,
        base: &str,
        qos: u8,
        timeout_ms: u64,
        timeout_error_code: u32,
        timeout_error_message: Option<&str>,
        max_in_flight: usize,
    ) -> PyResult<u64> {
        let message = timeout_error_message.unwrap_or(NodeConfig::DEFAULT_TIMEOUT_ERROR_MESSAGE);
        let qos = quality(qos)?;
        let config = NodeConfig::new(base)
            .and_then(|config| config.timeout(Duration::from_millis(timeout_ms)))
            .and_then(|config| config.max_in_flight(max_in_flight))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let node = self
            .0
            .add_node(config.qos(qos).timeout_error(timeout_error_code, message));
        let refused =
            || PyValueError::new_err("a node with this topic exists, or there is no room for another node");
        Ok(node.ok_or_else(refused)?.to_u64())
    }

    /// Removes a node; its open transactions end as cancelled.
    fn remove_node(&mut self, node: u64) -> PyResult<()> {
        let removed = self.0.remove_node(NodeId::from_u64(node));
        removed
            .map(|_| ())
            .ok_or_else(|| PyKeyError::new_err("no such node"))
    }

    /// Begins a transaction with `value`, a JSON text, and returns the message to publish.
    #[pyo3(signature = (now, wall, node, value, *, token, timeout_ms))]
    #[expect(
        clippy::too_many_arguments,
        reason = "as many as the core's; Python names the last ones"
    )]
    fn begin<'py>(
        &mut self,
        py: Python<'py>,
        now: u64,
        wall: u64,
        node: u64,
        value: &str,
        token: u64,
        timeout_ms: Option<u64>,
    ) -> PyResult<Treq<'py>> {
        let value: &RawValue = serde_json::from_str(value)
            .map_err(|error| PyValueError::new_err(format!("value is not one JSON text: {error}")))?;
        let (now, wall, node) = (
            Instant::from_micros(now),
            UnixMillis(wall),
            NodeId::from_u64(node),
        );
        let timeout = timeout_ms.map(Duration::from_millis);
        let treq = self
            .0
            .begin(now, wall, node, value, token, timeout)
            .map_err(error::refusal)?;
        Ok((
            treq.transaction.to_string(),
            treq.topic.as_str().to_owned(),
            treq.qos as u8,
            PyBytes::new(py, &treq.payload),
            treq.deadline.as_micros(),
        ))
    }

    /// Takes in a message: `None` when no node reads the topic, else whether it ended a transaction.
    #[pyo3(signature = (topic, payload, *, retained))]
    fn handle_message(&mut self, topic: &str, payload: &[u8], retained: bool) -> Option<bool> {
        match self
            .0
            .handle_message(topic, &Bytes::copy_from_slice(payload), retained)
        {
            Delivery::NotMine => None,
            Delivery::Completed(_) => Some(true),
            Delivery::Ignored(_) => Some(false),
        }
    }

    /// Ends every transaction whose deadline has come.
    fn handle_timeout(&mut self, now: u64) {
        self.0.handle_timeout(Instant::from_micros(now));
    }

    /// When `handle_timeout` next has something to do.
    fn poll_timeout(&self) -> Option<u64> {
        self.0.poll_timeout().map(Instant::as_micros)
    }

    /// The next transaction that has ended.
    fn poll(&mut self) -> PyResult<Option<Completion>> {
        let Some(flowsync::Completion {
            token,
            transaction,
            outcome,
        }) = self.0.poll()
        else {
            return Ok(None);
        };
        let (outcome, code, text) = match outcome {
            Outcome::Replied { value } => ("replied", 0, String::from_utf8(value.into())?),
            Outcome::Failed { code, message } => ("failed", code, message),
            Outcome::TimedOut { code, message } => ("timed_out", code.into(), message.as_ref().to_owned()),
            Outcome::Cancelled => ("cancelled", 0, String::new()),
            Outcome::Undeliverable(why) => ("undeliverable", 0, why.to_string()),
        };
        Ok(Some((token, transaction.to_string(), outcome, code, text)))
    }

    /// The client of a transaction went away: it ends without a completion.
    fn abort(&mut self, transaction: &str) -> PyResult<()> {
        let transaction = transaction.parse::<TransactionId>();
        self.0
            .abort(transaction.map_err(|error| PyValueError::new_err(error.to_string()))?);
        Ok(())
    }

    /// Ends every open transaction as cancelled.
    fn cancel_all(&mut self) {
        self.0.cancel_all();
    }
}
