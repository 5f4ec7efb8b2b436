//! Registration: how an agent that nobody knows yet comes to be let in, over the client registry's REST interface or over
//! MQTT alone.
//!
//! A [`Registration`] decides when the session connects and with which credentials, and when the registry is asked. It
//! makes no request, opens no connection and writes no file; it is driven like every machine of this crate: one input, then
//! [`poll`](Registration::poll) to the end, then sleep until [`poll_timeout`](Registration::poll_timeout).
//!
//! # Life of a registration
//!
//! ```text
//!            no credentials yet                      credentials, or none needed
//! Idle ──────────────────────────▶ AwaitStored    Idle ─────────────────────────▶ AwaitConnack
//!                                       │ stored                                   │        ▲
//!            ┌──────────────────────────┘                 accepted ◀───────────────┤        │ 201
//!            ▼                                             (Online)      refused   │        │ (auto: no registry)
//!      AwaitResponse ◀─────────────────────────────────────────────────────────────┘        │
//!         │ ▲  └────────────────────────────────────────────────────────────────────────────┘
//!  423,   │ │ time is up
//!  202, … ▼ │                       400, 422
//!      AwaitRetry                 ───────────▶ Denied
//! ```
//!
//! [`State::next`] is the whole table. What an answer of the registry leads to:
//!
//! | answer | next | asked again after |
//! |---|---|---|
//! | 201 | connect | – |
//! | 202 pending, 423 locked | wait | 5 s ± 20 % |
//! | 409 the name has other credentials; 401, 403 | wait | 60 s ± 20 % |
//! | 5xx, 408, 425, 429 | wait | back-off from 1 s to 60 s with full jitter |
//! | no answer, a redirect, anything that no registry says | [`Mode::Auto`]: connect; else wait | back-off likewise |
//! | 400, 422 | denied | never |
//!
//! `Retry-After` is honoured up to [`RETRY_AFTER_MAX`]. Without a registry ([`Mode::Mqtt`], or [`Mode::Auto`] where none
//! answers) a refused CONNECT is the request, and connecting again every 5 s ± 20 % the poll.
//!
//! New credentials are handed out to be stored before anybody is shown them, and nothing goes on until they are: a restart
//! at any point finds the same credentials, hence the same pairing id.

mod credentials;
mod output;
mod registry;
mod retry_after;
mod state;
pub mod version;

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt;

pub use credentials::{Credentials, InvalidCredentials, PairingId};
pub use output::{Delay, Denial, Grant, Obstacle, Output, Remedy};
pub use registry::{Answer, Failure, REGISTER_PATH, Request, RequestId};
pub use state::{FirstStep, Input, State};

use crate::codec::ReasonCode;
use crate::limits::{MAX_CSR, REGISTRY_TIMEOUT, RETRY_AFTER_MAX};
use crate::rng::{Rng, SEED_LEN};
use crate::time::{Duration, Instant, UnixMillis};

/// Pause until somebody who has to act is asked again, ± 20 %.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The same where waiting alone will not help.
const SLOW_POLL_INTERVAL: Duration = Duration::from_secs(60);
/// Ceiling of the first back-off; each further one doubles it.
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
/// Highest ceiling.
const BACK_OFF_LONGEST: Duration = Duration::from_secs(60);
/// Floor of every back-off.
const BACK_OFF_SHORTEST: Duration = Duration::from_millis(128);
/// Floor of a wait that the server asks for.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// Where to register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// At the client registry; over MQTT as long as none answers.
    #[default]
    Auto,
    /// At the client registry alone.
    Rest,
    /// Over MQTT alone: connecting until the broker accepts.
    Mqtt,
    /// Nowhere: a refused login is tried again like any other failure.
    Off,
}

impl Mode {
    /// Every mode, for tests and tables.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Rest, Self::Mqtt, Self::Off];
}

