//! Wireshark reads every kind of packet that the core's session sends, and finds nothing wrong with any.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use syncline_core::codec::{Packet, PacketType, Property, PropertyBuf, QoS, Version};
use syncline_core::session::{
    Authentication, Completion, Config, Disconnect, Filter, Publication, SubmitError, Will,
};
use syncline_core::time::Duration;
use syncline_tests::capture::Capture;
use syncline_tests::challenging_auth::{METHOD, TICKET, answer};
use syncline_tests::real_broker::{Kind, RealBroker};
use syncline_tests::session_client::{SessionClient, configuration, filter, topic};

const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn properties(all: &[Property<'_>]) -> PropertyBuf {
    let mut properties = PropertyBuf::new();
    for property in all {
        properties.push(*property).expect("a valid property");
    }
    properties
}

/// A CONNECT with everything that it can hold.
fn full_configuration(version: Version) -> Config {
    let mut config = configuration("captured", version);
    config.keep_alive = Duration::from_secs(1);
    config.username = Some("somebody".to_owned());
    config.password = Some("secret".into());
    config.properties = properties(&[Property::UserProperty("a", "1")]);
    config.request_response_information = true;
    config.topic_alias_maximum = 5;
    config.topic_aliases = 1;
    config.will = Some(Will {
        topic: topic("wills/captured"),
        payload: "gone".into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: properties(&[
            Property::WillDelayInterval(1),
            Property::PayloadFormatIndicator(true),
            Property::MessageExpiryInterval(60),
            Property::ContentType("text/plain"),
            Property::ResponseTopic("back"),
            Property::CorrelationData(b"\x00"),
            Property::UserProperty("b", "2"),
        ]),
    });
    config
}

/// Has a connected client send every other packet that it knows.
fn send_everything(client: &mut SessionClient, version: Version) {
    let mut wish = filter("captured/#", QoS::ExactlyOnce);
    wish.options.retain_as_published = true;
    let ids = properties(&[
        Property::SubscriptionIdentifier(300),
        Property::UserProperty("c", "3"),
    ]);
    client.subscribe(&[wish, filter("$share/group/other", QoS::AtLeastOnce)], &ids);
    for qos in LEVELS {
        for _ in 0..2 {
            let mut message = Publication::new(topic("captured/one"), "payload").qos(qos);
            message.expiry = Some(Duration::from_secs(60));
            message.properties = properties(&[
                Property::PayloadFormatIndicator(true),
                Property::ContentType("text/plain"),
                Property::ResponseTopic("back"),
                Property::CorrelationData(b"\x01\x02"),
                Property::UserProperty("d", "4"),
            ]);
            assert!(matches!(client.publish(message), Completion::Published { .. }));
        }
    }
    client.await_messages(2 * LEVELS.len());
    client.until("a ping is sent", |client| {
        let mut pings = 0;
        client.for_each_sent(|_, packet| pings += usize::from(matches!(packet, Packet::Pingreq)));
        (pings > 0).then_some(())
    });
    let Filter { filter, .. } = filter("captured/#", QoS::ExactlyOnce);
    let op = client
        .session()
        .unsubscribe(&[filter], &properties(&[Property::UserProperty("e", "5")]));
    assert!(matches!(
        client.completion(op.expect("a connection")),
        Completion::Unsubscribed(_)
    ));
    let farewell = Disconnect {
        session_expiry: (version == Version::V5).then_some(5),
        properties: properties(&[Property::ReasonString("done"), Property::UserProperty("f", "6")]),
        ..Disconnect::default()
    };
    client.disconnect(farewell);
}

/// Holds what was captured against what the client says that it has sent, and returns the kinds of packets in it.
fn compare(capture: &Capture, client: &SessionClient) -> BTreeSet<PacketType> {
    let mut sent = Vec::new();
    client.for_each_sent(|_, packet| sent.push(packet.packet_type()));
    let captured = capture.types_until(PacketType::Disconnect as u8);
    let sent_numbers: Vec<_> = sent.iter().map(|packet_type| *packet_type as u8).collect();
    assert_eq!(captured, sent_numbers);
    assert_eq!(capture.complaints(), "");
    sent.into_iter().collect()
}

#[test]
fn wireshark_finds_nothing_wrong_with_any_packet_of_either_version() {
    for version in [Version::V3_1_1, Version::V5] {
        let broker = RealBroker::start(Kind::Mosquitto);
        let capture = Capture::start(broker.address().port());
        let mut client = SessionClient::connected(full_configuration(version), broker.address());
        send_everything(&mut client, version);
        assert_eq!(
            compare(&capture, &client),
            BTreeSet::from([
                PacketType::Connect,
                PacketType::Publish,
                PacketType::Puback,
                PacketType::Pubrec,
                PacketType::Pubrel,
                PacketType::Pubcomp,
                PacketType::Subscribe,
                PacketType::Unsubscribe,
                PacketType::Pingreq,
                PacketType::Disconnect,
            ])
        );
    }
}

#[test]
fn wireshark_finds_nothing_wrong_with_an_authentication() -> Result<(), SubmitError> {
    let broker = RealBroker::challenging();
    let capture = Capture::start(broker.address().port());
    let mut config = full_configuration(Version::V5);
    config.authentication = Some(Authentication {
        method: METHOD.to_owned(),
        data: None,
    });
    let mut client = SessionClient::new(config, broker.address());
    client.start();
    client.until("the server asks", |client| client.challenges.first().map(|_| ()));
    let now = client.now();
    let words = properties(&[Property::ReasonString("asked"), Property::UserProperty("g", "7")]);
    client.session().authenticate(now, &answer(), &words)?;
    client.until("the server accepts", |client| {
        client.connections.first().map(|_| ())
    });
    let op = client.session().reauthenticate(TICKET, &words)?;
    assert!(matches!(client.completion(op), Completion::Authenticated(_)));
    client.disconnect(Disconnect::default());
    let kinds = [PacketType::Connect, PacketType::Auth, PacketType::Disconnect];
    assert_eq!(compare(&capture, &client), BTreeSet::from(kinds));
    Ok(())
}

#[test]
fn wireshark_complains_of_a_malformed_packet() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let capture = Capture::start(address.port());
    let mut socket = TcpStream::connect(address).expect("the listener listens");
    // A SUBSCRIBE whose Topic Filter is longer than the packet, and a DISCONNECT to end with.
    socket
        .write_all(b"\x82\x06\x00\x01\x00\x09ab")
        .expect("the listener reads");
    socket.write_all(b"\xE0\x00").expect("the listener reads");
    let captured = capture.types_until(PacketType::Disconnect as u8);
    assert_eq!(captured.last(), Some(&(PacketType::Disconnect as u8)));
    let complaints = capture.complaints();
    assert!(complaints.contains("Malformed"), "{complaints:?}");
}
