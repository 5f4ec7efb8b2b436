//! Items of mappings: each is a task that takes over the subscriptions of the one in whose place it comes, in one step, and begins once
//! that has worked off what it was given.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::RunError;
use super::table::{Difference, Kind, ResourceId, Table};
use crate::driver::{AgentHandle, Source};
use crate::mapping::{MappedFlow, Subscribed};
use crate::rules::Evaluators;
use crate::service::plan::{FlowPlan, Plan};
use crate::task::Task;

/// Time that an item has to work off what it was given before its end.
const FINISH_TIME: Duration = Duration::from_secs(5);

/// Items of mappings, with what they need.
pub(super) struct Flows {
    pub(super) agent: AgentHandle,
    pub(super) evaluators: Option<Evaluators>,
}

/// An item of a mapping at work.
pub(super) struct Running {
    pub(super) flow: MappedFlow,
    task: Task,
    source: Source,
}

impl Running {
    /// Takes no more, and ends by `deadline` at the latest; the broker keeps the subscriptions for as long as the source lasts.
    pub(super) async fn leave(self, deadline: Instant) -> Source {
        self.source.leave(self.task, deadline, Duration::ZERO).await
    }
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
            counters: before
                .as_ref()
                .map_or_else(Arc::default, |before| Arc::clone(&before.flow.counters)),
        };
        let (old, source) = before.map(|before| (before.task, before.source)).unzip();
        let subscribed = Subscribed::new(&self.agent, &flow, settings, self.evaluators.as_ref(), source);
        // Messages keep their order.
        let (task, source) = subscribed.start(async {
            if let Some(old) = old {
                old.finish(FINISH_TIME).await;
            }
        });
        Running { flow, task, source }
    }

    fn stop(running: Running) -> impl Future<Output = ()> + Send + 'static {
        drop(running.source);
        running.task.finish(FINISH_TIME)
    }
}
