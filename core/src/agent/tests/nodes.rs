//! Nodes that come and go, with the test as the broker.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::bench::{Asked, Bench, WALL, filter};
use super::{Output, Readiness};
use crate::codec::{QoS, ReasonCode, Version};
use crate::flowsync::{ChangeError, NodeConfig, NodeId, Outcome, Refusal};

impl Bench {
    fn answer(&mut self, asked: &[Asked]) {
        self.answer_each(asked, ReasonCode::SUCCESS);
        self.take();
    }

    /// What the broker is asked for, and grants.
    fn granted(&mut self) -> Vec<String> {
        let asked = self.asked();
        self.answer(&asked);
        texts(&asked)
    }

    fn add(&mut self, base: &str) -> NodeId {
        self.agent.add_node(self.now, node(base)).unwrap()
    }

    fn change(&mut self, removed: &[NodeId], added: Vec<NodeConfig>) -> Result<Vec<NodeId>, ChangeError> {
        self.agent.change_nodes(self.now, removed, added)
    }

    fn request(&mut self, node: NodeId, token: u64) -> Result<(), Refusal> {
        let value = RawValue::from_string("1".into()).unwrap();
        let asked = self.agent.request(self.now, WALL, node, &value, token, None);
        asked.map(|_| ())
    }

    fn cancelled(&mut self) -> Vec<u64> {
        let outputs = self.take();
        let tokens = outputs.iter().filter_map(|output| match output {
            Output::Completed {
                token,
                outcome: Outcome::Cancelled,
                ..
            } => Some(*token),
            _ => None,
        });
        tokens.collect()
    }
}

fn node(base: &str) -> NodeConfig {
    NodeConfig::new(base).unwrap()
}

fn texts(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(ToString::to_string).collect()
}

#[test]
fn a_node_in_the_place_of_one_with_the_same_tres_is_ready_at_once() {
    let mut bench = Bench::of_version(Version::V5);
    let (old, kept) = (bench.add("a"), bench.add("b"));
    bench.connect(false);
    assert_eq!(bench.granted(), ["+a/tres 0", "+b/tres 0"]);
    bench.request(old, 1).unwrap();
    bench.request(kept, 2).unwrap();
    bench.written();

    let [new] = bench.change(&[old], vec![node("a")]).unwrap()[..] else {
        panic!("one node was added");
    };
    assert_eq!(bench.cancelled(), [1], "the other node's requests go on");
    assert!(bench.asked().is_empty(), "the subscription is taken over");
    assert_eq!(bench.agent.readiness(new), Some(Readiness::Ready));
    assert_eq!(bench.request(new, 3), Ok(()));
    assert_eq!(bench.request(old, 4), Err(Refusal::NoSuchNode));
    assert_eq!(bench.agent.in_flight(kept), 1);
}

#[test]
fn another_quality_is_subscribed_to_without_a_gap() {
    let mut bench = Bench::of_version(Version::V5);
    let old = bench.add("a");
    bench.connect(false);
    bench.granted();
    let changed = bench.change(&[old], vec![node("a").qos(QoS::AtLeastOnce)]);
    let new = changed.unwrap()[0];
    assert_eq!(bench.agent.readiness(new), Some(Readiness::Ready));
    assert_eq!(bench.granted(), ["+a/tres 1"]);
    assert_eq!(bench.agent.readiness(new), Some(Readiness::Ready));
}

#[test]
fn two_nodes_may_exchange_their_topics() {
    let mut bench = Bench::of_version(Version::V5);
    let (a, b) = (bench.add("a"), bench.add("b"));
    bench.connect(false);
    bench.granted();
    let swapped = bench
        .change(&[a, b], vec![node("b"), node("a"), node("c")])
        .unwrap();
    assert_eq!(bench.granted(), ["+c/tres 0"]);
    for node in swapped {
        assert_eq!(bench.agent.readiness(node), Some(Readiness::Ready));
    }
}

