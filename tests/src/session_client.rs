//! The core's session on a real socket: a small blocking loop that remembers everything that passed.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time;

use bytes::Buf as _;
use syncline_core::codec::{FixedHeader, Packet, PropertyBuf, QoS, SubscribeOptions, Version, decode, peek};
use syncline_core::session::{
    Completion, Config, Connected, Details, Disconnect, Disconnected, Filter, Message, OpId, Output,
    Publication, Session, VersionPolicy,
};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::{TopicFilter, TopicName};

use crate::wait;

/// How long one read or write may keep the loop from looking at anything else.
const SLICE: Duration = Duration::from_millis(5);

/// What passed on one connection.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Bytes that the socket took.
    pub sent: Vec<u8>,
    /// Bytes that the socket gave.
    pub received: Vec<u8>,
}

/// A session, its socket, and all that it has handed out.
#[derive(Debug)]
pub struct SessionClient {
    session: Session,
    version: Version,
    server: SocketAddr,
    socket: Option<TcpStream>,
    begin: time::Instant,
    /// Messages in the order in which they came.
    pub messages: Vec<Message>,
    /// Completions of operations.
    pub completions: BTreeMap<OpId, Completion>,
    /// Connections that the server accepted.
    pub connections: Vec<Connected>,
    /// Ends of connections.
    pub disconnections: Vec<Disconnected>,
    /// What servers asked while a client authenticated.
    pub challenges: Vec<Details>,
    /// One entry a connection that was opened.
    pub traffic: Vec<Traffic>,
}

/// A configuration for tests: one version, and a new connection at once when one is lost.
#[must_use]
pub fn configuration(client_id: &str, version: Version) -> Config {
    let mut config = Config::new(client_id);
    config.version = match version {
        Version::V5 => VersionPolicy::V5,
        Version::V3_1_1 => VersionPolicy::V3_1_1,
    };
    config.reconnect.shortest = Duration::from_millis(1);
    config.reconnect.first = Duration::from_millis(10);
    config.reconnect.longest = Duration::from_millis(100);
    config
}

/// A Topic Name of a test.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn topic(name: &str) -> TopicName {
    TopicName::new(name.to_owned()).expect("a valid topic name")
}

/// A Topic Filter of a test, with a QoS and the other options as they are by default.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn filter(text: &str, qos: QoS) -> Filter {
    Filter {
        filter: TopicFilter::new(text.to_owned()).expect("a valid topic filter"),
        options: SubscribeOptions::at_qos(qos),
    }
}

