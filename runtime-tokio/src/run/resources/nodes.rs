//! HTTP nodes: one is the same as before wherever it is served and by whatever method, for its held requests know of neither.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::RunError;
use super::counters::NodeCounters;
use super::places::{Place, Placed};
use super::rules::{self, Rules};
use super::table::{Difference, Kind, OneByOne, ResourceId, Table};
use crate::driver::{AgentHandle, Node};
use crate::http::{Action, Receiver, Transaction};
use crate::rules::Evaluators;
use crate::service::plan::{HttpNodePlan, HttpOperation, Plan};

/// HTTP nodes, with what they need.
pub(super) struct Nodes {
    pub(super) agent: AgentHandle,
    pub(super) evaluators: Option<Evaluators>,
    pub(super) counters: NodeCounters,
}

/// All that the requests of a node depend on once they have come to it.
pub(super) struct Settings(HttpNodePlan);

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
        rules::ended(rules, deadline).await;
    }
}

/// The nodes that `plan` has, and how they differ from those that work.
pub(super) fn compare(table: &Table<Nodes>, plan: &Plan) -> Result<Difference<Nodes>, RunError> {
    let nodes = plan.services.iter().flat_map(|service| {
        let servers = service.http_servers.iter();
        let nodes = servers.flat_map(|server| &server.nodes);
        nodes.map(|node| (id(&node.service, &node.resource), Settings(node.clone())))
    });
    table.compare(nodes.collect(), |id, settings| settings.place(id))
}

/// The node of this name.
pub(super) fn id(service: &str, resource: &str) -> ResourceId {
    ResourceId::new(service, resource)
}

impl Placed for Nodes {
    fn place(prepared: &mut Place) -> &mut Place {
        prepared
    }

    fn node(running: &Served) -> Option<&Node> {
        running.node.as_ref()
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        // Each field is named, so that a new one asks here whether it matters.
        let HttpNodePlan {
            service: _,
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
        Place::wanted(id, &self.0.topic, self.0.qos, transaction)
    }
}

impl Kind for Nodes {
    type Settings = Settings;
    type Prepared = Place;
    type Running = Served;
}

impl OneByOne for Nodes {
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
            counters: match plan.rules.is_empty() {
                true => Arc::default(),
                false => self.counters.rules.of(id),
            },
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
