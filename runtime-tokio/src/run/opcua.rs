//! The OPC UA server of a plan: its listener, its nodes one by one, and what they need.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use syncline_core::codec::QoS;
use syncline_core::flowsync::NodeConfig;
use syncline_core::topic::TopicName;

use super::listener::listen;
use super::{NodeFault, OpcuaListen, RunError, ServedNode};
use crate::driver::{AgentHandle, Driver, Node, Outbox, mailbox};
use crate::node_rules::{Batches, NodeRules};
use crate::opcua::{
    Behaviour, Method, Provider, Publisher, Running, Server, ServerSettings, Shape, Transaction, Writing,
};
use crate::rules::{Counters, Evaluators, Pipeline, RuleList};
use crate::service::plan::{NodeKind, OpcuaNodePlan, OpcuaOperation, OpcuaServerPlan, Plan, TransactionPlan};

/// The running server, and the handles of its nodes: each is there as long as its handle.
#[derive(Debug)]
pub(super) struct OpcuaFront {
    pub(super) server: Running,
    /// Its transaction nodes.
    pub(super) served: Vec<ServedNode>,
    plan: OpcuaServerPlan,
    pub(super) _nodes: Vec<crate::opcua::ServedNode>,
}

/// Where the server is, and what protects it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Name of this agent.
    pub(super) agent: &'a str,
    pub(super) listen: OpcuaListen,
    /// The data folder.
    pub(super) data: Option<&'a Path>,
    pub(super) allow_insecure: bool,
}

/// Starts the server of `plan`, where it has one.
pub(super) fn start_opcua(
    driver: &mut Driver,
    plan: &Plan,
    place: Place<'_>,
    evaluators: Option<&Evaluators>,
) -> Result<Option<OpcuaFront>, RunError> {
    let mut servers = plan.services.iter().flat_map(|service| {
        service
            .opcua_servers
            .iter()
            .map(move |server| (service.id.as_str(), server))
    });
    let Some((service, plan)) = servers.next() else {
        return Ok(None);
    };
    let address = SocketAddr::new(place.listen.ip, place.listen.port.unwrap_or(plan.port));
    let (listener, address) = listen("SYNCLINE_OPCUA_LISTEN", address)?;
    let server = Server::new(
        plan,
        ServerSettings {
            agent: place.agent,
            address,
            data: place.data,
            allow_insecure: place.allow_insecure,
        },
    )?;
    let (mut nodes, mut served) = (Vec::new(), Vec::new());
    for node in &plan.nodes {
        let start = Start {
            server: &server,
            plan,
            service,
            node,
            agent: driver.handle(),
            evaluators,
            owner: format!("node {} of service {service}", node.resource).into(),
        };
        nodes.push(start.node(driver, &mut served)?);
    }
    tracing::info!(nodes = nodes.len(), "serving OPC UA at {}", server.url());
    Ok(Some(OpcuaFront {
        server: server.serve(listener),
        served,
        plan: plan.clone(),
        _nodes: nodes,
    }))
}

/// Tells the log where `plan` asks for another OPC UA server than the one that runs, which does not change.
pub(super) fn tell_of_change(running: Option<&OpcuaFront>, plan: &Plan) {
    let wanted = plan
        .services
        .iter()
        .flat_map(|service| &service.opcua_servers)
        .next();
    if wanted != running.map(|front| &front.plan) {
        tracing::warn!(
            "the OPC UA server of the commissioning files has changed: restart the agent to take that up"
        );
    }
}

/// One node on its way to be served.
struct Start<'a> {
    server: &'a Server,
    plan: &'a OpcuaServerPlan,
    service: &'a str,
    node: &'a OpcuaNodePlan,
    agent: AgentHandle,
    evaluators: Option<&'a Evaluators>,
    /// What the log calls the node.
    owner: Arc<str>,
}

