//! Endpoints of another broker: a session of their own beside the agent's, by the same core and the same driver.
//!
//! ```text
//! other broker ─▶ driver of the connection ─ Mailbox ─▶ Flow ─ rules ─▶ driver of the agent ─▶ <topic>
//! other broker ◀─ driver of the connection ◀─ Writer ◀─ Mailbox ─ driver of the agent ◀─ <topic>/set
//! ```

mod link;
mod writer;

use std::sync::Arc;

use tokio::task::JoinSet;

pub(super) use link::Link;
use writer::Writer;

use super::Means;
use super::tally::Tally;
use crate::mapping::{Flow, FlowEnds};
use crate::service::plan::{
    EndpointPlan, EndpointTarget, FlowPlan, FlowSource, FlowTarget, TopicPart, TopicTemplate,
};

/// Starts an endpoint of the broker behind `link`.
pub(super) fn start(
    means: &Means<'_>,
    link: &Link,
    plan: &EndpointPlan,
    tally: &Arc<Tally>,
    tasks: &mut JoinSet<()>,
) {
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
            let ends = FlowEnds {
                from: link.agent(),
                to: means.agent,
            };
            let flow = Flow::subscribed(ends, &flow, owner, tally.messages(), means.evaluators);
            tasks.spawn(flow.run());
        }
        EndpointTarget::MqttPublish { topic, qos, retain } => {
            let target = writer::Target {
                topic: topic.clone(),
                qos: *qos,
                retain: *retain,
            };
            if let Some(writer) = Writer::new(means, link, plan, target, &owner, tally) {
                tasks.spawn(writer.run());
            }
        }
        EndpointTarget::Http(_) => {}
    }
}
