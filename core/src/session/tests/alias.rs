//! Topic Aliases in both directions.

use super::*;

const TEN: fn(&mut Config) = |config| config.topic_alias_maximum = 10;

fn deliver(bench: &mut Bench, topic: &str, alias: u16) {
    let properties = buf(&[Property::TopicAlias(alias)]);
    bench.receive(&Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        properties: properties.as_properties(),
        payload: b"x",
    }));
}

/// Topics of the messages received since the last look.
fn topics(bench: &mut Bench) -> Vec<String> {
    let topic = |output| match output {
        Output::Message(message) => message.topic().to_string(),
        other => panic!("{other:?}"),
    };
    bench.take().into_iter().map(topic).collect()
}

/// The PUBLISH packets that wait to be written: topic and alias of each.
fn sent(bench: &mut Bench) -> Vec<(String, Option<u16>)> {
    bench.drain();
    let bytes = bench.session.transmit().runs().collect::<Vec<_>>().concat();
    bench.session.tx_advance(bench.now, bytes.len());
    let mut rest = &bytes[..];
    let mut sent = Vec::new();
    while let Some(header) = peek(rest, Version::V5, u32::MAX).unwrap() {
        let (frame, behind) = rest.split_at(header.packet_len());
        rest = behind;
        if let Packet::Publish(publish) = decode(header, frame, Version::V5).unwrap() {
            let alias = publish.properties.iter().find_map(|property| match property {
                Property::TopicAlias(alias) => Some(alias),
                _ => None,
            });
            sent.push((publish.topic.to_string(), alias));
        }
    }
    sent
}

fn sending(server: u16, own: u16) -> Bench {
    let mut config = Config::new("bench");
    config.topic_aliases = own;
    let mut bench = Bench::new(config);
    bench.connect_with(false, &[Property::TopicAliasMaximum(server)]);
    bench
}

fn named(topic: &str, alias: impl Into<Option<u16>>) -> (String, Option<u16>) {
    (topic.to_string(), alias.into())
}

#[test]
fn a_message_with_an_alias_alone_has_the_topic_that_the_alias_stands_for() {
    let mut bench = Bench::established_with(Version::V5, TEN);
    for (topic, alias) in [("a", 1), ("b", 10), ("", 1), ("", 10), ("c", 1), ("", 1)] {
        deliver(&mut bench, topic, alias);
    }
    assert_eq!(topics(&mut bench), ["a", "b", "a", "b", "c", "c"]);
}

#[test]
fn the_maximum_for_the_servers_aliases_is_in_the_connect() {
    for (max, expected) in [(0, None), (7, Some(Property::TopicAliasMaximum(7)))] {
        let mut config = Config::new("bench");
        config.topic_alias_maximum = max;
        let mut bench = Bench::new(config);
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        let bytes = bench.session.transmit().runs().collect::<Vec<_>>().concat();
        let header = peek(&bytes, Version::V5, u32::MAX).unwrap().unwrap();
        let Packet::Connect(connect) = decode(header, &bytes, Version::V5).unwrap() else {
            panic!("a CONNECT")
        };
        assert_eq!(
            connect
                .properties
                .find(crate::codec::PropertyId::TopicAliasMaximum),
            expected
        );
    }
}

#[test]
fn an_alias_above_the_maximum_and_one_that_stands_for_nothing_end_the_connection() {
    for (topic, alias, expected) in [
        ("a", 11, "DISCONNECT 0x94"),
        ("", 11, "DISCONNECT 0x94"),
        ("", 3, "DISCONNECT 0x82"),
    ] {
        let mut bench = Bench::established_with(Version::V5, TEN);
        deliver(&mut bench, "a", 4);
        deliver(&mut bench, topic, alias);
        assert_eq!(bench.written(), expected);
    }
}

#[test]
fn the_servers_aliases_end_with_their_connection() {
    let mut bench = Bench::established_with(Version::V5, TEN);
    deliver(&mut bench, "a", 1);
    bench.cut();
    bench.finish_connect(true, &[]);
    deliver(&mut bench, "", 1);
    assert_eq!(bench.written(), "DISCONNECT 0x82");
}

