//! Registration: how an agent that nobody knows comes to be let in.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use syncline_core::codec::ReasonCode;
use syncline_core::registration::{self, Answer, Config, Failure, Login, Mode, Obstacle, Output};
use syncline_core::time::{Instant, UnixMillis};

use crate::argument::{self, Text};
use crate::buffer::Lent;
use crate::error::{ConfigError, PacketError};
use crate::session::seed;

/// The registration of one agent.
#[pyclass(module = "syncline.core")]
pub(crate) struct Registration(registration::Registration);

/// User name and password.
#[pyclass(module = "syncline.core", frozen)]
pub(crate) struct Credentials(registration::Credentials);

#[pymethods]
impl Credentials {
    #[new]
    fn new(username: Text, password: Text) -> PyResult<Self> {
        let made = registration::Credentials::new(&*username, &*password);
        made.map(Self)
            .map_err(|error| ConfigError::new_err(error.to_string()))
    }

    #[getter]
    fn username(&self) -> &str {
        self.0.username()
    }

    #[getter]
    fn password(&self) -> &str {
        self.0.password()
    }

    /// What both sides show of them.
    #[getter]
    fn pairing_id(&self) -> String {
        self.0.pairing_id().to_string()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Leaves out the password.
    fn __repr__(&self) -> String {
        format!(
            "<Credentials of {:?}, pairing id {}>",
            self.0.username(),
            self.0.pairing_id()
        )
    }
}

/// Store these credentials.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct StoreCredentials {
    credentials: Py<Credentials>,
}

/// Make this HTTP request.
#[pyclass(module = "syncline.core", frozen)]
pub(crate) struct Ask(registration::Request);

#[pymethods]
impl Ask {
    #[getter]
    fn method(&self) -> &'static str {
        self.0.method
    }

    #[getter]
    fn path(&self) -> &'static str {
        self.0.path
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    /// Leaves out the body.
    fn __repr__(&self) -> String {
        format!("<Ask {} {}>", self.0.method, self.0.path)
    }
}

/// Connect with these credentials.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Connect {
    credentials: Option<Py<Credentials>>,
}

/// Registry or broker did not accept the agent; it is tried again.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Delayed {
    obstacle: &'static str,
    text: String,
    pairing_id: Option<String>,
    retry_at: Option<u64>,
}

#[pymethods]
impl Delayed {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<Delayed ({}): {}>", self.obstacle, self.text)
    }
}

/// The registry accepted the agent.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Granted {
    certificate: Option<String>,
}

/// The registry will never accept this request.
#[pyclass(module = "syncline.core", frozen, get_all)]
pub(crate) struct Denied {
    status: u16,
    text: String,
}

#[pymethods]
impl Denied {
    fn __str__(&self) -> &str {
        &self.text
    }
}

