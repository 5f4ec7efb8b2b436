//! What runs of a plan, for those who look at it.

use std::fmt;
use std::sync::Arc;

use crate::driver::Node;
use crate::endpoint::WatchedConnection;
use crate::http::Provider;
use crate::mapping::MappedFlow;
use crate::opcua::{Content, Misfits};
use crate::rules::Counters;

/// What runs of a plan, in its order.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// Transaction nodes.
    pub(crate) nodes: Vec<ServedNode>,
    /// Nodes that receive or provide.
    pub(crate) exchanges: Vec<ExchangeNode>,
    /// Items of mappings.
    pub(crate) flows: Vec<MappedFlow>,
    /// Connections, with their endpoints.
    pub(crate) connections: Vec<WatchedConnection>,
    /// The OPC UA server.
    pub(crate) opcua: Option<Content>,
}

impl Inventory {
    /// Requests of endpoints that messages have asked for and that have not ended yet.
    pub(crate) fn requests_under_way(&self) -> u64 {
        let endpoints = self
            .connections
            .iter()
            .flat_map(|connection| &connection.endpoints);
        let asked = endpoints.filter(|endpoint| endpoint.operation != "subscribe");
        asked.map(|endpoint| endpoint.tally.under_way()).sum()
    }
}

/// A URL that is served, and the node behind it.
#[derive(Debug, Clone)]
pub struct ServedNode {
    /// `serviceId`.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// How clients ask it.
    pub method: ServedMethod,
    /// Absolute URL; of an OPC UA node that of its server, and its id.
    pub url: String,
    /// Topic that `treq` and `tres` are appended to.
    pub topic: String,
    /// The node itself.
    pub node: Node,
    /// What its rules have made of messages, where it has any.
    pub(crate) rules: Option<Arc<Counters>>,
    /// Messages or replies that did not fit it, of an OPC UA node that takes any.
    pub(crate) misfits: Option<Arc<Misfits>>,
}

/// A node that receives or provides.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeNode {
    /// `serviceId`.
    pub(crate) service: String,
    /// Resource id.
    pub(crate) resource: String,
    /// `receive`, `provide`, or both.
    pub(crate) operation: &'static str,
    /// How clients ask it.
    pub(crate) method: String,
    /// Absolute URL; of an OPC UA node that of its server, and its id.
    pub(crate) url: String,
    /// Its topic.
    pub(crate) topic: String,
    /// What an HTTP node provides.
    pub(crate) provider: Option<Arc<Provider>>,
    /// What its rules have made of messages, where it has any.
    pub(crate) rules: Option<Arc<Counters>>,
    /// Messages or replies that did not fit it, of an OPC UA node that takes any.
    pub(crate) misfits: Option<Arc<Misfits>>,
}

/// How clients ask a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServedMethod {
    /// By an HTTP request of this method.
    Http(http::Method),
    /// They write an OPC UA variable.
    Write,
    /// They call an OPC UA method.
    Call,
}

impl fmt::Display for ServedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(method) => method.fmt(f),
            Self::Write => f.write_str("Write"),
            Self::Call => f.write_str("Call"),
        }
    }
}
