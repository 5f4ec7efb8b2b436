//! Endpoints: what asks other systems for values and gives them values, and tells over MQTT what came of it.
//!
//! ```text
//! <topic>/req, <topic>/set ─▶ Worker ─ Client ─▶ HTTP server
//! <topic>/res, <topic>     ◀─ Worker ◀─ rules ◀──────┘
//! ```
//! Each endpoint is a task; those of one connection share its client, and with it its TCP connections.

mod client;
mod message;
mod probe;
mod worker;

use std::sync::Arc;

use crate::driver::AgentHandle;
use crate::rules::Evaluators;
use crate::service::plan::{ConnectionPlan, ConnectionProtocol, EndpointTarget};
use crate::tls;

use client::Client;
pub(crate) use client::ClientError;
use worker::Worker;

/// Starts the endpoints of `connection` and its probe. They end with the driver.
///
/// `tls` is what the agent's own link to the broker believes and shows.
pub(crate) fn start(
    agent: &AgentHandle,
    service: &str,
    connection: &ConnectionPlan,
    tls: &tls::Settings,
    evaluators: Option<&Evaluators>,
) -> Result<usize, ClientError> {
    let ConnectionProtocol::Http(plan) = &connection.protocol else {
        return Ok(0);
    };
    let client = Arc::new(Client::new(plan, tls)?);
    let owner = format!("connection {} of service {service}", connection.resource);
    probe::start(
        agent,
        Arc::clone(&client),
        &plan.probe,
        connection.strategy,
        owner,
    );
    for endpoint in &connection.endpoints {
        if let EndpointTarget::Http(request) = &endpoint.target {
            let worker = Worker::new(agent, endpoint, request, Arc::clone(&client), evaluators);
            worker.start(connection.strategy);
        }
    }
    Ok(connection.endpoints.len())
}
