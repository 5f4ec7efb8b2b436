//! Items of mappings: each is a task. Those that begin take over the subscriptions of those that end in one step, and begin once these
//! have worked off what they were given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::RunError;
use super::table::{Begin, Difference, Kind, ResourceId, Table};
use crate::driver::{AgentHandle, Source};
use crate::log_name::LogName;
use crate::mapping::{Item, MappedFlow};
use crate::rules::Evaluators;
use crate::service::plan::{FlowPlan, MappingPlan, Plan};
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
    name: LogName,
    task: Task,
    source: Source,
}

impl Running {
    /// Takes no more, and ends by `deadline` at the latest; the broker keeps the subscriptions for as long as the source lasts.
    pub(super) fn leave(self, deadline: Instant) -> impl Future<Output = Source> + Send + 'static {
        self.source.leave(self.task, deadline, Duration::ZERO)
    }
}

/// How the items of a plan differ from those that run.
#[derive(Default)]
pub(super) struct Change {
    pub(super) difference: Difference<Flows>,
    /// Where each stands among the items of its mapping, counted from 1.
    places: BTreeMap<ResourceId, usize>,
}

/// The items of mappings that `plan` has, and how they differ from those that run.
pub(super) fn compare(table: &Table<Flows>, plan: &Plan) -> Result<Change, RunError> {
    let items = mappings(plan).flat_map(|(service, mapping)| numbered(table, service, mapping));
    let (wanted, places) = items
        .map(|(id, place, plan)| ((id.clone(), plan.clone()), (id, place)))
        .unzip();
    Ok(Change {
        difference: table.compare(wanted, |_, _| Ok(()))?,
        places,
    })
}

/// The items that run of `plan`, in its order, each called by its place.
pub(super) fn shown(table: &Table<Flows>, plan: &Plan) -> Vec<MappedFlow> {
    let items = mappings(plan).flat_map(|(service, mapping)| numbered(table, service, mapping));
    items
        .filter_map(|(id, ..)| Some(table.running(&id)?.flow.clone()))
        .collect()
}

fn mappings(plan: &Plan) -> impl Iterator<Item = (&str, &MappingPlan)> {
    plan.services.iter().flat_map(|service| {
        let mappings = service.mappings.iter();
        mappings.map(move |mapping| (service.id.as_str(), mapping))
    })
}

/// The items of `mapping`, each with the number that it is known by, and with its place, counted from 1.
///
/// One that runs keeps its number, wherever it stands now. What is left goes in the place of what is left of those that run: one with
/// the same subscriptions, or else any.
fn numbered<'p>(
    table: &Table<Flows>,
    service: &str,
    mapping: &'p MappingPlan,
) -> impl Iterator<Item = (ResourceId, usize, &'p FlowPlan)> {
    let mut before: Vec<(usize, &FlowPlan)> = table
        .of(service, &mapping.resource)
        .map(|(id, plan)| (id.item, plan))
        .collect();
    let mut fresh = (1..).filter({
        let taken: BTreeSet<usize> = before.iter().map(|(number, _)| *number).collect();
        move |number| !taken.contains(number)
    });
    let mut numbers: Vec<Option<usize>> = vec![None; mapping.flows.len()];
    let likenesses: [fn(&FlowPlan, &FlowPlan) -> bool; 3] = [
        |before, now| before == now,
        |before, now| before.subscribe == now.subscribe,
        |_, _| true,
    ];
    for alike in likenesses {
        for (number, plan) in numbers.iter_mut().zip(&mapping.flows) {
            if number.is_none()
                && let Some(at) = before.iter().position(|(_, before)| alike(before, plan))
            {
                *number = Some(before.remove(at).0);
            }
        }
    }
    let ids = numbers.into_iter().map(|number| ResourceId {
        service: service.to_owned(),
        resource: mapping.resource.clone(),
        // There is always another number.
        item: number.or_else(|| fresh.next()).unwrap_or_default(),
    });
    let ids: Vec<ResourceId> = ids.collect();
    ids.into_iter()
        .zip(1..)
        .zip(&mapping.flows)
        .map(|((id, place), plan)| (id, place, plan))
}

