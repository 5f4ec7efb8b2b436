//! The broker that a hub has: the embedded one, or a Mosquitto that it administers.

use secrecy::SecretString;

use super::dynamic_security::{DynamicSecurity, Failed};
use super::embedded::Embedded;
use super::permission::Permission;

/// Where users of the hub connect.
pub(super) enum Broker {
    /// Asks the hub's directory itself.
    Embedded(Embedded),
    /// Has users and roles of its own, which follow the directory.
    Mosquitto(DynamicSecurity),
}

/// What an administrator has decided.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decision<'a> {
    Admit {
        username: &'a str,
        password: &'a SecretString,
        permissions: &'a [Permission],
    },
    Permit {
        username: &'a str,
        permissions: &'a [Permission],
    },
    Expel {
        username: &'a str,
    },
}

impl Broker {
    /// Has a broker with users of its own follow a decision, before the directory does. It can be repeated, should the
    /// directory then fail.
    pub(super) async fn follow(&self, decision: Decision<'_>) -> Result<(), Failed> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Mosquitto(mosquitto) => mosquitto.follow(decision).await,
        }
    }

    /// After a change in the directory: closes the connections of a user, whose next CONNECT is judged anew. Mosquitto has
    /// done so already.
    pub(super) async fn throw_out(&self, username: &str) {
        if let Self::Embedded(embedded) = self {
            embedded.throw_out(username).await;
        }
    }

    pub(super) async fn stop(self) {
        if let Self::Embedded(embedded) = self {
            embedded.stop().await;
        }
    }
}
