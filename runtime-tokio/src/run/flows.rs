//! What messages flow through: the mappings and endpoints of a plan, started.

use super::RunError;
use crate::driver::AgentHandle;
use crate::endpoint;
use crate::mapping::{self, MappedFlow};
use crate::rules::{Evaluators, RuleList};
use crate::service::plan::Plan;
use crate::tls;

/// The threads for expressions, where `plan` has an expression.
pub(super) fn start_evaluators(plan: &Plan) -> Result<Option<Evaluators>, RunError> {
    has_expression(plan)
        .then(Evaluators::start)
        .transpose()
        .map_err(RunError::Evaluators)
}

/// Starts every mapping and every endpoint of `plan`.
pub(super) fn start_flows(
    agent: &AgentHandle,
    plan: &Plan,
    tls: &tls::Settings,
    evaluators: Option<&Evaluators>,
) -> Result<Vec<MappedFlow>, RunError> {
    let mut flows = Vec::new();
    let mut endpoints = 0;
    for service in &plan.services {
        for mapping in &service.mappings {
            flows.extend(mapping::start(agent, &service.id, mapping, evaluators));
        }
        for connection in &service.connections {
            let started = endpoint::start(agent, &service.id, connection, tls, evaluators);
            endpoints += started.map_err(|cause| RunError::Connection {
                service: service.id.clone(),
                resource: connection.resource.clone(),
                cause,
            })?;
        }
    }
    if !flows.is_empty() || endpoints > 0 {
        tracing::info!(mappings = flows.len(), endpoints, "messages flow");
    }
    Ok(flows)
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