/// One that has been at work and is about to end.
struct Gone {
    id: ResourceId,
    source: Source,
    /// Changes no more once it has ended.
    ended: watch::Receiver<()>,
}

/// Items that begin take messages in, and publish none, for as long as this lasts: until all whom that may be for have subscribed.
pub(crate) type Gate = watch::Sender<()>;

/// Carries `change` out, in one step as far as subscriptions go: of a filter that anyone has before and after it no message is lost,
/// whoever has it. The set waits until those have ended in whose place none comes.
pub(super) fn adopt(table: &mut Table<Flows>, kind: &Flows, change: Change) -> (Gate, JoinSet<()>) {
    let Change { difference, places } = change;
    let (gate, opened) = watch::channel(());
    let mut ends = JoinSet::new();
    let mut gone = Vec::new();
    for id in &difference.ends {
        let Some(running) = table.remove(id) else {
            continue;
        };
        let (one, end) = running.end(id);
        gone.push(one);
        ends.spawn(end);
    }
    let mut begins = Vec::new();
    let mut wanted = Vec::new();
    for Begin { id, settings, .. } in difference.begins {
        let mut counters = Arc::default();
        if let Some(running) = table.remove(&id) {
            counters = Arc::clone(&running.flow.counters);
            let (one, end) = running.end(&id);
            gone.push(one);
            // It is awaited by the one in its place.
            tokio::spawn(end);
        }
        let filters = settings.subscribe.iter().map(|source| source.filter.as_str());
        let flow = MappedFlow {
            service: id.service.clone(),
            resource: id.resource.clone(),
            item: id.item,
            subscribes: filters.map(str::to_owned).collect(),
            publishes: settings.publish.topic.to_string(),
            counters,
        };
        let name = LogName::from(flow.log_name());
        let evaluators = kind.evaluators.as_ref();
        let (item, filters) = Item::new(&kind.agent, &name, &settings, &flow.counters, evaluators);
        wanted.push(filters);
        begins.push((id, settings, (flow, name), item));
    }
    // Messages keep their order: those before are worked off first, by whoever was given them.
    let before: Vec<_> = begins
        .iter()
        .map(|(id, settings, ..)| {
            let filters = || settings.subscribe.iter().map(|source| &source.filter);
            let gone = gone.iter();
            let before = gone.filter(|gone| {
                gone.id == *id || filters().any(|filter| gone.source.filters().contains(filter))
            });
            let before = before.map(|gone| gone.ended.clone());
            before.chain([opened.clone()]).collect::<Vec<_>>()
        })
        .collect();
    let gone = gone.into_iter().map(|gone| gone.source);
    let sources = Source::all_subscribed(&kind.agent, wanted, gone);
    for (((id, settings, (flow, name), item), before), source) in begins.into_iter().zip(before).zip(sources)
    {
        let task = item.start(async move {
            for mut ended in before {
                while ended.changed().await.is_ok() {}
            }
        });
        let running = Running {
            flow,
            name,
            task,
            source,
        };
        table.insert(id, settings, running);
    }
    for (id, running) in table.all_mut() {
        if let Some(place) = places.get(id) {
            running.flow.item = *place;
            running.name.replace(running.flow.log_name());
        }
    }
    (gate, ends)
}

impl Running {
    /// What others need of it, and its end.
    fn end(self, id: &ResourceId) -> (Gone, impl Future<Output = ()> + Send + 'static) {
        let Self { task, source, .. } = self;
        let (going, ended) = watch::channel(());
        let end = async move {
            task.finish(FINISH_TIME).await;
            drop(going);
        };
        let id = id.clone();
        (Gone { id, source, ended }, end)
    }
}

impl Kind for Flows {
    type Settings = FlowPlan;
    type Prepared = ();
    type Running = Running;
}
