//! Mappings: each item of each is a task that takes messages from its subscriptions through its rules to its topic.
//!
//! ```text
//! broker ─▶ driver ─ Mailbox ─▶ Flow ─ Pipeline ─▶ Flow ─ submit ─▶ driver ─▶ broker
//! ```
//! Also what goes from one resource of this agent to another goes over the broker, so that others may listen.

mod context;
mod topic;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use syncline_core::session::Publication;
use syncline_core::time::Instant;
use tokio::time::sleep_until;

use crate::driver::{AgentHandle, Inbox, Offline, PublishError, Submitted, Subscription, mailbox};
use crate::rules::{Arrival, Counters, Departure, Evaluators, Pipeline};
use crate::service::plan::{FlowPlan, FlowTarget, MappingPlan};
use context::Origin;

/// Messages of one item that the broker has not acknowledged; with so many the item waits for one.
const UNACKNOWLEDGED: usize = 256;
/// Different troubles that the log tells of one item.
const TROUBLES_TOLD: usize = 100;

/// One item of a mapping, and how its messages fare.
#[derive(Debug, Clone)]
pub struct MappedFlow {
    /// `serviceId`.
    pub service: String,
    /// Resource id of the mapping.
    pub resource: String,
    /// Which item of it, counted from 1.
    pub item: usize,
    /// Its messages.
    pub counters: Arc<Counters>,
}

/// Starts all items of `mapping`. They end with the driver.
pub(crate) fn start(
    agent: &AgentHandle,
    service: &str,
    mapping: &MappingPlan,
    evaluators: Option<&Evaluators>,
) -> Vec<MappedFlow> {
    let started = mapping.flows.iter().enumerate().map(|(at, plan)| {
        let flow = MappedFlow {
            service: service.to_owned(),
            resource: mapping.resource.clone(),
            item: at + 1,
            counters: Arc::default(),
        };
        tokio::spawn(Flow::subscribed(agent, plan, &flow, evaluators).run());
        flow
    });
    started.collect()
}

/// One item of a mapping at work.
struct Flow {
    agent: AgentHandle,
    origins: Vec<Origin>,
    inbox: Inbox,
    pipeline: Pipeline,
    target: FlowTarget,
    /// In the order in which they were submitted, which is that of their acknowledgements.
    unacknowledged: VecDeque<Submitted>,
    owner: Arc<str>,
    start: tokio::time::Instant,
    told: HashSet<String>,
    /// They last as long as the flow.
    _subscriptions: Vec<Subscription>,
}

impl Flow {
    fn subscribed(
        agent: &AgentHandle,
        plan: &FlowPlan,
        flow: &MappedFlow,
        evaluators: Option<&Evaluators>,
    ) -> Self {
        let MappedFlow {
            service,
            resource,
            item,
            counters,
        } = flow;
        let owner: Arc<str> = format!("mapping {resource} of service {service}, item {item}").into();
        let (mailbox, inbox) = mailbox(Arc::clone(&owner), Arc::clone(counters));
        let sources = plan.subscribe.iter().enumerate();
        let subscriptions = sources
            .map(|(number, source)| agent.subscribe(source.filter.clone(), source.qos, mailbox.sink(number)))
            .collect();
        let evaluators = evaluators.filter(|_| plan.rules.has_expression()).cloned();
        Self {
            agent: agent.clone(),
            origins: plan.subscribe.iter().map(Origin::of).collect(),
            inbox,
            pipeline: Pipeline::new(
                plan.rules.clone(),
                evaluators,
                Arc::clone(&owner),
                Arc::clone(counters),
            ),
            target: plan.publish.clone(),
            unacknowledged: VecDeque::new(),
            owner,
            start: tokio::time::Instant::now(),
            told: HashSet::new(),
            _subscriptions: subscriptions,
        }
    }

    async fn run(mut self) {
        loop {
            let due = self.pipeline.poll_timeout().map(|due| self.moment(due));
            let has_room = self.unacknowledged.len() < UNACKNOWLEDGED;
            let departure = tokio::select! {
                result = oldest(&mut self.unacknowledged) => {
                    self.unacknowledged.pop_front();
                    self.ended(result);
                    None
                }
                delivery = self.inbox.recv(), if has_room => {
                    let Some(delivery) = delivery else { return };
                    let arrival = Arrival {
                        context: self.origins[delivery.source].context(&delivery.topic),
                        payload: delivery.payload,
                    };
                    self.pipeline.handle_message(self.now(), arrival).await
                }
                () = at(due), if has_room => self.pipeline.handle_timeout(self.now()).await,
            };
            if let Some(departure) = departure {
                self.publish(departure);
            }
        }
    }

    fn publish(&mut self, departure: Departure) {
        let Departure { payload, context } = departure;
        let topic = match topic::name(&self.target.topic, &context.vars) {
            Ok(topic) => topic,
            Err(error) => {
                self.pipeline.counters().count_failed();
                self.tell(error.to_string());
                return;
            }
        };
        let mut publication = Publication::new(topic, payload).qos(self.target.qos);
        publication.retain = self.target.retain;
        match self.agent.submit(publication, Offline::Queue) {
            Ok(submitted) => self.unacknowledged.push_back(submitted),
            Err(error) => self.ended(Err(error)),
        }
    }

    fn ended(&mut self, result: Result<(), PublishError>) {
        match result {
            Ok(()) => self.pipeline.counters().count_passed(),
            // Nobody is left to tell.
            Err(PublishError::Stopped) => {}
            Err(error) => {
                self.pipeline.counters().count_failed();
                self.tell(format!(
                    "it cannot be published on {}: {error}",
                    self.target.topic
                ));
            }
        }
    }

    /// Logs each trouble once.
    fn tell(&mut self, trouble: String) {
        if self.told.len() < TROUBLES_TOLD && !self.told.contains(&trouble) {
            tracing::warn!(
                "{}: a message is dropped, further ones are only counted: {trouble}",
                self.owner
            );
            self.told.insert(trouble);
        }
    }

    fn now(&self) -> Instant {
        let micros = u64::try_from(self.start.elapsed().as_micros());
        Instant::from_micros(micros.unwrap_or(u64::MAX))
    }

    fn moment(&self, due: Instant) -> tokio::time::Instant {
        self.start + std::time::Duration::from_micros(due.as_micros())
    }
}

/// The end of the message that waits longest; pending for ever where none does.
async fn oldest(unacknowledged: &mut VecDeque<Submitted>) -> Result<(), PublishError> {
    match unacknowledged.front_mut() {
        Some(submitted) => submitted.await,
        None => std::future::pending().await,
    }
}

/// Waits until `due`; for ever where there is nothing to wait for.
async fn at(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
