//! What a session hands out: one struct with a kind, and a union of what each kind tells.

use syncline_core::codec::{Properties, Property, PropertyId, Version};
use syncline_core::session::store::Change;
use syncline_core::session::{
    Completion, Connected, Details, DisconnectReason, Disconnected, Loss, Message, Output, ServerLimits,
};
use syncline_core::time::Instant;

use super::SessionHandle;
use crate::border;
use crate::pointer::{self, Out, Slice};
use crate::properties::PropertyRecord;
use crate::result::Code;
use crate::shared_bytes::SharedBytes;

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
}

/// What a server allows; for MQTT 3.1.1 the defaults.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ServerLimitsRecord {
    /// Largest packet in bytes.
    pub maximum_packet_size: u32,
    /// Keep Alive in force in seconds; 0 is off.
    pub keep_alive_seconds: u32,
    /// QoS 1 and 2 messages that may be unacknowledged.
    pub receive_maximum: u16,
    /// Highest Topic Alias of a PUBLISH; 0 is none.
    pub topic_alias_maximum: u16,
    /// Highest QoS of a PUBLISH.
    pub maximum_qos: u8,
    /// Whether messages may be retained.
    pub retain_available: bool,
    /// Whether Topic Filters may have wildcards.
    pub wildcard_available: bool,
    /// Whether a SUBSCRIBE may carry a Subscription Identifier.
    pub subscription_id_available: bool,
    /// Whether Topic Filters may be shared subscriptions.
    pub shared_available: bool,
}

/// Facts of a new connection.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ConnectedRecord {
    /// Client Identifier that the server assigned, else empty.
    pub assigned_client_id: Slice,
    /// What Response Topics should begin with, where the server says so, else empty.
    pub response_information: Slice,
    /// What the server allows.
    pub server: ServerLimitsRecord,
    /// Seconds that the Session outlives the connection; UINT32_MAX: for ever.
    pub session_expiry: u32,
    /// Protocol version, 4 or 5.
    pub version: u8,
    /// Whether the server kept the Session. If not, subscribe again.
    pub session_present: bool,
}

/// Why a connection ended or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum DisconnectKind {
    /// The transport could not be opened.
    TransportFailed = 0,
    /// The transport was not open in time.
    ConnectTimeout = 1,
    /// No CONNACK came in time.
    ConnackTimeout = 2,
    /// The server refused the connection, with `reason`.
    Refused = 3,
    /// The server ended the connection with a DISCONNECT, with `reason`.
    ByServer = 4,
    /// The transport was closed without a DISCONNECT.
    TransportClosed = 5,
    /// No answer to a ping came in time.
    PingTimeout = 6,
    /// The server sent what is no valid packet.
    Malformed = 7,
    /// The server sent a packet that it was not allowed to send.
    Violation = 8,
    /// The caller disconnected.
    Requested = 9,
    /// Another reason: see `text`.
    Other = 10,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct DisconnectedRecord {
    /// Why, in words.
    pub text: Slice,
    /// The server's own words, where it said any, else empty.
    pub reason_string: Slice,
    /// Another server that this one names, such as `broker.example:8883`, else empty.
    pub server_reference: Slice,
    /// When the session asks for a transport again; UINT64_MAX: not before `syncline_session_connect`.
    pub retry_at: u64,
    /// Why.
    pub kind: DisconnectKind,
    /// Reason Code that the server gave, or that it was given, else 0.
    pub reason: u8,
}

/// A message from the server.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct MessageRecord {
    /// Topic Name, also where the server sent a Topic Alias in its place.
    pub topic: Slice,
    /// Application Message.
    pub payload: Slice,
    /// The same, for `syncline_bytes_retain`.
    pub shared: *const SharedBytes,
    /// Response Topic, else empty.
    pub response_topic: Slice,
    /// Correlation Data, else empty.
    pub correlation_data: Slice,
    /// What to acknowledge it with, where `needs_ack` is set.
    pub ack_token: u64,
    /// Quality of Service.
    pub qos: u8,
    /// Whether the server sent it because it was retained.
    pub retain: bool,
    /// Whether the server may have sent it before.
    pub dup: bool,
    /// Whether it waits for `syncline_session_acknowledge`.
    pub needs_ack: bool,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum CompletionKind {
    /// QoS 0: written to the transport. QoS 1 and 2: acknowledged with `reason`, which may be an error.
    Published = 0,
    /// The server answered a SUBSCRIBE, with one of `reasons` a filter.
    Subscribed = 1,
    /// The server answered an UNSUBSCRIBE, with one of `reasons` a filter; none in 3.1.1.
    Unsubscribed = 2,
    /// The server accepted a re-authentication.
    Authenticated = 3,
    /// It is over without an acknowledgement: see `loss`.
    Lost = 4,
}

