//! All that runs of a plan, and how it becomes what another plan asks for: [`prepare`](Resources::prepare) does what may fail and has
//! no effect, [`adopt`](Resources::adopt) does the rest and cannot fail.
//!
//! Each kind of resource says in one place, its [`Kind`](table::Kind), what it depends on, how it begins in the place of one with
//! other settings, and how it ends. To add a kind: a file with its `Kind` here, a table below, a line in each step.

mod connections;
mod counters;
mod endpoints;
mod flows;
mod nodes;
mod opcua;
mod places;
mod rules;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use syncline_core::flowsync::{NodeConfig, NodeId};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::connections::Connections;
use self::counters::NodeCounters;
use self::endpoints::Endpoints;
use self::flows::Flows;
pub(super) use self::flows::Gate;
use self::nodes::Nodes;
use self::opcua::{Exchange, OpcuaNodes};
pub use self::table::Changes;
use self::table::{Difference, ResourceId, Table};
use super::opcua::Site;
use super::{ExchangeNode, Inventory, RunError, ServedMethod, ServedNode};
use crate::driver::{Node, Source};
use crate::endpoint::{Connection, Means, WatchedConnection, WatchedEndpoint};
use crate::http::Router;
use crate::opcua::Content;
use crate::rules::{Evaluators, RuleList};
use crate::service::plan::{ConnectionPlan, NodeKind, OpcuaNodePlan, OpcuaOperation, Plan};

/// What is kept for taking leave of other systems when the agent stops: a part of the time that is left then, and no more than this.
const LEAVE_TIME: Duration = Duration::from_secs(1);
const LEAVE_PART: u32 = 4;

/// All that runs of a plan.
pub(super) struct Resources {
    means: Means,
    /// Of the rules of nodes.
    counters: NodeCounters,
    nodes: Table<Nodes>,
    opcua: Table<OpcuaNodes>,
    flows: Table<Flows>,
    connections: Table<Connections>,
    endpoints: Table<Endpoints>,
}

/// The way from what runs to what a plan asks for, where nothing of it is done yet.
pub(super) struct Change {
    /// With the threads for expressions, where there are expressions then.
    means: Means,
    router: Router<()>,
    nodes: Difference<Nodes>,
    opcua: Exchange,
    /// The OPC UA server that there is then.
    site: Option<Site>,
    /// Nodes that begin.
    begins: BTreeSet<ResourceId>,
    /// Nodes that end.
    ends: Vec<ResourceId>,
    flows: flows::Change,
    /// Items of mappings that begin.
    mappings: usize,
    connections: Difference<Connections>,
    endpoints: Difference<Endpoints>,
}

impl Resources {
    /// Nothing yet.
    pub(super) fn new(means: Means) -> Self {
        Self {
            means,
            counters: NodeCounters::default(),
            nodes: Table::default(),
            opcua: Table::default(),
            flows: Table::default(),
            connections: Table::default(),
            endpoints: Table::default(),
        }
    }

    /// Does all that may fail about running `plan`, whose OPC UA server is at `site`.
    ///
    /// # Errors
    /// [`RunError`]; what runs is as it was.
    pub(super) fn prepare(&self, plan: &Plan, site: Option<&Site>) -> Result<Change, RunError> {
        let evaluators = match (has_expression(plan), &self.means.evaluators) {
            (false, _) => None,
            (true, Some(evaluators)) => Some(evaluators.clone()),
            (true, None) => Some(Evaluators::start().map_err(RunError::Evaluators)?),
        };
        let means = Means {
            evaluators,
            ..self.means.clone()
        };
        let nodes = nodes::compare(&self.nodes, plan)?;
        let opcua = opcua::compare(&self.opcua, plan, site)?;
        let flows = flows::compare(&self.flows, plan)?;
        let begins = nodes.begins.iter().map(|begin| &begin.id);
        let begins = begins.chain(opcua.difference.begins.iter().map(|begin| &begin.id));
        Ok(Change {
            router: Router::of(plan)?,
            begins: begins.cloned().collect(),
            ends: [&nodes.ends[..], &opcua.difference.ends].concat(),
            nodes,
            opcua,
            site: site.cloned(),
            mappings: flows.difference.begins.len(),
            flows,
            connections: connections::compare(&self.connections, plan, &means)?,
            endpoints: endpoints::compare(&self.endpoints, plan)?,
            means,
        })
    }

