//! What runs of a plan, for those who look at it.

use std::fmt;

use crate::driver::Node;
use crate::endpoint::WatchedConnection;
use crate::mapping::MappedFlow;

/// What runs of a plan, in its order.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// Transaction nodes.
    pub(crate) nodes: Vec<ServedNode>,
    /// Items of mappings.
    pub(crate) flows: Vec<MappedFlow>,
    /// Connections, with their endpoints.
    pub(crate) connections: Vec<WatchedConnection>,
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
