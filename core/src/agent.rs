//! The composite that a runtime drives: one MQTT session with a FlowSync requester on top.
//!
//! This is the only place where the two machines meet. An [`Agent`] is driven like a [`Session`](crate::session): one
//! input, drain [`poll`](Agent::poll), write [`transmit`](Agent::transmit), sleep until
//! [`poll_timeout`](Agent::poll_timeout).
//!
//! A node is *ready* while the connection stands and the server has confirmed the subscription to the node's tres.
//! Requests to a node that is not ready are refused at once. The waiter of a request is registered before its treq is
//! encoded, and the subscription is in force before that: a reply cannot be missed.

use alloc::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::codec::{PropertyBuf, ReasonCode, RetainHandling, SubscribeOptions};
use crate::flowsync::{
    Completion, Counters, Delivery, Ignored, NodeConfig, NodeId, Outcome, Refusal, Requester, TransactionId,
    Undeliverable,
};
use crate::limits::RESUBSCRIBE_INTERVAL;
use crate::rng::{Rng, SEED_LEN};
use crate::session::store::{RestoreError, Restored, StoreKey};
use crate::session::{
    self, Config, ConfigError, Connected, Details, Disconnect, Disconnected, Filter, Lifetime, Loss, Message,
    OpId, Publication, Refused, Session, StoreOperation, SubmitError, Transmit,
};
use crate::time::{Duration, Instant, UnixMillis};
use crate::topic::TopicFilter;

/// One item from [`Agent::poll`].
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
    /// A node began to accept requests, or ceased to.
    NodeChanged(NodeId, Readiness),
    /// A transaction ended. The token is the caller's own from [`Agent::request`].
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
    /// A message for another subscription than a node's.
    Message(Message),
    /// An operation that the caller submitted through [`Agent::publish`], [`Agent::subscribe`] or
    /// [`Agent::reauthenticate`] ended.
    OpCompleted(OpId, session::Completion),
    /// The server asks for authentication data: see [`session::Output::AuthChallenge`].
    AuthChallenge(Details),
    /// Carry this out in the store, then report it with [`Agent::handle_persisted`].
    Store(StoreOperation),
}

/// Whether a node accepts requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// The server has confirmed the subscription to its replies.
    Ready,
    /// There is no connection, or the server has not answered yet.
    Waiting,
    /// The server refused the subscription; it is asked again every [`RESUBSCRIBE_INTERVAL`].
    Refused(ReasonCode),
    /// The server cannot serve the subscription; it is tried again on the next connection.
    NotSupported(SubmitError),
}

/// MQTT session and FlowSync requester, joined.
#[derive(Debug)]
pub struct Agent {
    session: Session,
    requester: Requester,
    nodes: BTreeMap<NodeId, Readiness>,
    /// Operations of this composite: treq messages and subscriptions.
    purposes: BTreeMap<OpId, Purpose>,
    outputs: VecDeque<Output>,
    resubscribe_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Purpose {
    Treq(TransactionId),
    Subscription(NodeId),
}

impl Agent {
    /// An agent that is offline until [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`ConfigError`] of the session.
    pub fn new(config: Config, seed: [u8; SEED_LEN]) -> Result<Self, ConfigError> {
        let mut rng = Rng::from_seed(seed);
        let session = Session::new(config, rng.derive_seed())?;
        Ok(Self::compose(session, rng))
    }

    /// An agent with a store, and with the session that `records` hold: see [`Session::restore`]. Transactions are not
    /// among them, for nobody waits for their answers any more.
    ///
    /// # Errors
    /// [`RestoreError`] names the record that is at fault.
    pub fn restore(
        config: Config,
        seed: [u8; SEED_LEN],
        now: Instant,
        wall: UnixMillis,
        records: impl IntoIterator<Item = (StoreKey, Bytes)>,
    ) -> Result<(Self, Restored), RestoreError> {
        let mut rng = Rng::from_seed(seed);
        let (session, restored) = Session::restore(config, rng.derive_seed(), now, wall, records)?;
        Ok((Self::compose(session, rng), restored))
    }

    fn compose(session: Session, mut rng: Rng) -> Self {
        Self {
            session,
            requester: Requester::new(rng.derive_seed()),
            nodes: BTreeMap::new(),
            purposes: BTreeMap::new(),
            outputs: VecDeque::new(),
            resubscribe_at: None,
        }
    }