#[test]
fn a_change_that_cannot_be_made_leaves_all_as_it_was() {
    let mut bench = Bench::of_version(Version::V5);
    let (a, b) = (bench.add("a"), bench.add("b"));
    bench.connect(false);
    bench.granted();
    bench.request(a, 1).unwrap();
    bench.written();
    for added in [vec![node("c"), node("b")], vec![node("c"), node("c")]] {
        let error = bench.change(&[a], added).unwrap_err();
        assert!(matches!(error, ChangeError::Taken(_)), "{error}");
    }
    assert!(bench.take().is_empty() && bench.asked().is_empty());
    assert_eq!(bench.agent.in_flight(a), 1);
    assert_eq!(bench.agent.readiness(b), Some(Readiness::Ready));
}

#[test]
fn what_a_standing_subscription_needs_outlives_the_node() {
    let mut bench = Bench::of_version(Version::V5);
    let node = bench.add("a");
    let tres = filter("a/tres");
    assert!(
        bench
            .agent
            .stay_subscribed(bench.now, tres.clone(), QoS::AtLeastOnce)
    );
    bench.connect(false);
    assert_eq!(
        bench.granted(),
        ["+a/tres 1", "+a/tres 1"],
        "the later one serves both"
    );
    bench.agent.remove_node(node);
    assert!(bench.asked().is_empty());
    bench.agent.end_subscription(&tres);
    assert_eq!(bench.granted(), ["-a/tres"]);
}

#[test]
fn what_a_node_needs_outlives_the_standing_subscription() {
    let mut bench = Bench::of_version(Version::V5);
    let node = bench.add("a");
    let tres = filter("a/tres");
    assert!(
        bench
            .agent
            .stay_subscribed(bench.now, tres.clone(), QoS::AtMostOnce)
    );
    bench.connect(false);
    bench.granted();
    bench.agent.end_subscription(&tres);
    assert!(bench.asked().is_empty());
    assert_eq!(bench.agent.readiness(node), Some(Readiness::Ready));
    bench.agent.remove_node(node);
    assert_eq!(bench.granted(), ["-a/tres"]);
}

#[test]
fn what_was_left_without_a_connection_is_ended_in_the_session_that_was_kept() {
    let mut bench = Bench::of_version(Version::V5);
    let (left, again) = (bench.add("left"), bench.add("again"));
    bench.connect(false);
    bench.granted();
    bench.lose();
    bench.agent.remove_node(left);
    bench.agent.remove_node(again);
    bench.add("again");
    bench.connect(true);
    let asked = bench.asked();
    assert_eq!(texts(&asked), ["-left/tres", "+again/tres 0"]);

    bench.lose();
    bench.connect(true);
    assert_eq!(
        bench.granted(),
        ["-left/tres", "+again/tres 0"],
        "nobody has confirmed it"
    );
    bench.lose();
    bench.connect(true);
    assert_eq!(bench.granted(), ["+again/tres 0"]);
}

#[test]
fn a_new_session_has_nothing_to_take_leave_of() {
    let mut bench = Bench::of_version(Version::V5);
    let node = bench.add("a");
    bench.connect(false);
    bench.granted();
    bench.lose();
    bench.agent.remove_node(node);
    bench.connect(false);
    assert!(bench.asked().is_empty());
    bench.lose();
    bench.connect(true);
    assert!(bench.asked().is_empty());
}

#[test]
fn an_earlier_farewell_does_not_stand_for_a_later_one() {
    let mut bench = Bench::of_version(Version::V5);
    let first = bench.add("a");
    bench.connect(false);
    bench.granted();
    bench.agent.remove_node(first);
    let earlier = bench.asked();
    let second = bench.add("a");
    bench.agent.remove_node(second);
    assert_eq!(bench.asked().len(), 2);
    bench.answer(&earlier);
    bench.lose();
    bench.connect(true);
    assert_eq!(bench.granted(), ["-a/tres"]);
}
