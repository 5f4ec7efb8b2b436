//! Mappings: each item of each is a task that takes messages from its subscriptions through its rules to its topic.
//!
//! ```text
//! broker ─▶ driver ─ Mailbox ─▶ Flow ─ Pipeline ─▶ Flow ─ submit ─▶ driver ─▶ broker
//! ```
//! Also what goes from one resource of this agent to another goes over the broker, so that others may listen.

mod context;
mod topic;

use std::sync::Arc;

use syncline_core::session::Publication;

use crate::driver::{AgentHandle, Delivery, Inbox, Outbox, Receipt, Wanted, mailbox};
use crate::log_name::LogName;
use crate::rules::{Arrival, Counters, Departure, Evaluators, Pipeline, at};
use crate::service::plan::{FlowPlan, FlowTarget};
use crate::task::Task;
use context::Origin;

/// One item of a mapping, and how its messages fare.
#[derive(Debug, Clone)]
pub struct MappedFlow {
    /// `serviceId`.
    pub service: String,
    /// Resource id of the mapping.
    pub resource: String,
    /// Which item of it, counted from 1.
    pub item: usize,
    /// The filters that it subscribes to.
    pub subscribes: Vec<String>,
    /// The topic that it publishes on, with the names of its variables.
    pub publishes: String,
    /// Its messages.
    pub counters: Arc<Counters>,
}

/// An item of a mapping that is yet to be subscribed and started.
pub(crate) struct Item(Flow);

impl MappedFlow {
    /// What the log calls it.
    pub(crate) fn log_name(&self) -> String {
        let Self {
            service,
            resource,
            item,
            ..
        } = self;
        format!("mapping {resource} of service {service}, item {item}")
    }
}

impl Item {
    /// The item of `plan` that the log calls `name`, with what it is to take in.
    pub(crate) fn new(
        agent: &AgentHandle,
        name: &LogName,
        plan: &FlowPlan,
        counters: &Arc<Counters>,
        evaluators: Option<&Evaluators>,
    ) -> (Self, Wanted) {
        let (flow, wanted) = Flow::new(agent, plan, name.clone(), counters, evaluators);
        (Self(flow), wanted)
    }

    /// Lets the messages flow once `first` is done, until the source or the driver ends, or the task is dropped.
    pub(crate) fn start(self, first: impl Future<Output = ()> + Send + 'static) -> Task {
        Task::start(async move {
            first.await;
            self.0.run().await;
        })
    }
}

/// Messages on their way from subscriptions through rules to a topic: one item of a mapping at work, for example.
pub(crate) struct Flow {
    origins: Vec<Origin>,
    inbox: Inbox,
    pipeline: Pipeline,
    target: FlowTarget,
    outbox: Outbox,
}

impl Flow {
    /// A flow that publishes at the broker `to`, and what it is to take in, wherever that comes from; the log calls it `owner`.
    pub(crate) fn new(
        to: &AgentHandle,
        plan: &FlowPlan,
        owner: LogName,
        counters: &Arc<Counters>,
        evaluators: Option<&Evaluators>,
    ) -> (Self, Wanted) {
        let (mailbox, inbox, closer) = mailbox(owner.clone(), Arc::clone(counters));
        let sources = plan.subscribe.iter().enumerate();
        let wanted =
            sources.map(|(number, source)| (source.filter.clone(), source.qos, mailbox.sink(number)));
        let wanted = Wanted::new(closer, wanted);
        let flow = Self {
            origins: plan.subscribe.iter().map(Origin::of).collect(),
            inbox,
            pipeline: Pipeline::new(
                plan.rules.clone(),
                evaluators,
                owner.clone(),
                Arc::clone(counters),
            ),
            target: plan.publish.clone(),
            outbox: Outbox::new(to.clone(), owner, Arc::clone(counters)),
        };
        (flow, wanted)
    }

    /// Runs until there will be no more messages, and until what came of those before is published.
    pub(crate) async fn run(mut self) {
        loop {
            let due = self.pipeline.due();
            let has_room = self.outbox.has_room();
            let departure = tokio::select! {
                () = self.outbox.acknowledged() => None,
                delivery = self.inbox.recv(), if has_room => {
                    let Some(delivery) = delivery else { break };
                    let Delivery { source, topic, payload, receipt } = delivery;
                    let context = self.origins[source].context(&topic);
                    let departure = self.pipeline.handle_message(Arrival { payload, context }).await;
                    departure.map(|departure| (departure, receipt))
                }
                () = at(due), if has_room => {
                    // What a batch has gathered was handled when it was taken in.
                    let batch = self.pipeline.handle_due().await;
                    batch.map(|batch| (batch, Receipt::default()))
                }
            };
            if let Some((departure, made_of)) = departure {
                self.publish(departure, made_of);
            }
        }
        while let Some(departure) = self.pipeline.handle_end().await {
            self.publish(departure, Receipt::default());
        }
        self.outbox.settled().await;
    }

    fn publish(&mut self, departure: Departure, made_of: Receipt) {
        let Departure { payload, context } = departure;
        match topic::name(&self.target.topic, &context.vars) {
            Ok(topic) => {
                let mut publication = Publication::new(topic, payload).qos(self.target.qos);
                publication.retain = self.target.retain;
                self.outbox.publish(publication, made_of);
            }
            Err(error) => self.outbox.fail(&error),
        }
    }
}
