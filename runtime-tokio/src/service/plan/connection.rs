//! Connections to other systems, and the endpoints that use them.

use std::fmt;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use syncline_core::codec::QoS;
use syncline_core::topic::{TopicFilter, TopicName};

use super::{Capture, MqttConnection, OpcuaConnection, OpcuaItem, RuleList, Secret};

/// One `Cybus::Connection`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionPlan {
    /// Resource id.
    pub resource: String,
    /// What speaks on the other side.
    pub protocol: ConnectionProtocol,
    /// How a lost connection is tried again.
    pub strategy: RetryStrategy,
    /// Endpoints of this connection, in the order of the file.
    pub endpoints: Vec<EndpointPlan>,
}

/// The protocols that this agent speaks to other systems.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionProtocol {
    /// HTTP, as a client.
    Http(Box<HttpConnection>),
    /// MQTT, as a client of another broker.
    Mqtt(Box<MqttConnection>),
    /// OPC UA, as a client of a server.
    Opcua(Box<OpcuaConnection>),
}

impl ConnectionProtocol {
    /// Its name in a commissioning file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "Http",
            Self::Mqtt(_) => "Mqtt",
            Self::Opcua(_) => "Opcua",
        }
    }
}

/// The times between attempts: from the first one on, each is longer by a factor, up to a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryStrategy {
    /// Before the second attempt.
    pub initial_delay: Duration,
    /// What each delay is multiplied with for the next one, at least 1.
    pub increment_factor: f64,
    /// No delay is longer.
    pub max_delay: Duration,
}

/// An HTTP server that endpoints make requests of.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpConnection {
    /// `http` or `https`; where the file has none, `https` with port 443 and without a port, else `http`.
    pub scheme: HttpScheme,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Put in front of each path: empty, or begins with `/`.
    pub prefix: String,
    /// Header fields of each request; one may be a credential.
    pub headers: Vec<(String, Secret)>,
    /// Query parameters of each request; one may be a credential.
    pub query: Vec<(String, Secret)>,
    /// Credentials of the scheme Basic.
    pub auth: Option<BasicAuth>,
    /// How the server is found to be there.
    pub probe: Probe,
    /// Whether the agent shows its own certificate.
    pub mutual_authentication: bool,
    /// Whether the server's certificate goes unchecked.
    pub trust_all_certificates: bool,
}

/// Schemes of an HTTP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpScheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

/// Credentials of the scheme Basic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// The request that shows whether an HTTP server is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Time between two of them, 10 s by default.
    pub interval: Duration,
    /// Longest wait for an answer; none for as long as the connection lasts.
    pub timeout: Option<Duration>,
    /// Path behind the prefix, `/` by default.
    pub path: String,
    /// Method.
    pub method: ProbeMethod,
}

/// Methods of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeMethod {
    /// The default.
    Head,
    /// For servers that do not know HEAD.
    Get,
}

/// One `Cybus::Endpoint`.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointPlan {
    /// `serviceId` of the file that declares it, which need not be the connection's.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// What starts it, and where results go.
    pub operation: EndpointOperation,
    /// What it does on the other side.
    pub target: EndpointTarget,
    /// Quality of service of its own topics.
    pub qos: QoS,
    /// Whether the broker keeps the last result.
    pub retain: bool,
    /// What a result goes through before it is published.
    pub rules: RuleList,
}

/// What messages call it.
impl fmt::Display for EndpointPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint {} of service {}", self.resource, self.service)
    }
}

/// What starts an endpoint, with its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointOperation {
    /// The other side, or the clock.
    Subscribe {
        /// Where values are published, `<topic>`.
        publish: TopicName,
    },
    /// A message that asks for a value.
    Read {
        /// `<topic>/req`.
        request: TopicName,
        /// `<topic>/res`.
        result: TopicName,
    },
    /// A message that has a value.
    Write {
        /// `<topic>/set`.
        set: TopicName,
        /// `<topic>/res`.
        result: TopicName,
    },
}

impl EndpointOperation {
    /// The word for tables and messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Subscribe { .. } => "subscribe",
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
        }
    }

    /// The topic that starts it, if one does.
    #[must_use]
    pub fn listens_to(&self) -> Option<&TopicName> {
        match self {
            Self::Subscribe { .. } => None,
            Self::Read { request: topic, .. } | Self::Write { set: topic, .. } => Some(topic),
        }
    }

    /// The topic that results go to.
    #[must_use]
    pub fn publishes_to(&self) -> &TopicName {
        match self {
            Self::Subscribe { publish: topic }
            | Self::Read { result: topic, .. }
            | Self::Write { result: topic, .. } => topic,
        }
    }
}

/// What an endpoint does on the other side.
#[derive(Debug, Clone, PartialEq)]
pub enum EndpointTarget {
    /// Makes a request of an HTTP server.
    Http(Box<HttpRequest>),
    /// Subscribes at the other broker.
    MqttSubscribe {
        /// Its topics.
        filter: TopicFilter,
        /// The levels of a topic that become variables.
        captures: Vec<Capture>,
        /// Quality of service there.
        qos: QoS,
    },
    /// Publishes at the other broker.
    MqttPublish {
        /// Its topic.
        topic: TopicName,
        /// Quality of service there.
        qos: QoS,
        /// Whether that broker keeps the last one.
        retain: bool,
    },
    /// Reads, writes or follows the value of a node of an OPC UA server.
    Opcua(Box<OpcuaItem>),
}

/// The request of an HTTP endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRequest {
    /// Path behind the connection's prefix, begins with `/`.
    pub path: String,
    /// Method: where the file has none, POST to write and GET else.
    pub method: Method,
    /// Header fields beyond the connection's; one may be a credential.
    pub headers: Vec<(String, Secret)>,
    /// Query parameters beyond the connection's; one may be a credential.
    pub query: Vec<(String, Secret)>,
    /// Time between two requests of a subscription, 1 s by default.
    pub interval: Duration,
    /// JSON body where no message brings one.
    pub body: Option<Value>,
}
