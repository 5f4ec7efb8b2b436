//! What a registration hands out: imperatives for the caller to carry out, past tense for what has happened.

use alloc::string::String;
use core::fmt;

use super::credentials::{Credentials, PairingId};
use super::registry::{Failure, Request};
use crate::codec::ReasonCode;
use crate::time::Instant;

/// One item from [`Registration::poll`](super::Registration::poll).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Store these new credentials where the next start finds them, then call
    /// [`handle_stored`](super::Registration::handle_stored), also where they cannot be stored.
    StoreCredentials(Credentials),
    /// Make this request, then call [`handle_answer`](super::Registration::handle_answer). A request that is still out
    /// when the next one comes is not waited for any more.
    Ask(Request),
    /// Connect to the broker with these credentials; without any where the login needs none.
    Connect(Option<Credentials>),
    /// Registry or broker did not accept the agent; nothing is lost, it is tried again.
    Delayed(Delay),
    /// The registry has accepted the agent.
    Granted(Grant),
    /// The registry will never accept this request, and nothing is tried again.
    Denied(Denial),
}

/// The registry's acceptance.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The signed certificate in PEM, where a request to sign one went along.
    pub certificate: Option<String>,
}

impl fmt::Debug for Grant {
    /// Leaves out the certificate's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("certificate", &self.certificate.is_some())
            .finish()
    }
}

/// Why a registration is not through yet, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delay {
    /// What stands in the way.
    pub obstacle: Obstacle,
    /// What both sides show of the credentials.
    pub pairing_id: Option<PairingId>,
    /// When it is tried again; `None` where the broker is asked at once in place of the registry.
    pub retry_at: Option<Instant>,
}

/// What stands in the way of a registration. Its text names the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// 423: the registry takes no requests until somebody unlocks it.
    Locked,
    /// 202: the request waits for somebody to grant it.
    Pending,
    /// The broker refused the login, which is how one registers over MQTT.
    PendingAtBroker(ReasonCode),
    /// 409: the name belongs to other credentials.
    Conflict,
    /// 401 or 403.
    Rejected {
        /// Status code.
        status: u16,
        /// What the registry said.
        reason: Option<String>,
    },
    /// The registry cannot answer now.
    Unavailable {
        /// Status code.
        status: u16,
        /// What the registry said.
        reason: Option<String>,
    },
    /// 201 without the certificate that was asked for.
    NoCertificate,
    /// Whoever answers is no client registry.
    NotARegistry {
        /// Status code.
        status: u16,
    },
    /// There was no answer.
    NoAnswer(Failure),
    /// The broker refused the login although the registry has granted it, or no registry is to be asked.
    Refused(ReasonCode),
}

/// What gets an obstacle out of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// An administrator unlocks the registry or grants the request: waiting may be enough.
    Approval,
    /// What registry or broker hold against this agent is changed there, or the agent's name is.
    Decision,
    /// The registry is brought to answer.
    Service,
    /// The agent's own configuration is mended.
    Configuration,
}

impl Obstacle {
    /// What gets it out of the way.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Locked | Self::Pending | Self::PendingAtBroker(_) => Remedy::Approval,
            Self::Conflict | Self::Rejected { .. } | Self::Refused(_) => Remedy::Decision,
            Self::Unavailable { .. }
            | Self::NoCertificate
            | Self::NoAnswer(Failure::Unreachable | Failure::TimedOut) => Remedy::Service,
            Self::NotARegistry { .. } | Self::NoAnswer(Failure::Untrusted | Failure::NotHttp) => {
                Remedy::Configuration
            }
        }
    }
}

/// The registry's final no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Status code.
    pub status: u16,
    /// What the registry said.
    pub reason: Option<String>,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |f: &mut fmt::Formatter<'_>, reason: &Option<String>| match reason {
            Some(reason) => write!(f, " and says: {reason}"),
            None => Ok(()),
        };
        match self {
            Self::Locked => f.write_str(
                "the client registry is locked: unlock it under \"User Management → Client Registry\"",
            ),
            Self::Pending => f.write_str(
                "the request waits at the client registry: grant it under \"User Management → Client Registry\"",
            ),
            Self::PendingAtBroker(reason) => write!(
                f,
                "the broker refuses the login, {reason}: unlock the client registry and grant the request under \
                 \"User Management → Client Registry\""
            ),
            Self::Conflict => f.write_str(
                "this name is registered with other credentials: see CYBUS_PROTOCOL_MAPPER_PASSWORD if the password was given; \
                 if the user was this agent's, delete it at the client registry, else give this agent another name with \
                 CYBUS_AGENT_NAME",
            ),
            Self::Rejected { status, reason } => {
                write!(f, "the client registry rejects the request with {status}")?;
                said(f, reason)?;
                f.write_str(": remove the denial at the client registry, or give this agent another name")
            }
            Self::Unavailable { status, reason } => {
                write!(f, "the client registry answers with {status}")?;
                said(f, reason)?;
                f.write_str(": its log says more")
            }
            Self::NoCertificate => f.write_str(
                "the client registry grants the request without the certificate that was asked for: it must be able to \
                 sign one",
            ),
            Self::NotARegistry {
                status: status @ 300..=399,
            } => write!(
                f,
                "the client registry redirects with {status}, which is not followed with a password: set \
                 SYNCLINE_REGISTRY_URL to where it leads"
            ),
            Self::NotARegistry { status } => write!(
                f,
                "no client registry is there, the answer is {status}: set SYNCLINE_REGISTRY_URL, or \
                 SYNCLINE_REGISTRATION=mqtt where there is none"
            ),
            Self::NoAnswer(failure) => failure.fmt(f),
            Self::Refused(reason) => write!(
                f,
                "the broker refuses the login, {reason}: give this user access at the broker"
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => {
                "the client registry cannot be reached: set SYNCLINE_REGISTRY_URL, or SYNCLINE_REGISTRATION=mqtt where \
                 there is none"
            }
            Self::TimedOut => "the client registry does not answer: see whether a firewall is between",
            Self::Untrusted => {
                "the certificate of the client registry is not accepted: set CA to the certificates that sign it"
            }
            Self::NotHttp => {
                "what answers at the client registry's address is not HTTP: set SYNCLINE_REGISTRY_URL, with http:// or \
                 https:// as the registry has it"
            }
        })
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the client registry does not take this request, {}",
            self.status
        )?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => f.write_str(
                ": the name needs 3 characters at least and the password 5, see CYBUS_AGENT_NAME, CYBUS_MQTT_USERNAME \
                 and CYBUS_PROTOCOL_MAPPER_PASSWORD",
            ),
        }
    }
}
