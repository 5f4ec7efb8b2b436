//! MQTT client session, 3.1.1 and 5.0: bytes, time and commands in; bytes, events and the next deadline out.
//!
//! # Driving a session
//!
//! A [`Session`] never waits, reads a clock or touches a socket. Its owner repeats four steps:
//!
//! 1. **One input.** A command ([`connect`](Session::connect), [`publish`](Session::publish),
//!    [`subscribe`](Session::subscribe), [`unsubscribe`](Session::unsubscribe), [`acknowledge`](Session::acknowledge),
//!    [`authenticate`](Session::authenticate), [`disconnect`](Session::disconnect)), received bytes ([`rx_space`](Session::rx_space) and
//!    [`rx_commit`](Session::rx_commit), or [`rx_extend`](Session::rx_extend)), written bytes
//!    ([`tx_advance`](Session::tx_advance)), a change of the transport
//!    ([`handle_transport_open`](Session::handle_transport_open),
//!    [`handle_transport_closed`](Session::handle_transport_closed)), what a [store] has made durable
//!    ([`handle_persisted`](Session::handle_persisted)), or time
//!    ([`handle_timeout`](Session::handle_timeout)).
//! 2. **Drain** [`poll`](Session::poll) until it returns `None`, carrying out each [`Output`].
//! 3. **Write** what [`transmit`](Session::transmit) shows, a [`bytes::Buf`] for vectored writes, and report it with
//!    `tx_advance`.
//! 4. **Sleep** until the transport is readable, or writable while there is something to write, or
//!    [`poll_timeout`](Session::poll_timeout) comes.
//!
//! An empty `rx_space` asks to stop reading: the session is not ready for more, and TCP slows the server down.
//! [`Output::CloseTransport`] comes after the last bytes were written (or could not be for `close_timeout`) where this
//! side ends the connection with a DISCONNECT, and at once where nobody would read them. The owner closes the transport
//! and reports nothing more of it.
//!
//! [`Session::new`] makes a session that lives in memory; [`Session::restore`] one whose QoS 1 and 2 state outlives the
//! process, by the records that [`Output::Store`] has its owner keep.
//!
//! # Promises
//!
//! - Every accepted operation gets exactly one [`Completion`], whatever happens to the connection.
//! - QoS 1 and 2 messages survive lost connections: they are sent again in their original order before anything new, a
//!   PUBLISH with DUP and its old Packet Identifier, after a PUBREC the PUBREL alone.
//! - A received QoS 2 message is handed out once.
//! - With a [store], both of these hold from process to process, within what it says there.
//! - After an error the state is unchanged (commands) or the connection is closed (packets), with the Reason Code that
//!   the specification asks for where the version can carry one.
//! - The same seed and the same inputs give the same outputs, byte for byte, however received bytes are cut into pieces.

mod alias;
mod answers;
mod authentication;
mod command;
mod config;
mod connack;
mod connect;
mod details;
mod inbound;
mod lifecycle;
mod link;
mod message;
mod op;
mod outbound;
mod output;
mod queue;
mod receive;
mod rx;
mod send;
pub mod store;
mod tx;

use alloc::collections::VecDeque;

pub use command::{Disconnect, Filter, Unfinished, When};
pub use config::{
    AckMode, Authentication, Config, ConfigError, OnReferral, OnRefusal, QueueFull, Reconnect, SessionLost,
    VersionPolicy, Will,
};
pub use details::Details;
pub use message::{AckToken, Message};
pub use op::{Completion, Loss, OpId, Publication, Reasons, Refused, SubmitError};
pub use output::{Connected, DisconnectReason, Disconnected, Output, ServerLimits, Violation};
pub use store::{Lifetime, StoreOperation};
pub use tx::Transmit;

use crate::codec::{PropertyBuf, QoS, Version};
use crate::limits::MAX_PACKET_SIZE;
use crate::rng::{Rng, SEED_LEN};
use crate::time::{Duration, Instant, earlier};
use alias::{ReceivedAliases, SentAliases};
use authentication::Exchange;
use inbound::Inbound;
use link::{Link, Redial};
use outbound::Outbound;
use receive::Received;
use rx::Rx;
use store::Store;
use tx::Tx;

