//! The composite agent: what a session does besides MQTT once it has nodes, or a registration.

use std::time::Duration;

use syncline_core::agent::{Agent, Readiness};
use syncline_core::flowsync::{Ignored, NodeId};
use syncline_core::registration::RequestId;
use syncline_core::registration::version::Likeness;
use syncline_core::time::{Instant, UnixMillis};

use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::node_config::NodeConfigHandle;
use crate::pointer::{self, Out};
use crate::registration::{RegistrationOptions, RegistrationStatus, RegistryAnswerRecord};
use crate::result::Code;
use crate::session::SessionHandle;
use crate::transaction::{CountersRecord, json, transaction_id};

/// Whether a node accepts requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ReadinessKind {
    /// There is no connection, or the server has not answered yet.
    Waiting = 0,
    /// The server has confirmed the subscription to its replies.
    Ready = 1,
    /// The server refused the subscription with `reason_code`; it is asked again.
    Refused = 2,
    /// The server cannot serve the subscription, for `refusal`; it is tried again on the next connection.
    NotSupported = 3,
}

/// How a node stands.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct NodeStatus {
    /// The node's number.
    pub node: u64,
    /// Its transactions that wait for a reply.
    pub in_flight: usize,
    /// Whether it accepts requests.
    pub readiness: ReadinessKind,
    /// Why the server cannot serve it, for NOT_SUPPORTED, else SYNCLINE_RESULT_OK.
    pub refusal: Code,
    /// Reason Code for REFUSED, else 0.
    pub reason_code: u8,
}

/// Why a reply changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum IgnoredKind {
    /// A retained message is from the past by definition.
    Retained = 0,
    /// It names no transaction.
    Malformed = 1,
    /// The transaction already has its reply.
    Duplicate = 2,
    /// The transaction ended without a reply.
    Late = 3,
    /// The transaction was never begun here, is forgotten, or belongs to another node.
    Unknown = 4,
    /// Another reason.
    Other = 5,
}

/// How alike the versions of agent and central have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum VersionLikeness {
    /// The same major and minor number; a version that does not begin with two numbers is none.
    Compatible = 0,
    /// The same text.
    Exact = 1,
}

impl NodeStatus {
    pub(crate) fn of(agent: &Agent, node: NodeId, readiness: Readiness) -> Self {
        let (readiness, refusal, reason) = match readiness {
            Readiness::Waiting => (ReadinessKind::Waiting, Code::Ok, 0),
            Readiness::Ready => (ReadinessKind::Ready, Code::Ok, 0),
            Readiness::Refused(reason) => (ReadinessKind::Refused, Code::Ok, reason.0),
            Readiness::NotSupported(error) => (ReadinessKind::NotSupported, error.into(), 0),
        };
        Self {
            node: node.to_u64(),
            in_flight: agent.in_flight(node),
            readiness,
            refusal,
            reason_code: reason,
        }
    }
}

impl IgnoredKind {
    pub(crate) fn of(ignored: Ignored) -> Self {
        match ignored {
            Ignored::Retained => Self::Retained,
            Ignored::Malformed(_) => Self::Malformed,
            Ignored::Duplicate => Self::Duplicate,
            Ignored::Late => Self::Late,
            Ignored::Unknown => Self::Unknown,
            _ => Self::Other,
        }
    }
}

/// Adds a transaction node; `node` is its number. With a connection its subscription begins at once, and
/// SYNCLINE_OUTPUT_KIND_NODE_CHANGED tells when it is ready. Subscribing again after a reconnect is not the caller's.
///
/// # Safety
/// `session` and `config` are live handles, `node` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_add_node(
    session: *mut SessionHandle,
    now: u64,
    config: *const NodeConfigHandle,
    node: *mut u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, config, out) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::shared(config, "config")?,
                Out::new(node, "node")?,
            )
        };
        let added = handle
            .change()
            .add_node(Instant::from_micros(now), config.0.clone());
        out.write(added.ok_or(Code::NodeRefused)?.to_u64());
        Ok(())
    })
}

/// Removes a node: its open transactions end as CANCELLED, its subscription ends.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_remove_node(session: *mut SessionHandle, node: u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        let node = NodeId::from_u64(node);
        if handle.agent().readiness(node).is_none() {
            return Err(Code::NodeUnknown.into());
        }
        handle.change().remove_node(node);
        Ok(())
    })
}

/// How a node stands.
///
/// # Safety
/// `session` is a live handle, `status` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_node_status(
    session: *const SessionHandle,
    node: u64,
    status: *mut NodeStatus,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe { (pointer::shared(session, "session")?, Out::new(status, "status")?) };
        let node = NodeId::from_u64(node);
        let readiness = handle.agent().readiness(node).ok_or(Code::NodeUnknown)?;
        out.write(NodeStatus::of(handle.agent(), node, readiness));
        Ok(())
    })
}

/// Asks the other side of a node: registers the transaction, then publishes its request.
///
/// `value` is one JSON text. `token` is the caller's own number and comes back with SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED,
/// exactly once unless the transaction is aborted. `timeout_ms` shortens the node's timeout for this request; 0 leaves it.
/// SYNCLINE_RESULT_NOT_CONNECTED and SYNCLINE_RESULT_NOT_READY: nobody was asked, wait for the node to be ready.
///
/// # Safety
/// `session` is a live handle, `value` points to `value_len` bytes; `error` is NULL or points to a place for a text;
/// `transaction` points to 16 bytes for the transaction's id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_request(
    session: *mut SessionHandle,
    now: u64,
    wall: u64,
    node: u64,
    value: *const u8,
    value_len: usize,
    token: u64,
    timeout_ms: u32,
    error: *mut ErrorText,
    transaction: *mut u8,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all of these pointers.
        let (handle, value, out) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::bytes(value, value_len, "value")?,
                Out::new(transaction.cast::<[u8; 16]>(), "transaction")?,
            )
        };
        let value = json(value)?;
        let timeout = (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms.into()));
        let begun = handle.change().request(
            Instant::from_micros(now),
            UnixMillis(wall),
            NodeId::from_u64(node),
            value,
            token,
            timeout,
        );
        out.write(*begun?.as_bytes());
        Ok(())
    })
}

