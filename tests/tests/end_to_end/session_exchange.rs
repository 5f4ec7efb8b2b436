//! The core's session against real brokers: what both versions can do.

use std::time::Instant;

use syncline_core::codec::{Packet, PropertyBuf, QoS, ReasonCode, Version};
use syncline_core::session::{Completion, Disconnect, DisconnectReason, Publication, Will};
use syncline_core::time::Duration;
use syncline_tests::real_broker::{Kind, with_every_broker};
use syncline_tests::session_client::{SessionClient, configuration, filter, topic};

const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[test]
fn every_quality_of_service_passes_both_ways_once_and_in_order() {
    with_every_broker(|broker, version| {
        let mut receivers: Vec<_> = LEVELS
            .into_iter()
            .map(|granted| {
                let config = configuration(&format!("receiver-{}", granted as u8), version);
                let mut receiver = SessionClient::connected(config, broker.address());
                receiver.subscribe(&[filter("line/+", granted)], &PropertyBuf::new());
                (granted, receiver)
            })
            .collect();
        let mut sender = SessionClient::connected(configuration("sender", version), broker.address());
        for round in 0..20 {
            for sent in LEVELS {
                let name = topic(&format!("line/{}", sent as u8));
                let payload = format!("{round}").into_bytes();
                let completion = sender.publish(Publication::new(name, payload).qos(sent));
                assert!(
                    matches!(&completion, Completion::Published { reason, .. } if !reason.is_error()),
                    "{completion:?}"
                );
            }
        }
        for (granted, receiver) in &mut receivers {
            receiver.await_messages(20 * LEVELS.len());
            for sent in LEVELS {
                let of_topic = receiver
                    .messages
                    .iter()
                    .filter(|message| message.topic() == format!("line/{}", sent as u8));
                let (levels, payloads): (Vec<_>, Vec<_>) = of_topic
                    .map(|message| {
                        (
                            message.qos(),
                            String::from_utf8_lossy(message.payload()).into_owned(),
                        )
                    })
                    .unzip();
                let all: Vec<_> = (0..20).map(|round| round.to_string()).collect();
                assert_eq!(payloads, all, "sent at {sent:?}, granted {granted:?}");
                assert!(levels.iter().all(|qos| *qos == sent.min(*granted)), "{levels:?}");
            }
        }
    });
}

#[test]
fn many_messages_in_flight_complete_each_once() {
    const COUNT: usize = 500;
    with_every_broker(|broker, version| {
        let mut client = SessionClient::connected(configuration("loop", version), broker.address());
        client.subscribe_to("loop");
        let ops: Vec<_> = (0..COUNT)
            .map(|n| {
                let qos = LEVELS[n % 2 + 1];
                client.submit(Publication::new(topic("loop"), n.to_string()).qos(qos))
            })
            .collect();
        for op in ops {
            assert!(matches!(client.completion(op), Completion::Published { .. }));
        }
        let messages = client.await_messages(COUNT);
        for parity in 0..2 {
            let numbers = messages.iter().map(|message| {
                let text = std::str::from_utf8(message.payload()).expect("a number");
                text.parse::<usize>().expect("a number")
            });
            let numbers: Vec<_> = numbers.filter(|n| n % 2 == parity).collect();
            let all: Vec<_> = (parity..COUNT).step_by(2).collect();
            assert_eq!(numbers, all, "messages of one QoS come once and in order");
        }
    });
}

#[test]
fn a_retained_message_awaits_later_subscribers_until_it_is_cleared() {
    with_every_broker(|broker, version| {
        let mut sender = SessionClient::connected(configuration("sender", version), broker.address());
        let retained = Publication::new(topic("state"), "on")
            .qos(QoS::AtLeastOnce)
            .retained();
        sender.publish(retained);

        let mut first = SessionClient::connected(configuration("first", version), broker.address());
        first.subscribe_to("state");
        let message = &first.await_messages(1)[0];
        assert_eq!((message.payload(), message.retain()), (&b"on"[..], true));

        // Those who are subscribed see the same change without the flag.
        sender.publish(
            Publication::new(topic("state"), "")
                .qos(QoS::AtLeastOnce)
                .retained(),
        );
        assert!(!first.await_messages(2)[1].retain());

        let mut second = SessionClient::connected(configuration("second", version), broker.address());
        second.subscribe_to("state");
        sender.publish(Publication::new(topic("state"), "last").qos(QoS::AtLeastOnce));
        assert_eq!(second.await_messages(1)[0].payload(), b"last");
    });
}

#[test]
fn the_will_is_published_when_the_connection_is_lost_and_not_when_it_is_ended() {
    with_every_broker(|broker, version| {
        let mut watcher = SessionClient::connected(configuration("watcher", version), broker.address());
        watcher.subscribe_to("wills/#");
        let with_will = |name: &str| {
            let mut config = configuration(name, version);
            config.will = Some(Will {
                topic: topic(&format!("wills/{name}")),
                payload: "gone".into(),
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: PropertyBuf::new(),
            });
            // Else a 5.0 server may wait for the Session to be resumed.
            config.session_expiry = 0;
            SessionClient::connected(config, broker.address())
        };
        with_will("polite").disconnect(Disconnect::default());
        let mut lost = with_will("lost");
        lost.cut();
        let message = &watcher.await_messages(1)[0];
        assert_eq!((message.topic(), message.payload()), ("wills/lost", &b"gone"[..]));
        if version == Version::V5 {
            with_will("asked-for").disconnect(Disconnect {
                reason: ReasonCode::DISCONNECT_WITH_WILL,
                ..Disconnect::default()
            });
            assert_eq!(watcher.await_messages(2)[1].topic(), "wills/asked-for");
        }
    });
}

