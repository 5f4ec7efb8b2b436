//! Endpoints: what asks other systems for values and gives them values, and tells over MQTT what came of it.
//!
//! ```text
//! <topic>/req, <topic>/set ─▶ Worker ─ Client ─▶ HTTP server
//! <topic>/res, <topic>     ◀─ Worker ◀─ rules ◀──────┘
//! ```
//! Each endpoint is a task; those of one connection share its client, and with it its TCP connections. [`mqtt`] has those
//! of other brokers.

mod client;
mod message;
mod mqtt;
mod probe;
mod results;
mod state;
mod tally;
mod worker;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::data::DataFolder;
use crate::driver::AgentHandle;
use crate::rules::Evaluators;
use crate::service::plan::{ConnectionPlan, ConnectionProtocol, EndpointTarget};
use crate::tls;

use client::Client;
pub(crate) use client::ClientError;
use mqtt::Link;
use state::LinkState;
pub(crate) use tally::{Cause, Tally};
use worker::Worker;

/// Requests of one endpoint that are under way; with so many, further messages wait.
const REQUESTS: usize = 64;

/// What connections and their endpoints are started with.
pub(crate) struct Means<'a> {
    /// The agent's own broker.
    pub(crate) agent: &'a AgentHandle,
    /// The agent's Client Identifier, from which those of its other sessions are derived.
    pub(crate) name: &'a str,
    /// What the agent's connections to other systems believe and show.
    pub(crate) tls: &'a tls::Settings,
    /// Absent where no rule has an expression.
    pub(crate) evaluators: Option<&'a Evaluators>,
    /// Absent where nothing is kept.
    pub(crate) folder: Option<&'a DataFolder>,
}

/// A connection as the status shows it, with its endpoints in the order of the plan.
#[derive(Debug, Clone)]
pub(crate) struct WatchedConnection {
    /// `serviceId`.
    pub(crate) service: String,
    /// Resource id.
    pub(crate) resource: String,
    /// `Http` or `Mqtt`.
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
    pub(crate) tally: Arc<Tally>,
}

/// A connection at work, with its endpoints. Dropping it ends both, and their subscriptions.
#[derive(Debug)]
pub(crate) struct StartedConnection {
    /// How it fares.
    pub(crate) watched: WatchedConnection,
    /// Before the link, so that nothing is submitted to a link that ends.
    tasks: JoinSet<()>,
    /// The session, where the other system is a broker.
    link: Option<Link>,
}

impl StartedConnection {
    /// Ends it with the agent, and waits until that is done: a Session that is kept keeps its subscriptions.
    pub(crate) async fn stop(self) {
        let Self { mut tasks, link, .. } = self;
        if let Some(link) = link {
            link.stop().await;
        }
        tasks.shutdown().await;
    }
}

/// Starts the endpoints of `connection`.
pub(crate) fn start(
    means: &Means<'_>,
    service: &str,
    connection: &ConnectionPlan,
) -> Result<StartedConnection, ClientError> {
    let owner = format!("connection {} of service {service}", connection.resource);
    let endpoints: Vec<WatchedEndpoint> = connection
        .endpoints
        .iter()
        .map(|endpoint| WatchedEndpoint {
            service: endpoint.service.clone(),
            resource: endpoint.resource.clone(),
            operation: endpoint.operation.name(),
            tally: Arc::default(),
        })
        .collect();
    let tallies = endpoints.iter().map(|endpoint| &endpoint.tally);
    let planned = connection.endpoints.iter().zip(tallies);
    let mut tasks = JoinSet::new();
    let (state, link) = match &connection.protocol {
        ConnectionProtocol::Http(plan) => {
            let client = Arc::new(Client::new(plan, means.tls)?);
            let state = Arc::new(LinkState::new(client.origin().to_owned()));
            tasks.spawn(probe::run(
                Arc::clone(&client),
                Arc::clone(&state),
                plan.probe.clone(),
                connection.strategy,
                owner,
            ));
            for (endpoint, tally) in planned {
                if let EndpointTarget::Http(request) = &endpoint.target {
                    let worker = Worker::new(means, endpoint, request, Arc::clone(&client), tally);
                    tasks.spawn(worker.run(connection.strategy));
                }
            }
            (state, None)
        }
        ConnectionProtocol::Mqtt(plan) => {
            let (mut link, driver) = Link::new(means, service, connection, plan, &owner)?;
            for (endpoint, tally) in planned {
                mqtt::start(means, &link, endpoint, tally, &mut tasks);
            }
            link.begin(driver);
            (Arc::clone(link.state()), Some(link))
        }
    };
    Ok(StartedConnection {
        watched: WatchedConnection {
            service: service.to_owned(),
            resource: connection.resource.clone(),
            protocol: connection.protocol.name(),
            state,
            endpoints,
        },
        tasks,
        link,
    })
}
