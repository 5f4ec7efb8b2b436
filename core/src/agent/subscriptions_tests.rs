//! Standing subscriptions, with the test as the broker.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::slice;

use super::subscriptions::{MAX_IDENTIFIER, identifier_of};
use super::{Agent, Output, Readiness};
use crate::codec::{
    self, Connack, Packet, PacketId, Properties, Property, PropertyBuf, Publish, QoS, ReasonCode, Version,
};
use crate::flowsync::NodeConfig;
use crate::limits::RESUBSCRIBE_INTERVAL;
use crate::rng::SEED_LEN;
use crate::session::{Config, VersionPolicy};
use crate::time::Instant;
use crate::topic::TopicFilter;

/// An agent whose broker is the test.
struct Bench {
    agent: Agent,
    version: Version,
    now: Instant,
}

/// A SUBSCRIBE as the broker sees it.
#[derive(Debug, PartialEq)]
struct Asked {
    packet_id: PacketId,
    filter: String,
    qos: QoS,
    identifier: Option<u32>,
}

impl Bench {
    fn new(version: Version) -> Self {
        let mut config = Config::new("line-1");
        config.version = match version {
            Version::V5 => VersionPolicy::V5,
            Version::V3_1_1 => VersionPolicy::V3_1_1,
        };
        Self {
            agent: Agent::new(config, [3; SEED_LEN]).unwrap(),
            version,
            now: Instant::from_micros(1_000_000),
        }
    }

    fn connect(&mut self, session_present: bool) {
        self.agent.connect(self.now);
        self.drain();
        self.agent.handle_transport_open(self.now);
        self.written();
        self.receive(&Packet::Connack(Connack {
            session_present,
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }));
    }

    fn lose(&mut self) {
        self.agent.handle_transport_closed(self.now);
        self.drain();
        self.now = self.agent.poll_timeout().expect("a time to connect again");
        self.agent.handle_timeout(self.now);
    }

    fn drain(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.agent.poll(self.now)).collect()
    }

    fn receive(&mut self, packet: &Packet<'_>) -> Vec<Output> {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.agent.rx_extend(&bytes);
        self.drain()
    }

    fn written(&mut self) -> Vec<u8> {
        let bytes = self.agent.transmit().runs().collect::<Vec<_>>().concat();
        self.agent.tx_advance(self.now, bytes.len());
        bytes
    }

    fn asked(&mut self) -> Vec<Asked> {
        let bytes = self.written();
        let mut rest = &bytes[..];
        let mut asked = Vec::new();
        while let Some(header) = codec::peek(rest, self.version, u32::MAX).unwrap() {
            let (packet, next) = rest.split_at(header.packet_len());
            rest = next;
            let Packet::Subscribe(subscribe) = codec::decode(header, packet, self.version).unwrap() else {
                continue;
            };
            let identifier = subscribe.properties.iter().find_map(|property| match property {
                Property::SubscriptionIdentifier(identifier) => Some(identifier),
                _ => None,
            });
            for (filter, options) in subscribe.filters.iter() {
                asked.push(Asked {
                    packet_id: subscribe.packet_id,
                    filter: filter.to_string(),
                    qos: options.qos,
                    identifier,
                });
            }
        }
        asked
    }

    /// Grants or refuses the one subscription that is asked for.
    fn grant(&mut self, reason: ReasonCode) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        let asked = asked.remove(0);
        let [high, low] = asked.packet_id.get().to_be_bytes();
        let suback: &[u8] = match self.version {
            Version::V5 => &[0x90, 4, high, low, 0, reason.0],
            Version::V3_1_1 => &[0x90, 3, high, low, reason.0],
        };
        self.agent.rx_extend(suback);
        self.drain();
        asked
    }

    /// The subscriptions that a message with these identifiers is for.
    fn message(&mut self, topic: &str, identifiers: &[u32]) -> Vec<TopicFilter> {
        let mut properties = PropertyBuf::new();
        for identifier in identifiers {
            properties
                .push(Property::SubscriptionIdentifier(*identifier))
                .unwrap();
        }
        let outputs = self.receive(&Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            packet_id: None,
            properties: properties.as_properties(),
            payload: b"x",
        }));
        let [Output::Message(message)] = &outputs[..] else {
            panic!("expected a message, found {outputs:?}");
        };
        self.agent.subscriptions_of(message).cloned().collect()
    }

    fn changes(&mut self) -> Vec<(TopicFilter, Readiness)> {
        core::iter::from_fn(|| self.agent.poll_subscription()).collect()
    }
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::try_from(text).unwrap()
}

