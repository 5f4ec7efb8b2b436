//! What messages flow through: the mappings and endpoints of a plan, started.

use super::RunError;
use crate::endpoint::{self, Means, StartedConnection};
use crate::mapping::{self, MappedFlow};
use crate::rules::{Evaluators, RuleList};
use crate::service::plan::Plan;

/// What messages flow through, at work.
pub(super) struct Flows {
    pub(super) mappings: Vec<MappedFlow>,
    pub(super) connections: Vec<StartedConnection>,
}

/// The threads for expressions, where `plan` has an expression.
pub(super) fn start_evaluators(plan: &Plan) -> Result<Option<Evaluators>, RunError> {
    has_expression(plan)
        .then(Evaluators::start)
        .transpose()
        .map_err(RunError::Evaluators)
}

/// Starts every mapping and every endpoint of `plan`.
pub(super) fn start_flows(means: &Means<'_>, plan: &Plan) -> Result<Flows, RunError> {
    let mut mappings = Vec::new();
    let mut connections = Vec::new();
    for service in &plan.services {
        for mapping in &service.mappings {
            mappings.extend(mapping::start(
                means.agent,
                &service.id,
                mapping,
                means.evaluators,
            ));
        }
        for connection in &service.connections {
            let started = endpoint::start(means, &service.id, connection);
            connections.push(started.map_err(|cause| RunError::Connection {
                service: service.id.clone(),
                resource: connection.resource.clone(),
                cause,
            })?);
        }
    }
    let endpoints: usize = connections
        .iter()
        .map(|connection| connection.watched.endpoints.len())
        .sum();
    if !mappings.is_empty() || endpoints > 0 {
        tracing::info!(mappings = mappings.len(), endpoints, "messages flow");
    }
    Ok(Flows {
        mappings,
        connections,
    })
}

fn has_expression(plan: &Plan) -> bool {
    let mappings = plan.services.iter().flat_map(|service| &service.mappings);
    let endpoints = plan
        .services
        .iter()
        .flat_map(|service| &service.connections)
        .flat_map(|connection| &connection.endpoints);
    let nodes = plan
        .services
        .iter()
        .flat_map(|service| &service.http_servers)
        .flat_map(|server| &server.nodes);
    mappings
        .flat_map(|mapping| &mapping.flows)
        .map(|flow| &flow.rules)
        .chain(endpoints.map(|endpoint| &endpoint.rules))
        .chain(nodes.map(|node| &node.rules))
        .any(RuleList::has_expression)
}
