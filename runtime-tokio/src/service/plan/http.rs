//! HTTP servers and their nodes.

use std::time::Duration;

use http::Method;
use syncline_core::codec::QoS;
use syncline_core::topic::TopicName;

use super::RuleList;

/// One `Cybus::Server::Http`: a part of the URL space of the agent's HTTP listener.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpServerPlan {
    /// Resource id.
    pub resource: String,
    /// `/data` and the server's `basePath`, case kept as written, no `/` at the end.
    pub base_path: String,
    /// Longest request body in bytes, 1 to 512000.
    pub request_max_body_size: usize,
    /// Origins whose web pages may use this server: `https://plant.example`, or `*` for all.
    pub cors_origins: Vec<String>,
    /// Nodes of this server, in the order of the file.
    pub nodes: Vec<HttpNodePlan>,
}

/// One `Cybus::Node::Http`.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpNodePlan {
    /// `serviceId` of the file that declares it, which may be another than that of its server.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// Request method.
    pub method: Method,
    /// Path below the server's `base_path`, case kept as written: empty, or begins with `/`.
    /// The request path is compared with `base_path` + `route` without regard to case.
    pub route: String,
    /// Topic of the node: its values', or the one that `treq` and `tres` are appended to.
    pub topic: TopicName,
    /// Quality of service of what is published, and of what is subscribed to.
    pub qos: QoS,
    /// What a request does.
    pub operation: HttpOperation,
    /// What a message goes through on its way to the broker, or from it.
    pub rules: RuleList,
}

/// What a request to a node does.
#[derive(Debug, Clone, PartialEq)]
pub enum HttpOperation {
    /// Its value is published as a treq, and it is held until the tres has come.
    Transaction {
        /// Topic of requests, `<topic>/treq`.
        treq: TopicName,
        /// Topic of responses, `<topic>/tres`.
        tres: TopicName,
        /// How long and how many requests are held.
        transaction: TransactionPlan,
    },
    /// Its body is published on the node's topic.
    Receive {
        /// Whether the broker keeps the last one.
        retain: bool,
    },
    /// It is answered with the last value seen on the node's topic.
    Provide,
}

impl HttpOperation {
    /// The word for tables and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transaction { .. } => "transaction",
            Self::Receive { .. } => "receive",
            Self::Provide => "provide",
        }
    }
}

/// A node's `transaction` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionPlan {
    /// Longest wait for the response, 1 ms to 10 min.
    pub timeout: Duration,
    /// What the client is told when that wait ends without a response: an HTTP status, 400 to 599, or an OPC UA
    /// `StatusCode` of the severity Bad.
    pub timeout_error_code: u32,
    /// Text that goes with it.
    pub timeout_error_message: String,
    /// Requests held at once; one more is refused.
    pub max_in_flight: usize,
}
