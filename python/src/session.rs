//! The session: one input a call, then `poll` or `drain`, then `transmit`.

use bytes::Buf as _;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView};
use syncline_core::codec::ReasonCode;
use syncline_core::session::store::StoreKey;
use syncline_core::session::{self, Disconnect, OpId, Publication, Unfinished, When};
use syncline_core::time::{Instant, UnixMillis};

use crate::argument::{self, Text};
use crate::buffer::{BytesView, Lent, Payload};
use crate::config::{self, duration, quality};
use crate::error;
use crate::output::{self, ServerLimits};
use crate::properties::Properties;
use crate::topic;

/// Runs up to this size are copied: a view costs more.
const COPIED: usize = 4096;

/// An MQTT client session without IO.
#[pyclass(module = "syncline.core")]
pub(crate) struct Session(session::Session);

/// What a restored session goes on with.
#[pyclass(module = "syncline.core", frozen, get_all, eq)]
#[derive(PartialEq)]
pub(crate) struct Restored {
    queued: usize,
    in_flight: usize,
    received: usize,
}

#[pymethods]
impl Restored {
    fn __repr__(&self) -> String {
        let Self {
            queued,
            in_flight,
            received,
        } = self;
        format!("Restored(queued={queued}, in_flight={in_flight}, received={received})")
    }
}

/// The 32 bytes from which a machine draws its chance.
pub(crate) fn seed(given: &[u8]) -> PyResult<[u8; 32]> {
    given.try_into().map_err(|_| {
        error::ConfigError::new_err(format!(
            "seed is {} bytes long, expected 32: use os.urandom(32)",
            given.len()
        ))
    })
}

fn at(now_us: u64) -> Instant {
    Instant::from_micros(now_us)
}

#[pymethods]
impl Session {
    #[new]
    fn new(config: &Bound<'_, PyAny>, seed: &[u8]) -> PyResult<Self> {
        let made = session::Session::new(config::config(config)?, self::seed(seed)?);
        made.map(Self).map_err(|error| error::config(&error))
    }

    /// A session with a store, which goes on with what `records` hold.
    #[staticmethod]
    fn restore(
        config: &Bound<'_, PyAny>,
        seed: &[u8],
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        #[pyo3(from_py_with = argument::wall_ms)] wall_ms: u64,
        records: &Bound<'_, PyAny>,
    ) -> PyResult<(Self, Restored)> {
        let records = records
            .try_iter()?
            .map(|record| {
                let (key, record): (Bound<'_, PyAny>, Lent<'_>) = record?.extract()?;
                let key = argument::key(&key)?;
                Ok((StoreKey::from_u64(key), record.to_shared()))
            })
            .collect::<PyResult<Vec<_>>>()?;
        let config = config::config(config)?;
        let restored = session::Session::restore(
            config,
            self::seed(seed)?,
            at(now_us),
            UnixMillis(wall_ms),
            records,
        );
        let (made, restored) = restored.map_err(|error| error::restore(&error))?;
        let restored = Restored {
            queued: restored.queued,
            in_flight: restored.in_flight,
            received: restored.received,
        };
        Ok((Self(made), restored))
    }

    // Getters.

    #[getter]
    fn is_established(&self) -> bool {
        self.0.is_established()
    }

