//! A received message: topic and payload as Python's own objects, the rest as it came.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyMemoryView, PyString};
use syncline_core::codec::PropertyBuf;
use syncline_core::session;

use crate::argument;
use crate::buffer::{BytesView, Payload};
use crate::config::quality;
use crate::properties::Properties;

/// Payloads up to this size are copied out of the receive buffer at once: a small message must not keep it alive.
const COPIED: usize = 4096;

/// An Application Message from the server.
#[pyclass(module = "syncline.core", frozen)]
pub(crate) struct Message {
    topic: Py<PyString>,
    payload: Content,
    properties: Option<Box<PropertyBuf>>,
    qos: u8,
    retain: bool,
    dup: bool,
    ack_token: Option<u64>,
}

enum Content {
    Copied(Py<PyBytes>),
    /// Copied when it is first asked for.
    Shared(Bytes, PyOnceLock<Py<PyBytes>>),
}

impl Content {
    fn new(py: Python<'_>, message: &session::Message) -> Self {
        if message.payload().len() <= COPIED {
            Self::Copied(PyBytes::new(py, message.payload()).unbind())
        } else {
            Self::Shared(message.payload_bytes(), PyOnceLock::new())
        }
    }

    fn bytes<'py>(&self, py: Python<'py>) -> &Bound<'py, PyBytes> {
        match self {
            Self::Copied(bytes) => bytes.bind(py),
            Self::Shared(shared, copy) => copy
                .get_or_init(py, || PyBytes::new(py, shared).unbind())
                .bind(py),
        }
    }

    fn as_slice<'a>(&'a self, py: Python<'a>) -> &'a [u8] {
        match self {
            Self::Copied(bytes) => bytes.as_bytes(py),
            Self::Shared(shared, _) => shared,
        }
    }
}

impl Message {
    pub(crate) fn received(py: Python<'_>, message: &session::Message) -> Self {
        let properties = message.properties();
        Self {
            topic: PyString::new(py, message.topic()).unbind(),
            payload: Content::new(py, message),
            properties: (!properties.is_empty()).then(|| Box::new(properties.into())),
            qos: message.qos() as u8,
            retain: message.retain(),
            dup: message.dup(),
            ack_token: message.ack_token().map(session::AckToken::to_u64),
        }
    }
}

#[pymethods]
impl Message {
    #[new]
    #[pyo3(signature = (topic, payload=None, *, qos=0, retain=false, dup=false, properties=None, ack_token=None))]
    #[expect(clippy::too_many_arguments, reason = "one for each field; Python names them")]
    fn new(
        py: Python<'_>,
        topic: Bound<'_, PyString>,
        payload: Option<Payload>,
        #[pyo3(from_py_with = argument::qos)] qos: u8,
        retain: bool,
        dup: bool,
        properties: Option<Properties>,
        #[pyo3(from_py_with = argument::optional::ack_token)] ack_token: Option<u64>,
    ) -> PyResult<Self> {
        let payload = payload.map(|payload| payload.0).unwrap_or_default();
        Ok(Self {
            topic: topic.unbind(),
            payload: Content::Copied(PyBytes::new(py, &payload).unbind()),
            properties: properties.map(|it| Box::new(Properties::optional(Some(&it)))),
            qos: quality(qos)? as u8,
            retain,
            dup,
            ack_token,
        })
    }

    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.topic.bind(py)
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> &Bound<'py, PyBytes> {
        self.payload.bytes(py)
    }

    /// The payload without a copy.
    #[getter]
    fn payload_view<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        match &self.payload {
            Content::Copied(bytes) => PyMemoryView::from(bytes.bind(py)),
            Content::Shared(shared, _) => {
                let view = Bound::new(py, BytesView(shared.clone()))?;
                PyMemoryView::from(&view)
            }
        }
    }

    #[getter]
    fn qos(&self) -> u8 {
        self.qos
    }

    #[getter]
    fn retain(&self) -> bool {
        self.retain
    }

    #[getter]
    fn dup(&self) -> bool {
        self.dup
    }

    #[getter]
    fn properties(&self) -> Properties {
        let properties = self.properties.as_deref().map(PropertyBuf::as_properties);
        properties.map_or_else(Properties::default, Properties::copied)
    }

    #[getter]
    fn ack_token(&self) -> Option<u64> {
        self.ack_token
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        let same = (self.qos, self.retain, self.dup, self.ack_token)
            == (other.qos, other.retain, other.dup, other.ack_token);
        Ok(same
            && self.properties == other.properties
            && self.topic.bind(py).to_str()? == other.topic.bind(py).to_str()?
            && self.payload.as_slice(py) == other.payload.as_slice(py))
    }

    /// Shows sizes, never the payload.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = format!(
            "<Message on {} of {} bytes, qos={}",
            self.topic.bind(py).repr()?,
            self.payload.as_slice(py).len(),
            self.qos
        );
        for (word, is_set) in [
            (", retained", self.retain),
            (", maybe repeated", self.dup),
            (", to acknowledge", self.ack_token.is_some()),
        ] {
            if is_set {
                text += word;
            }
        }
        Ok(text + ">")
    }
}
