//! The composite that a runtime drives: one MQTT session with a FlowSync requester on top, and a registration beside it.
//!
//! This is the only place where the machines meet. An [`Agent`] is driven like a [`Session`](crate::session): one
//! input, drain [`poll`](Agent::poll), write [`transmit`](Agent::transmit), sleep until
//! [`poll_timeout`](Agent::poll_timeout).
//!
//! A node is *ready* while the connection stands and the server has confirmed the subscription to the node's tres.
//! Requests to a node that is not ready are refused at once. The waiter of a request is registered before its treq is
//! encoded, and the subscription is in force before that: a reply cannot be missed.
//!
//! A *standing subscription* is asked for once and kept up over connections, like a node's.
//!
//! With a [`Registration`] the session has the credentials that this gives it, and a refusal of these is the registration's
//! to mend: it registers with the same password and has the session connect again.
//!
//! With a [version check](Agent::check_version) the session is ended while the central's version does not go with the
//! agent's, and connects again when it does.

mod enrolment;
mod farewells;
mod nodes;
mod output;
mod subscriptions;
mod version;

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;

use bytes::Bytes;

use farewells::Farewells;
pub use nodes::Terms;
pub use output::{Output, Readiness};
use subscriptions::Subscriptions;
use version::Watched;

use crate::codec::PropertyBuf;
use crate::flowsync::{Completion, Delivery, NodeId, Requester, TransactionId, correlated};
use crate::registration::Registration;
use crate::rng::{Rng, SEED_LEN};
use crate::session::store::{RestoreError, Restored, StoreKey};
use crate::session::{
    self, AckToken, Config, ConfigError, Disconnect, Filter, OpId, Publication, Refused, Session,
    SubmitError, Transmit,
};
use crate::time::{Instant, UnixMillis, earlier};
use crate::topic::TopicFilter;

/// MQTT session, FlowSync requester and registration, joined.
#[derive(Debug)]
pub struct Agent {
    session: Session,
    registration: Option<Registration>,
    version: Option<Watched>,
    rng: Rng,
    requester: Requester,
    nodes: BTreeMap<NodeId, Readiness>,
    subscriptions: Subscriptions,
    farewells: Farewells,
    /// Operations of this composite: treq messages and subscriptions.
    purposes: BTreeMap<OpId, Purpose>,
    outputs: VecDeque<Output>,
    resubscribe_at: Option<Instant>,
}

#[derive(Debug, Clone)]
enum Purpose {
    Treq(TransactionId),
    Subscription(NodeId),
    Standing(TopicFilter),
    /// The end of a subscription that nobody needs any more.
    Farewell(TopicFilter),
}

impl Agent {
    /// An agent that is offline until [`connect`](Self::connect), with the credentials of `config`.
    ///
    /// Transaction ids come from `seed`, which therefore has to come from the operating system's entropy. The session is the
    /// one that [`Session::new`] makes of the same seed.
    ///
    /// # Errors
    /// [`ConfigError`] of the session.
    pub fn new(config: Config, seed: [u8; SEED_LEN]) -> Result<Self, ConfigError> {
        let session = Session::new(config, seed)?;
        Ok(Self::compose(session, seed))
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
        let (session, restored) = Session::restore(config, seed, now, wall, records)?;
        Ok((Self::compose(session, seed), restored))
    }