/// Why an operation ended without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum LossKind {
    /// It was not lost.
    None = 0,
    /// The connection ended first.
    LinkLost = 1,
    /// The server has lost the Session.
    SessionLost = 2,
    /// The message expired before it was sent or sent again.
    Expired = 3,
    /// It was dropped from a full queue for a newer one.
    Dropped = 4,
    /// The session was closed.
    Closed = 5,
    /// The server does not accept it: see `refusal`.
    NotAccepted = 6,
    /// Another reason.
    Other = 7,
}

/// The end of an operation.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CompletedRecord {
    /// Reason Codes in the order of the Topic Filters, one byte each.
    pub reasons: Slice,
    /// The server's own words, where it said any, else empty.
    pub reason_string: Slice,
    /// The operation, as the command gave it.
    pub op: u64,
    /// How it ended.
    pub kind: CompletionKind,
    /// Why it was lost.
    pub loss: LossKind,
    /// Result of a message that the server does not accept, else SYNCLINE_RESULT_OK.
    pub refusal: Code,
    /// Reason Code: of the acknowledgement, or the first of `reasons` that is an error, else 0.
    pub reason: u8,
}

/// One change of the stored state. Changes are numbered from 1 without a gap, and carried out in that order.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct StoreRecord {
    /// Number of the change, for `syncline_session_handle_persisted`.
    pub seq: u64,
    /// Key of the record.
    pub key: u64,
    /// What the record is from now on, whether or not there was one. Counts with `put` alone.
    pub record: Slice,
    /// Whether to put the record; if not, delete it. One that is not there counts as deleted.
    pub put: bool,
}

/// What the server asks, and says with it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct AuthChallengeRecord {
    /// Authentication Data, else empty.
    pub data: Slice,
    /// The server's own words, where it said any, else empty.
    pub reason_string: Slice,
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
        let (handle, out) = unsafe { (pointer::exclusive(session)?, Out::new(output)?) };
        // First, so that the receive buffer that it holds can be used again.
        handle.shown.output = None;
        handle.shown.payload = None;
        let next = handle
            .change()
            .poll(Instant::from_micros(now))
            .ok_or(Code::Empty)?;
        out.write(handle.shown.show(next));
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
        let (handle, out) = unsafe { (pointer::shared(session)?, Out::new(property)?) };
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
            Some(Output::Completed(_, completion)) => details(completion).properties(),
            _ => Properties::EMPTY,
        }
    }

    fn show(&mut self, output: Output) -> OutputRecord {
        let Self {
            output: place,
            text,
            reasons,
            payload,
        } = self;
        let (kind, event) = match place.insert(output) {
            Output::OpenTransport => (OutputKind::OpenTransport, OutputEvent { nothing: 0 }),
            Output::CloseTransport => (OutputKind::CloseTransport, OutputEvent { nothing: 0 }),
            Output::Connected(facts) => {
                let connected = connected(facts);
                (OutputKind::Connected, OutputEvent { connected })
            }
            Output::Disconnected(end) => {
                *text = end.reason.to_string();
                let disconnected = disconnected(end, text);
                (OutputKind::Disconnected, OutputEvent { disconnected })
            }
            Output::Message(received) => {
                let message = message(received, payload.insert(SharedBytes(received.payload_bytes())));
                (OutputKind::Message, OutputEvent { message })
            }
            Output::Completed(op, completion) => {
                let completed = completed(op.to_u64(), completion, reasons);
                (OutputKind::Completed, OutputEvent { completed })
            }
            Output::Store(operation) => {
                let (put, record) = match &operation.change {
                    Change::Put(record) => (true, Slice::from(&record[..])),
                    Change::Delete => (false, Slice::EMPTY),
                };
                let store = StoreRecord {
                    seq: operation.seq,
                    key: operation.key.to_u64(),
                    record,
                    put,
                };
                (OutputKind::Store, OutputEvent { store })
            }
            Output::AuthChallenge(details) => {
                let auth_challenge = AuthChallengeRecord {
                    data: details.authentication_data().into(),
                    reason_string: details.reason_string().into(),
                };
                (OutputKind::AuthChallenge, OutputEvent { auth_challenge })
            }
        };
        OutputRecord { event, kind }
    }
}

/// The number by which a CONNECT names a version.
pub(super) fn level(version: Version) -> u8 {
    match version {
        Version::V3_1_1 => 4,
        Version::V5 => 5,
    }
}

fn connected(facts: &Connected) -> ConnectedRecord {
    ConnectedRecord {
        assigned_client_id: facts.details.assigned_client_id().into(),
        response_information: facts.details.response_information().into(),
        server: server_limits(&facts.server),
        session_expiry: facts.session_expiry,
        version: level(facts.version),
        session_present: facts.session_present,
    }
}

