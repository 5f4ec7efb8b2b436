//! A session on mio alone: one thread, no async runtime, a message at each QoS to itself and an orderly goodbye.
//!
//! ```sh
//! cargo run --package syncline-core --example mio -- 127.0.0.1:1883
//! ```
#![allow(
    clippy::disallowed_methods,
    reason = "an edge is where the core gets its clock and its seed"
)]

use std::error::Error;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use bytes::Buf;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions};
use syncline_core::session::{
    Completion, Config, Disconnect, DisconnectReason, Filter, Output, Publication, Session, When,
};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::{TopicFilter, TopicName};

const SOCKET: Token = Token(0);
const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn main() -> ExitCode {
    let Some(server) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: mio ADDRESS:PORT, such as 127.0.0.1:1883");
        return ExitCode::from(2);
    };
    match Edge::new(server).and_then(Edge::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mio: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The loop around a session: what `syncline_core::session` calls its owner.
struct Edge {
    server: SocketAddr,
    poll: Poll,
    socket: Option<Socket>,
    session: Session,
    start: std::time::Instant,
    topic: String,
    /// Messages published, completed and received.
    published: usize,
    completed: usize,
    received: usize,
    is_done: bool,
}

/// An open or opening connection. Events come once for each change, so what they said is kept here.
struct Socket {
    stream: TcpStream,
    is_open: bool,
    is_readable: bool,
    is_writable: bool,
}

impl Edge {
    fn new(server: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        let name = format!("syncline-mio-{}", std::process::id());
        Ok(Self {
            server,
            poll: Poll::new()?,
            socket: None,
            session: Session::new(Config::new(name.as_str()), seed)?,
            start: std::time::Instant::now(),
            topic: format!("examples/{name}"),
            published: 0,
            completed: 0,
            received: 0,
            is_done: false,
        })
    }

    fn run(mut self) -> Result<(), Box<dyn Error>> {
        let mut events = Events::with_capacity(16);
        self.session.connect(self.now());
        loop {
            // Drain, read and write until nothing moves, then sleep until something can.
            while self.drain()? | self.read() | self.write() {}
            if self.is_done {
                return Ok(());
            }
            let now = self.now();
            let timeout = self.session.poll_timeout().map(|at| at.since(now));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                if let Some(socket) = &mut self.socket {
                    socket.is_readable |= event.is_readable() || event.is_read_closed();
                    socket.is_writable |= event.is_writable();
                }
            }
            self.finish_opening();
            let now = self.now();
            if self.session.poll_timeout().is_some_and(|at| at <= now) {
                self.session.handle_timeout(now);
            }
        }
    }

    /// Carries out what the session asks for; whether it asked for anything.
    fn drain(&mut self) -> Result<bool, Box<dyn Error>> {
        let mut moved = false;
        while let Some(output) = self.session.poll(self.now()) {
            moved = true;
            match output {
                Output::OpenTransport => self.open(),
                Output::CloseTransport => self.socket = None,
                Output::Connected(connected) => {
                    println!("connected with {:?}", connected.version);
                    let filter = Filter {
                        filter: TopicFilter::new(self.topic.clone())?,
                        options: SubscribeOptions::at_qos(QoS::ExactlyOnce),
                    };
                    self.session.subscribe(&[filter], &PropertyBuf::new())?;
                }
                Output::Message(message) => {
                    let text = String::from_utf8_lossy(message.payload());
                    println!("received at QoS {}: {text}", message.qos() as u8);
                    self.received += 1;
                    self.leave_when_complete();
                }
                Output::Completed(_, Completion::Subscribed(reasons)) => {
                    if let Some(reason) = reasons.first_error() {
                        return Err(format!("the server refused the subscription: {reason}").into());
                    }
                    self.publish()?;
                }
                Output::Completed(op, completion) => {
                    println!("operation {}: {completion:?}", op.to_u64());
                    self.completed += 1;
                    self.leave_when_complete();
                }
                Output::AuthChallenge(_) => {
                    return Err("the server asks for an authentication not offered".into());
                }
                // Only a session that was restored has a store.
                Output::Store(_) => {}
                Output::Disconnected(disconnected) => {
                    println!("disconnected: {}", disconnected.reason);
                    self.socket = None;
                    self.is_done = disconnected.reason == DisconnectReason::Requested;
                    if !self.is_done && disconnected.retry_at.is_none() {
                        return Err("the server does not want this client".into());
                    }
                }
            }
        }
        Ok(moved)
    }

    fn publish(&mut self) -> Result<(), Box<dyn Error>> {
        for qos in LEVELS.into_iter().skip(self.published) {
            let topic = TopicName::new(self.topic.clone())?;
            let message = Publication::new(topic, format!("hello at QoS {}", qos as u8)).qos(qos);
            self.session.publish(self.now(), message)?;
            self.published += 1;
        }
        Ok(())
    }

    fn leave_when_complete(&mut self) {
        if self.completed == LEVELS.len() && self.received >= LEVELS.len() {
            let disconnect = Disconnect {
                when: When::Settled(Duration::from_secs(5)),
                ..Disconnect::default()
            };
            self.session
                .disconnect(self.now(), disconnect)
                .expect("a plain DISCONNECT can always be sent");
        }
    }

    fn open(&mut self) {
        let opened = TcpStream::connect(self.server).and_then(|mut stream| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, SOCKET, interest)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => {
                self.socket = Some(Socket {
                    stream,
                    is_open: false,
                    is_readable: false,
                    is_writable: false,
                });
            }
            Err(error) => self.closed(&error),
        }
    }

    /// A socket that becomes writable is open, or has failed to open.
    fn finish_opening(&mut self) {
        let now = self.now();
        let Some(socket) = &mut self.socket else { return };
        if socket.is_open || !socket.is_writable {
            return;
        }
        let opened = match socket.stream.take_error() {
            Ok(None) => socket
                .stream
                .peer_addr()
                .and_then(|_| socket.stream.set_nodelay(true)),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match opened {
            Ok(()) => {
                socket.is_open = true;
                self.session.handle_transport_open(now);
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => socket.is_writable = false,
            Err(error) => self.closed(&error),
        }
    }

    /// Reads once into the session's own buffer; whether bytes came or the connection ended.
    fn read(&mut self) -> bool {
        let Some(socket) = self.socket.as_mut().filter(|socket| socket.is_open) else {
            return false;
        };
        let space = self.session.rx_space();
        if !socket.is_readable || space.is_empty() {
            return false;
        }
        match socket.stream.read(space) {
            Ok(0) => self.closed(&ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.session.rx_commit(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                socket.is_readable = false;
                return false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.closed(&error),
        }
        true
    }

    /// Writes once what the session shows; whether bytes left or the connection ended.
    fn write(&mut self) -> bool {
        let now = self.now();
        let Some(socket) = self.socket.as_mut().filter(|socket| socket.is_open) else {
            return false;
        };
        if !socket.is_writable || !self.session.has_transmit() {
            return false;
        }
        match socket.stream.write(self.session.transmit().chunk()) {
            Ok(n) => self.session.tx_advance(now, n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                socket.is_writable = false;
                return false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.closed(&error),
        }
        true
    }

    fn closed(&mut self, error: &std::io::Error) {
        println!("transport: {error}");
        self.socket = None;
        self.session.handle_transport_closed(self.now());
    }

    fn now(&self) -> Instant {
        let micros = self.start.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}
