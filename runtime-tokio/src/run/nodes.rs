//! The nodes of a plan, added to the driver and put behind their URLs.

use std::net::SocketAddr;

use syncline_core::flowsync::NodeConfig;

use super::{NodeFault, RunError};
use crate::driver::{Driver, Node};
use crate::http::Router;
use crate::service::plan::{HttpNodePlan, HttpOperation, HttpServerPlan, Plan, TransactionPlan};

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

/// Adds every node of `plan`; `address` is where they are served.
pub(super) fn add_nodes(
    driver: &mut Driver,
    plan: &Plan,
    address: SocketAddr,
) -> Result<(Router, Vec<ServedNode>), RunError> {
    let mut router = Router::default();
    let mut served = Vec::new();
    for service in &plan.services {
        for server in &service.http_servers {
            for plan in &server.nodes {
                let HttpOperation::Transaction { transaction, .. } = &plan.operation else {
                    continue;
                };
                let node = add_node(driver, plan, transaction).map_err(|cause| RunError::Node {
                    service: service.id.clone(),
                    resource: plan.resource.clone(),
                    cause,
                })?;
                router.add(server, plan, node.clone())?;
                served.push(ServedNode {
                    service: service.id.clone(),
                    resource: plan.resource.clone(),
                    method: plan.method.clone(),
                    url: url(address, server, plan),
                    topic: plan.topic.as_str().to_owned(),
                    node,
                });
            }
        }
    }
    for node in &served {
        tracing::info!(method = %node.method, url = node.url, topic = node.topic, "serving a transaction node");
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

fn url(address: SocketAddr, server: &HttpServerPlan, node: &HttpNodePlan) -> String {
    format!("http://{address}{}{}", server.base_path, node.route)
}
