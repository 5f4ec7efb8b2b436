//! Rules of the specification that a session keeps and that no test beside the machine shows: see `conformance.toml`.

use std::num::NonZeroU16;

use syncline_core::codec::{
    Ack, Connack, Packet, PacketId, Properties, Property, PropertyBuf, Publish, QoS, ReasonCode, Version,
};
use syncline_core::session::{
    Authentication, Config, Disconnect, Filter, Output, Publication, Session, SubmitError, VersionPolicy,
};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::{TopicFilter, TopicName};

/// A session whose server, transport and clock is the test.
struct Peer {
    session: Session,
    now: Instant,
    version: Version,
    outputs: Vec<Output>,
}

impl Peer {
    fn connected(version: Version, limits: &[Property<'_>]) -> Self {
        Self::configured(version, limits, |_| ())
    }

    fn configured(version: Version, limits: &[Property<'_>], adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("rules");
        adjust(&mut config);
        config.version = match version {
            Version::V3_1_1 => VersionPolicy::V3_1_1,
            Version::V5 => VersionPolicy::V5,
        };
        let mut peer = Self {
            session: Session::new(config, [1; 32]).unwrap(),
            now: Instant::from_micros(1),
            version,
            outputs: Vec::new(),
        };
        peer.session.connect(peer.now);
        peer.accept(false, limits);
        peer
    }

    /// Opens the transport that was asked for and accepts the CONNECT, which it returns.
    fn accept(&mut self, session_present: bool, limits: &[Property<'_>]) -> Vec<u8> {
        assert!(self.take().contains(&Output::OpenTransport));
        self.session.handle_transport_open(self.now);
        let connect = self.written();
        let mut properties = PropertyBuf::new();
        for limit in limits {
            properties.push(*limit).unwrap();
        }
        self.receive(&Packet::Connack(Connack {
            session_present,
            reason: ReasonCode::SUCCESS,
            properties: properties.as_properties(),
        }));
        assert!(self.session.is_established());
        connect
    }

    /// Loses the connection and waits until the next one is asked for.
    fn cut(&mut self) {
        self.session.handle_transport_closed(self.now);
        self.drain();
        self.now = self.session.poll_timeout().expect("a retry is due");
        self.session.handle_timeout(self.now);
    }

    fn pass(&mut self, lasting: Duration) {
        self.now = self.now.after(lasting);
        self.session.handle_timeout(self.now);
    }

    fn receive(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        assert_eq!(self.session.rx_extend(&bytes), bytes.len());
        self.drain();
    }

    fn ack(&mut self, packet: fn(Ack<'static>) -> Packet<'static>, id: u16) {
        self.receive(&packet(Ack::success(PacketId::new(id).unwrap())));
    }

    fn deliver(&mut self, topic: &str, qos: QoS, id: u16, dup: bool) {
        self.receive(&Packet::Publish(Publish {
            dup,
            qos,
            retain: false,
            topic,
            packet_id: PacketId::new(id),
            properties: Properties::EMPTY,
            payload: b"x",
        }));
    }

    fn publish(&mut self, qos: QoS) {
        self.session.publish(self.now, message(qos)).unwrap();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll(self.now) {
            self.outputs.push(output);
        }
    }

    fn take(&mut self) -> Vec<Output> {
        self.drain();
        std::mem::take(&mut self.outputs)
    }

    fn topics(&mut self) -> Vec<String> {
        let topic = |output| match output {
            Output::Message(message) => Some(message.topic().to_owned()),
            _ => None,
        };
        self.take().into_iter().filter_map(topic).collect()
    }

    /// The bytes that wait to be written, which they are by that.
    fn written(&mut self) -> Vec<u8> {
        self.drain();
        let bytes = self.session.transmit().runs().collect::<Vec<_>>().concat();
        self.session.tx_advance(self.now, bytes.len());
        self.drain();
        bytes
    }
}

fn message(qos: QoS) -> Publication {
    Publication::new(TopicName::from_static("a").unwrap(), "x").qos(qos)
}

fn filter() -> Filter {
    Filter {
        filter: TopicFilter::from_static("a").unwrap(),
        options: Default::default(),
    }
}

const BOTH: [Version; 2] = [Version::V3_1_1, Version::V5];

#[test]
fn a_byte_order_mark_is_a_character_like_any_other() {
    for version in BOTH {
        let mut peer = Peer::connected(version, &[]);
        peer.deliver("\u{feff}a", QoS::AtMostOnce, 0, false);
        assert_eq!(peer.topics(), ["\u{feff}a"]);
    }
}

#[test]
fn a_packet_without_properties_says_so_in_5_0_and_has_no_room_for_them_in_3_1_1() {
    let mut peer = Peer::connected(Version::V5, &[]);
    peer.publish(QoS::AtLeastOnce);
    peer.session.subscribe(&[filter()], &PropertyBuf::new()).unwrap();
    assert_eq!(
        peer.written(),
        *b"\x32\x07\0\x01a\0\x01\0x\x82\x07\0\x02\0\0\x01a\0"
    );
    let mut peer = Peer::connected(Version::V3_1_1, &[]);
    peer.publish(QoS::AtLeastOnce);
    assert_eq!(peer.written(), *b"\x32\x06\0\x01a\0\x01x");
}

#[test]
fn the_servers_keep_alive_replaces_the_clients() {
    let mut peer = Peer::connected(Version::V5, &[Property::ServerKeepAlive(7)]);
    peer.pass(Duration::from_millis(6_999));
    assert_eq!(peer.written(), b"");
    peer.pass(Duration::from_millis(1));
    assert_eq!(peer.written(), [0xc0, 0], "PINGREQ");
}

#[test]
fn a_message_that_the_server_has_refused_is_not_sent_again() {
    let mut peer = Peer::connected(Version::V5, &[]);
    peer.publish(QoS::AtLeastOnce);
    peer.publish(QoS::ExactlyOnce);
    peer.written();
    for (id, packet) in [(1, Packet::Puback as fn(Ack<'static>) -> _), (2, Packet::Pubrec)] {
        peer.receive(&packet(Ack {
            reason: ReasonCode::QUOTA_EXCEEDED,
            ..Ack::success(PacketId::new(id).unwrap())
        }));
    }
    peer.cut();
    peer.accept(true, &[]);
    assert_eq!(peer.written(), b"");
    assert_eq!(peer.session.in_flight(), 0);
}

#[test]
fn an_expiry_does_not_stop_an_exchange_that_has_begun() {
    for version in BOTH {
        let mut peer = Peer::connected(version, &[]);
        let expiring = Publication {
            expiry: Some(Duration::from_secs(1)),
            ..message(QoS::ExactlyOnce)
        };
        peer.session.publish(peer.now, expiring).unwrap();
        peer.written();
        peer.pass(Duration::from_secs(5));
        peer.cut();
        peer.accept(true, &[]);
        assert_eq!(peer.written()[0], 0x3c, "PUBLISH with DUP at QoS 2");
        peer.ack(Packet::Pubrec, 1);
        assert_eq!(peer.written(), [0x62, 2, 0, 1], "PUBREL");
    }
}

#[test]
fn an_identifier_names_a_new_message_once_its_exchange_is_over() {
    for version in BOTH {
        let mut peer = Peer::connected(version, &[]);
        peer.deliver("a", QoS::AtLeastOnce, 1, false);
        peer.deliver("b", QoS::AtLeastOnce, 1, true);
        peer.deliver("c", QoS::ExactlyOnce, 2, false);
        peer.ack(Packet::Pubrel, 2);
        peer.deliver("d", QoS::ExactlyOnce, 2, true);
        assert_eq!(peer.topics(), ["a", "b", "c", "d"], "whatever its DUP flag says");
    }
}

#[test]
fn a_session_that_the_server_has_lost_is_lost_here_too() {
    for version in BOTH {
        let mut peer = Peer::connected(version, &[]);
        peer.deliver("a", QoS::ExactlyOnce, 1, false);
        assert_eq!(peer.topics(), ["a"]);
        peer.cut();
        peer.accept(false, &[]);
        peer.deliver("b", QoS::ExactlyOnce, 1, false);
        assert_eq!(peer.topics(), ["b"], "the identifier is free");
    }
}

#[test]
fn a_spent_receive_maximum_holds_nothing_back_but_messages() {
    let mut peer = Peer::connected(Version::V5, &[Property::ReceiveMaximum(1)]);
    peer.publish(QoS::ExactlyOnce);
    peer.publish(QoS::AtLeastOnce);
    peer.written();
    peer.ack(Packet::Pubrec, 1);
    assert_eq!(peer.written(), [0x62, 2, 0, 1], "PUBREL");
    peer.deliver("a", QoS::AtLeastOnce, 9, false);
    assert_eq!(peer.written(), [0x40, 2, 0, 9], "PUBACK");
    peer.session.subscribe(&[filter()], &PropertyBuf::new()).unwrap();
    assert_eq!(peer.written()[0], 0x82, "SUBSCRIBE");
    peer.pass(Duration::from_secs(60));
    assert_eq!(peer.written(), [0xc0, 0], "PINGREQ");
}

#[test]
fn a_message_that_is_released_again_counts_against_the_receive_maximum() {
    let two = [Property::ReceiveMaximum(2)];
    let mut peer = Peer::connected(Version::V5, &two);
    for _ in 0..4 {
        peer.publish(QoS::ExactlyOnce);
    }
    peer.written();
    peer.ack(Packet::Pubrec, 1);
    peer.cut();
    peer.accept(true, &two);
    let written = peer.written();
    assert_eq!(written[..4], [0x62, 2, 0, 1], "PUBREL");
    assert_eq!(written.len(), 4 + 9, "and one PUBLISH");
    peer.ack(Packet::Pubcomp, 1);
    assert_eq!(peer.written().len(), 9, "its place is free for one more");
    assert_eq!((peer.session.in_flight(), peer.session.queued()), (2, 1));
}

#[test]
fn a_lost_session_leaves_the_whole_receive_maximum() {
    let mut peer = Peer::connected(Version::V3_1_1, &[]);
    peer.publish(QoS::ExactlyOnce);
    peer.written();
    peer.cut();
    peer.accept(false, &[]);
    peer.publish(QoS::AtLeastOnce);
    assert_eq!(peer.written().len(), 16, "both messages");
}

#[test]
fn a_3_1_1_session_with_exchanges_given_up_is_not_resumed() {
    let reconnect = |give_up: bool| {
        let mut peer = Peer::connected(Version::V3_1_1, &[]);
        if give_up {
            peer.publish(QoS::ExactlyOnce);
        }
        peer.written();
        peer.session.disconnect(peer.now, Disconnect::default()).unwrap();
        peer.written();
        peer.session.connect(peer.now);
        peer.drain();
        peer.session.handle_transport_open(peer.now);
        let connect = peer.written();
        connect[9] & 2 != 0
    };
    assert!(reconnect(true), "Clean Session");
    assert!(!reconnect(false), "what has settled may go on");
}

#[test]
fn a_disconnect_that_waits_to_be_written_shows_a_deadline_in_the_future() {
    let mut peer = Peer::connected(Version::V5, &[]);
    peer.session.disconnect(peer.now, Disconnect::default()).unwrap();
    peer.drain();
    assert!(peer.session.has_transmit());
    assert!(peer.session.poll_timeout() > Some(peer.now));
}

#[test]
fn a_packet_that_goes_no_further_does_not_keep_a_dead_connection() {
    let mut peer = Peer::connected(Version::V5, &[Property::ServerKeepAlive(10)]);
    assert_eq!(peer.session.rx_extend(&[0x30, 100, 0]), 3);
    peer.drain();
    peer.pass(Duration::from_secs(10));
    assert_eq!(peer.written(), [0xc0, 0], "PINGREQ");
    peer.pass(Duration::from_secs(5));
    assert!(!peer.session.is_established());
}

#[test]
fn a_slow_packet_puts_the_ping_timeout_off_while_pings_go_on() {
    let mut peer = Peer::connected(Version::V5, &[Property::ServerKeepAlive(10)]);
    peer.session.rx_extend(&[0x30, 100, 0, 1, b'a', 0]);
    peer.drain();
    let mut pings = 0;
    for _ in 0..40 {
        peer.pass(Duration::from_secs(1));
        peer.session.rx_extend(b".");
        peer.drain();
        pings += peer.written().len() / 2;
    }
    assert!(peer.session.is_established());
    assert_eq!(pings, 4);
}

#[test]
fn a_window_of_one_survives_every_kind_of_end() {
    let mut config = Config::new("rules");
    config.max_in_flight = NonZeroU16::MIN;
    let session = Session::new(config, [1; 32]).unwrap();
    let mut peer = Peer {
        session,
        now: Instant::from_micros(1),
        version: Version::V5,
        outputs: Vec::new(),
    };
    peer.session.connect(peer.now);
    peer.accept(false, &[]);
    for session_present in [true, false, true, false] {
        peer.publish(QoS::ExactlyOnce);
        peer.written();
        peer.cut();
        peer.accept(session_present, &[]);
    }
    for _ in 0..4 {
        let written = peer.written();
        assert_eq!(
            (written.len(), written[0] & 0xf6),
            (9, 0x34),
            "one PUBLISH at QoS 2"
        );
        let id = u16::from_be_bytes([written[5], written[6]]);
        peer.ack(Packet::Pubrec, id);
        peer.written();
        peer.ack(Packet::Pubcomp, id);
    }
    assert_eq!(peer.session.in_flight() + peer.session.queued(), 0);
}

#[test]
fn a_clean_start_gives_up_the_session_of_before() {
    for version in BOTH {
        let mut peer = Peer::configured(version, &[], |config| config.clean_start = true);
        peer.deliver("a", QoS::ExactlyOnce, 1, false);
        peer.publish(QoS::AtLeastOnce);
        assert_eq!(peer.topics(), ["a"]);
        peer.written();
        peer.cut();
        let connect = peer.accept(false, &[]);
        assert_eq!(connect[9] & 0x02, 0x02, "Clean Start");
        assert_eq!(peer.written()[0], 0x32, "a new PUBLISH, without DUP");
        peer.deliver("b", QoS::ExactlyOnce, 1, false);
        assert_eq!(peer.topics(), ["b"], "the identifier is free");
    }
}

#[test]
fn words_that_make_a_packet_too_large_for_the_server_are_not_sent() {
    let limits = [
        Property::MaximumPacketSize(64),
        Property::AuthenticationMethod("M"),
    ];
    let authentication = |config: &mut Config| {
        config.authentication = Some(Authentication {
            method: "M".to_owned(),
            data: None,
        });
    };
    let long = "w".repeat(64);
    for words in [Property::ReasonString(&long), Property::UserProperty("k", &long)] {
        let mut properties = PropertyBuf::new();
        properties.push(words).unwrap();
        let mut peer = Peer::configured(Version::V5, &limits, authentication);

        let refused = peer.session.reauthenticate(b"ticket", &properties);
        assert!(
            matches!(refused, Err(SubmitError::TooLarge { max: 64, .. })),
            "{refused:?}"
        );
        let farewell = Disconnect {
            properties,
            ..Disconnect::default()
        };
        let refused = peer.session.disconnect(peer.now, farewell);
        assert!(
            matches!(refused, Err(SubmitError::TooLarge { max: 64, .. })),
            "{refused:?}"
        );
        assert_eq!(peer.written(), b"", "neither was sent");

        // Both can be said without them.
        peer.session
            .reauthenticate(b"ticket", &PropertyBuf::new())
            .unwrap();
        assert_eq!(peer.written()[0], 0xf0, "AUTH");
        peer.session.disconnect(peer.now, Disconnect::default()).unwrap();
        assert_eq!(peer.written()[0], 0xe0, "DISCONNECT");
    }
}
