//! A registration in the foreground: an agent asks to be let in, and runs nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use syncline_core::agent::{Agent, Output};
use syncline_core::registration::{Login, PairingId, Registration, Remedy};
use syncline_core::session::DisconnectReason;
use syncline_core::time::{Instant, UnixMillis};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::RunConfig;
use crate::data::DataFolder;
use crate::driver::{AgentHandle, Driver, GaveUp, Reactor};
use crate::run::{BrokerTls, RegistrationSettings, RunError, Settings, enrol, login};
use crate::tls::Fault;
use crate::transport::{DialError, Dialer};

/// Connections that may end before there is one: the session tries the older version of MQTT in the second.
const ATTEMPTS: u32 = 2;
/// Time to take leave of the broker.
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// How long to wait to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until there is an answer, whichever.
    Answer,
    /// Until the agent is let in, at most this long.
    Grant(Duration),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Login name; `None` where a certificate, or nothing, says who the agent is.
    pub username: Option<String>,
    /// What both sides show of the credentials.
    pub pairing_id: Option<String>,
    /// Where the broker is.
    pub broker: String,
    /// How it stands.
    pub outcome: Outcome,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The broker lets the agent in, as it did before.
    Known,
    /// The broker lets the agent in, now.
    Registered,
    /// Not yet, or never.
    Outside {
        /// What would help.
        remedy: Remedy,
        /// What stands in the way.
        reason: String,
    },
}

/// Why nobody was asked, or asked in vain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// As with an agent that runs.
    #[error(transparent)]
    Run(#[from] RunError),
    /// New credentials would be lost with this process.
    #[error(
        "SYNCLINE_DATA_DIR: new credentials cannot be kept in {}: give a folder that this user may write to, with space left",
        .0.display()
    )]
    NotKept(PathBuf),
}

/// Has the agent of `config` register where it is not let in, and waits as `patience` says. Its session with the broker is
/// another than that of the agent when it runs. As soon as an administrator has to act for the wait to end, `on_pending` is
/// told, once a pairing id.
///
/// # Errors
/// [`RegisterError`] when it cannot even ask.
pub async fn register(
    config: &RunConfig,
    patience: Patience,
    on_pending: impl FnMut(&Report),
) -> Result<Report, RegisterError> {
    let settings = Settings::from(config);
    let registration = RegistrationSettings::from(config);
    let folder = Arc::new(DataFolder::open(&config.data_dir).map_err(RunError::from)?);
    let login = login(&registration, Some(&folder), &settings)?;
    let is_new = matches!(login, Login::New { .. });
    if is_new && !folder.is_writable() {
        return Err(RegisterError::NotKept(config.data_dir.clone()));
    }
    let broker = settings.broker.to_string();
    let mut report = Report {
        username: match &login {
            Login::Stored(known) | Login::Given(known) => Some(known.username().to_owned()),
            Login::New { username } => Some(username.clone()),
            Login::Passwordless => None,
        },
        pairing_id: None,
        outcome: outside(Remedy::Service, format!("no answer from {broker} so far")),
        broker,
    };

    let tls = BrokerTls::new(&settings).map_err(RunError::from)?;
    let dialer = Dialer {
        endpoint: settings.broker,
        tls: tls.client.clone(),
    };
    let mut session = settings.session;
    session.client_id = crate::client_identifier::of_command(config.agent_name.as_str());
    session.clean_start = true;
    session.session_expiry = 0;
    let mut driver = Driver::new(dialer, session).map_err(RunError::from)?;
    enrol(&mut driver, registration, login, &tls, Some(Arc::clone(&folder))).map_err(RunError::from)?;
    let (teller, mut events) = mpsc::unbounded_channel();
    driver.react_with(Box::new(Teller(teller)));
    let mut link = Link {
        handle: driver.handle(),
        task: tokio::spawn(driver.run()),
    };

    let kept = |pairing_id: &str| match is_new {
        true => is_kept(&folder, pairing_id),
        false => true,
    };
    let watching = watch(&mut report, &mut link, &mut events, patience, kept, on_pending);
    let watched = match patience {
        Patience::Answer => watching.await,
        // What was heard last is what stands in the way.
        Patience::Grant(time) => timeout(time, watching).await.unwrap_or(Ok(())),
    };
    link.leave().await;
    match watched {
        Ok(()) => Ok(report),
        Err(NotKept) => Err(RegisterError::NotKept(config.data_dir.clone())),
    }
}

/// The credentials are not where the next start would look for them.
struct NotKept;

