//! What the composite hands out.

use alloc::string::String;

use crate::codec::ReasonCode;
use crate::flowsync::{Ignored, NodeId, Outcome, TransactionId};
use crate::registration::version::Mismatch;
use crate::registration::{Credentials, Delay, Denial, Grant, Request};
use crate::session::{
    self, Connected, Details, DisconnectReason, Disconnected, Message, OpId, StoreOperation, SubmitError,
};
use crate::time::Instant;

/// One item from [`Agent::poll`](super::Agent::poll).
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open a transport to the server, then call `handle_transport_open`, or `handle_transport_closed` if it fails.
    OpenTransport,
    /// Close the transport; it is forgotten already.
    CloseTransport,
    /// The server accepted the connection; nodes become ready one by one.
    Connected(Connected),
    /// The connection ended or could not be made; no node is ready.
    Disconnected(Disconnected),
    /// After a [`Disconnected`]: nothing will be tried again until [`Agent::connect`](super::Agent::connect).
    GaveUp(DisconnectReason),
    /// Store these new credentials where the next start finds them, then call
    /// [`handle_credentials_stored`](super::Agent::handle_credentials_stored), also where they cannot be stored.
    StoreCredentials(Credentials),
    /// Make this request of the client registry, then call
    /// [`handle_registry_answer`](super::Agent::handle_registry_answer). Nobody waits for an earlier one any more.
    AskRegistry(Request),
    /// Registry or broker did not accept the agent; it is tried again.
    RegistrationDelayed(Delay),
    /// The registry has accepted the agent. A certificate that comes with it is in force for the next transport.
    Granted(Grant),
    /// The registry will never accept this agent as it is, and nothing is tried again.
    Denied(Denial),
    /// Make this request of the central, then call
    /// [`handle_version_answer`](super::Agent::handle_version_answer). Nobody waits for an earlier one any more.
    AskVersion(Request),
    /// The central's version does not go with this agent's; it is asked again at this time. What is submitted before the
    /// next poll is still sent, then the connection ends, until the versions go together.
    VersionDiffers(Mismatch, Instant),
    /// The central's version goes with this agent's; or it tells none, and there is nothing to compare.
    VersionAgrees(Option<String>),
    /// A node began to accept requests, or ceased to.
    NodeChanged(NodeId, Readiness),
    /// A transaction ended. The token is the caller's own from [`Agent::request`](super::Agent::request).
    Completed {
        /// The caller's own value.
        token: u64,
        /// The transaction.
        transaction: TransactionId,
        /// Its one outcome.
        outcome: Outcome,
    },
    /// A tres changed nothing; for the log.
    Ignored(Ignored),
    /// A message for another subscription than a node's; see [`subscriptions_of`](super::Agent::subscriptions_of).
    Message(Message),
    /// An operation that the caller submitted through [`publish`](super::Agent::publish),
    /// [`subscribe`](super::Agent::subscribe), [`unsubscribe`](super::Agent::unsubscribe) or
    /// [`reauthenticate`](super::Agent::reauthenticate) ended.
    OpCompleted(OpId, session::Completion),
    /// The server asks for authentication data: see [`session::Output::AuthChallenge`].
    AuthChallenge(Details),
    /// Carry this out in the store, then report it with [`Agent::handle_persisted`](super::Agent::handle_persisted).
    Store(StoreOperation),
}

/// Whether a node accepts requests, or a subscription brings messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// The server has confirmed the subscription.
    Ready,
    /// There is no connection, or the server has not answered yet.
    Waiting,
    /// The server refused the subscription; it is asked again every
    /// [`RESUBSCRIBE_INTERVAL`](crate::limits::RESUBSCRIBE_INTERVAL).
    Refused(ReasonCode),
    /// The server cannot serve the subscription; it is tried again on the next connection.
    NotSupported(SubmitError),
}
