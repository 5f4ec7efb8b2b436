//! HTTP nodes: one is the same as before wherever it is served and by whatever method, for its held requests know of neither.

use std::sync::Arc;

use syncline_core::flowsync::{NodeConfig, NodeId};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::super::{NodeFault, RunError};
use super::rules::Rules;
use super::table::{Difference, Kind, ResourceId, Table};
use crate::driver::{AgentHandle, Node};
use crate::http::{Action, Receiver, Transaction};
use crate::rules::Evaluators;
use crate::service::plan::{HttpNodePlan, HttpOperation, Plan, TransactionPlan};

/// HTTP nodes, with what they need.
pub(super) struct Nodes {
    pub(super) agent: AgentHandle,
    pub(super) evaluators: Option<Evaluators>,
}

/// All that the requests of a node depend on once they have come to it.
pub(super) struct Settings(HttpNodePlan);

/// A node's place in the driver, which holds its requests.
pub(super) enum Place {
    /// It needs none.
    None,
    /// It is to be asked for.
    Wanted(NodeConfig),
    /// It has one.
    Taken(Node),
}

/// A node at work.
pub(super) struct Served {
    pub(super) action: Action,
    /// Where it holds requests.
    pub(super) node: Option<Node>,
    /// Its rules, which end by themselves once nobody asks for them any more.
    rules: Option<JoinHandle<()>>,
}

impl Served {
    /// Waits until its rules have ended, at most until `deadline`. What it serves has ended before.
    pub(super) async fn leave(self, deadline: Instant) {
        let Self { action, rules, .. } = self;
        drop(action);
        if let Some(rules) = rules
            && timeout_at(deadline, rules).await.is_err()
        {
            tracing::warn!("the rules of a node have not ended in time: what `burst` has kept is lost");
        }
    }
}

/// The nodes that `plan` has, and how they differ from those that work.
pub(super) fn compare(table: &Table<Nodes>, plan: &Plan) -> Result<Difference<Nodes>, RunError> {
    let nodes = plan.services.iter().flat_map(|service| {
        let servers = service.http_servers.iter();
        let nodes = servers.flat_map(|server| &server.nodes);
        nodes.map(|node| (id(&service.id, &node.resource), Settings(node.clone())))
    });
    table.compare(nodes.collect(), |id, settings| settings.place(id))
}

/// The node of this name.
pub(super) fn id(service: &str, resource: &str) -> ResourceId {
    ResourceId {
        service: service.to_owned(),
        resource: resource.to_owned(),
        item: 0,
    }
}

/// What the difference asks of the driver: which nodes it should remove, and which add.
pub(super) fn places(table: &Table<Nodes>, difference: &Difference<Nodes>) -> (Vec<NodeId>, Vec<NodeConfig>) {
    let replaced = difference.begins.iter().filter(|begin| begin.replaces);
    let removed = replaced.map(|begin| &begin.id).chain(&difference.ends);
    let removed = removed.filter_map(|id| Some(table.running(id)?.node.as_ref()?.id()));
    let added = difference
        .begins
        .iter()
        .filter_map(|begin| match &begin.prepared {
            Place::Wanted(config) => Some(config.clone()),
            Place::None | Place::Taken(_) => None,
        });
    (removed.collect(), added.collect())
}

/// Gives the places that the driver has made to those who wanted them.
pub(super) fn give(difference: &mut Difference<Nodes>, places: Vec<Node>) {
    let wanted = difference.begins.iter_mut().map(|begin| &mut begin.prepared);
    let wanted = wanted.filter(|place| matches!(place, Place::Wanted(_)));
    for (place, node) in wanted.zip(places) {
        *place = Place::Taken(node);
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        // Each field is named, so that a new one asks here whether it matters.
        let HttpNodePlan {
            resource: _,
            method: _,
            route: _,
            topic,
            qos,
            operation,
            rules,
        } = &self.0;
        let other = &other.0;
        *topic == other.topic && *qos == other.qos && *operation == other.operation && *rules == other.rules
    }
}

impl Settings {
    fn place(&self, id: &ResourceId) -> Result<Place, RunError> {
        let HttpOperation::Transaction { transaction, .. } = &self.0.operation else {
            return Ok(Place::None);
        };
        let config = config(&self.0, transaction).map_err(|cause| RunError::Node {
            service: id.service.clone(),
            resource: id.resource.clone(),
            cause,
        })?;
        Ok(Place::Wanted(config))
    }
}

fn config(plan: &HttpNodePlan, transaction: &TransactionPlan) -> Result<NodeConfig, NodeFault> {
    let config = NodeConfig::new(plan.topic.as_str())
        .and_then(|config| config.timeout(transaction.timeout))
        .and_then(|config| config.max_in_flight(transaction.max_in_flight))
        .map_err(NodeFault::Config)?;
    let (code, message) = (transaction.timeout_error_code, &transaction.timeout_error_message);
    Ok(config.qos(plan.qos).timeout_error(code, message))
}

impl Kind for Nodes {
    type Settings = Settings;
    type Prepared = Place;
    type Running = Served;

    async fn start(
        &self,
        id: &ResourceId,
        Settings(plan): &Settings,
        place: Place,
        before: Option<Served>,
    ) -> Served {
        let rules = Rules {
            agent: self.agent.clone(),
            plan,
            owner: format!("node {} of service {}", id.resource, id.service).into(),
            evaluators: self.evaluators.as_ref(),
        };
        let served = match (&plan.operation, place) {
            (HttpOperation::Transaction { transaction, .. }, Place::Taken(node)) => {
                let held = Transaction::new(node.clone());
                let (rules, task) = rules.start().unzip();
                Served {
                    action: Action::Transaction(Arc::new(match rules {
                        Some(rules) => held.ruled(rules, transaction),
                        None => held,
                    })),
                    node: Some(node),
                    rules: task,
                }
            }
            (HttpOperation::Receive { retain }, _) => {
                let receiver = Receiver::new(self.agent.clone(), &plan.topic, plan.qos, *retain);
                let (rules, task) = rules.start().unzip();
                Served {
                    action: Action::Receive(Arc::new(match rules {
                        Some(rules) => receiver.ruled(rules),
                        None => receiver,
                    })),
                    node: None,
                    rules: task,
                }
            }
            (HttpOperation::Provide, _) => Served {
                action: Action::Provide(Arc::new(rules.provider())),
                node: None,
                rules: None,
            },
            (HttpOperation::Transaction { .. }, Place::None | Place::Wanted(_)) => {
                unreachable!("the driver has given every transaction its place")
            }
        };
        // Last, so that the broker never hears that nobody listens.
        drop(before);
        served
    }

    async fn stop(running: Served) {
        // Whoever has found it before is answered still.
        drop(running);
    }
}
