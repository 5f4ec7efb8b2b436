//! The rules of nodes, started with what they need.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::driver::{AgentHandle, Outbox, mailbox};
use crate::http::{Batches, NodeRules, Provider};
use crate::rules::{Counters, Evaluators, Pipeline};
use crate::service::plan::{HttpNodePlan, HttpOperation};

/// The rules of one node, yet to be started.
pub(super) struct Rules<'a> {
    pub(super) agent: AgentHandle,
    pub(super) plan: &'a HttpNodePlan,
    /// What the log calls the node.
    pub(super) owner: Arc<str>,
    pub(super) evaluators: Option<&'a Evaluators>,
    pub(super) counters: Arc<Counters>,
}

/// Waits until the rules of a node have ended, at most until `deadline`. Nobody asks for them any more.
pub(super) async fn ended(rules: Option<JoinHandle<()>>, deadline: Instant) {
    if let Some(rules) = rules
        && timeout_at(deadline, rules).await.is_err()
    {
        tracing::warn!("the rules of a node have not ended in time: what `burst` has kept is lost");
    }
}

impl Rules<'_> {
    /// What clients send goes through them; `None` where there are none.
    pub(super) fn start(self) -> Option<(NodeRules, JoinHandle<()>)> {
        let pipeline = self.pipeline()?;
        let Self {
            agent,
            plan,
            owner,
            counters,
            ..
        } = self;
        let (topic, batches) = match &plan.operation {
            HttpOperation::Transaction { treq, .. } => (treq, None),
            HttpOperation::Receive { retain } => {
                let batches = Batches {
                    outbox: Outbox::new(agent, owner, counters),
                    topic: plan.topic.clone(),
                    qos: plan.qos,
                    retain: *retain,
                };
                (&plan.topic, Some(batches))
            }
            HttpOperation::Provide => (&plan.topic, None),
        };
        Some(NodeRules::start(pipeline, topic, batches))
    }

    /// What comes on the node's topic goes through them, where there are any.
    pub(super) fn provider(self) -> Provider {
        let pipeline = self.pipeline();
        let Self {
            agent,
            plan,
            owner,
            counters,
            ..
        } = self;
        match pipeline {
            Some(pipeline) => {
                let (mailbox, inbox, _) = mailbox(owner, counters);
                Provider::ruled(&agent, &plan.topic, plan.qos, pipeline, (mailbox, inbox))
            }
            None => Provider::new(&agent, &plan.topic, plan.qos),
        }
    }

    fn pipeline(&self) -> Option<Pipeline> {
        let rules = &self.plan.rules;
        (!rules.is_empty()).then(|| {
            Pipeline::new(
                rules.clone(),
                self.evaluators,
                Arc::clone(&self.owner),
                Arc::clone(&self.counters),
            )
        })
    }
}
