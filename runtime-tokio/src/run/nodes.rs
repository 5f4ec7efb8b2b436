//! The nodes of a plan, added to the driver and put behind their URLs.

use std::net::SocketAddr;
use std::sync::Arc;

use syncline_core::flowsync::NodeConfig;

use super::rules::Rules;
use super::{NodeFault, RunError};
use crate::driver::{Driver, Node};
use crate::http::{Action, Receiver, Router, Transaction};
use crate::rules::Evaluators;
use crate::service::plan::{HttpNodePlan, HttpOperation, Plan, TransactionPlan};

/// A URL that is served, and the node behind it.
#[derive(Debug, Clone)]
pub struct ServedNode {
    /// `serviceId`.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// Request method.
    pub method: http::Method,
    /// Absolute URL.
    pub url: String,
    /// Topic that `treq` and `tres` are appended to.
    pub topic: String,
    /// The node itself.
    pub node: Node,
}

/// Adds every node of `plan`; `address` is where they are served, over TLS or without.
pub(super) fn add_nodes(
    driver: &mut Driver,
    plan: &Plan,
    address: SocketAddr,
    over_tls: bool,
    evaluators: Option<&Evaluators>,
) -> Result<(Router, Vec<ServedNode>), RunError> {
    let scheme = if over_tls { "https" } else { "http" };
    let mut router = Router::default();
    let mut served = Vec::new();
    for service in &plan.services {
        for server in &service.http_servers {
            for plan in &server.nodes {
                let url = format!("{scheme}://{address}{}{}", server.base_path, plan.route);
                let rules = Rules {
                    agent: driver.handle(),
                    plan,
                    owner: format!("node {} of service {}", plan.resource, service.id).into(),
                    evaluators,
                };
                let action = match &plan.operation {
                    HttpOperation::Transaction { transaction, .. } => {
                        let node = add_node(driver, plan, transaction).map_err(|cause| RunError::Node {
                            service: service.id.clone(),
                            resource: plan.resource.clone(),
                            cause,
                        })?;
                        served.push(ServedNode {
                            service: service.id.clone(),
                            resource: plan.resource.clone(),
                            method: plan.method.clone(),
                            url: url.clone(),
                            topic: plan.topic.as_str().to_owned(),
                            node: node.clone(),
                        });
                        let held = Transaction::new(node);
                        Action::Transaction(Arc::new(match rules.start() {
                            Some(rules) => held.ruled(rules, transaction),
                            None => held,
                        }))
                    }
                    HttpOperation::Receive { retain } => {
                        let receiver = Receiver::new(driver.handle(), &plan.topic, plan.qos, *retain);
                        Action::Receive(Arc::new(match rules.start() {
                            Some(rules) => receiver.ruled(rules),
                            None => receiver,
                        }))
                    }
                    HttpOperation::Provide => Action::Provide(rules.provider()),
                };
                let operation = plan.operation.name();
                tracing::info!(method = %plan.method, url, topic = plan.topic.as_str(), operation, "serving a node");
                router.add(server, plan, action)?;
            }
        }
    }
    Ok((router, served))
}

fn add_node(
    driver: &mut Driver,
    plan: &HttpNodePlan,
    transaction: &TransactionPlan,
) -> Result<Node, NodeFault> {
    let config = NodeConfig::new(plan.topic.as_str())
        .and_then(|config| config.timeout(transaction.timeout))
        .and_then(|config| config.max_in_flight(transaction.max_in_flight))
        .map_err(NodeFault::Config)?
        .qos(plan.qos)
        .timeout_error(transaction.timeout_error_code, &transaction.timeout_error_message);
    driver.add_node(config).map_err(NodeFault::Refused)
}
