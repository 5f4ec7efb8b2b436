//! Endpoints: one is started anew by itself, and with its connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syncline_core::topic::TopicFilter;
use tokio::time::Instant;

use super::super::RunError;
use super::connections::{self, Link};
use super::table::{Difference, Kind, OneByOne, ResourceId, Table};
use crate::driver::{AgentHandle, Source};
use crate::endpoint::{Means, Tally, Way};
use crate::service::plan::{EndpointPlan, Plan};
use crate::task::Task;

/// Time to tell what has not ended in time.
const LAST_WORDS_TIME: Duration = Duration::from_secs(1);

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
    work: Option<Work>,
}

struct Work {
    task: Task,
    source: Source,
    /// For its orderly end.
    patience: Duration,
}

impl Running {
    /// Takes no more, and ends soon after `deadline` at the latest; brokers keep the subscriptions for as long as the source lasts.
    pub(super) async fn leave(self, deadline: Instant) -> Option<Source> {
        let Work { task, source, .. } = self.work?;
        Some(source.leave(task, deadline, LAST_WORDS_TIME).await)
    }
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
    table.compare(wanted.collect(), |_, _| Ok(None))
}

/// The endpoint of this plan.
pub(super) fn id(plan: &EndpointPlan) -> ResourceId {
    ResourceId::new(&plan.service, &plan.resource)
}

/// Subscribes at the agent's broker for endpoints that begin and listen to what none listens to yet, so that who begins before them finds
/// them listening. Those that go on with the topic of the one in whose place they come need nothing of that.
pub(super) fn expect(table: &Table<Endpoints>, agent: &AgentHandle, difference: &mut Difference<Endpoints>) {
    for begin in &mut difference.begins {
        let plan = &begin.settings.plan;
        // A Topic Name is a Topic Filter, unless it begins as a shared subscription does.
        let listened = plan.operation.listens_to();
        let Some(filter) = listened.and_then(|topic| TopicFilter::try_from(topic.as_str()).ok()) else {
            continue;
        };
        let before = table.running(&begin.id);
        let work = before.and_then(|before| before.work.as_ref());
        if work.is_some_and(|work| work.source.filters().contains(&filter)) {
            continue;
        }
        let tally = before.map_or_else(Arc::default, |before| Arc::clone(&before.tally));
        let source = Source::expecting(agent, filter, plan.qos, plan.to_string(), tally.messages());
        begin.prepared = Some(Expected { tally, source });
    }
}

/// What comes for an endpoint before it is made.
pub(super) struct Expected {
    tally: Arc<Tally>,
    source: Source,
}

impl Kind for Endpoints {
    type Settings = Settings;
    type Prepared = Option<Expected>;
    type Running = Running;
}

impl OneByOne for Endpoints {
    async fn start(
        &self,
        _: &ResourceId,
        settings: &Settings,
        expected: Option<Expected>,
        before: Option<Running>,
    ) -> Running {
        let (tally, expected) = match expected {
            Some(Expected { tally, source }) => (tally, Some(source)),
            None => (
                before
                    .as_ref()
                    .map_or_else(Arc::default, |before| Arc::clone(&before.tally)),
                None,
            ),
        };
        let patience = self.means.drain_time;
        let before = before.and_then(|before| before.work);
        let (old, source) = before.map(|work| (work.task, work.source)).unzip();
        let finish = async move {
            if let Some(old) = old {
                old.finish(patience + LAST_WORDS_TIME).await;
            }
        };
        let way = self.ways.get(&settings.of);
        // What listened elsewhere ends once this one listens.
        let (before, elsewhere) = match expected {
            Some(expected) => (Some(expected), source),
            None => (source, None),
        };
        let subscribed = way.and_then(|way| way.subscribe(&self.means, &settings.plan, &tally, before));
        drop(elsewhere);
        let work = match subscribed {
            Some((subscribed, source)) => Some(Work {
                task: subscribed.start(finish),
                source,
                patience,
            }),
            None => {
                finish.await;
                None
            }
        };
        Running { tally, work }
    }

    async fn stop(running: Running) {
        if let Some(Work {
            task,
            source,
            patience,
            ..
        }) = running.work
        {
            drop(source);
            task.finish(patience + LAST_WORDS_TIME).await;
        }
    }
}