    // Getters.

    /// The session, to look at.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether a node accepts requests; `None` for an unknown node.
    #[must_use]
    pub fn readiness(&self, node: NodeId) -> Option<Readiness> {
        self.nodes.get(&node).copied()
    }

    /// Transactions that wait for a reply.
    #[must_use]
    pub fn open_transactions(&self) -> usize {
        self.requester.open()
    }

    /// Totals of all transactions.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.requester.counters()
    }

    // Nodes and transactions.

    /// Adds a node; with a connection its subscription starts at once.
    ///
    /// Returns `None` if another node reads the same tres, or [`crate::limits::MAX_NODES`] exist.
    pub fn add_node(&mut self, now: Instant, config: NodeConfig) -> Option<NodeId> {
        let node = self.requester.add_node(config)?;
        self.nodes.insert(node, Readiness::Waiting);
        if self.session.is_established() {
            self.subscribe_node(now, node);
        }
        Some(node)
    }

    /// Removes a node, cancels its open transactions and ends its subscription.
    pub fn remove_node(&mut self, node: NodeId) {
        let Some(config) = self.requester.remove_node(node) else {
            return;
        };
        self.nodes.remove(&node);
        if self.session.is_established()
            && let Ok(filter) = TopicFilter::try_from(config.tres().as_str())
        {
            // Without an answer the subscription stays until the Session ends; its messages are nobody's.
            let _ = self.session.unsubscribe(&[filter], &PropertyBuf::new());
        }
    }

    /// Asks the other side of a node: registers the transaction, then hands its treq to the session.
    ///
    /// `value` is one JSON text, `token` the caller's own, `timeout` may shorten the node's timeout. The answer comes
    /// as [`Output::Completed`], exactly once, unless the request is [aborted](Self::abort).
    ///
    /// # Errors
    /// [`Refusal`]: nothing was registered or published.
    pub fn request(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        node: NodeId,
        value: &RawValue,
        token: u64,
        timeout: Option<Duration>,
    ) -> Result<TransactionId, Refusal> {
        let readiness = self.readiness(node).ok_or(Refusal::NoSuchNode)?;
        if !self.session.is_established() {
            return Err(Refusal::LinkDown);
        }
        if readiness != Readiness::Ready {
            return Err(Refusal::NotReady);
        }
        let treq = self.requester.begin(now, wall, node, value, token, timeout)?;
        let publication = Publication {
            expiry: Some(treq.deadline.since(now)),
            // Its client does not outlive this process.
            lifetime: Lifetime::Process,
            ..Publication::new(treq.topic, treq.payload).qos(treq.qos)
        };
        match self.session.publish(now, publication) {
            Ok(op) => {
                self.purposes.insert(op, Purpose::Treq(treq.transaction));
                Ok(treq.transaction)
            }
            Err(Refused { reason, .. }) => {
                self.requester.retract(treq.transaction);
                Err(match reason {
                    SubmitError::TooLarge { .. } => Refusal::TooLarge,
                    SubmitError::QosNotSupported(_) => Refusal::QosNotSupported,
                    SubmitError::QueueFull | SubmitError::NoPacketId => Refusal::QueueFull,
                    _ => Refusal::LinkDown,
                })
            }
        }
    }

    /// The client of a transaction went away: its slot is free at once and no completion follows.
    pub fn abort(&mut self, transaction: TransactionId) {
        self.requester.abort(transaction);
    }

    /// Cancels every open transaction, as at the end of a shutdown's drain time.
    pub fn cancel_all(&mut self) {
        self.requester.cancel_all();
    }

    // The session's commands.

    /// See [`Session::connect`].
    pub fn connect(&mut self, now: Instant) {
        self.session.connect(now);
    }

    /// See [`Session::disconnect`]. Open transactions are cancelled.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing has changed.
    pub fn disconnect(&mut self, now: Instant, disconnect: Disconnect) -> Result<(), SubmitError> {
        self.session.disconnect(now, disconnect)?;
        self.requester.cancel_all();
        Ok(())
    }

