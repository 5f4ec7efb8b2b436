//! The answering side of FlowSync.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use syncline_core::flowsync::{self, Answer, Incoming, ResponderConfig};
use syncline_core::time::{Instant, UnixMillis};

use crate::argument::{self, Text};
use crate::buffer::Lent;
use crate::config::duration;
use crate::error;
use crate::requester::{json, transaction};

/// Transactions to answer, each handed out once.
#[pyclass(module = "syncline.core")]
pub(crate) struct Responder(flowsync::Responder);

/// What a treq asks, to be answered.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Fresh {
    transaction: String,
    timestamp: Option<u64>,
    value: String,
    deadline: Option<u64>,
}

#[pymethods]
impl Fresh {
    fn __repr__(&self) -> String {
        format!("<Fresh transaction {}>", self.transaction)
    }
}

/// A treq that has an answer: publish it again.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Repeated {
    tres: Py<PyBytes>,
}

#[pymethods]
impl Repeated {
    fn __repr__(&self) -> &'static str {
        "<Repeated>"
    }
}

/// A treq with which nothing is to be done.
#[pyclass(module = "syncline.core", frozen, get_all, eq)]
#[derive(PartialEq)]
pub(crate) struct Ignored {
    reason: &'static str,
    text: String,
}

#[pymethods]
impl Ignored {
    fn __repr__(&self) -> String {
        format!("<Ignored: {}>", self.text)
    }
}

#[pymethods]
impl Responder {
    #[new]
    #[pyo3(signature = (*, max_transactions=10_000, max_answer_bytes=1_048_576, retention=60.0))]
    fn new(
        #[pyo3(from_py_with = argument::max_transactions)] max_transactions: usize,
        #[pyo3(from_py_with = argument::max_answer_bytes)] max_answer_bytes: usize,
        #[pyo3(from_py_with = argument::retention)] retention: f64,
    ) -> PyResult<Self> {
        Ok(Self(flowsync::Responder::new(ResponderConfig {
            max_transactions,
            max_answer_bytes,
            retention: duration("retention", retention)?,
        })))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[pyo3(signature = (now_us, payload, *, message_expiry=None))]
    fn handle_request<'py>(
        &mut self,
        py: Python<'py>,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        payload: Lent<'_>,
        #[pyo3(from_py_with = argument::optional::message_expiry)] message_expiry: Option<u32>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let expiry = message_expiry.map(|seconds| Duration::from_secs(seconds.into()));
        let ignored = |reason, text: &str| {
            let text = text.to_owned();
            Ok(Bound::new(py, Ignored { reason, text })?.into_any())
        };
        match self
            .0
            .handle_request(Instant::from_micros(now_us), &payload.to_shared(), expiry)
        {
            Incoming::Fresh {
                transaction,
                timestamp,
                value,
                deadline,
            } => {
                let fresh = Fresh {
                    transaction: transaction.to_string(),
                    timestamp: timestamp.map(|UnixMillis(millis)| millis),
                    value: String::from_utf8(value.into())?,
                    deadline: deadline.map(Instant::as_micros),
                };
                Ok(Bound::new(py, fresh)?.into_any())
            }
            Incoming::Repeated(tres) => {
                let tres = PyBytes::new(py, &tres).unbind();
                Ok(Bound::new(py, Repeated { tres })?.into_any())
            }
            Incoming::InProgress => ignored("in-progress", "its answer will serve both"),
            Incoming::Malformed(why) => ignored("malformed", &why.to_string()),
            Incoming::Overloaded => ignored("overloaded", "all transactions are in progress"),
        }
    }

    fn respond<'py>(
        &mut self,
        py: Python<'py>,
        #[pyo3(from_py_with = argument::wall_ms)] wall_ms: u64,
        transaction: Text,
        value: Text,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let value = json(&value)?;
        self.answer(py, wall_ms, &transaction, &Answer::Value(value))
    }

    fn fail<'py>(
        &mut self,
        py: Python<'py>,
        #[pyo3(from_py_with = argument::wall_ms)] wall_ms: u64,
        transaction: Text,
        #[pyo3(from_py_with = argument::code)] code: i64,
        message: Text,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let message = &*message;
        self.answer(py, wall_ms, &transaction, &Answer::Error { code, message })
    }

    fn handle_timeout(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_timeout(Instant::from_micros(now_us));
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.0.poll_timeout().map(Instant::as_micros)
    }

    fn __repr__(&self) -> String {
        format!("<Responder that remembers {} transactions>", self.0.len())
    }
}

impl Responder {
    fn answer<'py>(
        &mut self,
        py: Python<'py>,
        wall_ms: u64,
        id: &str,
        answer: &Answer<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let tres = self.0.respond(UnixMillis(wall_ms), transaction(id)?, answer);
        let tres = tres.map_err(error::respond)?;
        Ok(PyBytes::new(py, &tres))
    }
}

/// The topic of the answer to a treq on this topic; `None` where it is none of a treq.
#[pyfunction]
pub(crate) fn tres_topic(treq_topic: Text) -> Option<String> {
    flowsync::tres_topic(&treq_topic)
}
