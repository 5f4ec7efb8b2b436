//! Why an agent cannot run, and whose it is to mend.

use std::io;
use std::net::SocketAddr;

use syncline_core::flowsync::{ChangeError, NodeConfigError};
use syncline_core::registration;

use crate::data::{self, CredentialsError};
use crate::driver::{AddNodeError, GaveUp, StartError};
use crate::endpoint::ClientError;
use crate::http::{AccessError, RouteConflict};
use crate::opcua::OpcuaError;
use crate::tls;

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A listener could not be opened.
    #[error(
        "cannot listen on {address}: {source}; stop the program that uses this address, or set {variable}"
    )]
    Listen {
        /// The variable that names it.
        variable: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent uses the data folder.
    #[error(transparent)]
    DataFolder(#[from] data::OpenError),
    /// What the data folder holds cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The registration contradicts itself.
    #[error(transparent)]
    Registration(#[from] registration::ConfigError),
    /// The files for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::LoadError),
    /// The file of those who may call the HTTP servers cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The OPC UA server cannot be run.
    #[error(transparent)]
    Opcua(#[from] OpcuaError),
    /// The agent could not be made.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A node of the plan cannot be run.
    #[error("node {resource} of service {service}: {cause}")]
    Node {
        /// `serviceId`.
        service: String,
        /// Resource id.
        resource: String,
        /// What is wrong with it.
        cause: NodeFault,
    },
    /// A connection of the plan cannot be used.
    #[error("connection {resource} of service {service}: {cause}")]
    Connection {
        /// `serviceId`.
        service: String,
        /// Resource id.
        resource: String,
        /// What is wrong with it.
        cause: ClientError,
    },
    /// No thread for expressions.
    #[error("the system gives no thread for the expressions of rules: {0}")]
    Evaluators(io::Error),
    /// The agent did not take the transaction nodes.
    #[error(transparent)]
    Nodes(#[from] ChangeError),
    /// Two nodes answer the same requests.
    #[error(transparent)]
    Route(#[from] RouteConflict),
    /// The broker does not want this agent any more.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// A task ended that ends only when the agent stops.
    #[error("the {task} ended by itself, which is a bug in syncline, its log says more")]
    Ended {
        /// Which one.
        task: &'static str,
    },
}

impl RunError {
    /// Whether the operator's files or variables are the cause.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Listen { .. }
            | Self::Connection { .. }
            | Self::Node { .. }
            | Self::Nodes(_)
            | Self::Route(_)
            | Self::Registration(_)
            | Self::Tls(_)
            | Self::Access(_)
            | Self::Opcua(_)
            | Self::Credentials(CredentialsError::Newer { .. })
            | Self::Start(StartError::Config(_)) => true,
            Self::Start(StartError::Entropy(_) | StartError::Session(_) | StartError::Thread(_))
            | Self::DataFolder(_)
            | Self::Evaluators(_)
            | Self::Credentials(_)
            | Self::GaveUp(_)
            | Self::Ended { .. } => false,
        }
    }
}

/// Why a node cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// Its configuration is out of range.
    #[error("{0}")]
    Config(NodeConfigError),
    /// The agent did not take it.
    #[error("{0}")]
    Refused(AddNodeError),
}