    /// See [`Session::authenticate`].
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn authenticate(
        &mut self,
        now: Instant,
        data: &[u8],
        properties: &PropertyBuf,
    ) -> Result<(), SubmitError> {
        self.session.authenticate(now, data, properties)
    }

    /// See [`Session::reauthenticate`].
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn reauthenticate(&mut self, data: &[u8], properties: &PropertyBuf) -> Result<OpId, SubmitError> {
        self.session.reauthenticate(data, properties)
    }

    /// See [`Session::set_authentication_data`].
    ///
    /// # Errors
    /// [`SubmitError`]; nothing has changed.
    pub fn set_authentication_data(&mut self, data: Option<Bytes>) -> Result<(), SubmitError> {
        self.session.set_authentication_data(data)
    }

    /// See [`Session::publish`].
    ///
    /// # Errors
    /// The message comes back with the reason.
    // The error carries the message: see `Session::publish`.
    #[allow(clippy::result_large_err)]
    pub fn publish(&mut self, now: Instant, publication: Publication) -> Result<OpId, Refused<Publication>> {
        self.session.publish(now, publication)
    }

    /// See [`Session::subscribe`]. To be repeated after each [`Output::Connected`] without a present Session.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn subscribe(&mut self, filters: &[Filter], properties: &PropertyBuf) -> Result<OpId, SubmitError> {
        self.session.subscribe(filters, properties)
    }

    // Bytes, transport, time.

    /// See [`Session::rx_space`].
    pub fn rx_space(&mut self) -> &mut [u8] {
        self.session.rx_space()
    }

    /// See [`Session::rx_commit`].
    pub fn rx_commit(&mut self, n: usize) {
        self.session.rx_commit(n);
    }

    /// See [`Session::rx_extend`].
    pub fn rx_extend(&mut self, bytes: &[u8]) -> usize {
        self.session.rx_extend(bytes)
    }

    /// See [`Session::transmit`].
    #[must_use]
    pub fn transmit(&self) -> Transmit<'_> {
        self.session.transmit()
    }

    /// See [`Session::has_transmit`].
    #[must_use]
    pub fn has_transmit(&self) -> bool {
        self.session.has_transmit()
    }

    /// See [`Session::tx_advance`].
    pub fn tx_advance(&mut self, now: Instant, n: usize) {
        self.session.tx_advance(now, n);
    }

    /// See [`Session::handle_persisted`].
    pub fn handle_persisted(&mut self, seq: u64) {
        self.session.handle_persisted(seq);
    }

    /// See [`Session::handle_transport_open`].
    pub fn handle_transport_open(&mut self, now: Instant) {
        self.session.handle_transport_open(now);
    }

    /// See [`Session::handle_transport_closed`].
    pub fn handle_transport_closed(&mut self, now: Instant) {
        self.session.handle_transport_closed(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.session.poll_timeout(),
            self.requester.poll_timeout(),
            self.resubscribe_at,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.requester.handle_timeout(now);
        if self.resubscribe_at.is_some_and(|at| at <= now) {
            self.resubscribe_at = None;
            let refused: alloc::vec::Vec<_> = self
                .nodes
                .iter()
                .filter(|(_, readiness)| matches!(readiness, Readiness::Refused(_)))
                .map(|(node, _)| *node)
                .collect();
            for node in refused {
                self.subscribe_node(now, node);
            }
        }
    }

    /// The next thing to do or to know; `None` when there is nothing until the next input.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        loop {
            if let Some(Completion {
                token,
                transaction,
                outcome,
            }) = self.requester.poll()
            {
                return Some(Output::Completed {
                    token,
                    transaction,
                    outcome,
                });
            }
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let output = self.session.poll(now)?;
            if let Some(output) = self.route(now, output) {
                return Some(output);
            }
        }
    }

    /// Takes what is this composite's own out of the session's outputs; the rest goes on to the caller.
    fn route(&mut self, now: Instant, output: session::Output) -> Option<Output> {
        match output {
            session::Output::AuthChallenge(details) => Some(Output::AuthChallenge(details)),
            session::Output::Store(operation) => Some(Output::Store(operation)),
            session::Output::OpenTransport => Some(Output::OpenTransport),
            session::Output::CloseTransport => Some(Output::CloseTransport),
            session::Output::Connected(connected) => {
                let nodes: alloc::vec::Vec<_> = self.nodes.keys().copied().collect();
                for node in nodes {
                    self.subscribe_node(now, node);
                }
                Some(Output::Connected(connected))
            }
            session::Output::Disconnected(disconnected) => {
                self.resubscribe_at = None;
                for (node, readiness) in &mut self.nodes {
                    if core::mem::replace(readiness, Readiness::Waiting) == Readiness::Ready {
                        self.outputs
                            .push_back(Output::NodeChanged(*node, Readiness::Waiting));
                    }
                }
                Some(Output::Disconnected(disconnected))
            }
            session::Output::Message(message) => {
                let payload = message.payload_bytes();
                match self
                    .requester
                    .handle_message(message.topic(), &payload, message.retain())
                {
                    Delivery::NotMine => Some(Output::Message(message)),
                    Delivery::Completed(_) => None,
                    Delivery::Ignored(why) => Some(Output::Ignored(why)),
                }
            }
            session::Output::Completed(op, completion) => match self.purposes.remove(&op) {
                None => Some(Output::OpCompleted(op, completion)),
                Some(Purpose::Treq(transaction)) => {
                    if let Some(why) = undeliverable(&completion) {
                        self.requester.undeliverable(transaction, why);
                    }
                    None
                }
                Some(Purpose::Subscription(node)) => self.subscription_ended(now, node, &completion),
            },
        }
    }

    fn subscribe_node(&mut self, now: Instant, node: NodeId) {
        let Some(config) = self.requester.node_config(node) else {
            return;
        };
        let Ok(filter) = TopicFilter::try_from(config.tres().as_str()) else {
            return;
        };
        let options = SubscribeOptions {
            qos: config.quality(),
            // A retained tres would be ignored anyway.
            retain_handling: RetainHandling::DoNotSend,
            ..SubscribeOptions::default()
        };
        match self
            .session
            .subscribe(&[Filter { filter, options }], &PropertyBuf::new())
        {
            Ok(op) => {
                self.purposes.insert(op, Purpose::Subscription(node));
            }
            Err(SubmitError::NotConnected | SubmitError::Closing) => {}
            Err(SubmitError::NoPacketId) => {
                self.resubscribe_at.get_or_insert(now.after(RESUBSCRIBE_INTERVAL));
                self.set_readiness(node, Readiness::Refused(ReasonCode::QUOTA_EXCEEDED));
            }
            Err(reason) => self.set_readiness(node, Readiness::NotSupported(reason)),
        }
    }

    fn subscription_ended(
        &mut self,
        now: Instant,
        node: NodeId,
        completion: &session::Completion,
    ) -> Option<Output> {
        let session::Completion::Subscribed(reasons) = completion else {
            return None;
        };
        let readiness = match reasons.first_error() {
            None => Readiness::Ready,
            Some(reason) => {
                self.resubscribe_at.get_or_insert(now.after(RESUBSCRIBE_INTERVAL));
                Readiness::Refused(reason)
            }
        };
        self.set_readiness(node, readiness);
        None
    }

    fn set_readiness(&mut self, node: NodeId, readiness: Readiness) {
        if let Some(known) = self.nodes.get_mut(&node)
            && *known != readiness
        {
            *known = readiness;
            self.outputs.push_back(Output::NodeChanged(node, readiness));
        }
    }
}

/// Whether the end of a treq's operation means that nobody can have received it.
fn undeliverable(completion: &session::Completion) -> Option<Undeliverable> {
    match completion {
        session::Completion::Published { reason, .. } if reason.is_error() => {
            Some(Undeliverable::Refused(*reason))
        }
        // An expired treq is past the transaction's deadline, which ends it anyway.
        session::Completion::Lost(Loss::Expired) => None,
        session::Completion::Lost(Loss::NotAccepted(SubmitError::TooLarge { .. })) => {
            Some(Undeliverable::Refused(ReasonCode::PACKET_TOO_LARGE))
        }
        session::Completion::Lost(Loss::NotAccepted(SubmitError::QosNotSupported(_))) => {
            Some(Undeliverable::Refused(ReasonCode::QOS_NOT_SUPPORTED))
        }
        session::Completion::Lost(_) => Some(Undeliverable::LinkLost),
        _ => None,
    }
}
