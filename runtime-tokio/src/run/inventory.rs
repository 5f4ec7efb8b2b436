//! What runs of a plan, for those who look at it.

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
    /// Request method.
    pub method: http::Method,
    /// Absolute URL.
    pub url: String,
    /// Topic that `treq` and `tres` are appended to.
    pub topic: String,
    /// The node itself.
    pub node: Node,
}