/// An MQTT client session. See the [module's documentation](self) for how to drive it.
#[derive(Debug)]
pub struct Session {
    config: Config,
    rng: Rng,
    link: Link,
    redial: Redial,
    rx: Rx,
    tx: Tx,
    outbound: Outbound,
    inbound: Inbound,
    outputs: VecDeque<Output>,
    server: ServerLimits,
    /// Whether this side holds Session state that a server may have, too.
    resumable: bool,
    /// Whether exchanges were given up that the server may want to go on with. Resumed, a 3.1.1 Session would take a new
    /// message for one of theirs.
    gave_up: bool,
    /// Connections in a row that a resumed Session has lost to what the server must not send.
    broken_resumptions: u32,
    /// Whether the connection has resumed a Session.
    is_resumed: bool,
    /// With a store.
    store: Option<Store>,
    /// What the disconnect in progress, or the last one, leaves behind.
    unfinished: Unfinished,
    /// Whether a connection was asked for while a disconnect is in progress.
    connect_after: bool,
    /// Set by a disconnect that waits for work in flight.
    draining: Option<Draining>,
    exchange: Exchange,
    received_aliases: ReceivedAliases,
    sent_aliases: SentAliases,
    last_sent: Instant,
    last_received: Instant,
    ping_deadline: Option<Instant>,
    /// Whether bytes have come since the ping was sent, or since its deadline was last put off.
    heard: bool,
    /// Whether bytes have come since the last poll, which knows the time.
    unnoticed: bool,
    next_op: u64,
    /// Properties of the message being sent, with its expiry and alias added.
    property_scratch: PropertyBuf,
}

#[derive(Debug)]
struct Draining {
    deadline: Instant,
    /// The encoded DISCONNECT.
    farewell: alloc::vec::Vec<u8>,
}

impl Session {
    /// A session that is offline until [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`ConfigError`] names the field that cannot be.
    pub fn new(config: Config, seed: [u8; SEED_LEN]) -> Result<Self, ConfigError> {
        config.validate()?;
        let session = Self {
            rng: Rng::from_seed(seed),
            link: Link::Idle,
            redial: Redial::new(config.reconnect, config.versions()),
            rx: Rx::new(config.read_size),
            tx: Tx::default(),
            outbound: Outbound::new(&config),
            inbound: Inbound::new(),
            outputs: VecDeque::new(),
            server: ServerLimits::UNRESTRICTED,
            resumable: false,
            gave_up: false,
            broken_resumptions: 0,
            is_resumed: false,
            store: None,
            unfinished: Unfinished::Close,
            connect_after: false,
            draining: None,
            exchange: Exchange::Over,
            received_aliases: ReceivedAliases::default(),
            sent_aliases: SentAliases::default(),
            last_sent: Instant::ZERO,
            last_received: Instant::ZERO,
            ping_deadline: None,
            heard: false,
            unnoticed: false,
            next_op: 1,
            property_scratch: PropertyBuf::new(),
            config,
        };
        for version in session.config.versions().versions() {
            session.check_connect(version)?;
        }
        Ok(session)
    }

    // Getters.

    /// Whether the server has accepted the connection and it is not ending.
    #[must_use]
    pub fn is_established(&self) -> bool {
        matches!(self.link, Link::Established { .. })
    }

