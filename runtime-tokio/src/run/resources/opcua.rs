//! OPC UA nodes: those that change leave the address space and enter it in one step, and what they need begins after that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::RunError;
use super::super::opcua::Site;
use super::counters::NodeCounters;
use super::places::{Place, Placed};
use super::rules;
use super::table::{Begin, Difference, Kind, OneByOne, ResourceId, Table};
use crate::driver::{AgentHandle, Node, Outbox, mailbox};
use crate::node_rules::{Batches, NodeRules};
use crate::opcua::{
    self, Behaviour, Complaints, Content, Kept, Method, NewNode, Places, Provider, Publisher, Shape,
    Transaction, Writing,
};
use crate::rules::{Counters, Evaluators, Pipeline, RuleList};
use crate::service::plan::{NodeKind, OpcuaNodePlan, OpcuaOperation, OpcuaServerPlan, Plan};

/// OPC UA nodes, with what they need.
pub(super) struct OpcuaNodes {
    pub(super) agent: AgentHandle,
    pub(super) evaluators: Option<Evaluators>,
    pub(super) counters: NodeCounters,
    /// The server that there is then.
    pub(super) site: Option<Site>,
}

/// All that a node depends on: its server, too.
#[derive(PartialEq)]
pub(super) struct Settings {
    plan: OpcuaNodePlan,
    /// [`Site::generation`].
    server: u64,
}

/// What may fail about the start of a node, done.
pub(super) struct Prepared {
    id: opcua::NodeId,
    parent: Option<opcua::NodeId>,
    place: Place,
    rules: Option<JoinHandle<()>>,
}

/// How the nodes of a plan differ from those that work.
#[derive(Default)]
pub(super) struct Exchange {
    pub(super) difference: Difference<OpcuaNodes>,
    /// Nodes that stay while the one above does not.
    kept: Vec<Kept>,
    /// All nodes then, with what permissions are for.
    places: Places,
}

/// A node at work.
pub(super) struct Served {
    id: opcua::NodeId,
    /// Where it holds requests.
    pub(super) node: Option<Node>,
    /// Its rules, which end by themselves once nobody asks for them any more.
    rules: Option<JoinHandle<()>>,
    /// What gives it its values.
    provider: Option<Provider>,
}

impl Served {
    /// Waits until its rules have ended, at most until `deadline`. Its server has ended before.
    pub(super) async fn leave(self, deadline: Instant) {
        drop(self.provider);
        rules::ended(self.rules, deadline).await;
    }
}

/// How the nodes of `plan` differ from those that work.
pub(super) fn compare(
    table: &Table<OpcuaNodes>,
    plan: &Plan,
    site: Option<&Site>,
) -> Result<Exchange, RunError> {
    let server = site.map_or(0, |site| site.generation);
    let plans: Vec<OpcuaNodePlan> = servers(plan).flat_map(|server| &server.nodes).cloned().collect();
    let ids: BTreeMap<ResourceId, opcua::NodeId> = plans.iter().map(id).zip(opcua::ids(&plans)?).collect();
    let parents: Vec<(ResourceId, ResourceId)> = plans
        .iter()
        .filter_map(|plan| Some((id(plan), parent(plan)?)))
        .collect();
    let places = Places::new(plans.iter().map(|plan| (ids[&id(plan)].clone(), plan)));
    let settings = |mut plan: OpcuaNodePlan| {
        let id = id(&plan);
        // Another name above a node does not make it another node.
        plan.path.clear();
        (id, Settings { plan, server })
    };
    let wanted = plans.into_iter().map(settings).collect();
    let difference = table.compare(wanted, |id, Settings { plan, .. }| {
        let place = match plan.operation() {
            Some(OpcuaOperation::Transaction {
                topic,
                qos,
                transaction,
                ..
            }) => Place::wanted(id, topic, *qos, transaction)?,
            Some(OpcuaOperation::Exchange { .. }) | None => Place::None,
        };
        Ok(Prepared {
            id: ids[id].clone(),
            parent: parent(plan).map(|parent| ids[&parent].clone()),
            place,
            rules: None,
        })
    })?;
    let begins: BTreeSet<&ResourceId> = difference.begins.iter().map(|begin| &begin.id).collect();
    let kept = parents
        .iter()
        .filter(|(node, parent)| !begins.contains(node) && begins.contains(parent));
    let kept = kept.map(|(node, parent)| Kept {
        id: ids[node].clone(),
        parent: ids[parent].clone(),
    });
    Ok(Exchange {
        kept: kept.collect(),
        difference,
        places,
    })
}

