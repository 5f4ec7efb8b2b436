//! What a registration asks for and tells, by itself and as a part of the agent.

use std::ffi::c_char;

use syncline_core::registration::version::Mismatch;
use syncline_core::registration::{Credentials, Delay, Denial, Grant, Obstacle, PairingId, Request};
use syncline_core::time::Instant;

use crate::pointer::Slice;

/// User name and password.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CredentialsRecord {
    /// User name; data is NULL where there are no credentials.
    pub username: Slice,
    /// Password; data is NULL where there are no credentials.
    pub password: Slice,
    /// What both sides show of the credentials: six hexadecimal digits ended by NUL; empty where there are none.
    pub pairing_id: [c_char; 8],
}

/// An HTTP request to make of the client registry, or of the central that tells its version. A redirect is an answer and is not followed: it would carry the password
/// to another server.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RegistryRequestRecord {
    /// Request method.
    pub method: Slice,
    /// Path, to be appended to the base URL of the registry.
    pub path: Slice,
    /// Body, `application/json`, empty where there is none. It holds the password.
    pub body: Slice,
    /// Comes back with the answer.
    pub id: u64,
}

/// What stands in the way of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ObstacleKind {
    /// 423: the registry takes no requests until somebody unlocks it.
    Locked = 0,
    /// 202: the request waits for somebody to grant it.
    Pending = 1,
    /// The broker refused the login with `reason_code`, which is how one registers over MQTT.
    PendingAtBroker = 2,
    /// 409: the name belongs to other credentials.
    Conflict = 3,
    /// 401 or 403.
    Rejected = 4,
    /// The registry cannot answer now.
    Unavailable = 5,
    /// 201 without the certificate that was asked for.
    NoCertificate = 6,
    /// Whoever answers is no client registry.
    NotARegistry = 7,
    /// There was no answer.
    NoAnswer = 8,
    /// The broker refused the login with `reason_code`, although the registry has granted it or no registry is to be asked.
    Refused = 9,
    /// Another one: see `text`.
    Other = 10,
}

/// Why a registration is not through yet, and what comes next. Nothing is lost: it is tried again.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct DelayRecord {
    /// What stands in the way and how to mend it, in words for an operator.
    pub text: Slice,
    /// When it is tried again; UINT64_MAX: the broker is asked at once in place of the registry.
    pub retry_at: u64,
    /// What stands in the way.
    pub obstacle: ObstacleKind,
    /// Status code of the registry's answer, else 0.
    pub status: u16,
    /// Reason Code of the broker's refusal, else 0.
    pub reason_code: u8,
    /// What both sides show of the credentials: six hexadecimal digits ended by NUL; empty where there are none.
    pub pairing_id: [c_char; 8],
}

/// The registry's acceptance.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct GrantRecord {
    /// The signed certificate in PEM, where a request to sign one went along, else empty. It is in force for the next
    /// transport.
    pub certificate: Slice,
}

/// The registry's final no.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct DenialRecord {
    /// Why, in words for an operator.
    pub text: Slice,
    /// Status code.
    pub status: u16,
}

/// Versions of agent and central that do not go together.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct MismatchRecord {
    /// Both versions and how to mend it, in words for an operator.
    pub text: Slice,
    /// The agent's version.
    pub own: Slice,
    /// The central's version.
    pub central: Slice,
    /// When the central is asked again.
    pub retry_at: u64,
}

impl CredentialsRecord {
    pub(crate) fn of(credentials: Option<&Credentials>) -> Self {
        Self {
            username: credentials.map(Credentials::username).into(),
            password: credentials.map(Credentials::password).into(),
            pairing_id: pairing_id(credentials.map(Credentials::pairing_id)),
        }
    }
}

impl RegistryRequestRecord {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            method: request.method.into(),
            path: request.path.into(),
            body: request.body[..].into(),
            id: request.id.to_u64(),
        }
    }
}

impl DelayRecord {
    /// `text` is where the words are kept.
    pub(crate) fn of(delay: &Delay, text: &mut String) -> Self {
        *text = delay.obstacle.to_string();
        let (obstacle, status, reason) = match &delay.obstacle {
            Obstacle::Locked => (ObstacleKind::Locked, 423, 0),
            Obstacle::Pending => (ObstacleKind::Pending, 202, 0),
            Obstacle::PendingAtBroker(reason) => (ObstacleKind::PendingAtBroker, 0, reason.0),
            Obstacle::Conflict => (ObstacleKind::Conflict, 409, 0),
            Obstacle::Rejected { status, .. } => (ObstacleKind::Rejected, *status, 0),
            Obstacle::Unavailable { status, .. } => (ObstacleKind::Unavailable, *status, 0),
            Obstacle::NoCertificate => (ObstacleKind::NoCertificate, 201, 0),
            Obstacle::NotARegistry { status } => (ObstacleKind::NotARegistry, *status, 0),
            Obstacle::NoAnswer(_) => (ObstacleKind::NoAnswer, 0, 0),
            Obstacle::Refused(reason) => (ObstacleKind::Refused, 0, reason.0),
            _ => (ObstacleKind::Other, 0, 0),
        };
        Self {
            text: text.as_str().into(),
            retry_at: delay.retry_at.unwrap_or(Instant::FAR_FUTURE).as_micros(),
            obstacle,
            status,
            reason_code: reason,
            pairing_id: pairing_id(delay.pairing_id),
        }
    }
}

impl GrantRecord {
    pub(crate) fn of(grant: &Grant) -> Self {
        Self {
            certificate: grant.certificate.as_deref().into(),
        }
    }
}

impl DenialRecord {
    /// `text` is where the words are kept.
    pub(crate) fn of(denial: &Denial, text: &mut String) -> Self {
        *text = denial.to_string();
        Self {
            text: text.as_str().into(),
            status: denial.status,
        }
    }
}

impl MismatchRecord {
    /// `text` is where the words are kept.
    pub(crate) fn of(mismatch: &Mismatch, retry_at: Instant, text: &mut String) -> Self {
        *text = mismatch.to_string();
        Self {
            text: text.as_str().into(),
            own: mismatch.own.as_str().into(),
            central: mismatch.central.as_str().into(),
            retry_at: retry_at.as_micros(),
        }
    }
}

/// A pairing id as a text of C; none is the empty one.
pub(crate) fn pairing_id(id: Option<PairingId>) -> [c_char; 8] {
    let mut text = [0; 8];
    let digits = id.map(|id| id.to_string()).unwrap_or_default();
    for (place, digit) in text[..7].iter_mut().zip(digits.bytes()) {
        *place = digit.cast_signed() as c_char;
    }
    text
}