fn server_limits(server: &ServerLimits) -> ServerLimitsRecord {
    ServerLimitsRecord {
        maximum_packet_size: server.maximum_packet_size,
        keep_alive_seconds: u32::try_from(server.keep_alive.as_secs()).unwrap_or(u32::MAX),
        receive_maximum: server.receive_maximum,
        topic_alias_maximum: server.topic_alias_maximum,
        maximum_qos: server.maximum_qos as u8,
        retain_available: server.retain_available,
        wildcard_available: server.wildcard_available,
        subscription_id_available: server.subscription_id_available,
        shared_available: server.shared_available,
    }
}

fn disconnected(end: &Disconnected, text: &str) -> DisconnectedRecord {
    let (kind, reason) = match end.reason {
        DisconnectReason::TransportFailed => (DisconnectKind::TransportFailed, 0),
        DisconnectReason::ConnectTimeout => (DisconnectKind::ConnectTimeout, 0),
        DisconnectReason::ConnackTimeout => (DisconnectKind::ConnackTimeout, 0),
        DisconnectReason::Refused(reason) => (DisconnectKind::Refused, reason.0),
        DisconnectReason::ByServer(reason) => (DisconnectKind::ByServer, reason.0),
        DisconnectReason::TransportClosed => (DisconnectKind::TransportClosed, 0),
        DisconnectReason::PingTimeout => (DisconnectKind::PingTimeout, 0),
        DisconnectReason::Malformed(error) => (DisconnectKind::Malformed, error.reason_code().0),
        DisconnectReason::Violation(violation) => (DisconnectKind::Violation, violation.reason.0),
        DisconnectReason::Requested => (DisconnectKind::Requested, 0),
        _ => (DisconnectKind::Other, 0),
    };
    DisconnectedRecord {
        text: text.into(),
        reason_string: end.details.reason_string().into(),
        server_reference: end.details.server_reference().into(),
        retry_at: end.retry_at.unwrap_or(Instant::FAR_FUTURE).as_micros(),
        kind,
        reason,
    }
}

fn message(message: &Message, payload: &SharedBytes) -> MessageRecord {
    let properties = message.properties();
    let (mut response_topic, mut correlation_data) = (Slice::EMPTY, Slice::EMPTY);
    if !properties.is_empty() {
        if let Some(Property::ResponseTopic(topic)) = properties.find(PropertyId::ResponseTopic) {
            response_topic = topic.into();
        }
        if let Some(Property::CorrelationData(data)) = properties.find(PropertyId::CorrelationData) {
            correlation_data = data.into();
        }
    }
    let ack = message.ack_token();
    MessageRecord {
        topic: message.topic().into(),
        payload: message.payload().into(),
        shared: payload,
        response_topic,
        correlation_data,
        ack_token: ack.map_or(0, |token| token.to_u64()),
        qos: message.qos() as u8,
        retain: message.retain(),
        dup: message.dup(),
        needs_ack: ack.is_some(),
    }
}

fn details(completion: &Completion) -> &Details {
    match completion {
        Completion::Published { details, .. } | Completion::Authenticated(details) => details,
        Completion::Subscribed(reasons) | Completion::Unsubscribed(reasons) => reasons.details(),
        Completion::Lost(_) => &Details::NONE,
    }
}

fn completed(op: u64, completion: &Completion, codes: &mut Vec<u8>) -> CompletedRecord {
    codes.clear();
    let (kind, loss, refusal, reason) = match completion {
        Completion::Published { reason, .. } => {
            (CompletionKind::Published, LossKind::None, Code::Ok, reason.0)
        }
        Completion::Subscribed(reasons) | Completion::Unsubscribed(reasons) => {
            codes.extend(reasons.iter().map(|reason| reason.0));
            let kind = match completion {
                Completion::Subscribed(_) => CompletionKind::Subscribed,
                _ => CompletionKind::Unsubscribed,
            };
            let error = reasons.first_error().map_or(0, |reason| reason.0);
            (kind, LossKind::None, Code::Ok, error)
        }
        Completion::Authenticated(_) => (CompletionKind::Authenticated, LossKind::None, Code::Ok, 0),
        Completion::Lost(loss) => {
            let (loss, refusal) = lost(*loss);
            (CompletionKind::Lost, loss, refusal, 0)
        }
    };
    CompletedRecord {
        reasons: codes[..].into(),
        reason_string: details(completion).reason_string().into(),
        op,
        kind,
        loss,
        refusal,
        reason,
    }
}

fn lost(loss: Loss) -> (LossKind, Code) {
    let kind = match loss {
        Loss::LinkLost => LossKind::LinkLost,
        Loss::SessionLost => LossKind::SessionLost,
        Loss::Expired => LossKind::Expired,
        Loss::Dropped => LossKind::Dropped,
        Loss::Closed => LossKind::Closed,
        Loss::NotAccepted(refusal) => return (LossKind::NotAccepted, refusal.into()),
        _ => LossKind::Other,
    };
    (kind, Code::Ok)
}
