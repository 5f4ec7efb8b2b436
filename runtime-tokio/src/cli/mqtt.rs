//! `syncline mqtt`: publish and subscribe with the agent's own credentials.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use syncline::config::{self, Environment, LogFormat, LogLevel, RunConfig};
use syncline::driver::{Driver, Reactor};
use syncline::transport::{DialError, Endpoint};
use syncline::visit::{Visit, VisitError};
use syncline_core::agent::{Agent, Output};
use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions};
use syncline_core::session::{Completion, DisconnectReason, Filter, Publication};
use syncline_core::time::{Instant, UnixMillis};
use syncline_core::topic::{TopicFilter, TopicName};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::exit::Exit;
use super::flags::Overrides;
use super::{MqttCommand, logging, output, progress, run};

/// Largest message that is read from a file or the standard input.
const MAX_PAYLOAD: u64 = 256 * 1024 * 1024;
/// Connections that may end before one is accepted: the session tries the older version in the second.
const ATTEMPTS: u32 = 2;

pub(super) fn main(command: MqttCommand, environment: &Environment) -> Exit {
    let (task, overrides, time) = match prepare(command) {
        Ok(prepared) => prepared,
        Err(message) => {
            output::error(&message);
            return Exit::Usage;
        }
    };
    let visit = match visit(&overrides, environment) {
        Ok(visit) => visit,
        Err(exit) => return exit,
    };
    match run::one_shot(carry_out(visit, task, time)) {
        Ok(exit) | Err(exit) => exit,
    }
}

/// What is to be done once connected.
enum Task {
    Publish(Publication),
    /// Prints messages, so many of them.
    Subscribe(Vec<Filter>, Option<u64>),
}

/// What the reactor has to tell.
enum Event {
    /// The broker has taken the message or the subscription.
    Done,
    Message(Bytes, Bytes),
    Failed(Exit, String),
}

fn prepare(command: MqttCommand) -> Result<(Task, Overrides, Duration), String> {
    match command {
        MqttCommand::Pub {
            topic,
            message,
            file,
            qos,
            retain,
            timeout,
            overrides,
        } => {
            let name =
                TopicName::try_from(topic).map_err(|error| format!("the topic is no Topic Name: {error}"))?;
            let payload = match (message, file) {
                (Some(message), _) => message.into_bytes(),
                (None, Some(file)) if file.as_os_str() != "-" => std::fs::read(&file)
                    .map_err(|error| format!("{}: cannot read the file: {error}", file.display()))?,
                _ => {
                    let mut payload = Vec::new();
                    let read = std::io::stdin()
                        .lock()
                        .take(MAX_PAYLOAD)
                        .read_to_end(&mut payload);
                    read.map_err(|error| format!("cannot read the standard input: {error}"))?;
                    payload
                }
            };
            let mut publication = Publication::new(name, payload).qos(quality(qos));
            publication.retain = retain;
            Ok((Task::Publish(publication), overrides, timeout.into()))
        }
        MqttCommand::Sub {
            topics,
            qos,
            count,
            timeout,
            overrides,
        } => {
            let options = SubscribeOptions {
                qos: quality(qos),
                ..SubscribeOptions::default()
            };
            let filter = |topic: String| match TopicFilter::try_from(topic) {
                Ok(filter) => Ok(Filter { filter, options }),
                Err(error) => Err(format!("the topic is no Topic Filter: {error}")),
            };
            let filters = topics.into_iter().map(filter).collect::<Result<_, _>>()?;
            Ok((Task::Subscribe(filters, count), overrides, timeout.into()))
        }
    }
}

