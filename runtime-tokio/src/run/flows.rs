//! What messages flow through: the mappings and endpoints of a plan, started.

use super::RunError;
use crate::driver::AgentHandle;
use crate::endpoint;
use crate::mapping::{self, MappedFlow};
use crate::rules::{Evaluators, RuleList};
use crate::service::plan::Plan;
use crate::tls;

/// Starts every mapping and every endpoint of `plan`. Threads for expressions start where there is an expression.
pub(super) fn start_flows(
    agent: &AgentHandle,
    plan: &Plan,
    tls: &tls::Settings,
) -> Result<Vec<MappedFlow>, RunError> {
    let evaluators = has_expression(plan)
        .then(Evaluators::start)
        .transpose()
        .map_err(RunError::Evaluators)?;
    let mut flows = Vec::new();
    let mut endpoints = 0;
    for service in &plan.services {
        for mapping in &service.mappings {
            flows.extend(mapping::start(agent, &service.id, mapping, evaluators.as_ref()));
        }
        for connection in &service.connections {
            let started = endpoint::start(agent, &service.id, connection, tls, evaluators.as_ref());
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
    mappings
        .flat_map(|mapping| &mapping.flows)
        .map(|flow| &flow.rules)
        .chain(endpoints.map(|endpoint| &endpoint.rules))
        .any(RuleList::has_expression)
}