/// The server of a plan.
pub(super) fn servers(plan: &Plan) -> impl Iterator<Item = &OpcuaServerPlan> {
    plan.services.iter().flat_map(|service| &service.opcua_servers)
}

/// The node of this plan.
pub(super) fn id(plan: &OpcuaNodePlan) -> ResourceId {
    ResourceId::new(&plan.service, &plan.resource)
}

/// The node above the one of this plan.
fn parent(plan: &OpcuaNodePlan) -> Option<ResourceId> {
    let parent = plan.parent.as_ref()?;
    Some(ResourceId::new(&parent.service, &parent.resource))
}

/// Carries `exchange` out: clients see all of it or nothing.
pub(super) async fn adopt(table: &mut Table<OpcuaNodes>, kind: OpcuaNodes, exchange: Exchange) {
    let Exchange {
        mut difference,
        kept,
        places,
    } = exchange;
    if let Some(site) = &kind.site {
        let removed: Vec<opcua::NodeId> = difference.gone(table).map(|served| served.id.clone()).collect();
        let added = difference.begins.iter_mut().map(|begin| kind.enter(begin));
        site.content.exchange(&removed, added.collect(), &kept, places);
    }
    table.end(&difference).join_all().await;
    table.begin(&kind, difference).await;
}

impl OpcuaNodes {
    /// The node as it enters the address space.
    fn enter<'b>(&self, begin: &'b mut Begin<Self>) -> NewNode<'b> {
        let Prepared {
            id,
            parent,
            place,
            rules,
        } = &mut begin.prepared;
        let start = Start {
            nodes: self,
            plan: &begin.settings.plan,
            owner: owner(&begin.id),
        };
        let (initial, behaviour) = start.behaviour(place.node(), rules);
        NewNode {
            plan: &begin.settings.plan,
            id: id.clone(),
            parent: parent.clone(),
            initial,
            behaviour,
        }
    }

    fn counters_of(&self, plan: &OpcuaNodePlan) -> Arc<Counters> {
        match plan.rules().is_none_or(RuleList::is_empty) {
            true => Arc::default(),
            false => self.counters.rules.of(&id(plan)),
        }
    }

    fn pipeline(&self, rules: &RuleList, owner: &Arc<str>, counters: &Arc<Counters>) -> Option<Pipeline> {
        (!rules.is_empty()).then(|| {
            Pipeline::new(
                rules.clone(),
                self.evaluators.as_ref(),
                Arc::clone(owner),
                Arc::clone(counters),
            )
        })
    }
}

/// What the log calls a node.
fn owner(id: &ResourceId) -> Arc<str> {
    format!("node {} of service {}", id.resource, id.service).into()
}

/// One node on its way to be served.
struct Start<'a> {
    nodes: &'a OpcuaNodes,
    plan: &'a OpcuaNodePlan,
    owner: Arc<str>,
}