    fn compose(session: Session, seed: [u8; SEED_LEN]) -> Self {
        let mut rng = Rng::beside_seed(seed);
        Self {
            session,
            requester: Requester::new(rng.derive_seed()),
            registration: None,
            version: None,
            rng,
            nodes: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            farewells: Farewells::default(),
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

    /// The registration, to look at; `None` where the agent was made without one.
    #[must_use]
    pub fn registration(&self) -> Option<&Registration> {
        self.registration.as_ref()
    }

    // The session's commands.

    /// See [`Session::connect`]. With a registration, that begins.
    pub fn connect(&mut self, now: Instant) {
        if let Some(version) = &mut self.version {
            version.holds_off = false;
        }
        self.begin(now);
    }

    fn begin(&mut self, now: Instant) {
        match &mut self.registration {
            Some(registration) => registration.start(now),
            None => self.session.connect(now),
        }
    }

    /// See [`Session::disconnect`]. Open transactions are cancelled, and a registration ends.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing has changed.
    pub fn disconnect(&mut self, now: Instant, disconnect: Disconnect) -> Result<(), SubmitError> {
        self.session.disconnect(now, disconnect)?;
        self.requester.cancel_all();
        if let Some(registration) = &mut self.registration {
            registration.stop(now);
        }
        if let Some(version) = &mut self.version {
            version.stop();
        }
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

    /// See [`Session::unsubscribe`].
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn unsubscribe(
        &mut self,
        filters: &[TopicFilter],
        properties: &PropertyBuf,
    ) -> Result<OpId, SubmitError> {
        self.session.unsubscribe(filters, properties)
    }

    /// See [`Session::acknowledge`]. Messages that a node has taken are acknowledged already.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing has changed.
    pub fn acknowledge(&mut self, token: AckToken) -> Result<(), SubmitError> {
        self.session.acknowledge(token)
    }

    /// See [`Session::set_credentials`]. With a registration its credentials replace these when it connects.
    ///
    /// # Errors
    /// [`ConfigError`]; nothing has changed.
    pub fn set_credentials(
        &mut self,
        username: Option<String>,
        password: Option<Bytes>,
    ) -> Result<(), ConfigError> {
        self.session.set_credentials(username, password)
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
        let registration = self.registration.as_ref();
        let version = self.version.as_ref();
        let mut next = earlier(self.session.poll_timeout(), self.requester.poll_timeout());
        next = earlier(next, registration.and_then(Registration::poll_timeout));
        next = earlier(next, version.and_then(|version| version.check.poll_timeout()));
        earlier(next, self.resubscribe_at)
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.requester.handle_timeout(now);
        if let Some(registration) = &mut self.registration {
            registration.handle_timeout(now);
        }
        if let Some(version) = &mut self.version {
            version.check.handle_timeout(now);
        }
        if self.resubscribe_at.is_some_and(|at| at <= now) {
            self.resubscribe_at = None;
            self.resubscribe_standing(now);
            self.resubscribe(now);
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
            if let Some(output) = self.poll_registration(now) {
                return Some(output);
            }
            if let Some(output) = self.poll_version(now) {
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
                self.farewells_connected(&connected);
                // First, so that who is to answer a node's requests hears them from the first one on.
                self.subscriptions_connected(now, &connected);
                self.nodes_connected(now);
                if let Some(registration) = &mut self.registration {
                    registration.handle_connected(now);
                }
                if let Some(version) = &mut self.version {
                    version.check.handle_connected(now);
                }
                Some(Output::Connected(connected))
            }
            session::Output::Disconnected(disconnected) => {
                self.nodes_disconnected();
                self.subscriptions_disconnected();
                self.registration_disconnected(now, &disconnected);
                Some(Output::Disconnected(disconnected))
            }
            session::Output::Message(message) => {
                if self.nodes.is_empty() {
                    return Some(Output::Message(message));
                }
                let payload = message.payload_bytes();
                let delivery = self.requester.handle_correlated(
                    message.topic(),
                    &payload,
                    message.retain(),
                    correlated(&message.properties()),
                );
                let ignored = match delivery {
                    Delivery::NotMine => return Some(Output::Message(message)),
                    Delivery::Completed(_) => None,
                    Delivery::Ignored(why) => Some(Output::Ignored(why)),
                };
                if self.subscriptions_of(&message).next().is_some() {
                    self.outputs.extend(ignored);
                    return Some(Output::Message(message));
                }
                if let Some(token) = message.ack_token() {
                    // The caller never sees this message; its token is outstanding since just now.
                    let _ = self.session.acknowledge(token);
                }
                ignored
            }
            session::Output::Completed(op, completion) => match self.purposes.remove(&op) {
                None => Some(Output::OpCompleted(op, completion)),
                Some(Purpose::Treq(transaction)) => {
                    if let Some(why) = nodes::undeliverable(&completion) {
                        self.requester.undeliverable(transaction, why);
                    }
                    None
                }
                Some(Purpose::Subscription(node)) => self.subscription_ended(now, node, &completion),
                Some(Purpose::Standing(filter)) => {
                    self.standing_ended(now, &filter, &completion);
                    None
                }
                Some(Purpose::Farewell(filter)) => {
                    self.farewell_ended(op, &filter, &completion);
                    None
                }
            },
        }
    }
}