/// What an agent knows of itself at its start. What is stored goes before what is given.
#[derive(Debug, Clone)]
pub enum Login {
    /// Credentials that an earlier run has stored.
    Stored(Credentials),
    /// Credentials that the operator has given.
    Given(Credentials),
    /// A user name without a password: a new one is made and stored.
    New {
        /// User name, valid by the rules of [`Credentials::new`].
        username: String,
    },
    /// No password and none to be made: a client certificate says who the agent is, or the broker does not ask. Never
    /// registers.
    Passwordless,
}

/// Configuration of a [`Registration`].
#[derive(Clone)]
pub struct Config {
    /// Where to register.
    pub mode: Mode,
    /// What the agent knows of itself.
    pub login: Login,
    /// A certificate signing request in PEM whose Common Name is the user name. With it nothing connects before the
    /// registry has signed.
    pub csr: Option<String>,
}

impl fmt::Debug for Config {
    /// Leaves out the signing request's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("mode", &self.mode)
            .field("login", &self.login)
            .field("csr", &self.csr.is_some())
            .finish()
    }
}

/// Why a [`Config`] cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The user name cannot be one.
    #[error(transparent)]
    Credentials(#[from] InvalidCredentials),
    /// A certificate can be signed by a registry alone.
    #[error(
        "a certificate signing request needs a client registry: set SYNCLINE_REGISTRATION to auto or rest"
    )]
    CsrWithoutRegistry,
    /// The signing request is longer than [`MAX_CSR`].
    #[error("the certificate signing request is longer than {MAX_CSR} bytes")]
    CsrTooLong,
}

/// The registration of one agent. See the [module's documentation](self).
#[derive(Debug)]
pub struct Registration {
    mode: Mode,
    csr: Option<String>,
    credentials: Option<Credentials>,
    /// Whether the credentials were made here and nobody has confirmed that they are stored.
    unstored: bool,
    rng: Rng,
    state: State,
    deadline: Option<Instant>,
    /// Back-offs in a row.
    failures: u32,
    /// Whether the registry has been asked since the broker last accepted the credentials.
    asked: bool,
    /// Whether the registry's last word was a grant.
    granted: bool,
    last_request: RequestId,
    outputs: VecDeque<Output>,
}

/// How long a wait is.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// [`POLL_INTERVAL`].
    Poll,
    /// [`SLOW_POLL_INTERVAL`].
    Slow,
    /// Growing.
    BackOff,
}

impl Registration {
    /// A registration that does nothing until [`start`](Self::start).
    ///
    /// A new password is drawn from `seed`, which therefore has to come from the operating system's entropy and from
    /// nowhere else.
    ///
    /// # Errors
    /// [`ConfigError`] tells what cannot be.
    pub fn new(config: Config, seed: [u8; SEED_LEN]) -> Result<Self, ConfigError> {
        let Config { mode, login, csr } = config;
        let mut rng = Rng::from_seed(seed);
        let (mode, credentials, unstored) = match login {
            Login::Stored(credentials) | Login::Given(credentials) => (mode, Some(credentials), false),
            Login::New { username } => {
                Credentials::new(username.as_str(), "")?;
                (mode, Some(Credentials::generate(username, &mut rng)), true)
            }
            Login::Passwordless => (Mode::Off, None, false),
        };
        let mode = match (&csr, mode) {
            (None, mode) => mode,
            (Some(csr), _) if csr.len() > MAX_CSR => return Err(ConfigError::CsrTooLong),
            // What the broker might accept without a certificate is of no use to who asks for one.
            (Some(_), Mode::Auto | Mode::Rest) => Mode::Rest,
            (Some(_), Mode::Mqtt | Mode::Off) => return Err(ConfigError::CsrWithoutRegistry),
        };
        Ok(Self {
            mode,
            csr,
            credentials,
            unstored,
            rng,
            state: State::Idle,
            deadline: None,
            failures: 0,
            asked: false,
            granted: false,
            last_request: RequestId(0),
            outputs: VecDeque::new(),
        })
    }

    // Getters.

    /// Where the registration stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Where it registers, which is nowhere without a password.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What both sides show of the credentials; `None` without any.
    #[must_use]
    pub fn pairing_id(&self) -> Option<PairingId> {
        self.credentials.as_ref().map(Credentials::pairing_id)
    }