/// The packets that `bytes` are made of, for `visit` to look at.
///
/// # Panics
/// When they are not packets of this version from the first byte to the last.
pub fn for_each_packet(mut bytes: &[u8], version: Version, mut visit: impl FnMut(FixedHeader, &Packet<'_>)) {
    while !bytes.is_empty() {
        let header = peek(bytes, version, u32::MAX)
            .expect("a valid fixed header")
            .expect("a whole fixed header");
        let (frame, rest) = bytes.split_at(header.packet_len());
        visit(header, &decode(header, frame, version).expect("a valid packet"));
        bytes = rest;
    }
}

impl SessionClient {
    /// A session that is offline.
    ///
    /// # Panics
    /// When the configuration cannot be, or leaves the version open.
    #[must_use]
    pub fn new(config: Config, server: SocketAddr) -> Self {
        let version = match config.version {
            VersionPolicy::V5 => Version::V5,
            VersionPolicy::V3_1_1 => Version::V3_1_1,
            VersionPolicy::Auto => panic!("a test says which version it is about"),
        };
        Self {
            session: Session::new(config, [7; 32]).expect("a valid configuration"),
            version,
            server,
            socket: None,
            begin: time::Instant::now(),
            messages: Vec::new(),
            completions: BTreeMap::new(),
            connections: Vec::new(),
            disconnections: Vec::new(),
            challenges: Vec::new(),
            traffic: Vec::new(),
        }
    }

    /// A session that the server has accepted.
    ///
    /// # Panics
    /// When it does not within [`wait::PATIENCE`].
    #[must_use]
    pub fn connected(config: Config, server: SocketAddr) -> Self {
        let mut client = Self::new(config, server);
        client.connect();
        client
    }

    /// Asks for a connection and waits for nothing.
    pub fn start(&mut self) {
        self.session.connect(self.now());
    }

    /// Connects, or connects again, and returns what the server said.
    ///
    /// # Panics
    /// As [`SessionClient::connected`].
    pub fn connect(&mut self) -> Connected {
        let before = self.connections.len();
        self.start();
        self.until("the server accepts the connection", |client| {
            client.connections.get(before).cloned()
        })
    }

    /// The session, for what this loop has no words for.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Time on the session's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        let micros = self.begin.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).expect("a test is shorter than that"))
    }

    /// Submits a message.
    ///
    /// # Panics
    /// When it is refused.
    pub fn submit(&mut self, publication: Publication) -> OpId {
        self.session
            .publish(self.now(), publication)
            .expect("the session takes the message")
    }

    /// Publishes a message and waits for its completion.
    ///
    /// # Panics
    /// When it is refused or does not complete in time.
    pub fn publish(&mut self, publication: Publication) -> Completion {
        let op = self.submit(publication);
        self.completion(op)
    }

    /// Subscribes, and waits until the server has granted all of it.
    ///
    /// # Panics
    /// When it does not.
    pub fn subscribe(&mut self, filters: &[Filter], properties: &PropertyBuf) {
        let op = self
            .session
            .subscribe(filters, properties)
            .expect("the session takes the subscription");
        match self.completion(op) {
            Completion::Subscribed(reasons) => assert_eq!(reasons.first_error(), None),
            other => panic!("not subscribed: {other:?}"),
        }
    }

    /// Subscribes to one filter at QoS 2.
    ///
    /// # Panics
    /// As [`SessionClient::subscribe`].
    pub fn subscribe_to(&mut self, text: &str) {
        self.subscribe(&[filter(text, QoS::ExactlyOnce)], &PropertyBuf::new());
    }

    /// Waits for the completion of `op`.
    ///
    /// # Panics
    /// When it does not come within [`wait::PATIENCE`].
    pub fn completion(&mut self, op: OpId) -> Completion {
        self.until("the operation completes", |client| {
            client.completions.get(&op).cloned()
        })
    }

    /// Waits until `count` messages have come in all.
    ///
    /// # Panics
    /// When they do not within [`wait::PATIENCE`].
    pub fn await_messages(&mut self, count: usize) -> &[Message] {
        self.until(&format!("{count} messages come"), |client| {
            (client.messages.len() >= count).then_some(())
        });
        &self.messages
    }

    /// Disconnects and waits until that is done.
    ///
    /// # Panics
    /// When the DISCONNECT cannot be sent.
    pub fn disconnect(&mut self, disconnect: Disconnect) {
        let before = self.disconnections.len();
        self.session
            .disconnect(self.now(), disconnect)
            .expect("the DISCONNECT can be sent");
        self.until("the connection ends", |client| {
            (client.disconnections.len() > before && client.socket.is_none()).then_some(())
        });
    }

    /// Cuts the connection as a network would, without a DISCONNECT, and stays away until it is driven again.
    ///
    /// # Panics
    /// When there is no connection.
    pub fn cut(&mut self) {
        let socket = self.socket.take().expect("a connection to cut");
        // The server may have been quicker.
        let _ = socket.shutdown(Shutdown::Both);
        drop(socket);
        self.session.handle_transport_closed(self.now());
    }

    /// Waits, reading nothing, until the server has sent something.
    ///
    /// # Panics
    /// When it does not within [`wait::PATIENCE`].
    pub fn await_unread(&mut self) {
        let socket = self.socket.as_ref().expect("a connection");
        wait::until("the server answers", wait::PATIENCE, || {
            socket.peek(&mut [0]).ok().filter(|n| *n > 0)
        });
    }

    /// Drives the session until `condition` gives a value.
    ///
    /// # Panics
    /// After [`wait::PATIENCE`], naming `what` was awaited.
    pub fn until<T>(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> Option<T>) -> T {
        let begin = time::Instant::now();
        loop {
            self.turn();
            if let Some(value) = condition(self) {
                return value;
            }
            assert!(
                begin.elapsed() < wait::PATIENCE,
                "waited in vain until {what}; {} connections ended, the last one by: {:?}",
                self.disconnections.len(),
                self.disconnections.last()
            );
        }
    }

    /// Takes over what is due, writes, and reads once.
    pub fn turn(&mut self) {
        self.write();
        self.read();
        self.drain();
    }

    /// Carries out what the session asks for, then writes what it shows, and reads nothing.
    pub fn write(&mut self) {
        let now = self.now();
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
        }
        self.drain();
        while let Some(socket) = self.socket.as_mut().filter(|_| self.session.has_transmit()) {
            let waiting = self.session.transmit();
            let run = waiting.chunk();
            match socket.write(run) {
                Ok(n) => {
                    let traffic = self.traffic.last_mut().expect("a connection has its traffic");
                    traffic.sent.extend_from_slice(&run[..n]);
                    self.session.tx_advance(self.now(), n);
                    self.drain();
                }
                Err(error) if is_timeout(&error) => return,
                Err(_) => self.closed(),
            }
        }
    }

    /// Reads once and hands it to the session, writing nothing.
    pub fn read(&mut self) {
        let Some(socket) = &mut self.socket else {
            // Nothing to wait for but the session's own deadline.
            std::thread::sleep(SLICE);
            return;
        };
        let space = self.session.rx_space();
        if space.is_empty() {
            return;
        }
        match socket.read(space) {
            Ok(0) => self.closed(),
            Ok(n) => {
                let traffic = self.traffic.last_mut().expect("a connection has its traffic");
                traffic.received.extend_from_slice(&space[..n]);
                self.session.rx_commit(n);
            }
            Err(error) if is_timeout(&error) => {}
            Err(_) => self.closed(),
        }
    }

    /// Polls until there is nothing left.
    pub fn drain(&mut self) {
        while let Some(output) = self.session.poll(self.now()) {
            match output {
                Output::OpenTransport => self.open(),
                Output::CloseTransport => self.socket = None,
                Output::Connected(connected) => self.connections.push(connected),
                Output::Disconnected(disconnected) => self.disconnections.push(disconnected),
                Output::Message(message) => self.messages.push(message),
                Output::Completed(op, completion) => {
                    let before = self.completions.insert(op, completion);
                    assert_eq!(before, None, "an operation completes once");
                }
                Output::AuthChallenge(details) => self.challenges.push(details),
                Output::Store(_) => panic!("no test here attaches a store"),
            }
        }
    }

    /// What was sent on the latest connection, packet by packet.
    ///
    /// # Panics
    /// As [`for_each_packet`].
    pub fn for_each_sent(&self, visit: impl FnMut(FixedHeader, &Packet<'_>)) {
        let sent = self.traffic.last().map_or(&[][..], |traffic| &traffic.sent);
        for_each_packet(sent, self.version, visit);
    }

    fn open(&mut self) {
        let opened = TcpStream::connect_timeout(&self.server, wait::PATIENCE).and_then(|socket| {
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(SLICE))?;
            socket.set_write_timeout(Some(SLICE))?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => {
                self.socket = Some(socket);
                self.traffic.push(Traffic::default());
                self.session.handle_transport_open(self.now());
            }
            Err(_) => self.closed(),
        }
    }

    fn closed(&mut self) {
        self.socket = None;
        self.session.handle_transport_closed(self.now());
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
