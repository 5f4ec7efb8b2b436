//! Standing subscriptions, with the test as the broker.

use alloc::vec::Vec;
use core::slice;

use super::bench::{Asked, Bench, filter};
use super::{Output, Readiness};
use crate::agent::subscriptions::{MAX_IDENTIFIER, identifier_of};
use crate::codec::{Packet, Properties, Property, PropertyBuf, Publish, QoS, ReasonCode, Version};
use crate::flowsync::NodeConfig;
use crate::limits::RESUBSCRIBE_INTERVAL;
use crate::topic::TopicFilter;

impl Bench {
    /// Grants or refuses the one subscription that is asked for.
    fn grant(&mut self, reason: ReasonCode) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        self.answer_each(&asked, reason);
        self.take();
        asked.remove(0)
    }

    /// The subscriptions that a message with these identifiers is for.
    fn message(&mut self, topic: &str, identifiers: &[u32]) -> Vec<TopicFilter> {
        let mut properties = PropertyBuf::new();
        for identifier in identifiers {
            properties
                .push(Property::SubscriptionIdentifier(*identifier))
                .unwrap();
        }
        self.receive(&Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            packet_id: None,
            properties: properties.as_properties(),
            payload: b"x",
        }));
        let [Output::Message(message)] = self.outputs() else {
            panic!("no message came");
        };
        self.agent.subscriptions_of(&message).cloned().collect()
    }

    fn changes(&mut self) -> Vec<(TopicFilter, Readiness)> {
        core::iter::from_fn(|| self.agent.poll_subscription()).collect()
    }
}

#[test]
fn a_subscription_comes_into_force_with_the_connection_and_again_when_the_session_was_lost() {
    let mut bench = Bench::of_version(Version::V5);
    assert!(
        bench
            .agent
            .stay_subscribed(bench.now, filter("a/+"), QoS::AtLeastOnce)
    );
    bench.connect(false);
    let asked = bench.grant(ReasonCode::GRANTED_QOS_1);
    assert_eq!(
        (asked.filter.as_str(), asked.qos),
        ("a/+", Some(QoS::AtLeastOnce))
    );
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
    let mut bench = Bench::of_version(Version::V5);
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
    let mut bench = Bench::of_version(Version::V5);
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
    let mut bench = Bench::of_version(Version::V5);
    bench.connect(false);
    for (qos, asked) in [
        (QoS::AtMostOnce, QoS::AtMostOnce),
        (QoS::ExactlyOnce, QoS::ExactlyOnce),
        (QoS::AtLeastOnce, QoS::ExactlyOnce),
    ] {
        assert!(bench.agent.stay_subscribed(bench.now, filter("a"), qos));
        assert_eq!(bench.asked().first().map(|asked| asked.qos), Some(Some(asked)));
    }
}

#[test]
fn a_message_is_for_the_subscriptions_that_its_identifiers_name() {
    let mut bench = Bench::of_version(Version::V5);
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
    let mut bench = Bench::of_version(Version::V3_1_1);
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
    let mut bench = Bench::of_version(Version::V5);
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
    let mut bench = Bench::of_version(Version::V5);
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
    let mut bench = Bench::of_version(Version::V5);
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
    let mut bench = Bench::of_version(Version::V5);
    bench.connect(false);
    let node = NodeConfig::new("base").unwrap();
    bench.agent.add_node(bench.now, node).unwrap();
    bench.grant(ReasonCode::SUCCESS);
    bench
        .agent
        .stay_subscribed(bench.now, filter("base/#"), QoS::AtMostOnce);
    bench.grant(ReasonCode::SUCCESS);
    bench.take();
    bench.receive(&Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "base/tres",
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"no reply",
    }));
    assert!(matches!(
        bench.outputs(),
        [Output::Message(_), Output::Ignored(_)]
    ));
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
