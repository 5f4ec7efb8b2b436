//! The exchanges through our own session.

use bytes::Bytes;
use syncline_core::codec::{QoS, Version};
use syncline_core::rng::SEED_LEN;
use syncline_core::session::{Config, Output, Publication, Session, VersionPolicy};
use syncline_core::time::Instant;
use syncline_core::topic::TopicName;

use super::puback_for;
use crate::case::{Case, OURS};
use crate::workload::{Message, TOPIC};

const NOW: Instant = Instant::from_micros(1);

struct Client {
    session: Session,
    received: Vec<u8>,
    out: Vec<u8>,
    publication: Publication,
}

impl Client {
    fn new(message: Message) -> Self {
        let mut config = Config::new("bench");
        config.version = match message.version {
            Version::V3_1_1 => VersionPolicy::V3_1_1,
            Version::V5 => VersionPolicy::V5,
        };
        let session = Session::new(config, [7; SEED_LEN]).expect("a valid configuration");
        let topic = TopicName::from_static(TOPIC).expect("a valid topic");
        let publication = Publication::new(topic, Bytes::from(message.payload())).qos(QoS::AtLeastOnce);
        let mut client = Self {
            session,
            received: message.packet(),
            out: Vec::new(),
            publication,
        };
        client.session.connect(NOW);
        assert_eq!(client.session.poll(NOW), Some(Output::OpenTransport));
        client.session.handle_transport_open(NOW);
        while client.session.poll(NOW).is_some() {}
        client.write();
        let connack: &[u8] = match message.version {
            Version::V3_1_1 => &[0x20, 2, 0, 0],
            Version::V5 => &[0x20, 3, 0, 0, 0],
        };
        client.session.rx_extend(connack);
        while client.session.poll(NOW).is_some() {}
        assert!(client.session.is_established());
        client
    }

    /// Takes over what is to be sent, as a socket would.
    fn write(&mut self) {
        self.out.clear();
        for run in self.session.transmit().runs() {
            self.out.extend_from_slice(run);
        }
        self.session.tx_advance(NOW, self.out.len());
    }
}

pub(super) fn receive(name: &'static str, message: Message) -> Case {
    Case::new(
        name,
        OURS,
        Client::new(message),
        |_| (),
        |client, ()| {
            client.session.rx_extend(&client.received);
            let Some(Output::Message(message)) = client.session.poll(NOW) else {
                panic!("no message")
            };
            assert!(client.session.poll(NOW).is_none());
            client.write();
            assert_eq!(client.out.len(), 4);
            message
        },
    )
}

pub(super) fn send(name: &'static str, message: Message) -> Case {
    Case::new(
        name,
        OURS,
        Client::new(message),
        |client| client.publication.clone(),
        |client, publication| {
            client
                .session
                .publish(NOW, publication)
                .expect("an accepted message");
            assert!(client.session.poll(NOW).is_none());
            client.write();
            let puback = puback_for(&client.out);
            client.session.rx_extend(&puback);
            let Some(Output::Completed(..)) = client.session.poll(NOW) else {
                panic!("no completion")
            };
            assert!(client.session.poll(NOW).is_none());
        },
    )
}