#[pymethods]
impl Registration {
    #[new]
    #[pyo3(signature = (username, credentials=None, *, seed, mode=Mode::Auto, csr=None),
           text_signature = "(username, credentials=None, *, seed, mode='auto', csr=None)")]
    fn new(
        username: Text,
        credentials: Option<&Credentials>,
        seed: &[u8],
        #[pyo3(from_py_with = mode)] mode: Mode,
        csr: Option<Text>,
    ) -> PyResult<Self> {
        let login = match credentials {
            Some(credentials) => Login::Stored(credentials.0.clone()),
            None => Login::New {
                username: username.to_owned(),
            },
        };
        let csr = csr.map(|text| text.to_owned());
        let config = Config { mode, login, csr };
        let made = registration::Registration::new(config, self::seed(seed)?);
        made.map(Self)
            .map_err(|error| ConfigError::new_err(error.to_string()))
    }

    /// What both sides show of the credentials.
    #[getter]
    fn pairing_id(&self) -> Option<String> {
        self.0.pairing_id().map(|id| id.to_string())
    }

    fn start(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.start(Instant::from_micros(now_us));
    }

    fn stop(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.stop(Instant::from_micros(now_us));
    }

    fn handle_stored(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_stored(Instant::from_micros(now_us));
    }

    #[pyo3(signature = (now_us, wall_ms, ask, status, body, *, retry_after=None))]
    fn handle_response(
        &mut self,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        #[pyo3(from_py_with = argument::wall_ms)] wall_ms: u64,
        ask: &Ask,
        #[pyo3(from_py_with = argument::status)] status: u16,
        body: Lent<'_>,
        retry_after: Option<Text>,
    ) {
        let body = body.to_shared();
        let answer = Answer::Response {
            status,
            retry_after: retry_after.as_deref(),
            body: &body,
        };
        let (now, wall) = (Instant::from_micros(now_us), UnixMillis(wall_ms));
        self.0.handle_answer(now, wall, ask.0.id, &answer);
    }

    fn handle_failure(
        &mut self,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        ask: &Ask,
        failure: Text,
    ) -> PyResult<()> {
        let failure = match &*failure {
            "unreachable" => Failure::Unreachable,
            "timed-out" => Failure::TimedOut,
            "untrusted" => Failure::Untrusted,
            "not-http" => Failure::NotHttp,
            _ => {
                return Err(PacketError::new_err(format!(
                    "failure is {:?}, expected one of \"unreachable\", \"timed-out\", \"untrusted\", \"not-http\"",
                    &*failure
                )));
            }
        };
        let (now, answer) = (Instant::from_micros(now_us), Answer::Failed(failure));
        self.0.handle_answer(now, UnixMillis(0), ask.0.id, &answer);
        Ok(())
    }

    fn handle_connected(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_connected(Instant::from_micros(now_us));
    }

    fn handle_refused(
        &mut self,
        #[pyo3(from_py_with = argument::now_us)] now_us: u64,
        #[pyo3(from_py_with = argument::reason_code)] reason_code: u8,
    ) {
        self.0
            .handle_refused(Instant::from_micros(now_us), ReasonCode(reason_code));
    }

    fn handle_link_lost(&mut self) {
        self.0.handle_link_lost();
    }

    fn handle_timeout(&mut self, #[pyo3(from_py_with = argument::now_us)] now_us: u64) {
        self.0.handle_timeout(Instant::from_micros(now_us));
    }

    fn poll_timeout(&self) -> Option<u64> {
        self.0.poll_timeout().map(Instant::as_micros)
    }

    fn poll<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(output) = self.0.poll() else {
            return Ok(None);
        };
        let object = match output {
            Output::StoreCredentials(credentials) => {
                let credentials = Py::new(py, Credentials(credentials))?;
                Bound::new(py, StoreCredentials { credentials })?.into_any()
            }
            Output::Ask(request) => Bound::new(py, Ask(request))?.into_any(),
            Output::Connect(credentials) => {
                let credentials = credentials.map(|it| Py::new(py, Credentials(it))).transpose()?;
                Bound::new(py, Connect { credentials })?.into_any()
            }
            Output::Delayed(delay) => {
                let delayed = Delayed {
                    obstacle: word(&delay.obstacle),
                    text: delay.obstacle.to_string(),
                    pairing_id: delay.pairing_id.map(|id| id.to_string()),
                    retry_at: delay.retry_at.map(Instant::as_micros),
                };
                Bound::new(py, delayed)?.into_any()
            }
            Output::Granted(grant) => {
                let certificate = grant.certificate;
                Bound::new(py, Granted { certificate })?.into_any()
            }
            Output::Denied(denial) => {
                let text = denial.to_string();
                let status = denial.status;
                Bound::new(py, Denied { status, text })?.into_any()
            }
        };
        Ok(Some(object))
    }

    fn __repr__(&self) -> String {
        format!("<Registration, {:?}>", self.0.state())
    }
}

/// Where to register.
fn mode(given: &Bound<'_, PyAny>) -> PyResult<Mode> {
    let given: Text = given.extract()?;
    match &*given {
        "auto" => Ok(Mode::Auto),
        "rest" => Ok(Mode::Rest),
        "mqtt" => Ok(Mode::Mqtt),
        other => Err(ConfigError::new_err(format!(
            "mode is {other:?}, expected one of \"auto\", \"rest\", \"mqtt\""
        ))),
    }
}

fn word(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Locked => "locked",
        Obstacle::Pending => "pending",
        Obstacle::PendingAtBroker(_) => "pending-at-broker",
        Obstacle::Conflict => "conflict",
        Obstacle::Rejected { .. } => "rejected",
        Obstacle::Unavailable { .. } => "unavailable",
        Obstacle::NoCertificate => "no-certificate",
        Obstacle::NotARegistry { .. } => "not-a-registry",
        Obstacle::NoAnswer(_) => "no-answer",
        Obstacle::Refused(_) => "refused",
        _ => "other",
    }
}