#[test]
fn a_subscription_comes_into_force_with_the_connection_and_again_when_the_session_was_lost() {
    let mut bench = Bench::new(Version::V5);
    assert!(
        bench
            .agent
            .stay_subscribed(bench.now, filter("a/+"), QoS::AtLeastOnce)
    );
    bench.connect(false);
    let asked = bench.grant(ReasonCode::GRANTED_QOS_1);
    assert_eq!((asked.filter.as_str(), asked.qos), ("a/+", QoS::AtLeastOnce));
    assert_eq!(bench.changes(), [(filter("a/+"), Readiness::Ready)]);

    bench.lose();
    assert_eq!(bench.changes(), [(filter("a/+"), Readiness::Waiting)]);
    bench.connect(true);
    assert_eq!(bench.asked(), [], "the server has it still");
    assert_eq!(bench.changes(), [(filter("a/+"), Readiness::Ready)]);

    bench.lose();
    bench.connect(false);
    let again = bench.grant(ReasonCode::GRANTED_QOS_1);
    assert_eq!(again.identifier, asked.identifier);
    assert_eq!(bench.agent.subscription(&filter("a/+")), Some(Readiness::Ready));
}

#[test]
fn what_is_asked_for_while_offline_is_subscribed_to_although_the_session_is_resumed() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    bench.lose();
    bench
        .agent
        .stay_subscribed(bench.now, filter("a"), QoS::AtMostOnce);
    bench.connect(true);
    bench.grant(ReasonCode::SUCCESS);
}

#[test]
fn a_refused_subscription_is_repeated() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    bench
        .agent
        .stay_subscribed(bench.now, filter("a"), QoS::AtMostOnce);
    bench.grant(ReasonCode::NOT_AUTHORIZED);
    let refused = Readiness::Refused(ReasonCode::NOT_AUTHORIZED);
    assert_eq!(bench.changes(), [(filter("a"), refused)]);
    bench.now = bench.now.after(RESUBSCRIBE_INTERVAL);
    bench.agent.handle_timeout(bench.now);
    bench.grant(ReasonCode::SUCCESS);
    assert_eq!(bench.changes(), [(filter("a"), Readiness::Ready)]);
}

#[test]
fn the_highest_quality_of_service_that_is_asked_for_counts() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    for (qos, asked) in [
        (QoS::AtMostOnce, QoS::AtMostOnce),
        (QoS::ExactlyOnce, QoS::ExactlyOnce),
        (QoS::AtLeastOnce, QoS::ExactlyOnce),
    ] {
        assert!(bench.agent.stay_subscribed(bench.now, filter("a"), qos));
        assert_eq!(bench.asked().first().map(|asked| asked.qos), Some(asked));
    }
}

#[test]
fn a_message_is_for_the_subscriptions_that_its_identifiers_name() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    let filters = ["a/b", "a/+", "#"].map(filter);
    let identifiers = filters.each_ref().map(|filter| {
        bench
            .agent
            .stay_subscribed(bench.now, filter.clone(), QoS::AtMostOnce);
        bench
            .grant(ReasonCode::SUCCESS)
            .identifier
            .expect("an identifier")
    });
    let [ab, a_any, all] = filters;
    assert_eq!(bench.message("a/b", &[identifiers[1]]), slice::from_ref(&a_any));
    assert_eq!(
        bench.message("a/b", &[identifiers[0], identifiers[2]]),
        [ab.clone(), all.clone()]
    );
    assert!(
        bench.message("c", &[identifiers[0]]).is_empty(),
        "it does not match"
    );
    assert_eq!(bench.message("a/b", &[]), [ab, all, a_any]);
}

