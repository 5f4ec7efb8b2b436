//! The exchanges through our own session.

use std::num::NonZeroU16;

use bytes::{Buf, Bytes};
use syncline_core::codec::Version;
use syncline_core::rng::SEED_LEN;
use syncline_core::session::{Completion, Config, Output, Publication, Session, VersionPolicy};
use syncline_core::time::Instant;
use syncline_core::topic::TopicName;

use super::exchange::Client;
use crate::case::OURS;
use crate::workload::{Message, TOPIC};

const NOW: Instant = Instant::from_micros(1);

/// Bytes of the receive buffer.
const READ_SIZE: usize = 16 << 10;

/// Our session, connected.
pub(super) struct Syncline {
    session: Session,
}

impl Syncline {
    /// Hands out everything there is, and counts messages and completions.
    fn drain(&mut self) -> usize {
        let mut handed_out = 0;
        while let Some(output) = self.session.poll(NOW) {
            match output {
                Output::Message(message) => {
                    drop(std::hint::black_box(message));
                    handed_out += 1;
                }
                Output::Completed(_, Completion::Published { .. }) => handed_out += 1,
                _ => panic!("the connection is established and stays so"),
            }
        }
        handed_out
    }
}

impl Client for Syncline {
    const LIBRARY: &'static str = OURS;

    type Publication = Publication;

    fn connected(version: Version, window: u16) -> Self {
        let mut config = Config::new("bench");
        config.max_in_flight = NonZeroU16::new(window).expect("a window");
        config.max_qos_2_in_flight = config.max_in_flight;
        config.receive_maximum = config.max_in_flight;
        config.read_size = READ_SIZE;
        config.version = match version {
            Version::V3_1_1 => VersionPolicy::V3_1_1,
            Version::V5 => VersionPolicy::V5,
        };
        let mut session = Session::new(config, [7; SEED_LEN]).expect("a valid configuration");
        session.connect(NOW);
        assert_eq!(session.poll(NOW), Some(Output::OpenTransport));
        session.handle_transport_open(NOW);
        while session.poll(NOW).is_some() {}
        let connect = session.transmit().runs().map(<[u8]>::len).sum();
        session.tx_advance(NOW, connect);
        let connack: &[u8] = match version {
            Version::V3_1_1 => &[0x20, 2, 0, 0],
            Version::V5 => &[0x20, 3, 0, 0, 0],
        };
        session.rx_extend(connack);
        while session.poll(NOW).is_some() {}
        assert!(session.is_established());
        Self { session }
    }

    fn publication(&mut self, message: Message, payload: &Bytes) -> Publication {
        let topic = TopicName::from_static(TOPIC).expect("a valid topic");
        Publication::new(topic, payload.clone()).qos(message.qos)
    }

    fn publish(&mut self, publication: Publication) {
        self.session
            .publish(NOW, publication)
            .expect("an accepted message");
    }

    fn receive(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        let mut handed_out = 0;
        while !rest.is_empty() {
            let taken = self.session.rx_extend(rest);
            assert!(taken > 0, "the session reads on");
            rest = &rest[taken..];
            handed_out += self.drain();
        }
        handed_out
    }

    fn write(&mut self, socket: &mut dyn FnMut(&[u8])) {
        self.drain();
        let transmit = self.session.transmit();
        let written = transmit.remaining();
        transmit.runs().for_each(socket);
        self.session.tx_advance(NOW, written);
        self.drain();
    }

    fn receive_buffer(&self) -> usize {
        READ_SIZE
    }

    fn rest(&mut self) {
        let now = self.session.poll_timeout().expect("a keep alive");
        self.session.handle_timeout(now);
        self.write(&mut |ping| assert_eq!(ping, [0xC0, 0]));
        self.receive(&[0xD0, 0]);
    }
}