impl Start<'_> {
    /// What the node does, with the value that it begins with. `place` is where it holds requests, `task` becomes that of its rules.
    fn behaviour(
        &self,
        place: Option<&Node>,
        task: &mut Option<JoinHandle<()>>,
    ) -> (Option<opcua::Variant>, Behaviour) {
        match &self.plan.kind {
            NodeKind::Object => (None, Behaviour::Shown),
            NodeKind::Variable {
                data_type,
                value_rank,
                initial_value,
                operation,
            } => {
                let shape = Shape::new(*data_type, *value_rank);
                let initial = initial_value.as_ref().and_then(|json| shape.value(json));
                let writing = operation
                    .as_ref()
                    .and_then(|operation| self.writing(operation, place, task));
                let behaviour =
                    writing.map_or(Behaviour::Shown, |writing| Behaviour::Written(shape, writing));
                (initial, behaviour)
            }
            NodeKind::Method {
                input,
                output,
                operation,
            } => match operation
                .as_ref()
                .and_then(|operation| self.writing(operation, place, task))
            {
                Some(Writing::Held(transaction)) => {
                    let complaints = self.complaints(operation.as_ref());
                    let method = Method::new(input, output, transaction, complaints);
                    (None, Behaviour::Called(method))
                }
                Some(Writing::Published(_)) | None => (None, Behaviour::Shown),
            },
        }
    }

    /// What becomes of that which clients send, where they may.
    fn writing(
        &self,
        operation: &OpcuaOperation,
        place: Option<&Node>,
        task: &mut Option<JoinHandle<()>>,
    ) -> Option<Writing> {
        let counters = self.nodes.counters_of(self.plan);
        let (topic, rules, batches) = match operation {
            OpcuaOperation::Transaction { treq, rules, .. } => (treq, rules, None),
            OpcuaOperation::Exchange { receives: false, .. } => return None,
            OpcuaOperation::Exchange {
                topic, qos, rules, ..
            } => {
                let batches = Batches {
                    outbox: Outbox::new(
                        self.nodes.agent.clone(),
                        Arc::clone(&self.owner),
                        Arc::clone(&counters),
                    ),
                    topic: topic.clone(),
                    qos: *qos,
                    retain: false,
                };
                (topic, rules, Some(batches))
            }
        };
        let pipeline = self.nodes.pipeline(rules, &self.owner, &counters);
        let started = pipeline.map(|pipeline| NodeRules::start(pipeline, topic, batches));
        let rules = started.map(|(rules, started)| {
            *task = Some(started);
            rules
        });
        Some(match operation {
            OpcuaOperation::Transaction { transaction, .. } => {
                Writing::Held(Transaction::new(place?.clone(), rules, transaction))
            }
            OpcuaOperation::Exchange { topic, qos, .. } => {
                Writing::Published(Publisher::new(self.nodes.agent.clone(), topic, *qos, rules))
            }
        })
    }

    /// Where messages and replies are told that do not fit.
    fn complaints(&self, operation: Option<&OpcuaOperation>) -> Complaints {
        let topic = match operation {
            Some(OpcuaOperation::Transaction { tres, .. }) => tres.as_str(),
            Some(OpcuaOperation::Exchange { topic, .. }) => topic.as_str(),
            None => "",
        };
        let node = format!("{} ({})", self.owner, self.plan.node_id);
        Complaints::new(node.into(), topic, self.nodes.counters.misfits.of(&id(self.plan)))
    }

    /// What gives the node its values, where messages do.
    fn provider(&self, content: &Content, id: &opcua::NodeId) -> Option<Provider> {
        let NodeKind::Variable {
            data_type,
            value_rank,
            operation:
                Some(OpcuaOperation::Exchange {
                    topic,
                    provides: true,
                    qos,
                    rules,
                    ..
                }),
            ..
        } = &self.plan.kind
        else {
            return None;
        };
        let counters = self.nodes.counters_of(self.plan);
        let pipeline = self.nodes.pipeline(rules, &self.owner, &counters);
        let (mailbox, inbox, _) = mailbox(Arc::clone(&self.owner), counters);
        let shape = Shape::new(*data_type, *value_rank);
        let variable = (content.clone(), id.clone(), shape);
        let agent = &self.nodes.agent;
        Some(Provider::start(
            agent,
            topic,
            *qos,
            pipeline,
            (mailbox, inbox),
            variable,
            self.complaints(self.plan.operation()),
        ))
    }
}

impl Placed for OpcuaNodes {
    fn place(prepared: &mut Prepared) -> &mut Place {
        &mut prepared.place
    }

    fn node(running: &Served) -> Option<&Node> {
        running.node.as_ref()
    }
}

impl Kind for OpcuaNodes {
    type Settings = Settings;
    type Prepared = Prepared;
    type Running = Served;
}

impl OneByOne for OpcuaNodes {
    async fn start(
        &self,
        resource: &ResourceId,
        settings: &Settings,
        prepared: Prepared,
        before: Option<Served>,
    ) -> Served {
        let Prepared { id, place, rules, .. } = prepared;
        let start = Start {
            nodes: self,
            plan: &settings.plan,
            owner: owner(resource),
        };
        let provider = self
            .site
            .as_ref()
            .and_then(|site| start.provider(&site.content, &id));
        // Last, so that the broker never hears that nobody listens.
        drop(before);
        Served {
            id,
            node: place.into_node(),
            rules,
            provider,
        }
    }

    async fn stop(running: Served) {
        // Whoever has found it before is answered still, and its rules end by themselves.
        drop(running);
    }
}
