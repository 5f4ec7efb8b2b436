//! MQTT client session, 3.1.1 and 5.0: bytes, time and commands in; bytes, events and the next deadline out.
//!
//! # Driving a session
//!
//! A [`Session`] never waits, reads a clock or touches a socket. Its owner repeats four steps:
//!
//! 1. **One input.** A command ([`connect`](Session::connect), [`publish`](Session::publish),
//!    [`subscribe`](Session::subscribe), [`unsubscribe`](Session::unsubscribe), [`acknowledge`](Session::acknowledge),
//!    [`disconnect`](Session::disconnect)), received bytes ([`rx_space`](Session::rx_space) and
//!    [`rx_commit`](Session::rx_commit), or [`rx_extend`](Session::rx_extend)), written bytes
//!    ([`tx_advance`](Session::tx_advance)), a change of the transport
//!    ([`handle_transport_open`](Session::handle_transport_open),
//!    [`handle_transport_closed`](Session::handle_transport_closed)), or time
//!    ([`handle_timeout`](Session::handle_timeout)).
//! 2. **Drain** [`poll`](Session::poll) until it returns `None`, carrying out each [`Output`].
//! 3. **Write** what [`transmit`](Session::transmit) shows and report it with `tx_advance`.
//! 4. **Sleep** until the transport is readable, or writable while there is something to write, or
//!    [`poll_timeout`](Session::poll_timeout) comes.
//!
//! An empty `rx_space` asks to stop reading: the session is not ready for more, and TCP slows the server down.
//! [`Output::CloseTransport`] comes after the last bytes were written (or could not be for `close_timeout`); the owner
//! closes the transport and reports nothing more of it.
//!
//! # Promises
//!
//! - Every accepted operation gets exactly one [`Completion`], whatever happens to the connection.
//! - QoS 1 and 2 messages survive lost connections: they are sent again in their original order before anything new, a
//!   PUBLISH with DUP and its old Packet Identifier, after a PUBREC the PUBREL alone.
//! - A received QoS 2 message is handed out once.
//! - After an error the state is unchanged (commands) or the connection is closed (packets), with the Reason Code that
//!   the specification asks for where the version can carry one.
//! - The same seed and the same inputs give the same outputs, byte for byte, however received bytes are cut into pieces.

mod command;
mod config;
mod inbound;
mod link;
mod message;
mod op;
mod outbound;
mod output;
mod receive;
mod rx;
mod send;
mod tx;

use alloc::collections::VecDeque;
use alloc::string::String;

pub use command::{Disconnect, Filter, When};
pub use config::{AckMode, Config, ConfigError, OnRefusal, Reconnect, SessionLost, VersionPolicy, Will};
pub use message::{AckToken, Message};
pub use op::{Completion, Loss, OpId, Publication, Reasons, Refused, SubmitError};
pub use output::{Connected, DisconnectReason, Disconnected, Output, ServerLimits, Violation};
pub use tx::Transmit;

use crate::codec::{Packet, PropertyBuf, QoS, ReasonCode, Version};
use crate::limits::MAX_PACKET_SIZE;
use crate::rng::{Rng, SEED_LEN};
use crate::time::{Duration, Instant};
use inbound::Inbound;
use link::{Link, Redial};
use outbound::Outbound;
use rx::Rx;
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
    /// Set by a disconnect that waits for work in flight.
    draining: Option<Draining>,
    last_sent: Instant,
    ping_deadline: Option<Instant>,
    /// Whether bytes have come since the ping was sent, or since its deadline was last put off.
    heard: bool,
    next_expiry: Option<Instant>,
    next_op: u64,
    /// Properties of the message being sent, with its expiry added.
    property_scratch: PropertyBuf,
}