fn quality(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// How the broker is reached; what is wrong has been told when this fails.
fn visit(overrides: &Overrides, environment: &Environment) -> Result<Visit, Exit> {
    let loaded = config::load(&overrides.0, environment).map_err(|error| output::configuration(&error))?;
    output::warnings(&loaded.warnings);
    logging::start(LogLevel::Warn, LogFormat::Text);
    let config = loaded
        .config
        .run()
        .map_err(|error| output::configuration(&error))?;
    visit_of(&config)
}

/// As [`visit`], of a configuration that has been read.
pub(super) fn visit_of(config: &RunConfig) -> Result<Visit, Exit> {
    Visit::new(config).map_err(|error| {
        output::error(&error.to_string());
        match error {
            VisitError::Credentials(_) => Exit::InputOutput,
            _ => Exit::Configuration,
        }
    })
}

async fn carry_out(visit: Visit, task: Task, time: Duration) -> Exit {
    let endpoint = visit.dialer.endpoint.clone();
    let broker = endpoint.to_string();
    let mut driver = match Driver::new(visit.dialer, visit.session) {
        Ok(driver) => driver,
        Err(error) => return run::failed(&error.to_string()),
    };
    let (events, mut inbox) = mpsc::unbounded_channel();
    let remaining = match &task {
        Task::Publish(_) => None,
        Task::Subscribe(_, count) => *count,
    };
    let is_publication = matches!(task, Task::Publish(_));
    driver.react_with(Box::new(Visitor {
        task,
        events,
        endpoint,
        dial_failure: None,
        attempts: 0,
        connected: false,
    }));
    let handle = driver.handle();
    let driver = tokio::spawn(driver.run());
    let waiting = format!("waiting for {broker}");
    let first = match progress::shown(&waiting, timeout(time, inbox.recv())).await {
        Ok(Some(event)) => event,
        Ok(None) => Event::Failed(Exit::Unreachable, format!("{broker}: the connection is gone")),
        Err(_) => Event::Failed(
            Exit::Unreachable,
            format!(
                "{broker}: nothing within {} s, allow more with --timeout",
                time.as_secs_f32()
            ),
        ),
    };
    let exit = match first {
        Event::Done if is_publication => Exit::Ok,
        first => print(first, remaining, &mut inbox).await,
    };
    handle.stop();
    // How it ends is of no interest any more.
    let _ = driver.await;
    exit
}

/// Prints messages until there are enough of them.
async fn print(first: Event, count: Option<u64>, inbox: &mut mpsc::UnboundedReceiver<Event>) -> Exit {
    let mut remaining = count;
    let mut next = Some(first);
    while let Some(event) = next {
        match event {
            Event::Done => {}
            Event::Failed(exit, message) => {
                output::error(&message);
                return exit;
            }
            Event::Message(topic, payload) => {
                let line = [topic.as_ref(), b" ", payload.as_ref(), b"\n"].concat();
                match output::bytes(&line) {
                    output::Written::Whole => {}
                    output::Written::NoReader => return Exit::Ok,
                    output::Written::Failed => return Exit::InputOutput,
                }
                remaining = remaining.map(|remaining| remaining.saturating_sub(1));
            }
        }
        if remaining == Some(0) {
            return Exit::Ok;
        }
        next = inbox.recv().await;
    }
    Exit::Unreachable
}

/// Does the task in the driver, and tells what came of it.
struct Visitor {
    task: Task,
    events: mpsc::UnboundedSender<Event>,
    endpoint: Endpoint,
    /// Why the last attempt came to no connection, with the cure.
    dial_failure: Option<String>,
    attempts: u32,
    connected: bool,
}

impl Visitor {
    fn tell(&self, event: Event) {
        // Nobody listens any more when the command has what it wanted.
        let _ = self.events.send(event);
    }

    fn begin(&self, now: Instant, agent: &mut Agent) {
        let refused = match &self.task {
            Task::Publish(publication) => agent
                .publish(now, publication.clone())
                .map_err(|refused| refused.reason)
                .err(),
            Task::Subscribe(filters, _) => agent.subscribe(filters, &PropertyBuf::new()).err(),
        };
        if let Some(reason) = refused {
            self.tell(Event::Failed(Exit::Refused, reason.to_string()));
        }
    }
}

impl Reactor for Visitor {
    fn handle(&mut self, now: Instant, _: UnixMillis, output: &Output, agent: &mut Agent) {
        match output {
            Output::Connected(_) => {
                self.connected = true;
                self.begin(now, agent);
            }
            Output::OpCompleted(_, completion) => self.tell(match completion {
                Completion::Published { reason, .. } if reason.is_error() => Event::Failed(
                    Exit::Refused,
                    format!(
                        "the broker does not take the message: {reason}; grant write access to the topic"
                    ),
                ),
                Completion::Subscribed(reasons) => match reasons.first_error() {
                    Some(reason) => Event::Failed(
                        Exit::Refused,
                        format!(
                            "the broker refuses the subscription: {reason}; grant read access to the topic"
                        ),
                    ),
                    None => Event::Done,
                },
                Completion::Lost(loss) => Event::Failed(Exit::Unreachable, loss.to_string()),
                _ => Event::Done,
            }),
            Output::Message(message) => {
                let topic = Bytes::copy_from_slice(message.topic().as_bytes());
                self.tell(Event::Message(topic, message.payload_bytes()));
            }
            Output::Disconnected(disconnected) => {
                self.attempts += 1;
                let reason = disconnected.reason;
                let unreachable = matches!(
                    reason,
                    DisconnectReason::TransportFailed | DisconnectReason::ConnectTimeout
                );
                if self.connected
                    || unreachable
                    || disconnected.retry_at.is_none()
                    || self.attempts == ATTEMPTS
                {
                    let exit = match reason {
                        DisconnectReason::Refused(_) | DisconnectReason::ByServer(_) => Exit::Refused,
                        _ => Exit::Unreachable,
                    };
                    let why = self
                        .dial_failure
                        .take()
                        .unwrap_or_else(|| format!("broker {}: {reason}", self.endpoint));
                    self.tell(Event::Failed(exit, why));
                }
            }
            _ => {}
        }
    }

    fn dial_failed(&mut self, error: &DialError) {
        let cure = match error {
            DialError::Resolve(_) => "set CYBUS_MQTT_HOST to a name or an address that this machine knows",
            DialError::Connect(_) => {
                "start the broker, or set CYBUS_MQTT_HOST and CYBUS_MQTT_PORT to where it is"
            }
            DialError::Tls(_) => "`syncline check --live` tells step by step",
        };
        self.dial_failure = Some(format!("broker {}; {cure}", error.at(&self.endpoint)));
    }
}
