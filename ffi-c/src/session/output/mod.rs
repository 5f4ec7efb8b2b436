//! What a session hands out: one struct with a kind, and a union of what each kind tells.

mod connection;
mod message;
mod operation;

pub(crate) use connection::level;
pub use connection::*;
pub use message::*;
pub use operation::*;

use syncline_core::agent::{Agent, Output};
use syncline_core::codec::Properties;
use syncline_core::time::Instant;

use super::SessionHandle;
use crate::agent::{IgnoredKind, NodeStatus};
use crate::border;
use crate::pointer::{self, Out, Slice};
use crate::properties::PropertyRecord;
use crate::registration::{
    CredentialsRecord, DelayRecord, DenialRecord, GrantRecord, MismatchRecord, RegistryRequestRecord,
};
use crate::result::Code;
use crate::shared_bytes::SharedBytes;
use crate::transaction::CompletionRecord;

/// What to do, or what has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum OutputKind {
    /// Open a transport to the server, then call `syncline_session_handle_transport_open`, or
    /// `syncline_session_handle_transport_closed` if it fails.
    OpenTransport = 0,
    /// Close the transport, and report nothing more of it.
    CloseTransport = 1,
    /// The server accepted the connection: see `connected`.
    Connected = 2,
    /// The connection ended, or could not be made: see `disconnected`.
    Disconnected = 3,
    /// A message arrived: see `message`.
    Message = 4,
    /// An operation ended: see `completed`.
    Completed = 5,
    /// Carry this out in the store: see `store`. Only from a session that was restored.
    Store = 6,
    /// The server asks for authentication data: see `auth_challenge`.
    AuthChallenge = 7,
    /// A node began to accept requests, or ceased to: see `node`.
    NodeChanged = 8,
    /// A transaction of `syncline_agent_request` ended: see `transaction`.
    TransactionEnded = 9,
    /// A reply to a node changed nothing; for the log: see `ignored`.
    ReplyIgnored = 10,
    /// Store these new credentials where the next start finds them, then call `syncline_agent_handle_credentials_stored`, also
    /// where they cannot be stored: see `credentials`.
    StoreCredentials = 11,
    /// Make this request of the client registry, then call `syncline_agent_handle_registry_answer`: see `request`. Nobody waits
    /// for the answer to an earlier one any more.
    AskRegistry = 12,
    /// Registry or broker did not accept the agent; it is tried again: see `delay`.
    RegistrationDelayed = 13,
    /// The registry has accepted the agent: see `grant`.
    Granted = 14,
    /// The registry will never accept this agent as it is, and nothing is tried again: see `denial`.
    Denied = 15,
    /// After a disconnection that nobody asked for: nothing is tried again until `syncline_session_connect`.
    GaveUp = 16,
    /// Make this request of the central, then call `syncline_agent_handle_version_answer`: see `request`. Nobody waits for
    /// the answer to an earlier one any more.
    AskVersion = 17,
    /// The central's version does not go with this agent's: see `mismatch`. What is submitted before the next poll is still
    /// sent, then the connection ends, until the versions go together.
    VersionDiffers = 18,
    /// The central's version goes with this agent's, or it tells none: see `central`.
    VersionAgrees = 19,
}

/// What an output tells; its kind says which member counts.
#[derive(Clone, Copy)]
#[repr(C)]
pub union OutputEvent {
    /// Of SYNCLINE_OUTPUT_KIND_CONNECTED.
    pub connected: ConnectedRecord,
    /// Of SYNCLINE_OUTPUT_KIND_DISCONNECTED.
    pub disconnected: DisconnectedRecord,
    /// Of SYNCLINE_OUTPUT_KIND_MESSAGE.
    pub message: MessageRecord,
    /// Of SYNCLINE_OUTPUT_KIND_COMPLETED.
    pub completed: CompletedRecord,
    /// Of SYNCLINE_OUTPUT_KIND_STORE.
    pub store: StoreRecord,
    /// Of SYNCLINE_OUTPUT_KIND_AUTH_CHALLENGE.
    pub auth_challenge: AuthChallengeRecord,
    /// Of SYNCLINE_OUTPUT_KIND_NODE_CHANGED.
    pub node: NodeStatus,
    /// Of SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED.
    pub transaction: CompletionRecord,
    /// Of SYNCLINE_OUTPUT_KIND_REPLY_IGNORED.
    pub ignored: IgnoredKind,
    /// Of SYNCLINE_OUTPUT_KIND_STORE_CREDENTIALS.
    pub credentials: CredentialsRecord,
    /// Of SYNCLINE_OUTPUT_KIND_ASK_REGISTRY and SYNCLINE_OUTPUT_KIND_ASK_VERSION.
    pub request: RegistryRequestRecord,
    /// Of SYNCLINE_OUTPUT_KIND_REGISTRATION_DELAYED.
    pub delay: DelayRecord,
    /// Of SYNCLINE_OUTPUT_KIND_GRANTED.
    pub grant: GrantRecord,
    /// Of SYNCLINE_OUTPUT_KIND_DENIED.
    pub denial: DenialRecord,
    /// Of SYNCLINE_OUTPUT_KIND_VERSION_DIFFERS.
    pub mismatch: MismatchRecord,
    /// Of SYNCLINE_OUTPUT_KIND_VERSION_AGREES: the central's version; data is NULL where it tells none.
    pub central: Slice,
    /// Of the kinds that tell nothing more.
    pub nothing: u8,
}