#[test]
fn a_message_of_3_1_1_is_for_all_that_match() {
    let mut bench = Bench::new(Version::V3_1_1);
    bench.connect(false);
    for text in ["a/b", "a/#", "$share/g/+/b", "b"] {
        bench
            .agent
            .stay_subscribed(bench.now, filter(text), QoS::AtMostOnce);
        assert_eq!(bench.grant(ReasonCode::SUCCESS).identifier, None);
    }
    let found = bench.message("a/b", &[]);
    assert_eq!(found, [filter("a/b"), filter("$share/g/+/b"), filter("a/#")]);
}

#[test]
fn an_ended_subscription_is_unsubscribed_and_its_messages_are_nobodys() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    bench
        .agent
        .stay_subscribed(bench.now, filter("a"), QoS::AtMostOnce);
    bench.grant(ReasonCode::SUCCESS);
    bench.agent.end_subscription(&filter("a"));
    assert_eq!(bench.written()[0], 0xa2, "UNSUBSCRIBE");
    assert!(bench.message("a", &[]).is_empty());
    assert_eq!(bench.agent.subscription(&filter("a")), None);
    assert_eq!(bench.changes(), []);
}

#[test]
fn what_is_wanted_again_before_farewells_are_released_is_never_unsubscribed() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    for text in ["kept", "left"] {
        bench
            .agent
            .stay_subscribed(bench.now, filter(text), QoS::AtMostOnce);
        bench.grant(ReasonCode::SUCCESS);
    }
    let node = bench
        .agent
        .add_node(bench.now, NodeConfig::new("base").unwrap())
        .unwrap();
    bench.grant(ReasonCode::SUCCESS);

    bench.agent.hold_farewells();
    bench.agent.end_subscription(&filter("kept"));
    bench.agent.end_subscription(&filter("left"));
    bench.agent.remove_node(node);
    assert_eq!(bench.written(), [0_u8; 0], "nothing is ended for now");
    assert!(bench.message("kept", &[]).is_empty(), "it is nobody's just now");
    for text in ["kept", "base/tres"] {
        bench
            .agent
            .stay_subscribed(bench.now, filter(text), QoS::AtMostOnce);
        bench.grant(ReasonCode::SUCCESS);
    }
    bench.agent.release_farewells();
    let written = bench.written();
    assert_eq!((written[0], &written[5..]), (0xa2, &b"\0\x04left"[..]));
    bench.agent.release_farewells();
    assert_eq!(bench.written(), [0_u8; 0], "each is ended once");
}

#[test]
fn a_connection_that_is_lost_while_farewells_are_held_changes_nothing_about_them() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    bench
        .agent
        .stay_subscribed(bench.now, filter("a"), QoS::AtMostOnce);
    bench.grant(ReasonCode::SUCCESS);
    bench.agent.hold_farewells();
    bench.agent.end_subscription(&filter("a"));
    bench.lose();
    bench.connect(true);
    assert_eq!(bench.written(), [0_u8; 0], "nothing is ended for now");
    bench.agent.release_farewells();
    assert_eq!(bench.written()[0], 0xa2, "UNSUBSCRIBE");
}

#[test]
fn a_reply_to_a_node_is_also_for_who_subscribes_to_it() {
    let mut bench = Bench::new(Version::V5);
    bench.connect(false);
    let node = NodeConfig::new("base").unwrap();
    bench.agent.add_node(bench.now, node).unwrap();
    bench.grant(ReasonCode::SUCCESS);
    bench
        .agent
        .stay_subscribed(bench.now, filter("base/#"), QoS::AtMostOnce);
    bench.grant(ReasonCode::SUCCESS);
    bench.drain();
    let mut outputs = bench.receive(&Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "base/tres",
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"no reply",
    }));
    assert!(matches!(outputs.remove(0), Output::Message(_)));
    assert!(matches!(outputs[..], [Output::Ignored(_)]));
}

#[test]
fn identifiers_are_within_their_range_and_stay_the_same() {
    for text in ["a", "#", "services/example1/#", "$share/g/a"] {
        let identifier = identifier_of(&filter(text));
        assert!((1..=MAX_IDENTIFIER).contains(&identifier));
    }
    // Sessions at brokers hold them: this one is for ever.
    assert_eq!(identifier_of(&filter("a")), 0xe40c_292c % MAX_IDENTIFIER + 1);
}
