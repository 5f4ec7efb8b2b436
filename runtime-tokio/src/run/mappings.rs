//! The mappings of a plan, subscribed and started.

use super::RunError;
use crate::driver::AgentHandle;
use crate::mapping::{self, MappedFlow};
use crate::rules::Evaluators;
use crate::service::plan::Plan;

/// Starts every mapping of `plan`. Threads for expressions start where there is an expression.
pub(super) fn start_mappings(agent: &AgentHandle, plan: &Plan) -> Result<Vec<MappedFlow>, RunError> {
    let has_expression = plan
        .services
        .iter()
        .flat_map(|service| &service.mappings)
        .flat_map(|mapping| &mapping.flows)
        .any(|flow| flow.rules.has_expression());
    let evaluators = has_expression
        .then(Evaluators::start)
        .transpose()
        .map_err(RunError::Evaluators)?;
    let mut flows = Vec::new();
    for service in &plan.services {
        for mapping in &service.mappings {
            flows.extend(mapping::start(agent, &service.id, mapping, evaluators.as_ref()));
        }
    }
    if !flows.is_empty() {
        tracing::info!(items = flows.len(), "mapping messages");
    }
    Ok(flows)
}
