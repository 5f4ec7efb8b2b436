//! Why an agent cannot be driven, and why it is driven no more.

use syncline_core::codec::ReasonCode;
use syncline_core::registration::Denial;
use syncline_core::session::store::RestoreError;
use syncline_core::session::{ConfigError, DisconnectReason};

/// Why an agent cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system gave no entropy.
    #[error("the operating system gave no random numbers: {0}")]
    Entropy(getrandom::Error),
    /// The configuration of the core contradicts itself.
    #[error("{0}")]
    Config(ConfigError),
    /// A new session could not be made either.
    #[error(transparent)]
    Session(RestoreError),
    /// The operating system gave no thread for the session store.
    #[error("the operating system gave no thread: {0}")]
    Thread(std::io::Error),
}

/// Nothing will be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GaveUp {
    /// The broker does not want this agent any more.
    #[error("{}{}", .0, cure(.0))]
    Link(DisconnectReason),
    /// The client registry will never accept it as it is.
    #[error("{0}")]
    Denied(Denial),
}

fn cure(reason: &DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::ByServer(ReasonCode::SESSION_TAKEN_OVER) => {
            "; another client uses this agent's name, and both would throw each other out for ever: give each its own"
        }
        _ => "; mend that at the broker, then start again",
    }
}

/// Why a node was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another node has the same topic, or there are too many nodes: give it a topic of its own")]
pub struct AddNodeError;