    /// What `change` asks of the driver: which nodes it should remove, and which add.
    pub(super) fn places(&self, change: &mut Change) -> (Vec<NodeId>, Vec<NodeConfig>) {
        let (mut removed, mut added) = places::asked(&self.nodes, &mut change.nodes);
        let (others_removed, others_added) = places::asked(&self.opcua, &mut change.opcua.difference);
        removed.extend(others_removed);
        added.extend(others_added);
        (removed, added)
    }

    /// Carries `change` out as far as mappings go. Their subscriptions are on their way before anything that new nodes are asked for, and
    /// those of endpoints before anything that mappings publish. New mappings publish when nodes are adopted, too, and the gate is dropped.
    /// Those that are gone work off what they were given; the set waits for that.
    pub(super) fn adopt_flows(&mut self, change: &mut Change) -> (Gate, JoinSet<()>) {
        endpoints::expect(&self.endpoints, &self.means.agent, &mut change.endpoints);
        let flow_change = std::mem::take(&mut change.flows);
        let flows = Flows {
            agent: self.means.agent.clone(),
            evaluators: change.means.evaluators.clone(),
        };
        flows::adopt(&mut self.flows, &flows, flow_change)
    }

    /// Carries `change` out as far as nodes go, now that the driver has made the `places` that it asks for, and returns the router
    /// to those of HTTP that work then.
    pub(super) async fn adopt_nodes(&mut self, change: &mut Change, places: Vec<Node>) -> Router {
        let mut places = places.into_iter();
        let mut difference = std::mem::take(&mut change.nodes);
        places::give(&mut difference, &mut places);
        let nodes = Nodes {
            agent: self.means.agent.clone(),
            evaluators: change.means.evaluators.clone(),
            counters: self.counters.clone(),
        };
        self.nodes.end(&difference).join_all().await;
        self.nodes.begin(&nodes, difference).await;
        let mut exchange = std::mem::take(&mut change.opcua);
        places::give(&mut exchange.difference, &mut places);
        let nodes = OpcuaNodes {
            agent: self.means.agent.clone(),
            evaluators: change.means.evaluators.clone(),
            counters: self.counters.clone(),
            site: change.site.take(),
        };
        opcua::adopt(&mut self.opcua, nodes, exchange).await;
        std::mem::take(&mut change.router).serve(|service, resource| {
            let served = self.nodes.running(&nodes::id(service, resource))?;
            Some(served.action.clone())
        })
    }

    /// Carries out the rest of `change`.
    pub(super) async fn adopt(&mut self, change: Change) {
        // Endpoints take leave of the other side before their connection does.
        self.endpoints.end(&change.endpoints).join_all().await;
        self.connections.end(&change.connections).join_all().await;
        let connections = Connections {
            means: change.means.clone(),
        };
        self.connections.begin(&connections, change.connections).await;
        let endpoints = Endpoints {
            ways: self
                .connections
                .all()
                .filter_map(|(id, connection)| Some((id.clone(), connection.as_ref()?.way().clone())))
                .collect(),
            means: change.means.clone(),
        };
        self.endpoints.begin(&endpoints, change.endpoints).await;
        // Who has subscribed misses nothing of what a kept session brings.
        self.connections
            .all_mut()
            .filter_map(|(_, connection)| connection.as_mut())
            .for_each(Connection::begin);
        let nodes = self.nodes.all().map(|(id, _)| id);
        let nodes = nodes.chain(self.opcua.all().map(|(id, _)| id));
        self.counters.keep(&nodes.cloned().collect());
        self.means = change.means;
    }

