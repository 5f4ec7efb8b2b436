//! Random walks of a FlowSync requester whose nodes come and go: every request ends once, and a handle names one node for
//! ever.
//!
//! `SYNCLINE_WALKS=100000` walks more often. A failure prints the shortest walk that shows it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::value::RawValue;
use syncline_core::flowsync::{
    Delivery, NodeConfig, NodeId, Outcome, Refusal, Requester, TransactionId, Undeliverable,
};
use syncline_core::time::{Duration, Instant, UnixMillis};

/// Topics that nodes may have: few, so that they are taken, left and taken again.
const TOPICS: u8 = 4;
/// Requests that one node holds.
const MAX_IN_FLIGHT: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    Remove(u8),
    /// Removes the nodes of the first topics and adds nodes on the others, in one step.
    Change(Vec<u8>, Vec<u8>),
    /// A request of the node that was added as this one, which may be gone.
    Ask(usize),
    /// A reply to this transaction, on the tres of this topic.
    Reply(usize, u8),
    Abort(usize),
    Lose(usize),
    Pass(u64),
    CancelAll,
}

fn any_step() -> impl Strategy<Value = Step> {
    let topic = || 0..TOPICS;
    let topics = || prop::collection::vec(topic(), 0..4);
    prop_oneof![
        3 => topic().prop_map(Step::Add),
        2 => topic().prop_map(Step::Remove),
        4 => (topics(), topics()).prop_map(|(removed, added)| Step::Change(removed, added)),
        12 => (0_usize..20).prop_map(Step::Ask),
        8 => (0_usize..40, topic()).prop_map(|(asked, topic)| Step::Reply(asked, topic)),
        2 => (0_usize..40).prop_map(Step::Abort),
        2 => (0_usize..40).prop_map(Step::Lose),
        2 => (1_u64..1_500).prop_map(Step::Pass),
        1 => Just(Step::CancelAll),
    ]
}

/// A requester, and what has to be true of it.
struct World {
    requester: Requester,
    now: Instant,
    /// Every handle there ever was, with its topic, in the order in which they were given.
    handles: Vec<(NodeId, u8)>,
    /// The nodes that there are, by topic.
    nodes: BTreeMap<u8, NodeId>,
    /// Every transaction there ever was, and its node; its token is its place.
    asked: Vec<(TransactionId, NodeId)>,
    /// Tokens of those that wait.
    open: BTreeSet<usize>,
}

fn config(topic: u8) -> NodeConfig {
    let config = NodeConfig::new(&format!("n/{topic}")).expect("a topic");
    config.max_in_flight(MAX_IN_FLIGHT).expect("within the bounds")
}