#[test]
fn a_payload_of_a_mebibyte_passes_whole() {
    let payload: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
    with_every_broker(|broker, version| {
        let mut client = SessionClient::connected(configuration("large", version), broker.address());
        client.subscribe_to("large");
        for qos in LEVELS {
            client.publish(Publication::new(topic("large"), payload.clone()).qos(qos));
        }
        for message in client.await_messages(LEVELS.len()) {
            assert!(message.payload() == payload, "the payload has changed");
        }
    });
}

#[test]
fn pings_keep_a_quiet_connection_alive() {
    with_every_broker(|broker, version| {
        let mut config = configuration("quiet", version);
        config.keep_alive = Duration::from_secs(1);
        let mut client = SessionClient::connected(config, broker.address());
        let begin = Instant::now();
        // Two pings take longer than the one and a half times the Keep Alive after which the server would close.
        client.until("two pings were answered", |client| {
            let traffic = &client.traffic[0];
            let count = |bytes: &[u8], ping: [u8; 2]| bytes.windows(2).filter(|pair| *pair == ping).count();
            (count(&traffic.sent, [0xC0, 0]) >= 2 && count(&traffic.received, [0xD0, 0]) >= 2).then_some(())
        });
        assert!(begin.elapsed().as_secs_f64() > 1.5, "pings came too early");
        assert_eq!(client.disconnections, []);
        let completion = client.publish(Publication::new(topic("a"), "b").qos(QoS::AtLeastOnce));
        assert!(matches!(completion, Completion::Published { .. }));
    });
}

#[test]
fn a_second_client_of_the_same_name_takes_the_session_over() {
    with_every_broker(|broker, version| {
        let mut first = SessionClient::connected(configuration("twin", version), broker.address());
        let _second = SessionClient::connected(configuration("twin", version), broker.address());
        let ended = first.until("the first is disconnected", |client| {
            client.disconnections.first().cloned()
        });
        match (broker.kind(), version) {
            // Two clients that throw each other out must not go on for ever: the older one stays away.
            (Kind::Embedded, Version::V5) => {
                let taken_over = DisconnectReason::ByServer(ReasonCode::SESSION_TAKEN_OVER);
                assert_eq!((ended.reason, ended.retry_at), (taken_over, None));
            }
            // A server of 3.1.1 has no DISCONNECT to send; this one sends that of 5.0 all the same.
            (Kind::Embedded, Version::V3_1_1) => {
                assert!(
                    matches!(ended.reason, DisconnectReason::Malformed(_)),
                    "{:?}",
                    ended.reason
                );
            }
            // Mosquitto 2.0 says no word in 5.0 either.
            (Kind::Mosquitto, _) => assert_eq!(ended.reason, DisconnectReason::TransportClosed),
        }
    });
}

#[test]
fn an_unsubscribed_filter_brings_no_more_messages() {
    with_every_broker(|broker, version| {
        let mut client = SessionClient::connected(configuration("subscriber", version), broker.address());
        let filters = [filter("a/#", QoS::AtLeastOnce), filter("b/#", QoS::AtLeastOnce)];
        client.subscribe(&filters, &PropertyBuf::new());
        client.publish(Publication::new(topic("a/1"), "").qos(QoS::AtLeastOnce));
        client.await_messages(1);
        let op = client
            .session()
            .unsubscribe(&[filters[0].filter.clone()], &PropertyBuf::new())
            .expect("the session takes it");
        assert!(matches!(client.completion(op), Completion::Unsubscribed(_)));
        client.publish(Publication::new(topic("a/2"), "").qos(QoS::AtLeastOnce));
        client.publish(Publication::new(topic("b/3"), "").qos(QoS::AtLeastOnce));
        let topics: Vec<_> = client
            .await_messages(2)
            .iter()
            .map(|message| message.topic().to_owned())
            .collect();
        assert_eq!(topics, ["a/1", "b/3"]);
    });
}

#[test]
fn a_disconnect_is_the_last_packet_and_the_first_is_connect() {
    with_every_broker(|broker, version| {
        let mut client = SessionClient::connected(configuration("orderly", version), broker.address());
        client.publish(Publication::new(topic("a"), "b").qos(QoS::ExactlyOnce));
        client.disconnect(Disconnect::default());
        let mut types = Vec::new();
        client.for_each_sent(|_, packet: &Packet<'_>| types.push(packet.packet_type().name()));
        assert_eq!(types, ["CONNECT", "PUBLISH", "PUBREL", "DISCONNECT"]);
        assert_eq!(client.disconnections[0].reason, DisconnectReason::Requested);
    });
}