/// Keeps `report` up to date until there is no more to wait for.
async fn watch(
    report: &mut Report,
    link: &mut Link,
    events: &mut UnboundedReceiver<Event>,
    patience: Patience,
    is_kept: impl Fn(&str) -> bool,
    mut on_pending: impl FnMut(&Report),
) -> Result<(), NotKept> {
    let mut was_asked = false;
    let mut told = None;
    let mut ended_connections = 0;
    let mut dial_failure = None;
    let mut registry_fault: Option<String> = None;
    loop {
        // What has been told goes before how the driver ended.
        let event = tokio::select! {
            biased;
            Some(event) = events.recv() => event,
            gave_up = &mut link.task => {
                if let Ok(Err(gave_up)) = gave_up {
                    report.outcome = outside(Remedy::Decision, gave_up.to_string());
                }
                return Ok(());
            }
        };
        match event {
            Event::Asking(pairing_id) => {
                was_asked = true;
                if pairing_id
                    .as_deref()
                    .is_some_and(|pairing_id| !is_kept(pairing_id))
                {
                    return Err(NotKept);
                }
                report.pairing_id = pairing_id;
            }
            Event::Connected(pairing_id) => {
                report.pairing_id = pairing_id;
                report.outcome = match was_asked {
                    true => Outcome::Registered,
                    false => Outcome::Known,
                };
                return Ok(());
            }
            Event::Delayed {
                remedy,
                reason,
                is_final,
            } => {
                // Without the registry the broker's refusal tells nothing of what is wrong there.
                let whole = match (&registry_fault, remedy) {
                    (Some(fault), Remedy::Approval) => format!("{fault}; without it, {reason}"),
                    _ => reason.clone(),
                };
                if remedy == Remedy::Configuration {
                    registry_fault = Some(reason);
                } else if remedy != Remedy::Approval {
                    registry_fault = None;
                }
                report.outcome = outside(remedy, whole);
                if is_final && patience == Patience::Answer {
                    return Ok(());
                }
                if remedy == Remedy::Approval && report.pairing_id != told && patience != Patience::Answer {
                    told.clone_from(&report.pairing_id);
                    on_pending(report);
                }
            }
            Event::DialFailed(remedy, reason) => dial_failure = Some((remedy, reason)),
            Event::Disconnected(reason) => {
                let (remedy, reason) = dial_failure.take().unwrap_or((Remedy::Service, reason));
                report.outcome = outside(remedy, format!("broker {}: {reason}", report.broker));
                ended_connections += 1;
                if ended_connections == ATTEMPTS && patience == Patience::Answer {
                    return Ok(());
                }
            }
        }
    }
}

fn outside(remedy: Remedy, reason: String) -> Outcome {
    Outcome::Outside { remedy, reason }
}

/// Whether the next start would find the credentials that this pairing id stands for.
fn is_kept(folder: &DataFolder, pairing_id: &str) -> bool {
    let stored = folder.credentials().ok().flatten();
    stored.is_some_and(|stored| {
        let password = stored.password.expose_secret().as_bytes();
        PairingId::of(&stored.username, password).to_string() == pairing_id
    })
}

/// What the driver has to tell.
enum Event {
    /// Registry or broker is asked to let the agent in; the credentials have been stored, if they ever will.
    Asking(Option<String>),
    Connected(Option<String>),
    Delayed {
        remedy: Remedy,
        reason: String,
        /// Whether nobody else is asked before a wait.
        is_final: bool,
    },
    /// Comes before its end of a connection.
    DialFailed(Remedy, String),
    /// Registration has nothing to do with the end of this connection.
    Disconnected(String),
}

/// Tells what happens to a registration.
struct Teller(UnboundedSender<Event>);

impl Reactor for Teller {
    fn handle(&mut self, _: Instant, _: UnixMillis, output: &Output, agent: &mut Agent) {
        let pairing_id = || {
            let registration = agent.registration()?;
            Some(registration.pairing_id()?.to_string())
        };
        let event = match output {
            Output::AskRegistry(_) => Event::Asking(pairing_id()),
            Output::Connected(_) => Event::Connected(pairing_id()),
            Output::RegistrationDelayed(delay) => {
                if delay.obstacle.remedy() == Remedy::Approval {
                    // Over MQTT the refused CONNECT was the question.
                    self.tell(Event::Asking(pairing_id()));
                }
                Event::Delayed {
                    remedy: delay.obstacle.remedy(),
                    reason: delay.obstacle.to_string(),
                    is_final: delay.retry_at.is_some(),
                }
            }
            Output::Disconnected(disconnected) => match disconnected.reason {
                DisconnectReason::Refused(code) if Registration::is_about_credentials(code) => return,
                reason => Event::Disconnected(reason.to_string()),
            },
            _ => return,
        };
        self.tell(event);
    }

    fn dial_failed(&mut self, error: &DialError) {
        let remedy = match error {
            DialError::Resolve(_) | DialError::Connect(_) => Remedy::Service,
            DialError::Tls(failure) => match failure.fault() {
                Fault::Configuration => Remedy::Configuration,
                Fault::Refusal => Remedy::Decision,
                Fault::Network => Remedy::Service,
            },
        };
        self.tell(Event::DialFailed(remedy, error.to_string()));
    }
}

impl Teller {
    fn tell(&self, event: Event) {
        // Nobody listens any more when the command is about to end.
        let _ = self.0.send(event);
    }
}

/// The driver's task, which ends with this value.
struct Link {
    handle: AgentHandle,
    task: JoinHandle<Result<(), GaveUp>>,
}

impl Link {
    /// Takes leave of the broker.
    async fn leave(mut self) {
        self.handle.stop();
        if !self.task.is_finished() {
            // Whoever does not let go in time is left without a word.
            let _ = timeout(LEAVE_TIME, &mut self.task).await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}