impl World {
    fn new(seed: u8) -> Self {
        Self {
            requester: Requester::new([seed; 32]),
            now: Instant::from_micros(1),
            handles: Vec::new(),
            nodes: BTreeMap::new(),
            asked: Vec::new(),
            open: BTreeSet::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        let ended = match step {
            Step::Add(topic) => {
                let added = self.requester.add_node(config(*topic));
                assert_eq!(added.is_none(), self.nodes.contains_key(topic));
                if let Some(node) = added {
                    self.added(*topic, node);
                }
                BTreeSet::new()
            }
            Step::Remove(topic) => {
                let node = self.nodes.remove(topic);
                let removed = node.and_then(|node| self.requester.remove_node(node));
                assert_eq!(removed.is_some(), node.is_some());
                self.of(&node.into_iter().collect())
            }
            Step::Change(removed, added) => self.change(removed, added),
            Step::Ask(handle) => {
                self.ask(*handle);
                BTreeSet::new()
            }
            Step::Reply(asked, topic) => self.reply(*asked, *topic),
            Step::Abort(asked) => {
                if let Some((transaction, _)) = self.asked.get(*asked) {
                    self.requester.abort(*transaction);
                    // Nobody is told.
                    self.open.remove(asked);
                }
                BTreeSet::new()
            }
            Step::Lose(asked) => {
                if let Some((transaction, _)) = self.asked.get(*asked) {
                    self.requester
                        .undeliverable(*transaction, Undeliverable::LinkLost);
                }
                self.open.get(asked).copied().into_iter().collect()
            }
            Step::Pass(millis) => {
                self.now = self.now.after(Duration::from_millis(*millis));
                self.requester.handle_timeout(self.now);
                return self.check_timed_out();
            }
            Step::CancelAll => {
                self.requester.cancel_all();
                self.open.clone()
            }
        };
        self.check_ended(&ended);
    }

    fn added(&mut self, topic: u8, node: NodeId) {
        let known = self.handles.iter().any(|(handle, _)| *handle == node);
        assert!(!known, "{node:?} named another node before");
        self.handles.push((node, topic));
        self.nodes.insert(topic, node);
    }

    fn change(&mut self, removed: &[u8], added: &[u8]) -> BTreeSet<usize> {
        let leaving: BTreeSet<NodeId> = removed
            .iter()
            .filter_map(|topic| self.nodes.get(topic).copied())
            .collect();
        // Handles of nodes that are gone change nothing.
        let gone = self.handles.iter().map(|(handle, _)| *handle);
        let gone = gone.filter(|handle| !self.nodes.values().any(|node| node == handle));
        let named: Vec<NodeId> = leaving.iter().copied().chain(gone).collect();
        let stays = |topic: &u8| self.nodes.contains_key(topic) && !removed.contains(topic);
        let distinct: BTreeSet<_> = added.iter().collect();
        let fits = distinct.len() == added.len() && !added.iter().any(stays);
        let configs = added.iter().map(|topic| config(*topic)).collect();
        let changed = self.requester.change_nodes(&named, configs);
        assert_eq!(changed.is_ok(), fits, "{changed:?}");
        let Ok(nodes) = changed else {
            return BTreeSet::new();
        };
        assert_eq!(nodes.len(), added.len());
        self.nodes.retain(|topic, _| !removed.contains(topic));
        for (topic, node) in added.iter().zip(nodes) {
            self.added(*topic, node);
        }
        self.of(&leaving)
    }

    fn ask(&mut self, handle: usize) {
        let Some((node, topic)) = self.handles.get(handle).copied() else {
            return;
        };
        let value = RawValue::from_string("1".to_owned()).expect("JSON");
        let token = u64::try_from(self.asked.len()).expect("a token");
        let begun = self
            .requester
            .begin(self.now, UnixMillis(0), node, &value, token, None);
        let lives = self.nodes.get(&topic) == Some(&node);
        match begun {
            Ok(treq) => {
                assert!(lives, "a removed node has taken a request");
                assert_eq!(treq.topic.as_str(), format!("n/{topic}/treq"));
                self.open.insert(self.asked.len());
                self.asked.push((treq.transaction, node));
            }
            Err(Refusal::TooManyInFlight { .. }) => {
                assert!(lives && self.of(&BTreeSet::from([node])).len() == MAX_IN_FLIGHT);
            }
            Err(refusal) => assert!(!lives && refusal == Refusal::NoSuchNode, "{refusal}"),
        }
    }

    fn reply(&mut self, asked: usize, topic: u8) -> BTreeSet<usize> {
        let Some((transaction, node)) = self.asked.get(asked).copied() else {
            return BTreeSet::new();
        };
        let payload = Bytes::from(format!(r#"{{"id":"{transaction}","timestamp":1,"value":2}}"#));
        let delivery = self
            .requester
            .handle_message(&format!("n/{topic}/tres"), &payload, false);
        let own = self.nodes.get(&topic) == Some(&node);
        let completes = own && self.open.contains(&asked);
        match delivery {
            Delivery::Completed(completed) => assert!(completes && completed == transaction),
            Delivery::NotMine => assert!(!self.nodes.contains_key(&topic)),
            Delivery::Ignored(_) => assert!(!completes && self.nodes.contains_key(&topic)),
        }
        completes.then_some(asked).into_iter().collect()
    }

    /// Those of `nodes` that wait.
    fn of(&self, nodes: &BTreeSet<NodeId>) -> BTreeSet<usize> {
        let waits = |token: &&usize| nodes.contains(&self.asked[**token].1);
        self.open.iter().filter(waits).copied().collect()
    }

    fn completions(&mut self) -> Vec<(usize, Outcome)> {
        std::iter::from_fn(|| self.requester.poll())
            .map(|completion| {
                let token = usize::try_from(completion.token).expect("a token");
                assert_eq!(completion.transaction, self.asked[token].0);
                assert!(self.open.remove(&token), "{token} has ended before");
                (token, completion.outcome)
            })
            .collect()
    }

    /// Exactly these have ended.
    fn check_ended(&mut self, expected: &BTreeSet<usize>) {
        let ended: BTreeSet<usize> = self.completions().into_iter().map(|(token, _)| token).collect();
        assert_eq!(ended, *expected);
        self.check();
    }

    fn check_timed_out(&mut self) {
        for (token, outcome) in self.completions() {
            assert!(
                matches!(outcome, Outcome::TimedOut { .. }),
                "{token}: {outcome:?}"
            );
        }
        let next = self.requester.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now));
        self.check();
    }

    fn check(&self) {
        assert_eq!(self.requester.open(), self.open.len());
        for (node, topic) in &self.handles {
            let lives = self.nodes.get(topic) == Some(node);
            assert_eq!(self.requester.node_config(*node).is_some(), lives);
            let open = self.of(&BTreeSet::from([*node])).len();
            assert_eq!(self.requester.in_flight(*node), open);
        }
        let counters = self.requester.counters();
        let ended = counters.replied
            + counters.failed
            + counters.timed_out
            + counters.aborted
            + counters.cancelled
            + counters.undeliverable;
        let open = u64::try_from(self.open.len()).expect("a count");
        assert_eq!(counters.begun, ended + open);
    }
}

#[test]
fn every_request_ends_once_whatever_becomes_of_its_node() {
    let cases = std::env::var("SYNCLINE_WALKS").map_or(2_000, |text| {
        text.parse().expect("SYNCLINE_WALKS is a number of walks")
    });
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[6; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let walks = (any::<u8>(), prop::collection::vec(any_step(), 1..60));
    let walked = runner.run(&walks, |(seed, steps)| {
        let mut world = World::new(seed);
        for step in &steps {
            world.take(step);
        }
        // Whoever still waits is told in the end.
        world.take(&Step::CancelAll);
        assert!(world.open.is_empty());
        Ok(())
    });
    walked.unwrap_or_else(|failure| panic!("{failure}"));
}