    /// Whether a broker's refusal with this code is about the credentials, so that a registration can mend it.
    #[must_use]
    pub fn is_about_credentials(reason: ReasonCode) -> bool {
        matches!(
            reason,
            ReasonCode::BAD_USER_NAME_OR_PASSWORD | ReasonCode::NOT_AUTHORIZED
        )
    }

    // Inputs.

    /// Begins. Ignored where it has begun already.
    pub fn start(&mut self, now: Instant) {
        let first = match (self.unstored, &self.csr) {
            (true, _) => FirstStep::Store,
            (false, Some(_)) => FirstStep::Ask,
            (false, None) => FirstStep::Connect,
        };
        self.step(now, Input::Start(first));
    }

    /// Ends all efforts; [`start`](Self::start) begins anew.
    pub fn stop(&mut self, now: Instant) {
        self.outputs.clear();
        self.step(now, Input::Stop);
    }

    /// The credentials of [`Output::StoreCredentials`] are stored, or cannot be; it goes on with them either way.
    pub fn handle_stored(&mut self, now: Instant) {
        if self.step(now, Input::Stored) {
            self.unstored = false;
        }
    }

    /// What came of the request with this id; that of an earlier one is ignored. `wall` reads a `Retry-After` that is a
    /// date.
    pub fn handle_answer(&mut self, now: Instant, wall: UnixMillis, id: RequestId, answer: &Answer<'_>) {
        let Some(credentials) = &self.credentials else {
            return;
        };
        if self.state != State::AwaitResponse || id != self.last_request {
            return;
        }
        let verdict = registry::verdict(answer, credentials, self.csr.is_some());
        let (status, retry_after) = match *answer {
            Answer::Response {
                status, retry_after, ..
            } => (status, retry_after.and_then(|text| retry_after::wait(text, wall))),
            Answer::Failed(failure) => {
                let obstacle = Obstacle::NoAnswer(failure);
                self.delay(now, verdict.input, Pace::BackOff, None, obstacle);
                return;
            }
        };
        self.granted = verdict.input == Input::Granted;
        if self.granted {
            self.csr = None;
            self.outputs.push_back(Output::Granted(Grant {
                certificate: verdict.certificate,
            }));
        }
        let reason = verdict.reason;
        let (pace, obstacle) = match verdict.input {
            Input::Pending => (Pace::Poll, Obstacle::Pending),
            Input::Locked => (Pace::Poll, Obstacle::Locked),
            Input::Conflict => (Pace::Slow, Obstacle::Conflict),
            Input::Rejected => (Pace::Slow, Obstacle::Rejected { status, reason }),
            Input::Unavailable if status == 201 => (Pace::BackOff, Obstacle::NoCertificate),
            Input::Unavailable => (Pace::BackOff, Obstacle::Unavailable { status, reason }),
            Input::NoRegistry => (Pace::BackOff, Obstacle::NotARegistry { status }),
            input => {
                if input == Input::Invalid {
                    self.outputs.push_back(Output::Denied(Denial { status, reason }));
                }
                self.step(now, input);
                return;
            }
        };
        self.delay(now, verdict.input, pace, retry_after, obstacle);
    }

    /// The broker accepted the connection.
    pub fn handle_connected(&mut self, now: Instant) {
        if self.step(now, Input::Accepted) {
            self.failures = 0;
            self.asked = false;
            self.granted = false;
        }
    }

    /// The connection ended for a reason that is not the credentials, and the session sees to the next one.
    pub fn handle_link_lost(&mut self) {
        // Nothing is entered: the session connects by itself.
        if let Some(next) = self.state.next(Input::LinkLost, self.mode) {
            self.state = next;
        }
    }

