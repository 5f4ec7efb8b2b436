//! The plan: what this agent runs, with every value checked and every default filled in.

mod connection;
mod http;
mod mapping;
mod mqtt;
mod opcua;
mod opcua_client;
mod secret;
mod topics;

pub use crate::rules::RuleList;
pub use connection::{
    BasicAuth, ConnectionPlan, ConnectionProtocol, EndpointOperation, EndpointPlan, EndpointTarget,
    HttpConnection, HttpRequest, HttpScheme, Probe, ProbeMethod, RetryStrategy,
};
pub use http::{HttpNodePlan, HttpOperation, HttpServerPlan, TransactionPlan};
pub use mapping::{Capture, FlowPlan, FlowSource, FlowTarget, MappingPlan, TopicPart, TopicTemplate};
pub use mqtt::{ClientCertificate, MqttConnection, MqttScheme, MqttWill, TlsMaterial};
pub use opcua::{
    ArgumentPlan, DataType, NodeKind, OpcuaNodePlan, OpcuaOperation, OpcuaParent, OpcuaServerPlan,
    SecurityMode, SecurityPolicy,
};
pub use opcua_client::{BrowseName, OpcuaConnection, OpcuaItem, OpcuaLogin, OpcuaNode};
pub use secret::Secret;
pub use topics::{Publication, Subscription};

/// Everything this agent runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// One entry per commissioning file, in the order in which they were given.
    pub services: Vec<ServicePlan>,
}

/// What one commissioning file asks this agent to run.
#[derive(Debug, Clone, PartialEq)]
pub struct ServicePlan {
    /// `serviceId`, derived from `metadata.name`.
    pub id: String,
    /// HTTP servers that this agent runs, in the order of the file.
    pub http_servers: Vec<HttpServerPlan>,
    /// OPC UA servers that this agent runs: one in all services together.
    pub opcua_servers: Vec<OpcuaServerPlan>,
    /// Connections that this agent keeps, in the order of the file.
    pub connections: Vec<ConnectionPlan>,
    /// Mappings that this agent carries out, in the order of the file.
    pub mappings: Vec<MappingPlan>,
}

impl Plan {
    /// `serviceId` of each service.
    #[must_use]
    pub fn service_ids(&self) -> Vec<String> {
        self.services.iter().map(|service| service.id.clone()).collect()
    }

    /// Whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.iter().all(ServicePlan::is_empty)
    }
}

impl ServicePlan {
    /// Whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.http_servers.is_empty()
            && self.opcua_servers.is_empty()
            && self.connections.is_empty()
            && self.mappings.is_empty()
    }
}
