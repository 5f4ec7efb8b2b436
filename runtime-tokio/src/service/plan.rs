//! The plan: what this agent runs, with every value checked and every default filled in.

use std::time::Duration;

use http::Method;
use syncline_core::codec::QoS;
use syncline_core::topic::TopicName;

/// Everything this agent runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// One entry per commissioning file, in the order in which they were given.
    pub services: Vec<ServicePlan>,
}

/// What one commissioning file asks this agent to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    /// `serviceId`, derived from `metadata.name`.
    pub id: String,
    /// HTTP servers that this agent runs, in the order of the file.
    pub http_servers: Vec<HttpServerPlan>,
}

/// One `Cybus::Server::Http`: a part of the URL space of the agent's HTTP listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpServerPlan {
    /// Resource id.
    pub resource: String,
    /// `/data` and the server's `basePath`, case kept as written, no `/` at the end.
    pub base_path: String,
    /// Longest request body in bytes, 1 to 512000.
    pub request_max_body_size: usize,
    /// Nodes of this server, in the order of the file.
    pub nodes: Vec<HttpNodePlan>,
}

/// One `Cybus::Node::Http` whose operation is `transaction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpNodePlan {
    /// Resource id.
    pub resource: String,
    /// Request method.
    pub method: Method,
    /// Path below the server's `base_path`, case kept as written: empty, or begins with `/`.
    /// The request path is compared with `base_path` + `route` without regard to case.
    pub route: String,
    /// Topic that `treq` and `tres` are appended to.
    pub topic: String,
    /// Topic of requests, `<topic>/treq`.
    pub treq: TopicName,
    /// Topic of responses, `<topic>/tres`.
    pub tres: TopicName,
    /// Quality of service of the request's publish and of the response's subscription.
    pub qos: QoS,
    /// How long and how many requests are held.
    pub transaction: TransactionPlan,
}

/// A node's `transaction` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionPlan {
    /// Longest wait for the response, 1 ms to 10 min.
    pub timeout: Duration,
    /// HTTP status when that wait ends without a response, 400 to 599.
    pub timeout_error_code: u16,
    /// Text that goes with it.
    pub timeout_error_message: String,
    /// Requests held at once; one more is refused.
    pub max_in_flight: usize,
}
