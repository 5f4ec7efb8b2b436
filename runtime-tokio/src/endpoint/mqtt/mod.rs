//! Endpoints of another broker: a session of their own beside the agent's, by the same core and the same driver.
//!
//! ```text
//! other broker ─▶ driver of the connection ─ Mailbox ─▶ Flow ─ rules ─▶ driver of the agent ─▶ <topic>
//! other broker ◀─ driver of the connection ◀─ Writer ◀─ Mailbox ─ driver of the agent ◀─ <topic>/set
//! ```

mod link;
mod writer;

use std::sync::Arc;

pub(super) use link::Link;
pub(crate) use link::{Other, PreparedLink};
use writer::Writing;

use super::Means;
use super::serving::Serving;
use super::tally::Tally;
use crate::driver::Source;
use crate::mapping::Flow;
use crate::service::plan::{
    EndpointPlan, EndpointTarget, FlowPlan, FlowSource, FlowTarget, TopicPart, TopicTemplate,
};

/// An endpoint of another broker that is subscribed, and waits to be started.
pub(crate) enum Subscribed {
    /// What comes from there.
    Flow(Box<Flow>),
    /// What goes there.
    Writer(Box<Serving<Writing>>),
}

/// An endpoint of the `other` broker; `None` where it is of another protocol, or listens to nothing: a plan says otherwise.
pub(super) fn subscribe(
    means: &Means,
    other: &Other,
    plan: &EndpointPlan,
    tally: &Arc<Tally>,
    before: Option<Source>,
) -> Option<(Subscribed, Source)> {
    let owner: Arc<str> = plan.to_string().into();
    match &plan.target {
        EndpointTarget::MqttSubscribe {
            filter,
            captures,
            qos,
        } => {
            let flow = FlowPlan {
                subscribe: vec![FlowSource {
                    filter: filter.clone(),
                    captures: captures.clone(),
                    qos: *qos,
                    label: None,
                }],
                rules: plan.rules.clone(),
                publish: FlowTarget {
                    topic: TopicTemplate(vec![TopicPart::Text(
                        plan.operation.publishes_to().as_str().to_owned(),
                    )]),
                    qos: plan.qos,
                    retain: plan.retain,
                },
            };
            let evaluators = means.evaluators.as_ref();
            let (flow, wanted) = Flow::new(&means.agent, &flow, owner.into(), tally.messages(), evaluators);
            let source = Source::subscribed(&other.agent, wanted, before);
            Some((Subscribed::Flow(Box::new(flow)), source))
        }
        EndpointTarget::MqttPublish { topic, qos, retain } => {
            let target = writer::Target {
                topic: topic.clone(),
                qos: *qos,
                retain: *retain,
            };
            let writing = Writing::new(other, target);
            let (serving, source) = Serving::new(means, plan, tally, before, writing)?;
            Some((Subscribed::Writer(Box::new(serving)), source))
        }
        EndpointTarget::Http(_) | EndpointTarget::Opcua(_) => None,
    }
}

impl Subscribed {
    /// Works until there will be no more messages.
    pub(super) async fn run(self) {
        match self {
            Self::Flow(flow) => flow.run().await,
            Self::Writer(serving) => serving.run().await,
        }
    }
}