    /// The broker refuses the credentials, and the session waits for [`Output::Connect`].
    pub fn handle_refused(&mut self, now: Instant, reason: ReasonCode) {
        let input = match self.asked {
            false => Input::Refused,
            true => Input::RefusedAgain,
        };
        let (pace, obstacle) = match self.mode {
            Mode::Auto if !self.granted => (Pace::Poll, Obstacle::PendingAtBroker(reason)),
            Mode::Mqtt => (Pace::Poll, Obstacle::PendingAtBroker(reason)),
            Mode::Auto | Mode::Rest | Mode::Off => (Pace::BackOff, Obstacle::Refused(reason)),
        };
        match self.state.next(input, self.mode) {
            Some(State::AwaitRetry) => self.delay(now, input, pace, None, obstacle),
            _ => drop(self.step(now, input)),
        }
    }

    // Time.

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        if self.state == State::AwaitResponse {
            let obstacle = Obstacle::NoAnswer(Failure::TimedOut);
            self.delay(now, Input::Deadline, Pace::BackOff, None, obstacle);
        } else {
            self.step(now, Input::Deadline);
        }
    }

    // Output.

    /// The next thing to do or to know; `None` when there is nothing until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Moves to the state after `input` and does what begins with it. False where the input means nothing.
    fn step(&mut self, now: Instant, input: Input) -> bool {
        let Some(next) = self.state.next(input, self.mode) else {
            return false;
        };
        self.state = next;
        self.deadline = None;
        self.enter(now);
        true
    }

    /// As [`step`](Self::step), because of an obstacle: tells of it first, and sets how long a wait lasts.
    fn delay(
        &mut self,
        now: Instant,
        input: Input,
        pace: Pace,
        asked_for: Option<Duration>,
        obstacle: Obstacle,
    ) {
        let Some(next) = self.state.next(input, self.mode) else {
            return;
        };
        self.state = next;
        self.deadline = match next {
            State::AwaitRetry => Some(now.after(self.wait(pace, asked_for))),
            _ => None,
        };
        self.outputs.push_back(Output::Delayed(Delay {
            obstacle,
            pairing_id: self.pairing_id(),
            retry_at: self.deadline,
        }));
        self.enter(now);
    }

    fn enter(&mut self, now: Instant) {
        match self.state {
            State::AwaitStored => {
                let credentials = self.credentials.clone().map(Output::StoreCredentials);
                self.outputs.extend(credentials);
            }
            State::AwaitConnack => self.outputs.push_back(Output::Connect(self.credentials.clone())),
            State::AwaitResponse => self.ask(now),
            State::Idle | State::Online | State::AwaitRetry | State::Denied => {}
        }
    }

    fn ask(&mut self, now: Instant) {
        let Some(credentials) = &self.credentials else {
            return;
        };
        self.asked = true;
        self.last_request = RequestId(self.last_request.0 + 1);
        self.deadline = Some(now.after(REGISTRY_TIMEOUT));
        self.outputs.push_back(Output::Ask(Request {
            id: self.last_request,
            method: "POST",
            path: REGISTER_PATH,
            body: registry::body(credentials, self.csr.as_deref()),
        }));
    }

    fn wait(&mut self, pace: Pace, asked_for: Option<Duration>) -> Duration {
        let asked_for = asked_for.map(|wait| {
            let wait = wait.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX);
            wait + self.rng.jitter(wait / 5)
        });
        let own = match pace {
            Pace::Poll => self.around(POLL_INTERVAL),
            Pace::Slow => self.around(SLOW_POLL_INTERVAL),
            Pace::BackOff => {
                let ceiling = BACK_OFF_FIRST
                    .saturating_mul(1 << self.failures.min(20))
                    .min(BACK_OFF_LONGEST);
                self.rng.jitter(ceiling).max(BACK_OFF_SHORTEST)
            }
        };
        self.failures = match pace {
            Pace::Poll | Pace::Slow => 0,
            Pace::BackOff => self.failures.saturating_add(1),
        };
        match (pace, asked_for) {
            (_, None) => own,
            // The server knows when to come again, be it sooner.
            (Pace::Poll, Some(asked_for)) => asked_for,
            (Pace::Slow | Pace::BackOff, Some(asked_for)) => own.max(asked_for),
        }
    }

    /// `middle` ± 20 %.
    fn around(&mut self, middle: Duration) -> Duration {
        middle * 4 / 5 + self.rng.jitter(middle * 2 / 5)
    }
}
