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

use crate::driver::{AgentHandle, Delivery, Inbox, Outbox, Receipt, Source, mailbox};
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
    /// Its messages.
    pub counters: Arc<Counters>,
}

/// An item of a mapping whose messages are waiting for it already.
pub(crate) struct Subscribed(Flow, Source);

impl Subscribed {
    /// Subscribes to what `flow`, of `plan`, takes in, in the place of what took it in `before`: that gets no more from then on.
    pub(crate) fn new(
        agent: &AgentHandle,
        flow: &MappedFlow,
        plan: &FlowPlan,
        evaluators: Option<&Evaluators>,
        before: Option<Source>,
    ) -> Self {
        let MappedFlow {
            service,
            resource,
            item,
            counters,
        } = flow;
        let owner = format!("mapping {resource} of service {service}, item {item}").into();
        let ends = FlowEnds {
            from: agent,
            to: agent,
        };
        let (flow, source) = Flow::subscribed(ends, plan, owner, counters, evaluators, before);
        Self(flow, source)
    }

    /// Lets the messages flow once `first` is done, until the source or the driver ends, or the task is dropped.
    pub(crate) fn start(self, first: impl Future<Output = ()> + Send + 'static) -> (Task, Source) {
        let Self(flow, source) = self;
        let task = Task::start(async move {
            first.await;
            flow.run().await;
        });
        (task, source)
    }
}

/// The brokers between which messages flow, which may be one.
pub(crate) struct FlowEnds<'a> {
    /// Where they come from.
    pub(crate) from: &'a AgentHandle,
    /// Where they go.
    pub(crate) to: &'a AgentHandle,
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
    /// A flow that has subscribed, in one step in the place of `before`; the log calls it `owner`.
    pub(crate) fn subscribed(
        ends: FlowEnds<'_>,
        plan: &FlowPlan,
        owner: Arc<str>,
        counters: &Arc<Counters>,
        evaluators: Option<&Evaluators>,
        before: Option<Source>,
    ) -> (Self, Source) {
        let FlowEnds { from, to } = ends;
        let (mailbox, inbox, closer) = mailbox(Arc::clone(&owner), Arc::clone(counters));
        let sources = plan.subscribe.iter().enumerate();
        let wanted =
            sources.map(|(number, source)| (source.filter.clone(), source.qos, mailbox.sink(number)));
        let source = Source::subscribed(from, closer, wanted, before);
        let flow = Self {
            origins: plan.subscribe.iter().map(Origin::of).collect(),
            inbox,
            pipeline: Pipeline::new(
                plan.rules.clone(),
                evaluators,
                Arc::clone(&owner),
                Arc::clone(counters),
            ),
            target: plan.publish.clone(),
            outbox: Outbox::new(to.clone(), owner, Arc::clone(counters)),
        };
        (flow, source)
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
