//! A session, its runtime loop, a breakable link and a broker on one virtual clock, watched by the reference model.

mod disk;
mod runtime;

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions};
use syncline_core::rng::{Rng, SEED_LEN};
use syncline_core::session::{
    AckMode, AckToken, Config, Disconnect, Filter, Publication, Session, SubmitError, Unfinished,
};
use syncline_core::time::{Duration, Instant, UnixMillis};
use syncline_core::topic::{TopicFilter, TopicName};

use crate::session_model::{Asked, SessionModel, Tag};
use crate::virtual_broker::{ConnectionId, Routed, VirtualBroker};
use crate::virtual_link::{End, LinkConfig, VirtualLink};

pub use disk::VirtualDisk;

const CLIENT_ID: &str = "client";

/// Rounds of reading and writing without a step of the clock, and events of one walk, beyond which nothing settles.
const ROUND_BOUND: usize = 10_000;

/// How long everything may take to settle once nothing fails any more: ping timeout, longest back-off and some more.
const SETTLE_WITHIN: Duration = Duration::from_secs(300);

/// The parties and their clock.
pub struct Simulation {
    now: Instant,
    rng: Rng,
    link: LinkConfig,
    session: Session,
    config: Config,
    /// Where the session stores its state, if it does.
    disk: Option<VirtualDisk>,
    broker: VirtualBroker,
    model: SessionModel,
    wires: Vec<Wire>,
    transport: Transport,
    unreachable_until: Instant,
    /// Where the first connection breaks.
    first_cut: Option<(End, u64)>,
    /// Bounds of a back-off, and when the one that runs is over.
    back_off: (Duration, Duration),
    retry_at: Instant,
    acks: AckMode,
    tokens: VecDeque<(AckToken, Tag)>,
    next_tag: Tag,
    arrivals_seen: usize,
    session_number: Option<u64>,
    was_connected: bool,
    /// The last disconnect that was asked for ends the Session.
    closes_session: bool,
    /// It is in progress.
    is_disconnecting: bool,
    /// The session will not ask for a transport by itself.
    is_idle: bool,
    /// Steps that were due when they were taken, one after the other.
    overdue_steps: u32,
    transcript: DefaultHasher,
    traced: bool,
    /// Bytes read by each end of the client's connections so far: client, server.
    read: [u64; 2],
}

/// A link with the broker's side of it.
struct Wire {
    link: VirtualLink,
    connection: ConnectionId,
    /// What the broker has sent and the link has not taken.
    unwritten: Vec<u8>,
}

/// The client's side of its newest link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    None,
    Dialling(Instant),
    Open(usize),
}

impl Simulation {
    /// A session that is offline, and a broker that runs.
    ///
    /// # Panics
    /// When the configuration cannot be.
    #[must_use]
    pub fn new(mut config: Config, link: LinkConfig, broker: VirtualBroker, seed: [u8; SEED_LEN]) -> Self {
        config.client_id = CLIENT_ID.to_owned();
        let mut rng = Rng::from_seed(seed);
        let now = Instant::from_micros(1);
        Self {
            now,
            link,
            back_off: (config.reconnect.shortest, config.reconnect.longest),
            acks: config.acks,
            session: Session::new(config.clone(), rng.derive_seed()).expect("a valid configuration"),
            config,
            disk: None,
            rng,
            broker,
            model: SessionModel::default(),
            wires: Vec::new(),
            transport: Transport::None,
            unreachable_until: Instant::ZERO,
            first_cut: None,
            retry_at: Instant::ZERO,
            tokens: VecDeque::new(),
            next_tag: 1,
            arrivals_seen: 0,
            session_number: None,
            was_connected: false,
            closes_session: true,
            is_disconnecting: false,
            is_idle: true,
            overdue_steps: 0,
            transcript: DefaultHasher::new(),
            traced: false,
            read: [0; 2],
        }
    }

    /// The same with a session that stores its state on this disk.
    #[must_use]
    pub fn with_disk(mut self, disk: VirtualDisk) -> Self {
        self.disk = Some(disk);
        self.start_process();
        self
    }

    /// Prints each event from now on.
    pub fn trace(&mut self) {
        self.traced = true;
    }

    /// The session, to look at.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// A digest of every byte that the client read and wrote, and of every output, each with its time.
    #[must_use]
    pub fn transcript(&self) -> u64 {
        self.transcript.finish()
    }

    /// Bytes that this end has read so far.
    #[must_use]
    pub fn bytes_read(&self, end: End) -> u64 {
        self.read[end as usize]
    }

