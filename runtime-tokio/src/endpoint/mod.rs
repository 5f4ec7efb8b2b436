//! Endpoints: what asks other systems for values and gives them values, and tells over MQTT what came of it.
//!
//! ```text
//! <topic>/req, <topic>/set ─▶ Serving ─ Asking ─ Client ─▶ HTTP server
//! <topic>/res              ◀─ rules ◀─ Serving ◀─────────────┤
//! <topic>                  ◀─ rules ◀─ Poller ◀──────────────┘
//! ```
//! Each endpoint is a task; those of one connection share its client, and with it its TCP connections. [`mqtt`] has those
//! of other brokers, and [`opcua`] those of OPC UA servers.

mod client;
mod ending;
mod message;
mod mqtt;
mod opcua;
mod probe;
mod results;
mod serving;
mod state;
mod tally;
mod under_way;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::data::DataFolder;
use crate::driver::{AgentHandle, Driver, Source};
use crate::rules::Evaluators;
use crate::service::plan::{
    ConnectionPlan, ConnectionProtocol, EndpointPlan, EndpointTarget, Probe, RetryStrategy,
};
use crate::task::Task;
use crate::tls;

use client::Client;
pub(crate) use client::ClientError;
use mqtt::{Link, Other, PreparedLink};
use serving::Serving;
use state::LinkState;
pub(crate) use tally::{Cause, Tally};
use worker::{Asking, Poller};

/// Requests of one endpoint that are under way; with so many, further messages wait.
const REQUESTS: usize = 64;

/// What connections and their endpoints are started with.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    /// The agent's own broker.
    pub(crate) agent: AgentHandle,
    /// The agent's Client Identifier, from which those of its other sessions are derived.
    pub(crate) name: Arc<str>,
    /// What the agent's connections to other systems believe and show.
    pub(crate) tls: Arc<tls::Settings>,
    /// Absent where no rule has an expression.
    pub(crate) evaluators: Option<Evaluators>,
    /// Absent where nothing is kept.
    pub(crate) folder: Option<Arc<DataFolder>>,
    /// What an endpoint has begun may take so long when it ends.
    pub(crate) drain_time: Duration,
}

/// A connection as the status shows it, with its endpoints in the order of the plan.
#[derive(Debug, Clone)]
pub(crate) struct WatchedConnection {
    /// `serviceId`.
    pub(crate) service: String,
    /// Resource id.
    pub(crate) resource: String,
    /// `Http`, `Mqtt` or `Opcua`.
    pub(crate) protocol: &'static str,
    pub(crate) state: Arc<LinkState>,
    pub(crate) endpoints: Vec<WatchedEndpoint>,
}

/// An endpoint as the status shows it.
#[derive(Debug, Clone)]
pub(crate) struct WatchedEndpoint {
    /// `serviceId` of the file that declares it.
    pub(crate) service: String,
    /// Resource id.
    pub(crate) resource: String,
    /// `subscribe`, `read` or `write`.
    pub(crate) operation: &'static str,
    /// The topic that it listens to; `None` for one that listens to none.
    pub(crate) subscribes: Option<String>,
    /// The topic that it publishes on.
    pub(crate) publishes: String,
    pub(crate) tally: Arc<Tally>,
}

/// A connection that can be made: whatever may be wrong with its settings is right, and nobody has gone anywhere yet.
pub(crate) enum PreparedConnection {
    /// With an HTTP server.
    Http {
        /// Makes the requests.
        client: Arc<Client>,
        /// How its server is found to be there.
        probe: Probe,
        strategy: RetryStrategy,
    },
    /// With another broker.
    Mqtt(Box<PreparedLink>),
    /// With an OPC UA server.
    Opcua(Box<opcua::PreparedLink>, RetryStrategy),
}

/// A connection to another system, which its endpoints share. Dropping it ends it.
pub(crate) struct Connection {
    state: Arc<LinkState>,
    way: Way,
    /// For its orderly end.
    patience: Duration,
    /// What keeps it up.
    upkeep: Upkeep,
}