    /// Version of the connection; `None` without one.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.link.version()
    }

    /// Client Identifier, the assigned one where the server chose it.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.config.client_id
    }

    /// What the server allows; the last server's while offline.
    #[must_use]
    pub fn server_limits(&self) -> &ServerLimits {
        &self.server
    }

    /// QoS 1 and 2 messages sent and not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.outbound.in_flight()
    }

    /// Messages that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbound.queue.len()
    }

    /// Operations of the messages that are in flight or wait to be sent, those first. After a
    /// [restoration](Self::restore) these are the ones that this process has inherited.
    pub fn unfinished_messages(&self) -> impl Iterator<Item = OpId> + '_ {
        self.outbound.unfinished()
    }

    // Bytes.

    /// Room for received bytes, zeroed or stale. Empty while no more may be read: without a connection, while it ends,
    /// and while received packets wait to be parsed.
    pub fn rx_space(&mut self) -> &mut [u8] {
        if self.link.version().is_none() {
            return &mut [];
        }
        self.rx.space()
    }

    /// Takes over `n` bytes that were read into [`rx_space`](Self::rx_space).
    pub fn rx_commit(&mut self, n: usize) {
        self.heard |= n > 0;
        self.unnoticed |= n > 0;
        self.rx.commit(n);
    }

    /// Copies received bytes in and returns how many fitted; poll before offering the rest.
    pub fn rx_extend(&mut self, bytes: &[u8]) -> usize {
        if self.link.version().is_none() {
            return 0;
        }
        let n = self.rx.extend(bytes);
        self.heard |= n > 0;
        self.unnoticed |= n > 0;
        n
    }

    /// What waits to be written, as contiguous runs in wire order.
    #[must_use]
    pub fn transmit(&self) -> Transmit<'_> {
        self.tx.view()
    }

    /// Whether [`transmit`](Self::transmit) shows anything.
    #[must_use]
    pub fn has_transmit(&self) -> bool {
        !self.tx.is_empty()
    }

    /// Reports that the first `n` bytes of [`transmit`](Self::transmit) were written.
    pub fn tx_advance(&mut self, now: Instant, n: usize) {
        if n == 0 {
            return;
        }
        self.tx.advance(n);
        self.last_sent = now;
        if let Link::Closing { reason, .. } = self.link
            && self.tx.is_empty()
        {
            self.close_transport(now, reason);
        }
    }

    // Time.

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let ping = match (self.link, self.ping_deadline) {
            (Link::Established { .. }, Some(deadline)) => Some(deadline),
            (Link::Established { .. }, None) if !self.server.keep_alive.is_zero() => {
                Some(self.quiet_since().after(self.server.keep_alive))
            }
            _ => None,
        };
        // While the connection closes, its own deadline counts.
        let draining = self.draining.as_ref().filter(|_| self.is_established());
        let draining = draining.map(|draining| draining.deadline);
        let expiry = self.outbound.queue.next_expiry();
        earlier(earlier(self.link.deadline(), ping), earlier(draining, expiry))
    }

    /// Does what is due at `now`: connect timeouts, pings, back-off, expiry.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.link {
            Link::Waiting { until } if until <= now => self.open_transport(now),
            Link::Opening { deadline } if deadline <= now => {
                self.close_transport(now, DisconnectReason::ConnectTimeout);
            }
            Link::AwaitConnack { deadline, .. } if deadline <= now => {
                self.close_transport(now, DisconnectReason::ConnackTimeout);
            }
            Link::Closing { deadline, reason } if deadline <= now => self.close_transport(now, reason),
            Link::Established { .. } => self.keep_alive(now),
            _ => {}
        }
        while let Some(outgoing) = self.outbound.queue.pop_expired(now) {
            self.lose(outgoing, Loss::Expired);
        }
        if self
            .draining
            .as_ref()
            .is_some_and(|draining| draining.deadline <= now)
        {
            self.finish_draining(now);
        }
    }

    // Transport.

    /// The transport that [`Output::OpenTransport`] asked for is open. Ignored where none was asked for.
    pub fn handle_transport_open(&mut self, now: Instant) {
        if !matches!(self.link, Link::Opening { .. }) {
            return;
        }
        let version = self.redial.version();
        self.link = Link::AwaitConnack {
            deadline: now.after(self.config.connack_timeout),
            version,
        };
        self.last_sent = now;
        let mut connect = alloc::vec::Vec::new();
        match self.connect_packet(version, &mut connect) {
            Ok(()) => {
                self.tx.append_bytes(&connect);
                if self.config.authentication.is_some() {
                    self.exchange = Exchange::AwaitServer(None);
                }
            }
            // `new` has encoded the same CONNECT for both versions.
            Err(_) => self.close_transport(now, DisconnectReason::TransportFailed),
        }
    }

    /// The transport could not be opened, or was closed by the other side or by an error. Ignored where there is none.
    pub fn handle_transport_closed(&mut self, now: Instant) {
        match self.link {
            Link::Opening { .. } => self.link_down(now, DisconnectReason::TransportFailed, Details::NONE),
            Link::AwaitConnack { .. } | Link::Established { .. } => {
                self.link_down(now, DisconnectReason::TransportClosed, Details::NONE);
            }
            Link::Closing { reason, .. } => self.link_down(now, reason, Details::NONE),
            Link::Idle | Link::Waiting { .. } => {}
        }
    }

    // Output.

    /// The next thing to do or to know; `None` when there is nothing until the next input.
    ///
    /// Parses at most one packet for each item it returns.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        loop {
            if let Some(op) = self.tx.next_written() {
                return Some(Output::Completed(op, Completion::PUBLISHED));
            }
            if !self.outputs.is_empty() {
                return self.outputs.pop_front();
            }
            // Before the next packet, so that the output does not depend on how the packets were cut into reads.
            if !self.outbound.nothing_waits() || self.draining.is_some() {
                self.pump(now);
                if !self.outputs.is_empty() {
                    return self.outputs.pop_front();
                }
            }
            match self.receive_one(now) {
                Ok(Received::Output(output)) => return Some(output),
                Ok(Received::Packet) => {}
                Ok(Received::Nothing) => return None,
                Err(fault) => self.refuse(now, fault),
            }
        }
    }

    fn complete(&mut self, op: OpId, completion: Completion) {
        self.outputs.push_back(Output::Completed(op, completion));
    }
}

impl ServerLimits {
    /// A server that restricts nothing, as every 3.1.1 server is taken to be.
    pub const UNRESTRICTED: Self = Self {
        receive_maximum: u16::MAX,
        maximum_qos: QoS::ExactlyOnce,
        retain_available: true,
        maximum_packet_size: MAX_PACKET_SIZE,
        wildcard_available: true,
        subscription_id_available: true,
        shared_available: true,
        keep_alive: Duration::ZERO,
        topic_alias_maximum: 0,
    };
}

#[cfg(test)]
mod tests;