#[test]
fn a_message_that_is_not_handed_out_again_still_gives_its_alias_a_meaning() {
    let mut bench = Bench::established_with(Version::V5, TEN);
    let repeated = |dup, alias: &[Property<'_>]| {
        let mut bytes = Vec::new();
        let properties = buf(alias);
        let publish = Publish {
            dup,
            qos: QoS::ExactlyOnce,
            retain: false,
            topic: "a",
            packet_id: Some(id(1)),
            properties: properties.as_properties(),
            payload: b"",
        };
        Packet::Publish(publish).encode(Version::V5, &mut bytes).unwrap();
        bytes
    };
    bench.receive_bytes(&repeated(false, &[]));
    bench.receive_bytes(&repeated(true, &[Property::TopicAlias(2)]));
    deliver(&mut bench, "", 2);
    assert_eq!(topics(&mut bench), ["a", "a"]);
}

#[test]
fn topics_are_sent_once_and_then_named_by_their_alias() {
    let mut bench = sending(2, 100);
    for topic in ["a", "b", "a", "c", "a", "b"] {
        bench.publish(topic, QoS::AtMostOnce);
    }
    let expected = [
        named("a", 1),
        named("b", 2),
        named("", 1),
        named("c", 2),
        named("", 1),
        named("b", 2),
    ];
    assert_eq!(sent(&mut bench), expected);
}

#[test]
fn no_alias_is_used_beyond_the_servers_maximum_or_the_own() {
    for (server, own, expected) in [(0, 9, None), (9, 0, None), (9, 1, Some(1)), (1, 9, Some(1))] {
        let mut bench = sending(server, own);
        bench.publish("a", QoS::AtMostOnce);
        bench.publish("b", QoS::AtMostOnce);
        assert_eq!(sent(&mut bench), [named("a", expected), named("b", expected)]);
    }
}

#[test]
fn a_message_is_sent_again_with_its_topic_and_aliases_begin_anew() {
    let mut bench = sending(5, 5);
    bench.publish("a", QoS::AtLeastOnce);
    bench.publish("a", QoS::AtLeastOnce);
    assert_eq!(sent(&mut bench), [named("a", 1), named("", 1)]);
    bench.cut();
    bench.finish_connect(true, &[Property::TopicAliasMaximum(5)]);
    bench.publish("a", QoS::AtMostOnce);
    assert_eq!(
        sent(&mut bench),
        [named("a", None), named("a", None), named("a", 1)]
    );
}

#[test]
fn a_message_that_was_refused_does_not_use_up_an_alias() {
    let mut config = Config::new("bench");
    config.topic_aliases = 5;
    let mut bench = Bench::new(config);
    bench.connect_with(
        false,
        &[Property::TopicAliasMaximum(5), Property::MaximumPacketSize(30)],
    );
    let mut large = publication("a", QoS::AtMostOnce);
    large.payload = alloc::vec![0; 30].into();
    assert!(bench.session.publish(T0, large).is_err());
    bench.publish("b", QoS::AtMostOnce);
    assert_eq!(sent(&mut bench), [named("b", 1)]);
}

#[test]
fn an_alias_does_not_let_a_message_through_that_could_not_be_sent_again() {
    let mut config = Config::new("bench");
    config.topic_aliases = 5;
    let mut bench = Bench::new(config);
    bench.connect_with(
        false,
        &[Property::TopicAliasMaximum(5), Property::MaximumPacketSize(40)],
    );
    let topic = "a/topic/of/twenty/by";
    bench.publish(topic, QoS::AtLeastOnce);
    let mut large = publication(topic, QoS::AtLeastOnce);
    large.payload = alloc::vec![0; 20].into();
    let refused = bench.session.publish(T0, large).unwrap_err();
    assert_eq!(refused.reason, SubmitError::TooLarge { size: 47, max: 40 });
}

#[test]
fn an_alias_is_not_the_callers_to_set() {
    let mut bench = sending(5, 0);
    for property in [
        Property::TopicAlias(1),
        Property::SubscriptionIdentifier(1),
        Property::MessageExpiryInterval(1),
    ] {
        let mut message = publication("a", QoS::AtMostOnce);
        message.properties.push(property).unwrap();
        let refused = bench.session.publish(T0, message).unwrap_err();
        assert!(matches!(refused.reason, SubmitError::Invalid(_)), "{property:?}");
    }
    assert_eq!(sent(&mut bench), []);
}