    /// Ends it all with the agent, by `deadline` where that takes time: what messages have begun is done before. Brokers keep their
    /// subscriptions, for the next run, where what this returns lasts until the agent has disconnected.
    pub(super) async fn stop(self, deadline: Instant) -> Vec<Source> {
        let mut nodes: JoinSet<()> = self
            .nodes
            .into_all()
            .map(|served| served.leave(deadline))
            .collect();
        for served in self.opcua.into_all() {
            nodes.spawn(served.leave(deadline));
        }
        nodes.join_all().await;
        let left = deadline.saturating_duration_since(Instant::now());
        let answered = deadline - (left / LEAVE_PART).min(LEAVE_TIME);
        let endpoints = self.endpoints.into_all().map(|endpoint| endpoint.leave(answered));
        let mut sources = endpoints.collect::<JoinSet<_>>().join_all().await;
        let connections = self.connections.into_all().flatten();
        let connections: JoinSet<()> = connections.map(|connection| connection.leave(deadline)).collect();
        let flows = self.flows.into_all().map(|flow| flow.leave(deadline));
        let flows = flows.collect::<JoinSet<_>>().join_all().await;
        connections.join_all().await;
        sources.extend(flows.into_iter().map(Some));
        sources.into_iter().flatten().collect()
    }

    /// What there is to see of `plan`, which runs; its HTTP servers are at `base`, scheme and address, its OPC UA server is that of `opcua`.
    pub(super) fn inventory(&self, plan: &Plan, base: &str, opcua: Option<&Content>) -> Inventory {
        let servers = plan.services.iter().flat_map(|service| &service.http_servers);
        let nodes = servers.flat_map(|server| {
            server.nodes.iter().filter_map(move |plan| {
                let served = self.nodes.running(&nodes::id(&plan.service, &plan.resource))?;
                Some(ServedNode {
                    service: plan.service.clone(),
                    resource: plan.resource.clone(),
                    method: ServedMethod::Http(plan.method.clone()),
                    url: format!("{base}{}{}", server.base_path, plan.route),
                    topic: plan.topic.as_str().to_owned(),
                    node: served.node.clone()?,
                    rules: self
                        .counters
                        .rules
                        .find(&nodes::id(&plan.service, &plan.resource)),
                    misfits: None,
                })
            })
        });
        let opcua_nodes = opcua::servers(plan).flat_map(|server| &server.nodes);
        let opcua_nodes = opcua_nodes.filter_map(|plan| {
            Some(ServedNode {
                service: plan.service.clone(),
                resource: plan.resource.clone(),
                method: match &plan.kind {
                    NodeKind::Method { .. } => ServedMethod::Call,
                    NodeKind::Variable { .. } | NodeKind::Object => ServedMethod::Write,
                },
                url: format!("{} {}", opcua?.url(), plan.node_id),
                topic: plan.operation()?.topic().as_str().to_owned(),
                node: self.opcua.running(&opcua::id(plan))?.node.clone()?,
                rules: self.counters.rules.find(&opcua::id(plan)),
                misfits: self.counters.misfits.find(&opcua::id(plan)),
            })
        });
        let connections = connections::all(plan).filter_map(|(id, plan)| self.watched(id, plan));
        Inventory {
            nodes: nodes.chain(opcua_nodes).collect(),
            exchanges: self.exchanges(plan, base, opcua.map(Content::url)),
            flows: flows::shown(&self.flows, plan),
            connections: connections.collect(),
            opcua: opcua.cloned(),
        }
    }

    /// The nodes that receive or provide.
    fn exchanges(&self, plan: &Plan, base: &str, url: Option<&str>) -> Vec<ExchangeNode> {
        let mut exchanges = Vec::new();
        for service in &plan.services {
            for server in &service.http_servers {
                for node in &server.nodes {
                    let id = nodes::id(&node.service, &node.resource);
                    let Some(served) = self.nodes.running(&id).filter(|served| served.node.is_none()) else {
                        continue;
                    };
                    exchanges.push(ExchangeNode {
                        service: id.service.clone(),
                        resource: id.resource.clone(),
                        operation: node.operation.name(),
                        method: node.method.to_string(),
                        url: format!("{base}{}{}", server.base_path, node.route),
                        topic: node.topic.as_str().to_owned(),
                        provider: served.action.provider().cloned(),
                        rules: self.counters.rules.find(&id),
                        misfits: None,
                    });
                }
            }
        }
        for node in opcua::servers(plan).flat_map(|server| &server.nodes) {
            if let Some(operation @ OpcuaOperation::Exchange { receives, .. }) = node.operation() {
                let id = opcua::id(node);
                exchanges.push(ExchangeNode {
                    operation: operation.name(),
                    method: if *receives { "Write" } else { "Read" }.to_owned(),
                    url: format!("{} {}", url.unwrap_or_default(), node.node_id),
                    topic: operation.topic().as_str().to_owned(),
                    provider: None,
                    rules: self.counters.rules.find(&id),
                    misfits: self.counters.misfits.find(&id),
                    service: id.service,
                    resource: id.resource,
                });
            }
        }
        exchanges
    }

