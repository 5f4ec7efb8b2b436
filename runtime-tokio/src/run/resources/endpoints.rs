//! Endpoints: one is started anew by itself, and with its connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::RunError;
use super::connections::{self, Link};
use super::table::{Difference, Kind, ResourceId, Table};
use crate::endpoint::{Means, Tally, Way};
use crate::service::plan::{EndpointPlan, Plan};
use crate::task::Task;

/// Endpoints, with what they need.
pub(super) struct Endpoints {
    pub(super) means: Means,
    /// The ways that there are, by connection.
    pub(super) ways: BTreeMap<ResourceId, Way>,
}

/// All that an endpoint depends on: its connection, too.
#[derive(PartialEq)]
pub(super) struct Settings {
    plan: EndpointPlan,
    of: ResourceId,
    link: Link,
}

/// An endpoint at work.
pub(super) struct Running {
    pub(super) tally: Arc<Tally>,
    /// Absent where its connection could not be made.
    task: Option<Task>,
}

/// The endpoints that `plan` has, and how they differ from those that work.
pub(super) fn compare(table: &Table<Endpoints>, plan: &Plan) -> Result<Difference<Endpoints>, RunError> {
    let wanted = connections::all(plan).flat_map(|(of, connection)| {
        connection.endpoints.iter().map(move |endpoint| {
            let settings = Settings {
                plan: endpoint.clone(),
                of: of.clone(),
                link: Link::of(connection),
            };
            (id(endpoint), settings)
        })
    });
    table.compare(wanted.collect(), |_, _| Ok(()))
}

/// The endpoint of this plan.
pub(super) fn id(plan: &EndpointPlan) -> ResourceId {
    ResourceId {
        service: plan.service.clone(),
        resource: plan.resource.clone(),
        item: 0,
    }
}

impl Kind for Endpoints {
    type Settings = Settings;
    type Prepared = ();
    type Running = Running;

    async fn start(&self, _: &ResourceId, settings: &Settings, (): (), before: Option<Running>) -> Running {
        let tally = Arc::default();
        let way = self.ways.get(&settings.of);
        // First, so that the broker never hears that nobody listens.
        let subscribed = way.and_then(|way| way.subscribe(&self.means, &settings.plan, &tally));
        if let Some(before) = before {
            Self::stop(before).await;
        }
        Running {
            tally,
            task: subscribed.map(|subscribed| subscribed.start()),
        }
    }

    async fn stop(running: Running) {
        if let Some(task) = running.task {
            task.stop().await;
        }
    }
}
