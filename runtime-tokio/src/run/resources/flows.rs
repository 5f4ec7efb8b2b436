//! Items of mappings: each is a task that is subscribed before the one in whose place it comes is gone.

use std::sync::Arc;

use super::super::RunError;
use super::table::{Difference, Kind, ResourceId, Table};
use crate::driver::AgentHandle;
use crate::mapping::{MappedFlow, Subscribed};
use crate::rules::Evaluators;
use crate::service::plan::{FlowPlan, Plan};
use crate::task::Task;

/// Items of mappings, with what they need.
pub(super) struct Flows {
    pub(super) agent: AgentHandle,
    pub(super) evaluators: Option<Evaluators>,
}

/// An item of a mapping at work.
pub(super) struct Running {
    pub(super) flow: MappedFlow,
    task: Task,
}

/// The items of mappings that `plan` has, and how they differ from those that run.
pub(super) fn compare(table: &Table<Flows>, plan: &Plan) -> Result<Difference<Flows>, RunError> {
    let wanted = items(plan).map(|(id, plan)| (id, plan.clone())).collect();
    table.compare(wanted, |_, _| Ok(()))
}

/// The items of mappings, in the order of the plan.
pub(super) fn items(plan: &Plan) -> impl Iterator<Item = (ResourceId, &FlowPlan)> {
    plan.services.iter().flat_map(|service| {
        service.mappings.iter().flat_map(|mapping| {
            mapping.flows.iter().enumerate().map(|(at, flow)| {
                let id = ResourceId {
                    service: service.id.clone(),
                    resource: mapping.resource.clone(),
                    item: at + 1,
                };
                (id, flow)
            })
        })
    })
}

impl Kind for Flows {
    type Settings = FlowPlan;
    type Prepared = ();
    type Running = Running;

    async fn start(&self, id: &ResourceId, settings: &FlowPlan, (): (), before: Option<Running>) -> Running {
        let flow = MappedFlow {
            service: id.service.clone(),
            resource: id.resource.clone(),
            item: id.item,
            counters: Arc::default(),
        };
        // First, so that the broker never hears that nobody listens.
        let subscribed = Subscribed::new(&self.agent, &flow, settings, self.evaluators.as_ref());
        if let Some(before) = before {
            Self::stop(before).await;
        }
        Running {
            flow,
            task: subscribed.start(),
        }
    }

    async fn stop(running: Running) {
        running.task.stop().await;
    }
}
