//! A peer on a TCP socket that says whatever a test wants, byte by byte: a broker gone wrong.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::wait;

/// CONNACK of MQTT 5.0: success, no session, no properties.
pub const CONNACK: [u8; 5] = [0x20, 0x03, 0x00, 0x00, 0x00];

/// The Control Packet types (first four bits) that tests look for.
pub mod packet_type {
    /// CONNECT.
    pub const CONNECT: u8 = 1;
    /// SUBSCRIBE.
    pub const SUBSCRIBE: u8 = 8;
    /// DISCONNECT.
    pub const DISCONNECT: u8 = 14;
}

/// A listening socket.
#[derive(Debug)]
pub struct FakeBroker(TcpListener);

impl FakeBroker {
    /// Listens on a free loopback port.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn start() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port"))
    }

    /// The port.
    ///
    /// # Panics
    /// Never: the socket is bound.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("a bound socket has an address").port()
    }

    /// The next client.
    ///
    /// # Panics
    /// When none comes within [`wait::PATIENCE`].
    #[must_use]
    pub fn accept(&self) -> Peer {
        self.0
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let stream = wait::until("a client connects", wait::PATIENCE, || self.0.accept().ok()).0;
        stream
            .set_nonblocking(false)
            .expect("a socket can be made blocking");
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a socket takes a timeout");
        Peer {
            stream,
            received: Vec::new(),
        }
    }
}

/// One client's connection.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Peer {
    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the client has closed.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the client takes bytes");
    }

    /// The next packet, whole; `None` when the client has closed the connection.
    ///
    /// # Panics
    /// When neither happens within [`wait::PATIENCE`].
    pub fn next_packet(&mut self) -> Option<Vec<u8>> {
        let begin = Instant::now();
        loop {
            if let Some(length) =
                packet_length(&self.received).filter(|length| *length <= self.received.len())
            {
                return Some(self.received.drain(..length).collect());
            }
            assert!(
                begin.elapsed() < wait::PATIENCE,
                "the client neither sent a packet nor closed"
            );
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // A reset is a way of closing as well.
                Err(_) => return None,
            }
        }
    }

    /// Reads on to the next packet of a type.
    ///
    /// # Panics
    /// When the client closes or falls silent before.
    pub fn expect(&mut self, packet_type: u8) -> Vec<u8> {
        loop {
            let packet = self.next_packet();
            let packet =
                packet.unwrap_or_else(|| panic!("closed before a packet of type {packet_type} came"));
            if packet[0] >> 4 == packet_type {
                return packet;
            }
        }
    }
}

/// The length that a packet's own first bytes give it, once they are there.
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(2 + index + length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_cut_at_the_length_they_give() {
        assert_eq!(packet_length(&[0x30]), None);
        assert_eq!(packet_length(&[0x30, 0x02]), Some(4));
        assert_eq!(packet_length(&[0x30, 0x80]), None);
        assert_eq!(packet_length(&[0x30, 0x80, 0x01]), Some(131));
    }
}
