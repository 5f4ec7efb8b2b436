//! Connections to OPC UA servers, and what endpoints do with a node of one.

use std::time::Duration;

use super::{Secret, SecurityMode, SecurityPolicy};

/// An OPC UA server that the agent is a client of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpcuaConnection {
    /// Host name or address.
    pub host: String,
    /// TCP port, 4840 by default.
    pub port: u16,
    /// Path of its URL: empty, or begins with `/`.
    pub path: String,
    /// Security policy, `None` exactly where the mode is: `Basic256Sha256` is the default beside another mode.
    pub policy: SecurityPolicy,
    /// Message security mode: `SignAndEncrypt` by default where there is a login or a policy, else `None`.
    pub mode: SecurityMode,
    /// Who the agent says it is; anonymous where absent.
    pub login: Option<OpcuaLogin>,
    /// Whether the server's certificate goes unchecked.
    pub trust_all_certificates: bool,
}

impl OpcuaConnection {
    /// Scheme of its URL.
    pub const SCHEME: &str = "opc.tcp";

    /// `opc.tcp://host:port`, without its path.
    #[must_use]
    pub fn origin(&self) -> String {
        let Self { host, port, .. } = self;
        match host.contains(':') {
            true => format!("{}://[{host}]:{port}", Self::SCHEME),
            false => format!("{}://{host}:{port}", Self::SCHEME),
        }
    }

    /// `opc.tcp://host:port/path`.
    #[must_use]
    pub fn url(&self) -> String {
        self.origin() + &self.path
    }
}

/// User name and password at an OPC UA server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpcuaLogin {
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// A node of the other server, and how its value is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpcuaItem {
    /// Which one.
    pub node: OpcuaNode,
    /// How often the server tells what has changed, 1 s by default. Endpoints of one connection with the same interval share a
    /// subscription.
    pub publish_interval: Duration,
    /// How often the server looks at the value; as often as it tells where absent.
    pub sampling_interval: Option<Duration>,
}

/// How a file names a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpcuaNode {
    /// By its `NodeId` in its text form.
    Id(String),
    /// By the names on the way to it, from the folder Objects: at least one.
    BrowsePath(Vec<BrowseName>),
}

/// One name of a browse path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowseName {
    /// Index of its namespace, where the file says it.
    pub namespace: Option<u16>,
    /// The name.
    pub name: String,
}

impl OpcuaNode {
    /// As files write it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Id(text) => text.clone(),
            Self::BrowsePath(names) => {
                let names: Vec<String> = names.iter().map(BrowseName::text).collect();
                names.join("/")
            }
        }
    }
}

impl BrowseName {
    fn text(&self) -> String {
        let name = self.name.replace('&', "&&").replace('/', "&/");
        match self.namespace {
            Some(namespace) => format!("{namespace}:{name}"),
            None => name,
        }
    }
}