/// The client of a transaction went away: it ends at once, and its end is not told. An ended one stays as it is.
///
/// # Safety
/// `session` is a live handle, `transaction` points to 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_abort(session: *mut SessionHandle, transaction: *const u8) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, id) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                transaction_id(transaction)?,
            )
        };
        handle.change().abort(id);
        Ok(())
    })
}

/// Ends every open transaction as CANCELLED.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_cancel_all(session: *mut SessionHandle) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::exclusive(session, "session") }?
            .change()
            .cancel_all();
        Ok(())
    })
}

/// Totals of all transactions of a session's nodes.
///
/// # Safety
/// `session` is a live handle, `counters` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_counters(
    session: *const SessionHandle,
    counters: *mut CountersRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::shared(session, "session")?,
                Out::new(counters, "counters")?,
            )
        };
        let agent = handle.agent();
        out.write(CountersRecord::of(agent.open_transactions(), agent.counters()));
        Ok(())
    })
}

/// Has the session register where it is not known, from its next `syncline_session_connect` on. Its credentials are
/// replaced by the registration's, and a refusal of these is the registration's to mend, whatever SYNCLINE_SETTING_ON_REFUSAL
/// says. SYNCLINE_RESULT_CONFIG_INVALID: `error` says what cannot be.
///
/// # Safety
/// `session` is a live handle, `options` points to options whose texts can be read; `error` is NULL or points to a place for
/// a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_register_with(
    session: *mut SessionHandle,
    options: *const RegistrationOptions,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, options) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::shared(options, "options")?,
            )
        };
        // SAFETY: the caller vouches for the texts.
        let config = unsafe { options.config() }?;
        let registers = handle.change().register_with(config);
        registers.map_err(|error| Fault::new(Code::ConfigInvalid, error))
    })
}

/// The credentials of SYNCLINE_OUTPUT_KIND_STORE_CREDENTIALS are stored, or cannot be; the registration goes on with them
/// either way.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_handle_credentials_stored(
    session: *mut SessionHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        handle
            .change()
            .handle_credentials_stored(Instant::from_micros(now));
        Ok(())
    })
}

/// What came of the request `id` of SYNCLINE_OUTPUT_KIND_ASK_REGISTRY; that of an earlier one is ignored. `wall` reads a
/// `Retry-After` that is a date.
///
/// # Safety
/// `session` is a live handle, `answer` points to an answer whose texts can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_handle_registry_answer(
    session: *mut SessionHandle,
    now: u64,
    wall: u64,
    id: u64,
    answer: *const RegistryAnswerRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, answer) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::shared(answer, "answer")?,
            )
        };
        // SAFETY: the caller vouches for the texts.
        let answer = unsafe { answer.answer() }?;
        let (now, wall) = (Instant::from_micros(now), UnixMillis(wall));
        let id = RequestId::from_u64(id);
        handle.change().handle_registry_answer(now, wall, id, &answer);
        Ok(())
    })
}

/// How the session's registration stands. SYNCLINE_RESULT_EMPTY: it has none.
///
/// # Safety
/// `session` is a live handle, `status` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_registration_status(
    session: *const SessionHandle,
    status: *mut RegistrationStatus,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe { (pointer::shared(session, "session")?, Out::new(status, "status")?) };
        let registration = handle.agent().registration().ok_or(Code::Empty)?;
        out.write(RegistrationStatus::of(registration));
        Ok(())
    })
}

/// Has the session, whose version is the text at `own`, ask its central for its version with each connection, and stay
/// offline while the two do not go together. `likeness` is one of
/// `SYNCLINE_VERSION_LIKENESS_...`.
///
/// # Safety
/// `session` is a live handle, `own` points to `own_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_check_version(
    session: *mut SessionHandle,
    own: *const u8,
    own_len: usize,
    likeness: u32,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, own) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::text(own, own_len, "own")?,
            )
        };
        let likeness = match likeness {
            value if value == VersionLikeness::Compatible as u32 => Likeness::Compatible,
            value if value == VersionLikeness::Exact as u32 => Likeness::Exact,
            other => {
                return Err(Fault::out_of_range(
                    "likeness",
                    other,
                    "SYNCLINE_VERSION_LIKENESS_...",
                ));
            }
        };
        handle.change().check_version(own, likeness);
        Ok(())
    })
}

/// What came of the request `id` of SYNCLINE_OUTPUT_KIND_ASK_VERSION; that of an earlier one is ignored.
///
/// # Safety
/// `session` is a live handle, `answer` points to an answer whose texts can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_agent_handle_version_answer(
    session: *mut SessionHandle,
    now: u64,
    id: u64,
    answer: *const RegistryAnswerRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, answer) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                pointer::shared(answer, "answer")?,
            )
        };
        // SAFETY: the caller vouches for the texts.
        let answer = unsafe { answer.answer() }?;
        let id = RequestId::from_u64(id);
        handle
            .change()
            .handle_version_answer(Instant::from_micros(now), id, &answer);
        Ok(())
    })
}