    /// Connections that were opened so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.wires.len()
    }

    // What a caller does.

    /// Asks for a connection.
    pub fn connect(&mut self) {
        self.retry_at = self.now;
        self.session.connect(self.now);
        self.exchange();
    }

    /// Submits a message of this size; without effect where the session refuses it.
    pub fn publish(&mut self, qos: QoS, size: usize, expiry: Option<Duration>) {
        let tag = self.next_tag();
        let topic = TopicName::from_static("out").expect("a valid topic");
        let publication = Publication {
            expiry,
            ..Publication::new(topic, payload(tag, size)).qos(qos)
        };
        match self.session.publish(self.now, publication) {
            Ok(op) => {
                let expires = expiry.is_some();
                self.model.submitted(op, Asked::Publish { tag, qos, expires });
            }
            Err(refused) => assert_eq!(refused.reason, SubmitError::Closing),
        }
        self.exchange();
    }

    /// Subscribes to what [`Simulation::deliver`] sends, where there is a connection.
    pub fn subscribe(&mut self) {
        let filter = Filter {
            filter: TopicFilter::from_static("in/+").expect("a valid filter"),
            options: SubscribeOptions::at_qos(QoS::ExactlyOnce),
        };
        let submitted = self.session.subscribe(&[filter], &PropertyBuf::new());
        self.note_subscription(submitted);
    }

    /// Takes the subscription back, where there is a connection.
    pub fn unsubscribe(&mut self) {
        let filter = TopicFilter::from_static("in/+").expect("a valid filter");
        let submitted = self.session.unsubscribe(&[filter], &PropertyBuf::new());
        self.note_subscription(submitted);
    }

    fn note_subscription(&mut self, submitted: Result<syncline_core::session::OpId, SubmitError>) {
        match submitted {
            Ok(op) => self.model.submitted(op, Asked::Subscription),
            Err(reason) => assert!(
                matches!(reason, SubmitError::NotConnected | SubmitError::Closing),
                "{reason:?}"
            ),
        }
        self.exchange();
    }

    /// Acknowledges one of the messages that wait for it.
    pub fn acknowledge(&mut self, choice: usize) {
        if self.tokens.is_empty() {
            return;
        }
        let place = choice % self.tokens.len();
        if let Some((token, tag)) = self.tokens.remove(place)
            && self.session.acknowledge(token).is_ok()
        {
            self.model.acknowledged(tag, self.last_stored());
        }
        self.exchange();
    }

    /// Ends the connection, and the Session unless it is to be kept.
    pub fn disconnect(&mut self, how: Disconnect) {
        self.closes_session = how.unfinished == Unfinished::Close;
        if self.closes_session {
            self.model.closed();
        }
        self.is_disconnecting = true;
        self.session
            .disconnect(self.now, how)
            .expect("a DISCONNECT that can be sent");
        self.exchange();
    }

    // What the world does.

    /// The process is killed, and started again. Of what was not durable yet, the first `luck` operations are, modulo
    /// their number and one. Without effect where the session has no disk: then the process had nothing to keep.
    pub fn kill(&mut self, luck: usize) {
        let Some(disk) = &mut self.disk else { return };
        disk.crash(luck);
        let durable = disk.last_durable();
        self.tokens.clear();
        if let Transport::Open(wire) = self.transport {
            self.wires[wire].link.close(End::Client);
        }
        self.transport = Transport::None;
        self.start_process();
        let kept = self.session.unfinished_messages().collect();
        self.model.process_ended(durable, &kept);
        self.connect();
    }

    fn start_process(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        let wall = UnixMillis(self.now.as_micros() / 1_000);
        let seed = self.rng.derive_seed();
        let restored = Session::restore(self.config.clone(), seed, self.now, wall, disk.start_process());
        (self.session, _) = restored.expect("records that make a session");
        self.is_idle = true;
        self.closes_session = true;
        self.is_disconnecting = false;
    }

    /// Another client publishes to the topic that this one may have subscribed to.
    pub fn deliver(&mut self, qos: QoS, size: usize) {
        let tag = self.next_tag();
        let message = Routed {
            topic: format!("in/{}", qos as u8),
            payload: payload(tag, size).to_vec(),
            qos,
        };
        if self.broker.publish(&message, CLIENT_ID) {
            self.model.owes(tag, qos);
        }
        self.exchange();
    }

    /// Breaks the newest connection in some way.
    pub fn harm(&mut self, harm: impl FnOnce(Instant, &mut VirtualLink)) {
        if let Transport::Open(wire) = self.transport {
            harm(self.now, &mut self.wires[wire].link);
        }
        self.exchange();
    }

    /// Has the first connection break when this end has read so many bytes.
    pub fn cut_first_connection(&mut self, end: End, bytes: u64) {
        self.first_cut = Some((end, bytes));
    }

    /// The broker stops and starts again; its Sessions survive that or do not.
    pub fn restart_broker(&mut self, keeps_sessions: bool) {
        if !keeps_sessions {
            self.broker.lose_sessions();
        }
        for wire in &mut self.wires {
            self.broker.close(self.now, wire.connection);
            wire.link.reset();
        }
        self.notice_session();
        self.exchange();
    }

    /// Connections are refused for so long.
    pub fn be_unreachable(&mut self, lasting: Duration) {
        self.unreachable_until = self.now.after(lasting);
    }

    // Time.

    /// Lets time pass, with all that happens in it.
    pub fn pass(&mut self, lasting: Duration) {
        let until = self.now.after(lasting);
        for _ in 0..ROUND_BOUND {
            self.exchange();
            match self.next_event() {
                Some(at) if at <= until => self.step_to(at),
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("{ROUND_BOUND} events happened within {lasting:?}");
    }

    /// Lets everything come to rest, with a caller that acknowledges and a world that breaks nothing more.
    ///
    /// # Panics
    /// When something does not, or when what is owed then was not given.
    pub fn settle(&mut self) {
        let until = self.now.after(SETTLE_WITHIN);
        self.unreachable_until = Instant::ZERO;
        loop {
            if self.is_idle {
                self.connect();
            }
            while !self.tokens.is_empty() {
                self.acknowledge(0);
            }
            let at_rest = self.session.is_established()
                && self.session.in_flight() + self.session.queued() == 0
                && self.broker.is_settled(CLIENT_ID)
                && self.model.is_settled();
            if at_rest {
                break;
            }
            match self.next_event() {
                Some(at) if at <= until => self.step_to(at),
                _ => {
                    self.model.check_settled();
                    let (in_flight, queued) = (self.session.in_flight(), self.session.queued());
                    panic!(
                        "not at rest {SETTLE_WITHIN:?} after the last fault: {in_flight} in flight, {queued} queued"
                    );
                }
            }
            self.exchange();
        }
        self.model.check_settled();
    }

    /// Does what is due at `at`, or now where a received packet has made it due already.
    fn step_to(&mut self, at: Instant) {
        // What is overdue, such as a Keep Alive that waited for a PINGRESP, is due at once, and not again after that.
        self.overdue_steps = if at > self.now { 0 } else { self.overdue_steps + 1 };
        assert!(
            self.overdue_steps < 2,
            "what is due at {at:?} stays due at {:?}",
            self.now
        );
        let at = at.max(self.now);
        self.now = at;
        if self.session.poll_timeout().is_some_and(|due| due <= at) {
            self.session.handle_timeout(at);
        }
    }

    fn next_event(&self) -> Option<Instant> {
        let arrivals = self
            .wires
            .iter()
            .filter_map(|wire| wire.link.next_arrival(self.now));
        let dial = match self.transport {
            Transport::Dialling(at) => Some(at),
            _ => None,
        };
        let durable = self.disk.as_ref().and_then(VirtualDisk::next_durable);
        let due = self.session.poll_timeout();
        arrivals.chain(dial).chain(durable).chain(due).min()
    }

    fn next_tag(&mut self) -> Tag {
        let tag = self.next_tag;
        self.next_tag += 1;
        tag
    }

    fn note(&mut self, what: &str, detail: &(impl std::fmt::Debug + ?Sized)) {
        let text = format!("{what} {detail:?}");
        self.now.as_micros().hash(&mut self.transcript);
        text.hash(&mut self.transcript);
        if self.traced {
            println!("{:>12} {text}", self.now.as_micros());
        }
    }
}

/// A payload of at least 4 bytes that carries its message's tag.
fn payload(tag: Tag, size: usize) -> Bytes {
    let mut bytes = tag.to_be_bytes().to_vec();
    bytes.resize(size.max(bytes.len()), b'.');
    bytes.into()
}

fn tag(payload: &[u8]) -> Tag {
    let bytes = payload.first_chunk().expect("a payload with a tag");
    Tag::from_be_bytes(*bytes)
}