    fn watched(&self, id: ResourceId, plan: &ConnectionPlan) -> Option<WatchedConnection> {
        let connection = self.connections.running(&id)?.as_ref()?;
        let endpoints = plan.endpoints.iter().filter_map(|plan| {
            Some(WatchedEndpoint {
                service: plan.service.clone(),
                resource: plan.resource.clone(),
                operation: plan.operation.name(),
                subscribes: plan.operation.listens_to().map(|topic| topic.as_str().to_owned()),
                publishes: plan.operation.publishes_to().as_str().to_owned(),
                tally: Arc::clone(&self.endpoints.running(&endpoints::id(plan))?.tally),
            })
        });
        Some(WatchedConnection {
            service: id.service,
            resource: id.resource,
            protocol: plan.protocol.name(),
            state: Arc::clone(connection.state()),
            endpoints: endpoints.collect(),
        })
    }
}

impl Change {
    /// Tells the log which nodes of `plan`, at `base` and at `url`, it brings.
    pub(super) fn tell(&self, plan: &Plan, base: &str, url: Option<&str>) {
        for service in &plan.services {
            for server in &service.http_servers {
                for node in &server.nodes {
                    if self.begins.contains(&nodes::id(&node.service, &node.resource)) {
                        let url = format!("{base}{}{}", server.base_path, node.route);
                        let operation = node.operation.name();
                        tracing::info!(method = %node.method, url, topic = node.topic.as_str(), operation, "serving a node");
                    }
                }
            }
        }
        for node in opcua::servers(plan).flat_map(|server| &server.nodes) {
            if let Some(operation) = node.operation()
                && self.begins.contains(&opcua::id(node))
            {
                let (id, topic) = (&node.node_id, operation.topic().as_str());
                let operation = operation.name();
                tracing::info!(url, id, topic, operation, "serving a node");
            }
        }
        for id in &self.ends {
            tracing::info!(
                "node {} of service {} is not served any more",
                id.resource,
                id.service
            );
        }
        let (mappings, endpoints) = (self.mappings, self.endpoints.begins.len());
        if mappings + endpoints > 0 {
            tracing::info!(mappings, endpoints, "messages flow");
        }
    }

    /// How many resources it concerns.
    pub(super) fn count(&self) -> Changes {
        self.nodes.changes()
            + self.opcua.difference.changes()
            + self.flows.difference.changes()
            + self.connections.changes()
            + self.endpoints.changes()
    }
}

fn has_expression(plan: &Plan) -> bool {
    let services = || plan.services.iter();
    let mappings = services().flat_map(|service| &service.mappings);
    let connections = services().flat_map(|service| &service.connections);
    let servers = services().flat_map(|service| &service.http_servers);
    let opcua_servers = services().flat_map(|service| &service.opcua_servers);
    mappings
        .flat_map(|mapping| &mapping.flows)
        .map(|flow| &flow.rules)
        .chain(
            connections
                .flat_map(|connection| &connection.endpoints)
                .map(|endpoint| &endpoint.rules),
        )
        .chain(servers.flat_map(|server| &server.nodes).map(|node| &node.rules))
        .chain(
            opcua_servers
                .flat_map(|server| &server.nodes)
                .filter_map(OpcuaNodePlan::rules),
        )
        .any(RuleList::has_expression)
}