#[derive(Debug, Clone, Copy)]
struct Draining {
    deadline: Instant,
    reason: ReasonCode,
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
            redial: Redial::new(config.reconnect, config.version),
            rx: Rx::new(config.read_size),
            tx: Tx::default(),
            outbound: Outbound::new(),
            inbound: Inbound::new(),
            outputs: VecDeque::new(),
            server: ServerLimits::UNRESTRICTED,
            resumable: false,
            gave_up: false,
            draining: None,
            last_sent: Instant::ZERO,
            ping_deadline: None,
            heard: false,
            next_expiry: None,
            next_op: 1,
            property_scratch: PropertyBuf::new(),
            config,
        };
        for version in session.config.version.versions() {
            session
                .encode_connect(version)
                .map_err(|_| ConfigError::Credentials)?;
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
        self.outbound.queued()
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
        self.rx.commit(n);
    }

    /// Copies received bytes in and returns how many fitted; poll before offering the rest.
    pub fn rx_extend(&mut self, bytes: &[u8]) -> usize {
        if self.link.version().is_none() {
            return 0;
        }
        let n = self.rx.extend(bytes);
        self.heard |= n > 0;
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
                Some(self.last_sent.after(self.server.keep_alive))
            }
            _ => None,
        };
        let draining = match self.link {
            Link::Closing { .. } => None,
            _ => self.draining.map(|draining| draining.deadline),
        };
        [self.link.deadline(), ping, draining, self.next_expiry]
            .into_iter()
            .flatten()
            .min()
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
        if self.next_expiry.is_some_and(|at| at <= now) {
            let (expired, next) = self.outbound.take_expired(now);
            self.next_expiry = next;
            for op in expired {
                self.complete(op, Completion::Lost(Loss::Expired));
            }
        }
        if let Some(Draining { deadline, reason }) = self.draining
            && deadline <= now
        {
            self.finish_draining(now, reason);
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
        match self.encode_connect(version) {
            Ok(connect) => self.append_control(|out| {
                out.extend_from_slice(&connect);
                Ok(())
            }),
            // `new` has encoded the same CONNECT for both versions.
            Err(_) => self.close_transport(now, DisconnectReason::TransportFailed),
        }
    }

    /// The transport could not be opened, or was closed by the other side or by an error. Ignored where there is none.
    pub fn handle_transport_closed(&mut self, now: Instant) {
        match self.link {
            Link::Opening { .. } => self.link_down(now, DisconnectReason::TransportFailed),
            Link::AwaitConnack { .. } | Link::Established { .. } => {
                self.link_down(now, DisconnectReason::TransportClosed);
            }
            Link::Closing { reason, .. } => self.link_down(now, reason),
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
                return Some(Output::Completed(op, Completion::Published(ReasonCode::SUCCESS)));
            }
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            match self.receive_one(now) {
                receive::Received::Output(output) => return Some(output),
                receive::Received::Packet => {}
                receive::Received::Nothing => break,
            }
        }
        self.pump(now);
        self.outputs.pop_front()
    }

    // How connections begin and end.

    fn open_transport(&mut self, now: Instant) {
        self.link = Link::Opening {
            deadline: now.after(self.config.connect_timeout),
        };
        self.outputs.push_back(Output::OpenTransport);
    }

    /// Ends the connection on this side's account; a 5.0 server is told why before the transport closes.
    fn fail(&mut self, now: Instant, code: ReasonCode, reason: DisconnectReason) {
        if self.link.version() == Some(Version::V5) {
            let disconnect = crate::codec::Disconnect {
                reason: code,
                properties: crate::codec::Properties::EMPTY,
            };
            self.append_control(|out| Packet::Disconnect(disconnect).encode(Version::V5, out));
            self.link = Link::Closing {
                deadline: now.after(self.config.close_timeout),
                reason,
            };
            self.rx.clear();
        } else {
            self.close_transport(now, reason);
        }
    }

    fn close_transport(&mut self, now: Instant, reason: DisconnectReason) {
        self.complete_written();
        self.outputs.push_back(Output::CloseTransport);
        self.link_down(now, reason);
    }

    fn link_down(&mut self, now: Instant, reason: DisconnectReason) {
        let uptime = match self.link {
            Link::Established { since, .. } => Some(now.since(since)),
            _ => None,
        };
        self.complete_written();
        let unwritten: alloc::vec::Vec<_> = self.tx.clear().collect();
        let unanswered = self.outbound.link_lost();
        for op in unwritten.into_iter().chain(unanswered) {
            self.complete(op, Completion::Lost(Loss::LinkLost));
        }
        self.rx.clear();
        self.inbound.link_lost();
        self.ping_deadline = None;
        let draining = self.draining.take().is_some();
        let wait = self.redial.after(&reason, uptime, &mut self.rng);
        let retry_at = match wait {
            Some(wait) if !draining => Some(now.after(wait)),
            _ => None,
        };
        self.link = retry_at.map_or(Link::Idle, |until| Link::Waiting { until });
        self.outputs
            .push_back(Output::Disconnected(Disconnected { reason, retry_at }));
        if draining || reason == DisconnectReason::Requested {
            self.abandon_everything();
        }
    }

    /// The session is over by request: every operation ends, nothing is resumed.
    fn abandon_everything(&mut self) {
        self.gave_up |= self.inbound.is_unfinished();
        for flight in self.outbound.abandon_flights() {
            self.gave_up = true;
            self.complete(flight.op, Completion::Lost(Loss::Closed));
        }
        while let Some(outgoing) = self.outbound.dequeue() {
            self.complete(outgoing.op, Completion::Lost(Loss::Closed));
        }
        self.inbound.session_lost();
        self.next_expiry = None;
        self.resumable = false;
    }

    fn keep_alive(&mut self, now: Instant) {
        if self.server.keep_alive.is_zero() {
            return;
        }
        let is_silent = self.last_sent.after(self.server.keep_alive) <= now;
        match self.ping_deadline {
            Some(deadline) if deadline > now => {}
            // What still comes, or waits here to be parsed, shows that the server is alive: the answer is behind it. The
            // beginning of a packet that goes no further shows nothing.
            Some(_) if self.heard || self.packet_waits() => {
                if is_silent {
                    self.append_control(|out| Packet::Pingreq.encode(Version::V5, out));
                }
                self.await_pingresp(now);
            }
            Some(_) => self.fail(now, ReasonCode::KEEP_ALIVE_TIMEOUT, DisconnectReason::PingTimeout),
            None if is_silent => {
                self.append_control(|out| Packet::Pingreq.encode(Version::V5, out));
                self.await_pingresp(now);
            }
            None => {}
        }
    }

    fn await_pingresp(&mut self, now: Instant) {
        self.heard = false;
        self.ping_deadline = Some(now.after(self.ping_timeout()));
    }

    fn ping_timeout(&self) -> Duration {
        self.config.ping_timeout.min(self.server.keep_alive / 2)
    }

    fn finish_draining(&mut self, now: Instant, code: ReasonCode) {
        match self.link {
            Link::Established { version, .. } => {
                self.append_disconnect(version, code);
                self.link = Link::Closing {
                    deadline: now.after(self.config.close_timeout),
                    reason: DisconnectReason::Requested,
                };
            }
            Link::Opening { .. } | Link::AwaitConnack { .. } => {
                self.close_transport(now, DisconnectReason::Requested);
            }
            Link::Waiting { .. } | Link::Idle => self.link_down(now, DisconnectReason::Requested),
            Link::Closing { .. } => {}
        }
    }

    fn complete_written(&mut self) {
        while let Some(op) = self.tx.next_written() {
            self.complete(op, Completion::Published(ReasonCode::SUCCESS));
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
    };
}

/// Text that a server may not have sent, where the type asks for one.
fn owned(text: &str) -> String {
    String::from(text)
}

#[cfg(test)]
mod tests;