    #[getter]
    fn version(&self) -> Option<&'static str> {
        self.0.version().map(output::version)
    }

    #[getter]
    fn client_id(&self) -> &str {
        self.0.client_id()
    }

    #[getter]
    fn server_limits(&self) -> ServerLimits {
        ServerLimits(*self.0.server_limits())
    }

    #[getter]
    fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    #[getter]
    fn queued(&self) -> usize {
        self.0.queued()
    }

    #[getter]
    fn unfinished(&self) -> Vec<u64> {
        self.0.unfinished_messages().map(OpId::to_u64).collect()
    }

    #[getter]
    fn awaits_persisted(&self) -> Option<u64> {
        self.0.awaits_persisted()
    }

    // Commands.

    fn connect(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.connect(at(now_us));
    }

    #[pyo3(signature = (now_us, *, settle=0.0, reason_code=0, session_expiry=None, properties=None, keep=false))]
    fn disconnect(
        &mut self,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        #[pyo3(from_py_with = argument::settle)] settle: f64,
        #[pyo3(from_py_with = argument::reason_code)] reason_code: u8,
        #[pyo3(from_py_with = argument::optional::session_expiry)] session_expiry: Option<u32>,
        properties: Option<&Properties>,
        keep: bool,
    ) -> PyResult<()> {
        let settle = duration("settle", settle)?;
        let disconnect = Disconnect {
            when: if settle.is_zero() {
                When::Now
            } else {
                When::Settled(settle)
            },
            reason: ReasonCode(reason_code),
            session_expiry,
            properties: Properties::optional(properties),
            unfinished: if keep { Unfinished::Keep } else { Unfinished::Close },
        };
        let submitted = self.0.disconnect(at(now_us), disconnect);
        submitted.map_err(|error| error::submit(&error))
    }

    #[pyo3(signature = (now_us, topic, payload=None, *, qos=0, retain=false, expiry=None, properties=None,
                        transient=false))]
    #[expect(clippy::too_many_arguments, reason = "one for each field; Python names them")]
    fn publish(
        &mut self,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        topic: Text,
        payload: Option<Payload>,
        #[pyo3(from_py_with = argument::qos)] qos: u8,
        retain: bool,
        #[pyo3(from_py_with = argument::optional::expiry)] expiry: Option<f64>,
        properties: Option<&Properties>,
        transient: bool,
    ) -> PyResult<u64> {
        let publication = Publication {
            topic: topic::name(&topic)?,
            payload: payload.map(|payload| payload.0).unwrap_or_default(),
            qos: quality(qos)?,
            retain,
            properties: Properties::optional(properties),
            expiry: expiry.map(|expiry| duration("expiry", expiry)).transpose()?,
            lifetime: if transient {
                session::Lifetime::Process
            } else {
                session::Lifetime::Session
            },
        };
        match self.0.publish(at(now_us), publication) {
            Ok(op) => Ok(op.to_u64()),
            Err(refused) => Err(error::submit(&refused.reason)),
        }
    }

    #[pyo3(signature = (filters, *, properties=None))]
    fn subscribe(
        &mut self,
        filters: Vec<Bound<'_, PyAny>>,
        properties: Option<&Properties>,
    ) -> PyResult<u64> {
        let filters: Vec<_> = filters.iter().map(config::filter).collect::<PyResult<_>>()?;
        let submitted = self.0.subscribe(&filters, &Properties::optional(properties));
        submitted.map(OpId::to_u64).map_err(|error| error::submit(&error))
    }

    #[pyo3(signature = (topics, *, properties=None))]
    fn unsubscribe(&mut self, topics: Vec<Text>, properties: Option<&Properties>) -> PyResult<u64> {
        let filters: Vec<_> = topics
            .iter()
            .map(|text| topic::filter(text))
            .collect::<PyResult<_>>()?;
        let submitted = self.0.unsubscribe(&filters, &Properties::optional(properties));
        submitted.map(OpId::to_u64).map_err(|error| error::submit(&error))
    }

    fn acknowledge(&mut self, #[pyo3(from_py_with = argument::ack_token)] ack_token: u64) -> PyResult<()> {
        let submitted = self.0.acknowledge(session::AckToken::from_u64(ack_token));
        submitted.map_err(|error| error::submit(&error))
    }

    #[pyo3(signature = (now_us, data, *, properties=None))]
    fn authenticate(
        &mut self,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        data: Lent<'_>,
        properties: Option<&Properties>,
    ) -> PyResult<()> {
        let submitted = self
            .0
            .authenticate(at(now_us), &data.to_shared(), &Properties::optional(properties));
        submitted.map_err(|error| error::submit(&error))
    }

    #[pyo3(signature = (data, *, properties=None))]
    fn reauthenticate(&mut self, data: Lent<'_>, properties: Option<&Properties>) -> PyResult<u64> {
        let submitted = self
            .0
            .reauthenticate(&data.to_shared(), &Properties::optional(properties));
        submitted.map(OpId::to_u64).map_err(|error| error::submit(&error))
    }

    fn set_authentication_data(&mut self, data: Option<Lent<'_>>) -> PyResult<()> {
        let set = self.0.set_authentication_data(data.map(|data| data.to_shared()));
        set.map_err(|error| error::submit(&error))
    }

    fn set_credentials(&mut self, username: Option<Text>, password: Option<Payload>) -> PyResult<()> {
        let set = self.0.set_credentials(
            username.map(|text| text.to_owned()),
            password.map(|password| password.0),
        );
        set.map_err(|error| error::config(&error))
    }

    // Transport, time, store.

    fn handle_transport_open(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_transport_open(at(now_us));
    }

    fn handle_transport_closed(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_transport_closed(at(now_us));
    }

    fn handle_timeout(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_timeout(at(now_us));
    }

    fn handle_persisted(&mut self, #[pyo3(from_py_with = argument::seq)] seq: u64) {
        self.0.handle_persisted(seq);
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.0.poll_timeout().map(Instant::as_micros)
    }

    // Bytes.

    /// Takes in what fits of `data` from `start` on, and returns how much that was.
    #[pyo3(signature = (data, start=0))]
    fn receive(&mut self, data: Lent<'_>, #[pyo3(from_py_with = argument::start)] start: usize) -> usize {
        let mut taken = 0;
        loop {
            let space = self.0.rx_space();
            let n = data.copy_to(start.saturating_add(taken), space);
            if n == 0 {
                return taken;
            }
            self.0.rx_commit(n);
            taken += n;
        }
    }

    /// What waits to be written, front first.
    fn transmit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut waiting = self.0.transmit();
        let runs = PyList::empty(py);
        while waiting.has_remaining() {
            let run = waiting.chunk();
            let len = run.len();
            if len <= COPIED {
                runs.append(PyBytes::new(py, run))?;
                waiting.advance(len);
            } else {
                let view = Bound::new(py, BytesView(waiting.copy_to_bytes(len)))?;
                runs.append(PyMemoryView::from(&view)?)?;
            }
        }
        Ok(runs)
    }

    fn tx_advance(
        &mut self,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        #[pyo3(from_py_with = argument::n)] n: usize,
    ) {
        self.0.tx_advance(at(now_us), n);
    }

    /// Bytes that wait to be written.
    #[getter]
    fn unwritten(&self) -> usize {
        self.0.transmit().remaining()
    }

    // Output.

    fn poll<'py>(
        &mut self,
        py: Python<'py>,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let next = self.0.poll(at(now_us));
        next.map(|next| output::output(py, next)).transpose()
    }

    fn drain<'py>(
        &mut self,
        py: Python<'py>,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let outputs = PyList::empty(py);
        while let Some(next) = self.0.poll(at(now_us)) {
            outputs.append(output::output(py, next)?)?;
        }
        Ok(outputs)
    }

    fn __repr__(&self) -> String {
        let state = match (self.0.is_established(), self.0.version()) {
            (true, _) => "connected",
            (false, Some(_)) => "connecting or closing",
            (false, None) => "offline",
        };
        format!(
            "<Session of {:?}, {state}, {} in flight, {} queued>",
            self.0.client_id(),
            self.0.in_flight(),
            self.0.queued()
        )
    }
}
