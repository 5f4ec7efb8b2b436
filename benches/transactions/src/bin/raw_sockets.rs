//! The floor: one thread, readiness from the system, and bytes put together and taken apart by hand, with nothing checked.
//!
//! `raw-sockets HTTP-PORT MQTT-PORT BASE`

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
const BROKER: Token = Token(1);
/// Clients have the tokens from here on.
const CLIENTS: usize = 2;
/// Room for one read.
const READ: usize = 16 << 10;

struct Gateway {
    poll: Poll,
    listener: TcpListener,
    broker: TcpStream,
    /// From the broker, not taken apart yet.
    received: Vec<u8>,
    /// For the broker, not written yet.
    sent: Vec<u8>,
    treq: String,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
}

struct Client {
    stream: TcpStream,
    request: Vec<u8>,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().context("usage: raw-sockets HTTP-PORT MQTT-PORT BASE");
    let (http_port, mqtt_port, base): (u16, u16, String) = (next()?.parse()?, next()?.parse()?, next()?);
    Gateway::new(http_port, mqtt_port, &base)?.run()
}

impl Gateway {
    fn new(http_port: u16, mqtt_port: u16, base: &str) -> Result<Self> {
        let poll = Poll::new()?;
        let mut broker = TcpStream::from_std(subscribed(mqtt_port, &format!("{base}/tres"))?);
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, http_port)))?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        registry.register(&mut broker, BROKER, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            poll,
            listener,
            broker,
            received: Vec::new(),
            sent: Vec::new(),
            treq: format!("{base}/treq"),
            clients: Vec::new(),
            free: Vec::new(),
        })
    }

    fn run(mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    BROKER => self.answer()?,
                    Token(token) => self.ask(token - CLIENTS)?,
                }
            }
            self.publish()?;
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let token = Token(CLIENTS + index);
            self.poll
                .registry()
                .register(&mut stream, token, Interest::READABLE)?;
            let request = Vec::new();
            self.clients[index] = Some(Client { stream, request });
        }
    }

    /// Reads of a client, and puts its request, once it is whole, with what goes to the broker.
    fn ask(&mut self, index: usize) -> Result<()> {
        let Some(client) = &mut self.clients[index] else {
            return Ok(());
        };
        if !read(&mut client.stream, &mut client.request)? {
            self.clients[index] = None;
            self.free.push(index);
            return Ok(());
        }
        let Some(body) = body(&client.request) else {
            return Ok(());
        };
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let envelope = format!(r#"{{"id":"{index:016x}","timestamp":{timestamp},"value":"#);
        let remaining = 2 + self.treq.len() + envelope.len() + body.len() + 1;
        packet(&mut self.sent, 0x30, remaining);
        text(&mut self.sent, &self.treq)?;
        self.sent.extend_from_slice(envelope.as_bytes());
        self.sent.extend_from_slice(body);
        self.sent.push(b'}');
        client.request.clear();
        Ok(())
    }

    fn publish(&mut self) -> Result<()> {
        while !self.sent.is_empty() {
            match self.broker.write(&self.sent) {
                Ok(count) => drop(self.sent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads of the broker, and answers the clients whose replies have come.
    fn answer(&mut self) -> Result<()> {
        ensure!(read(&mut self.broker, &mut self.received)?, "the broker has gone");
        let mut rest = &self.received[..];
        while let Some((first, content, after)) = split(rest) {
            rest = after;
            if first >> 4 != 3 {
                continue;
            }
            let topic = usize::from(u16::from_be_bytes([content[0], content[1]]));
            let reply = str::from_utf8(&content[2 + topic..])?;
            let (index, value) = take_apart(reply).with_context(|| format!("no reply: {reply}"))?;
            let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else {
                continue;
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{value}",
                value.len()
            );
            client.stream.write_all(answer.as_bytes())?;
        }
        let taken = self.received.len() - rest.len();
        self.received.drain(..taken);
        Ok(())
    }
}

/// A connection to the broker, subscribed to `topic`.
fn subscribed(mqtt_port: u16, topic: &str) -> Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, mqtt_port))?;
    stream.set_nodelay(true)?;
    let mut packets = Vec::new();
    let name = "raw-sockets";
    packet(&mut packets, 0x10, 12 + name.len());
    text(&mut packets, "MQTT")?;
    // Version 3.1.1, clean session, no keep alive.
    packets.extend_from_slice(&[4, 2, 0, 0]);
    text(&mut packets, name)?;
    packet(&mut packets, 0x82, 5 + topic.len());
    packets.extend_from_slice(&[0, 1]);
    text(&mut packets, topic)?;
    packets.push(0);
    stream.write_all(&packets)?;
    let mut answers = [0; 9];
    stream.read_exact(&mut answers)?;
    ensure!(
        answers == [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0],
        "the broker answers {answers:?}"
    );
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Reads all that there is; whether more may come.
fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<bool> {
    let mut space = [0; READ];
    loop {
        match stream.read(&mut space) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                buffer.extend_from_slice(&space[..count]);
                if count < READ {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The body of a whole request.
fn body(request: &[u8]) -> Option<&[u8]> {
    const LENGTH: &str = "Content-Length: ";
    let text = str::from_utf8(request).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let after = &head[head.find(LENGTH)? + LENGTH.len()..];
    let length: usize = after.lines().next()?.parse().ok()?;
    (body.len() == length).then_some(body.as_bytes())
}

/// Which client a reply is for, and its value.
fn take_apart(reply: &str) -> Option<(usize, &str)> {
    let id = reply.strip_prefix(r#"{"id":""#)?.get(..16)?;
    let (_, value) = reply.split_once(r#""value":"#)?;
    Some((usize::from_str_radix(id, 16).ok()?, value.strip_suffix('}')?))
}

/// The first byte and the content of the first packet, and what follows it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (mut length, mut shift) = (0, 0);
    for (index, byte) in rest.iter().enumerate() {
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let (content, after) = rest[index + 1..].split_at_checked(length)?;
            return Some((*first, content, after));
        }
    }
    None
}

/// A packet's fixed header.
fn packet(out: &mut Vec<u8>, first: u8, mut remaining: usize) {
    out.push(first);
    loop {
        let byte = (remaining % 128) as u8;
        remaining /= 128;
        out.push(if remaining > 0 { byte | 0x80 } else { byte });
        if remaining == 0 {
            return;
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<()> {
    let Ok(length) = u16::try_from(text.len()) else {
        bail!("{} bytes are too many for a text", text.len());
    };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}