/// The way that a connection is for its endpoints.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// To an HTTP server.
    Http(Arc<Client>, RetryStrategy),
    /// To another broker.
    Mqtt(Other),
    /// To an OPC UA server.
    Opcua(opcua::Other, RetryStrategy),
}

enum Upkeep {
    /// The probe of an HTTP server, yet to begin.
    Probe(Probe, String),
    Probing(Task),
    /// A session, yet to begin where there is a driver, which may be sent and not be shared.
    Session(Link, Mutex<Option<Box<Driver>>>),
    /// A session with an OPC UA server, yet to begin where there is what keeps it up.
    Opcua(opcua::Link, Option<Box<opcua::Upkeep>>),
}

/// An endpoint that is subscribed, and waits to be started: its messages wait as well.
pub(crate) enum SubscribedEndpoint {
    /// Of an HTTP server, told what to do by messages.
    Http(Box<Serving<Asking>>),
    /// Of an HTTP server, which it asks by itself.
    Polling(Box<Poller>),
    /// Of another broker.
    Mqtt(mqtt::Subscribed),
    /// Of an OPC UA server.
    Opcua(opcua::Subscribed),
}

impl PreparedConnection {
    /// Checks all that may be wrong with `connection` of `service`.
    pub(crate) fn new(
        means: &Means,
        service: &str,
        connection: &ConnectionPlan,
    ) -> Result<Self, ClientError> {
        Ok(match &connection.protocol {
            ConnectionProtocol::Http(plan) => Self::Http {
                client: Arc::new(Client::new(plan, &means.tls)?),
                probe: plan.probe.clone(),
                strategy: connection.strategy,
            },
            ConnectionProtocol::Mqtt(plan) => {
                Self::Mqtt(Box::new(PreparedLink::new(means, service, connection, plan)?))
            }
            ConnectionProtocol::Opcua(plan) => {
                let prepared = opcua::PreparedLink::new(means, service, connection, plan)?;
                Self::Opcua(Box::new(prepared), connection.strategy)
            }
        })
    }

    /// The connection, for endpoints to be subscribed before it [begins](Connection::begin). One with the same name has to have
    /// ended.
    ///
    /// # Errors
    /// When the system lacks what a session needs.
    pub(crate) fn open(
        self,
        means: &Means,
        service: &str,
        resource: &str,
    ) -> Result<Connection, ClientError> {
        let owner = format!("connection {resource} of service {service}");
        let patience = means.drain_time;
        Ok(match self {
            Self::Http {
                client,
                probe,
                strategy,
            } => Connection {
                state: Arc::new(LinkState::new(client.origin().to_owned())),
                way: Way::Http(client, strategy),
                patience,
                upkeep: Upkeep::Probe(probe, owner),
            },
            Self::Mqtt(prepared) => {
                let (link, driver) = prepared.open(means.folder.as_deref(), &owner)?;
                Connection {
                    state: Arc::clone(&link.other().state),
                    way: Way::Mqtt(link.other().clone()),
                    patience,
                    upkeep: Upkeep::Session(link, Mutex::new(Some(Box::new(driver)))),
                }
            }
            Self::Opcua(prepared, strategy) => {
                let (link, upkeep) = prepared.open(&owner);
                Connection {
                    state: Arc::clone(&link.other().state),
                    way: Way::Opcua(link.other().clone(), strategy),
                    patience,
                    upkeep: Upkeep::Opcua(link, Some(Box::new(upkeep))),
                }
            }
        })
    }
}

impl Connection {
    /// How it fares.
    pub(crate) fn state(&self) -> &Arc<LinkState> {
        &self.state
    }

    /// What it is for its endpoints.
    pub(crate) fn way(&self) -> &Way {
        &self.way
    }