/// One output of a session.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct OutputRecord {
    /// What it tells.
    pub event: OutputEvent,
    /// What it is.
    pub kind: OutputKind,
}

/// What an output points to.
#[derive(Debug, Default)]
pub(super) struct Shown {
    output: Option<Output>,
    text: String,
    reasons: Vec<u8>,
    payload: Option<SharedBytes>,
}

/// The next thing to do or to know. SYNCLINE_RESULT_EMPTY: there is nothing until the next input.
///
/// What `output` points to stays until the next call with this handle that changes it; `syncline_bytes_retain` keeps a
/// payload longer.
///
/// # Safety
/// `session` is a live handle, `output` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_poll(
    session: *mut SessionHandle,
    now: u64,
    output: *mut OutputRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::exclusive(session, "session")?,
                Out::new(output, "output")?,
            )
        };
        // First, so that the receive buffer that it holds can be used again.
        handle.shown.output = None;
        handle.shown.payload = None;
        let next = handle
            .change()
            .poll(Instant::from_micros(now))
            .ok_or(Code::Empty)?;
        out.write(handle.shown.show(&handle.agent, next));
        Ok(())
    })
}

/// The property at `index` of the last output: of a message, of an answer of the server, of its challenge.
/// SYNCLINE_RESULT_EMPTY: there are not so many.
///
/// # Safety
/// `session` is a live handle, `property` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_property(
    session: *const SessionHandle,
    index: usize,
    property: *mut PropertyRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::shared(session, "session")?,
                Out::new(property, "property")?,
            )
        };
        let properties = handle.shown.properties();
        out.write(PropertyRecord::at(properties, index).ok_or(Code::Empty)?);
        Ok(())
    })
}

impl Shown {
    fn properties(&self) -> Properties<'_> {
        match &self.output {
            Some(Output::Message(message)) => message.properties(),
            Some(Output::Connected(connected)) => connected.details.properties(),
            Some(Output::Disconnected(disconnected)) => disconnected.details.properties(),
            Some(Output::AuthChallenge(details)) => details.properties(),
            Some(Output::OpCompleted(_, completion)) => details(completion).properties(),
            _ => Properties::EMPTY,
        }
    }

    fn show(&mut self, agent: &Agent, output: Output) -> OutputRecord {
        use OutputKind as Kind;
        type Event = OutputEvent;
        let Self {
            output: place,
            text,
            reasons,
            payload,
        } = self;
        let (kind, event) = match place.insert(output) {
            Output::OpenTransport => (Kind::OpenTransport, Event { nothing: 0 }),
            Output::CloseTransport => (Kind::CloseTransport, Event { nothing: 0 }),
            Output::Connected(facts) => {
                let connected = connected(facts);
                (Kind::Connected, Event { connected })
            }
            Output::Disconnected(end) => {
                *text = end.reason.to_string();
                let disconnected = disconnected(end, text);
                (Kind::Disconnected, Event { disconnected })
            }
            Output::GaveUp(_) => (Kind::GaveUp, Event { nothing: 0 }),
            Output::Message(received) => {
                let payload = payload.insert(SharedBytes(received.payload_bytes()));
                let message = message(received, payload);
                (Kind::Message, Event { message })
            }
            Output::OpCompleted(op, completion) => {
                let completed = completed(op.to_u64(), completion, reasons);
                (Kind::Completed, Event { completed })
            }
            Output::Store(change) => {
                let store = store(change);
                (Kind::Store, Event { store })
            }
            Output::AuthChallenge(details) => {
                let auth_challenge = auth_challenge(details);
                (Kind::AuthChallenge, Event { auth_challenge })
            }
            Output::NodeChanged(node, readiness) => {
                let node = NodeStatus::of(agent, *node, *readiness);
                (Kind::NodeChanged, Event { node })
            }
            Output::Completed {
                token,
                transaction,
                outcome,
            } => {
                let transaction = CompletionRecord::of(*token, *transaction, outcome);
                (Kind::TransactionEnded, Event { transaction })
            }
            Output::Ignored(why) => {
                let ignored = IgnoredKind::of(*why);
                (Kind::ReplyIgnored, Event { ignored })
            }
            Output::StoreCredentials(credentials) => {
                let credentials = CredentialsRecord::of(Some(credentials));
                (Kind::StoreCredentials, Event { credentials })
            }
            Output::AskRegistry(request) => {
                let request = RegistryRequestRecord::of(request);
                (Kind::AskRegistry, Event { request })
            }
            Output::AskVersion(request) => {
                let request = RegistryRequestRecord::of(request);
                (Kind::AskVersion, Event { request })
            }
            Output::VersionDiffers(mismatch, retry_at) => {
                let mismatch = MismatchRecord::of(mismatch, *retry_at, text);
                (Kind::VersionDiffers, Event { mismatch })
            }
            Output::VersionAgrees(central) => {
                let central = central.as_deref().into();
                (Kind::VersionAgrees, Event { central })
            }
            Output::RegistrationDelayed(delay) => {
                let delay = DelayRecord::of(delay, text);
                (Kind::RegistrationDelayed, Event { delay })
            }
            Output::Granted(grant) => {
                let grant = GrantRecord::of(grant);
                (Kind::Granted, Event { grant })
            }
            Output::Denied(denial) => {
                let denial = DenialRecord::of(denial, text);
                (Kind::Denied, Event { denial })
            }
        };
        OutputRecord { event, kind }
    }
}