impl Start<'_> {
    fn node(
        &self,
        driver: &mut Driver,
        served: &mut Vec<ServedNode>,
    ) -> Result<crate::opcua::ServedNode, RunError> {
        let mut provides = None;
        let mut initial = None;
        let behaviour = match &self.node.kind {
            NodeKind::Object => Behaviour::Shown,
            NodeKind::Variable {
                data_type,
                value_rank,
                initial_value,
                operation,
            } => {
                let shape = Shape::new(*data_type, *value_rank);
                initial = initial_value.as_ref().and_then(|json| shape.value(json));
                if let Some(transaction) = self.transaction(driver, "WRITE", served)? {
                    Behaviour::Written(shape, Writing::Held(transaction))
                } else if let Some(OpcuaOperation::Exchange {
                    topic,
                    provides: provided,
                    receives,
                    qos,
                    rules,
                }) = operation
                {
                    provides = provided.then_some((topic, *qos, rules, shape));
                    match receives {
                        true => {
                            Behaviour::Written(shape, Writing::Published(self.publisher(topic, *qos, rules)))
                        }
                        false => Behaviour::Shown,
                    }
                } else {
                    Behaviour::Shown
                }
            }
            NodeKind::Method { input, output, .. } => match self.transaction(driver, "CALL", served)? {
                Some(transaction) => Behaviour::Called(Method::new(input, output, transaction)),
                None => Behaviour::Shown,
            },
        };
        let above = |id: &String| self.plan.nodes.iter().find(|node| node.resource == *id);
        let parent = self.node.parent.as_ref().and_then(above);
        let id = self.server.add(self.node, parent, initial, behaviour)?;
        let provider = provides.map(|(topic, qos, rules, shape)| {
            let counters: Arc<Counters> = Arc::default();
            let pipeline = self.pipeline(rules, &counters);
            let (mailbox, inbox, _) = mailbox(Arc::clone(&self.owner), counters);
            let variable = (self.server.values(), id.clone(), shape);
            Provider::start(&self.agent, topic, qos, pipeline, (mailbox, inbox), variable)
        });
        Ok(self.server.keep(id, provider))
    }

    /// What holds the node's requests, where it is a transaction.
    fn transaction(
        &self,
        driver: &mut Driver,
        method: &str,
        served: &mut Vec<ServedNode>,
    ) -> Result<Option<Transaction>, RunError> {
        let Some(OpcuaOperation::Transaction {
            topic,
            treq,
            qos,
            transaction,
            rules,
            ..
        }) = self.node.operation()
        else {
            return Ok(None);
        };
        let node = add_transaction(driver, topic, *qos, transaction).map_err(|cause| RunError::Node {
            service: self.service.to_owned(),
            resource: self.node.resource.clone(),
            cause,
        })?;
        served.push(ServedNode {
            service: self.service.to_owned(),
            resource: self.node.resource.clone(),
            method: http::Method::from_bytes(method.as_bytes()).unwrap_or_default(),
            url: format!("{} {}", self.server.url(), self.node.node_id),
            topic: topic.as_str().to_owned(),
            node: node.clone(),
        });
        let pipeline = self.pipeline(rules, &Arc::default());
        let rules = pipeline.map(|pipeline| NodeRules::start(pipeline, treq, None).0);
        Ok(Some(Transaction::new(node, rules, transaction)))
    }

    fn publisher(&self, topic: &TopicName, qos: QoS, rules: &RuleList) -> Publisher {
        let counters: Arc<Counters> = Arc::default();
        let rules = self.pipeline(rules, &counters).map(|pipeline| {
            let batches = Batches {
                outbox: Outbox::new(self.agent.clone(), Arc::clone(&self.owner), counters),
                topic: topic.clone(),
                qos,
                retain: false,
            };
            // Its task ends by itself once the node has gone.
            NodeRules::start(pipeline, topic, Some(batches)).0
        });
        Publisher::new(self.agent.clone(), topic, qos, rules)
    }

    fn pipeline(&self, rules: &RuleList, counters: &Arc<Counters>) -> Option<Pipeline> {
        (!rules.is_empty()).then(|| {
            Pipeline::new(
                rules.clone(),
                self.evaluators,
                Arc::clone(&self.owner),
                Arc::clone(counters),
            )
        })
    }
}

/// Adds a transaction node to the driver.
fn add_transaction(
    driver: &mut Driver,
    topic: &TopicName,
    qos: QoS,
    transaction: &TransactionPlan,
) -> Result<Node, NodeFault> {
    let config = NodeConfig::new(topic.as_str())
        .and_then(|config| config.timeout(transaction.timeout))
        .and_then(|config| config.max_in_flight(transaction.max_in_flight))
        .map_err(NodeFault::Config)?
        .qos(qos)
        .timeout_error(transaction.timeout_error_code, &transaction.timeout_error_message);
    driver.add_node(config).map_err(NodeFault::Refused)
}
