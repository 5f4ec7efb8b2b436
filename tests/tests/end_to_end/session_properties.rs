//! The core's session against real brokers: what MQTT 5.0 adds.

use std::collections::BTreeSet;

use syncline_core::codec::{Packet, Property, PropertyBuf, PropertyId, QoS, Version};
use syncline_core::session::{Completion, Message, Publication, SubmitError};
use syncline_core::time::Duration;
use syncline_tests::real_broker::{Kind, RealBroker, with_every_broker, with_every_broker_in_5_0};
use syncline_tests::session_client::{SessionClient, configuration, filter, for_each_packet, topic};
use syncline_tests::wait;

fn client(name: &str, broker: &RealBroker) -> SessionClient {
    SessionClient::connected(configuration(name, Version::V5), broker.address())
}

fn properties(all: &[Property<'_>]) -> PropertyBuf {
    let mut properties = PropertyBuf::new();
    for property in all {
        properties.push(*property).expect("a valid property");
    }
    properties
}

fn subscription_ids(message: &Message) -> impl Iterator<Item = u32> {
    message.properties().iter().filter_map(|property| match property {
        Property::SubscriptionIdentifier(id) => Some(id),
        _ => None,
    })
}

#[test]
fn messages_name_the_subscriptions_that_they_match() {
    const LARGEST: u32 = 268_435_455;
    with_every_broker_in_5_0(|broker| {
        let mut client = client("identified", broker);
        for (text, id) in [("plant/#", 1), ("plant/+/state", LARGEST)] {
            let id = properties(&[Property::SubscriptionIdentifier(id)]);
            client.subscribe(&[filter(text, QoS::AtLeastOnce)], &id);
        }
        client.publish(Publication::new(topic("plant/press"), "one").qos(QoS::AtLeastOnce));
        client.publish(Publication::new(topic("plant/press/state"), "both").qos(QoS::AtLeastOnce));
        client.publish(Publication::new(topic("plant/end"), "last").qos(QoS::AtLeastOnce));
        client.until("the last message comes", |client| {
            (client.messages.last()?.payload() == b"last").then_some(())
        });
        let ids = |payload: &[u8]| -> BTreeSet<u32> {
            let of_payload = client
                .messages
                .iter()
                .filter(|message| message.payload() == payload);
            of_payload.flat_map(subscription_ids).collect()
        };
        // A server may send a copy for each subscription or one for all: either way each is named.
        assert_eq!(ids(b"one"), BTreeSet::from([1]));
        assert_eq!(ids(b"both"), BTreeSet::from([1, LARGEST]));
    });
}

#[test]
fn a_shared_subscription_gives_each_message_to_one_of_its_members() {
    const COUNT: usize = 40;
    with_every_broker(|broker, version| {
        let mut members: Vec<_> = (0..2)
            .map(|n| {
                let config = configuration(&format!("member-{n}"), version);
                let mut member = SessionClient::connected(config, broker.address());
                member.subscribe_to("$share/workers/jobs");
                member
            })
            .collect();
        let mut sender = SessionClient::connected(configuration("sender", version), broker.address());
        for n in 0..COUNT {
            sender.publish(Publication::new(topic("jobs"), n.to_string()).qos(QoS::AtLeastOnce));
        }
        wait::until("every job is with a member", wait::PATIENCE, || {
            members.iter_mut().for_each(SessionClient::turn);
            let jobs: usize = members.iter().map(|member| member.messages.len()).sum();
            (jobs >= COUNT).then_some(())
        });
        let jobs = members.iter().flat_map(|member| &member.messages);
        let jobs: BTreeSet<_> = jobs.map(|message| message.payload().to_vec()).collect();
        assert_eq!(jobs.len(), COUNT, "no job was given to both");
        assert!(
            members.iter().all(|member| !member.messages.is_empty()),
            "one member got everything"
        );
    });
}

#[test]
fn a_topic_alias_replaces_the_topic_on_the_wire_and_not_for_the_receiver() {
    with_every_broker_in_5_0(|broker| {
        let mut receiver = client("receiver", broker);
        receiver.subscribe_to("a/long/topic/+");
        let mut config = configuration("sender", Version::V5);
        config.topic_aliases = 2;
        let mut sender = SessionClient::connected(config, broker.address());
        let topics = [
            "a/long/topic/1",
            "a/long/topic/1",
            "a/long/topic/2",
            "a/long/topic/1",
            "a/long/topic/2",
        ];
        for name in topics {
            sender.publish(Publication::new(topic(name), "x").qos(QoS::AtLeastOnce));
        }
        let mut on_the_wire = Vec::new();
        sender.for_each_sent(|_, packet| {
            if let Packet::Publish(publish) = packet {
                let alias = match publish.properties.find(PropertyId::TopicAlias) {
                    Some(Property::TopicAlias(alias)) => alias,
                    _ => 0,
                };
                on_the_wire.push((publish.topic.to_owned(), alias));
            }
        });
        let named = |name: &str, alias| (name.to_owned(), alias);
        let expected = [
            named("a/long/topic/1", 1),
            named("", 1),
            named("a/long/topic/2", 2),
            named("", 1),
            named("", 2),
        ];
        assert_eq!(on_the_wire, expected);
        let received: Vec<_> = receiver
            .await_messages(topics.len())
            .iter()
            .map(Message::topic)
            .collect();
        assert_eq!(received, topics);
    });
}

#[test]
fn topic_aliases_of_the_server_are_understood_where_it_uses_any() {
    with_every_broker_in_5_0(|broker| {
        let mut config = configuration("receiver", Version::V5);
        config.topic_alias_maximum = 4;
        let mut receiver = SessionClient::connected(config, broker.address());
        receiver.subscribe_to("a/topic");
        let mut sender = client("sender", broker);
        for _ in 0..3 {
            sender.publish(Publication::new(topic("a/topic"), "x").qos(QoS::AtLeastOnce));
        }
        let messages = receiver.await_messages(3);
        assert!(messages.iter().all(|message| message.topic() == "a/topic"));
        let mut aliased = 0;
        for_each_packet(&receiver.traffic[0].received, Version::V5, |_, packet| {
            if let Packet::Publish(publish) = packet {
                aliased += usize::from(publish.properties.contains(PropertyId::TopicAlias));
            }
        });
        // Neither broker sends aliases of its own accord: what a session does with them is shown without a socket.
        assert_eq!(
            aliased,
            0,
            "{:?} now sends topic aliases: show here that they work",
            broker.kind()
        );
    });
}

#[test]
fn a_request_finds_its_way_back_by_its_response_topic() {
    with_every_broker_in_5_0(|broker| {
        let mut responder = client("responder", broker);
        responder.subscribe_to("requests");
        let mut requester = client("requester", broker);
        requester.subscribe_to("responses/7");
        let all = [
            Property::PayloadFormatIndicator(true),
            Property::ContentType("application/json"),
            Property::ResponseTopic("responses/7"),
            Property::CorrelationData(&[0, 0xFF, 7]),
            Property::UserProperty("b", "2"),
            Property::UserProperty("a", "1"),
            Property::UserProperty("a", "1"),
        ];
        let mut request = Publication::new(topic("requests"), "{}").qos(QoS::AtLeastOnce);
        request.properties = properties(&all);
        requester.publish(request);

        let request = &responder.await_messages(1)[0];
        for id in [
            PropertyId::PayloadFormatIndicator,
            PropertyId::ContentType,
            PropertyId::ResponseTopic,
            PropertyId::CorrelationData,
        ] {
            let sent = all.iter().copied().find(|property| property.id() == id);
            assert_eq!(request.properties().find(id), sent);
        }
        let user: Vec<_> = request
            .properties()
            .iter()
            .filter(|property| property.id() == PropertyId::UserProperty)
            .collect();
        // The embedded broker adds one of its own, with the sender's name.
        assert!(
            user.starts_with(&all[4..]),
            "user properties keep their order: {user:?}"
        );

        let Some(Property::ResponseTopic(back)) = request.properties().find(PropertyId::ResponseTopic) else {
            panic!("no response topic");
        };
        let correlation = request
            .properties()
            .find(PropertyId::CorrelationData)
            .expect("correlation data");
        let mut response = Publication::new(topic(back), "done").qos(QoS::AtLeastOnce);
        response.properties = properties(&[correlation]);
        responder.publish(response);
        let response = &requester.await_messages(1)[0];
        assert_eq!(response.payload(), b"done");
        assert_eq!(
            response.properties().find(PropertyId::CorrelationData),
            Some(Property::CorrelationData(&[0, 0xFF, 7]))
        );
    });
}

#[test]
fn a_message_carries_what_is_left_of_its_expiry_and_is_gone_after_it() {
    with_every_broker_in_5_0(|broker| {
        let mut sender = client("sender", broker);
        let mut message = Publication::new(topic("fleeting"), "now")
            .qos(QoS::AtLeastOnce)
            .retained();
        message.expiry = Some(Duration::from_secs(2));
        sender.publish(message);
        let (mut looks, mut seen) = (0, 0);
        // Each look is a new subscriber, and the message behind it tells that no retained one is to come.
        wait::until("the retained message has expired", wait::PATIENCE, || {
            looks += 1;
            let mut receiver = client(&format!("look-{looks}"), broker);
            receiver.subscribe_to("fleeting");
            sender.publish(Publication::new(topic("fleeting"), "live").qos(QoS::AtLeastOnce));
            receiver.until("the live message comes", |receiver| {
                (receiver.messages.last()?.payload() == b"live").then_some(())
            });
            let Some(retained) = receiver.messages.iter().find(|message| message.retain()) else {
                return Some(());
            };
            let left = retained.properties().find(PropertyId::MessageExpiryInterval);
            assert!(
                matches!(left, Some(Property::MessageExpiryInterval(..=2))),
                "left of 2 s: {left:?}"
            );
            seen += 1;
            None
        });
        assert!(seen > 0, "the message was never there");
    });
}

#[test]
fn the_servers_keep_alive_takes_the_place_of_the_clients() {
    let broker = RealBroker::mosquitto("max_keepalive 10");
    let mut config = configuration("eager", Version::V5);
    config.keep_alive = Duration::from_secs(60);
    let client = SessionClient::connected(config, broker.address());
    assert_eq!(client.connections[0].server.keep_alive, Duration::from_secs(10));
}

#[test]
fn an_empty_client_identifier_is_replaced_by_the_servers_choice() {
    with_every_broker_in_5_0(|broker| {
        let mut client = client("", broker);
        let assigned = client.connections[0]
            .details
            .assigned_client_id()
            .expect("an identifier")
            .to_owned();
        assert!(!assigned.is_empty());
        assert_eq!(client.session().client_id(), assigned);
        // From now on the Session is that of the assigned name.
        client.cut();
        client.until("the connection is made again", |client| {
            client.connections.get(1).map(|_| ())
        });
        assert!(client.connections[1].session_present);
    });
}

#[test]
fn what_the_server_does_not_offer_is_refused_before_it_is_sent() {
    let broker = RealBroker::mosquitto("max_packet_size 1000\nretain_available false\nmax_qos 1");
    let mut client = client("limited", &broker);
    let now = client.now();
    let mut refusal = |publication: Publication| {
        let refused = client
            .session()
            .publish(now, publication)
            .expect_err("the server would refuse it");
        refused.reason
    };
    let large = Publication::new(topic("a"), vec![0; 2000]);
    assert!(matches!(refusal(large), SubmitError::TooLarge { max: 1000, .. }));
    let retained = Publication::new(topic("a"), "x").retained();
    assert_eq!(refusal(retained), SubmitError::RetainNotSupported);
    let twice = Publication::new(topic("a"), "x").qos(QoS::ExactlyOnce);
    assert_eq!(refusal(twice), SubmitError::QosNotSupported(QoS::AtLeastOnce));
    let fine = client.publish(Publication::new(topic("a"), "x").qos(QoS::AtLeastOnce));
    assert!(matches!(fine, Completion::Published { .. }));
}

#[test]
fn no_more_messages_are_in_flight_than_the_server_receives() {
    let broker = RealBroker::mosquitto("max_inflight_messages 3");
    let mut client = client("narrow", &broker);
    assert_eq!(client.connections[0].server.receive_maximum, 3);
    let ops: Vec<_> = (0..50)
        .map(|n| client.submit(Publication::new(topic("a"), n.to_string()).qos(QoS::ExactlyOnce)))
        .collect();
    assert_eq!((client.session().in_flight(), client.session().queued()), (3, 47));
    for op in ops {
        assert!(matches!(client.completion(op), Completion::Published { .. }));
    }
    assert_eq!(client.disconnections, []);
}

#[test]
fn brokers_say_what_they_offer() {
    with_every_broker_in_5_0(|broker| {
        let server = client("curious", broker).connections[0].server;
        assert!(server.retain_available && server.wildcard_available);
        assert!(server.shared_available && server.subscription_id_available);
        assert_eq!(server.maximum_qos, QoS::ExactlyOnce);
        let aliases = match broker.kind() {
            Kind::Mosquitto => 10,
            Kind::Embedded => 65_535,
        };
        assert_eq!(server.topic_alias_maximum, aliases);
    });
}
