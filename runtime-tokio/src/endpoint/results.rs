//! What an endpoint tells over MQTT: through its rules, then to its topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use syncline_core::codec::QoS;
use syncline_core::session::Publication;
use syncline_core::topic::TopicName;
use tokio::time::{Instant, sleep_until};

use super::serving::Work;
use super::tally::Tally;
use super::under_way::Unfinished;
use super::{Means, message};
use crate::driver::{Delivery, Outbox, Receipt};
use crate::rules::{Arrival, Context, Dropped, Json, Pipeline, at};
use crate::service::plan::EndpointPlan;

/// The way of one endpoint's results to the agent's broker.
pub(super) struct Results {
    topic: TopicName,
    qos: QoS,
    retain: bool,
    pipeline: Pipeline,
    pub(super) outbox: Outbox,
}

impl Results {
    pub(super) fn new(means: &Means, plan: &EndpointPlan, owner: &Arc<str>, tally: &Tally) -> Self {
        let counters = tally.messages();
        Self {
            topic: plan.operation.publishes_to().clone(),
            qos: plan.qos,
            retain: plan.retain,
            pipeline: Pipeline::new(
                plan.rules.clone(),
                means.evaluators.as_ref(),
                Arc::clone(owner),
                Arc::clone(counters),
            ),
            outbox: Outbox::new(means.agent.clone(), Arc::clone(owner), Arc::clone(counters)),
        }
    }

    /// Whether the endpoint should take in more.
    pub(super) fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    /// Tells `message`, unless a rule stops it or fails.
    pub(super) async fn pass(&mut self, message: Json) {
        // The pipeline has counted and told it.
        let _ = self.judge(message).await;
    }

    async fn judge(&mut self, message: Json) -> Result<(), Dropped> {
        let arrival = Arrival {
            payload: message.into_bytes(),
            context: Context {
                topic: self.topic.as_str().into(),
                label: None,
                vars: BTreeMap::new(),
            },
        };
        let departure = self.pipeline.judge(arrival).await?;
        self.publish(departure.payload);
        Ok(())
    }

    /// Tells the result of a request that `work` has made, or counts and logs why there is none. One that a rule fails on is told as an
    /// error, past the rules, for somebody waits for it.
    pub(super) async fn tell(&mut self, result: Result<Json, String>, work: &impl Work) {
        let message = match result {
            Ok(message) => message,
            Err(trouble) => return self.outbox.fail(&trouble),
        };
        if let Err(Dropped::Failed(failure)) = self.judge(message.clone()).await {
            let id = message::id(message.as_str().as_bytes());
            let told = work.unfinished(id.as_ref(), Unfinished::Unruled(failure));
            self.publish(told.into_bytes());
        }
    }

    /// A message that asks for nothing has been handled.
    pub(super) fn pass_over(&self, tally: &Tally, delivery: Delivery) {
        tally.count_passed_over();
        drop(delivery.receipt);
        tracing::debug!(
            "{}: a message without a payload is passed over",
            self.outbox.owner()
        );
    }

    /// Waits until a message was acknowledged, or a batch is due. Cancel safe.
    pub(super) async fn moved(&mut self) {
        let has_room = self.outbox.has_room();
        let due = self.pipeline.due();
        tokio::select! {
            () = self.outbox.acknowledged() => {}
            () = at(due), if has_room => {}
        }
    }

    /// Waits until the broker has taken enough of what was published for more to follow, until `deadline` at the latest.
    pub(super) async fn room(&mut self, deadline: Instant) {
        while !self.has_room() {
            tokio::select! {
                () = self.moved() => {}
                () = sleep_until(deadline) => return,
            }
        }
    }

    /// Tells the batch that is due, if one is.
    pub(super) async fn pass_due(&mut self) {
        if self.outbox.has_room()
            && let Some(departure) = self.pipeline.handle_due().await
        {
            self.publish(departure.payload);
        }
    }

    /// Tells what batches have gathered, for there will be no more messages, and waits until the broker has all.
    pub(super) async fn finish(&mut self) {
        while let Some(departure) = self.pipeline.handle_end().await {
            self.publish(departure.payload);
        }
        self.outbox.settled().await;
    }

    fn publish(&mut self, payload: Bytes) {
        let mut publication = Publication::new(self.topic.clone(), payload).qos(self.qos);
        publication.retain = self.retain;
        self.outbox.publish(publication, Receipt::default());
    }
}