    /// Goes to the other system, if it has not begun before.
    pub(crate) fn begin(&mut self) {
        match (&mut self.upkeep, &self.way) {
            (Upkeep::Probe(probe, owner), Way::Http(client, strategy)) => {
                let (client, state) = (Arc::clone(client), Arc::clone(&self.state));
                let probing = probe::run(client, state, probe.clone(), *strategy, std::mem::take(owner));
                self.upkeep = Upkeep::Probing(Task::start(probing));
            }
            (Upkeep::Session(link, driver), _) => {
                let driver = driver.get_mut().unwrap_or_else(PoisonError::into_inner);
                if let Some(driver) = driver.take() {
                    link.begin(*driver);
                }
            }
            (Upkeep::Opcua(link, upkeep), _) => {
                if let Some(upkeep) = upkeep.take() {
                    link.begin(*upkeep);
                }
            }
            _ => {}
        }
    }

    /// Ends it in order, and waits until that is done, no longer than the agent would where it stops.
    pub(crate) async fn stop(self) {
        let deadline = Instant::now() + self.patience;
        self.leave(deadline).await;
    }

    /// Ends it in order, and waits until that is done, by `deadline` at the latest.
    pub(crate) async fn leave(self, deadline: Instant) {
        let Self { way, upkeep, .. } = self;
        // Whose way is still in use is not ended at once.
        drop(way);
        match upkeep {
            Upkeep::Probe(..) => {}
            Upkeep::Probing(probing) => probing.stop().await,
            Upkeep::Session(link, _) => link.stop(deadline).await,
            Upkeep::Opcua(link, _) => link.stop(deadline).await,
        }
    }
}

impl Way {
    /// An endpoint that goes this way, and takes over in one step what was subscribed `before` in its place; `None` where `plan` is of another protocol, which no plan is.
    pub(crate) fn subscribe(
        &self,
        means: &Means,
        plan: &EndpointPlan,
        tally: &Arc<Tally>,
        before: Option<Source>,
    ) -> Option<(SubscribedEndpoint, Source)> {
        match (self, &plan.target) {
            (Self::Http(client, strategy), EndpointTarget::Http(request)) => {
                let asking = Asking::new(client, plan, request);
                if plan.operation.listens_to().is_none() {
                    let (poller, source) = Poller::new(means, plan, tally, (asking, *strategy));
                    return Some((SubscribedEndpoint::Polling(Box::new(poller)), source));
                }
                let (serving, source) = Serving::new(means, plan, tally, before, asking)?;
                Some((SubscribedEndpoint::Http(Box::new(serving)), source))
            }
            (Self::Mqtt(other), _) => {
                let (subscribed, source) = mqtt::subscribe(means, other, plan, tally, before)?;
                Some((SubscribedEndpoint::Mqtt(subscribed), source))
            }
            (Self::Opcua(other, strategy), EndpointTarget::Opcua(item)) => {
                let (subscribed, source) =
                    opcua::subscribe(means, (other, *strategy), plan, item, tally, before)?;
                Some((SubscribedEndpoint::Opcua(subscribed), source))
            }
            (Self::Http(..) | Self::Opcua(..), _) => None,
        }
    }
}

impl SubscribedEndpoint {
    /// Has it work until there will be no more messages. What was there `before` works off what it has: where order counts, first.
    pub(crate) fn start(self, before: impl Future<Output = ()> + Send + 'static) -> Task {
        match self {
            // Requests have no order among themselves.
            Self::Http(serving) => Task::start(async move {
                tokio::join!(before, serving.run());
            }),
            Self::Polling(poller) => Task::start(async move {
                before.await;
                poller.run().await;
            }),
            Self::Mqtt(subscribed) => Task::start(async move {
                before.await;
                subscribed.run().await;
            }),
            Self::Opcua(subscribed) if subscribed.is_ordered() => Task::start(async move {
                before.await;
                subscribed.run().await;
            }),
            Self::Opcua(subscribed) => Task::start(async move {
                tokio::join!(before, subscribed.run());
            }),
        }
    }
}
