//! Requester, broker and responder in one loop on virtual time: a reply in the instant of its request finds its waiter,
//! and every transaction has exactly one outcome.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;
use syncline_core::agent::{Agent, Output, Readiness};
use syncline_core::codec::{PropertyBuf, QoS};
use syncline_core::flowsync::{
    Answer, Incoming, NodeConfig, NodeId, Outcome, Responder, ResponderConfig, TransactionId, tres_topic,
};
use syncline_core::rng::Rng;
use syncline_core::session::{Config, Filter, Publication, Session, VersionPolicy};
use syncline_core::time::{Duration, Instant, UnixMillis};
use syncline_core::topic::{TopicFilter, TopicName};
use syncline_core::{flowsync, session};
use syncline_tests::virtual_broker::{ConnectionId, VirtualBroker};

const WALL: UnixMillis = UnixMillis(1_790_000_000_000);
const STEP_BOUND: usize = 1_000;

/// The three parties and the clock.
struct World {
    now: Instant,
    rng: Rng,
    broker: VirtualBroker,
    agent: Agent,
    agent_link: ConnectionId,
    node: NodeId,
    session: Session,
    session_link: ConnectionId,
    responder: Responder,
    /// Whether the responder also misbehaves.
    odd_replies: bool,
    outcomes: BTreeMap<u64, Vec<Outcome>>,
}

impl World {
    fn new(seed: u8, version: VersionPolicy, qos: QoS) -> Self {
        let mut broker = VirtualBroker::default();
        let (agent_link, session_link) = (broker.accept(), broker.accept());
        let config = |id: &str| {
            let mut config = Config::new(id);
            config.version = version;
            // Every step of a burst at once.
            config.max_qos_2_in_flight = core::num::NonZeroU16::MAX;
            config
        };
        let now = Instant::from_micros(1);
        let mut agent = Agent::new(config("agent"), [seed; 32]).unwrap();
        let node = agent
            .add_node(now, NodeConfig::new("services/s/n").unwrap().qos(qos))
            .unwrap();
        let mut world = Self {
            now,
            rng: Rng::from_seed([seed; 32]),
            broker,
            agent,
            agent_link,
            node,
            session: Session::new(config("responder"), [seed ^ 0xff; 32]).unwrap(),
            session_link,
            responder: Responder::new(ResponderConfig::default()),
            odd_replies: false,
            outcomes: BTreeMap::new(),
        };
        world.session.connect(now);
        world.agent.connect(now);
        world.settle();
        assert_eq!(world.agent.readiness(node), Some(Readiness::Ready));
        world
    }

    fn request(&mut self, token: u64) -> TransactionId {
        let value = RawValue::from_string(token.to_string()).unwrap();
        self.agent
            .request(self.now, WALL, self.node, &value, token, None)
            .expect("the node is ready")
    }

    /// Runs all parties, without a step of the clock, until nobody has anything to say.
    fn settle(&mut self) {
        for _ in 0..STEP_BOUND {
            let quiet = !self.step_agent() & !self.step_responder();
            if quiet {
                return;
            }
        }
        panic!("the parties still talk after {STEP_BOUND} steps");
    }

    fn step_agent(&mut self) -> bool {
        let mut busy = false;
        let mut incoming = self.broker.take_output(self.agent_link);
        loop {
            let n = self.agent.rx_extend(&incoming);
            incoming.drain(..n);
            busy |= n > 0;
            while let Some(output) = self.agent.poll(self.now) {
                busy = true;
                match output {
                    Output::OpenTransport => self.agent.handle_transport_open(self.now),
                    Output::Completed { token, outcome, .. } => {
                        self.outcomes.entry(token).or_default().push(outcome);
                    }
                    _ => {}
                }
            }
            if incoming.is_empty() {
                break;
            }
        }
        let outgoing = self.agent.transmit().runs().collect::<Vec<_>>().concat();
        self.agent.tx_advance(self.now, outgoing.len());
        self.broker.receive(self.now, self.agent_link, &outgoing);
        busy | !outgoing.is_empty()
    }

    fn step_responder(&mut self) -> bool {
        let mut busy = false;
        let mut incoming = self.broker.take_output(self.session_link);
        loop {
            let n = self.session.rx_extend(&incoming);
            incoming.drain(..n);
            busy |= n > 0;
            while let Some(output) = self.session.poll(self.now) {
                busy = true;
                match output {
                    session::Output::OpenTransport => self.session.handle_transport_open(self.now),
                    session::Output::Connected(_) => self.subscribe(),
                    session::Output::Message(message) => {
                        self.answer(message.topic(), &message.payload_bytes());
                    }
                    _ => {}
                }
            }
            if incoming.is_empty() {
                break;
            }
        }
        let outgoing = self.session.transmit().runs().collect::<Vec<_>>().concat();
        self.session.tx_advance(self.now, outgoing.len());
        self.broker.receive(self.now, self.session_link, &outgoing);
        busy | !outgoing.is_empty()
    }

    fn subscribe(&mut self) {
        let filter = Filter {
            filter: TopicFilter::from_static("services/+/+/treq").unwrap(),
            options: syncline_core::codec::SubscribeOptions {
                qos: QoS::ExactlyOnce,
                ..Default::default()
            },
        };
        self.session.subscribe(&[filter], &PropertyBuf::new()).unwrap();
    }

    /// Answers with the request's own value, so that a mixed-up reply shows; sometimes oddly, where that is asked for.
    fn answer(&mut self, topic: &str, payload: &Bytes) {
        let Incoming::Fresh {
            transaction, value, ..
        } = self.responder.handle_request(self.now, payload, None)
        else {
            return;
        };
        let value = RawValue::from_string(String::from_utf8(value.to_vec()).unwrap()).unwrap();
        let tres = self
            .responder
            .respond(WALL, transaction, &Answer::Value(&value))
            .unwrap();
        let topic = TopicName::new(tres_topic(topic).unwrap()).unwrap();
        let mut replies = vec![tres.clone()];
        if self.odd_replies {
            match self.rng.next_u64() % 8 {
                0 => replies.push(tres),
                1 => replies.insert(0, Bytes::from_static(b"{\"id\":")),
                2 => replies.insert(0, flowsync::encode_value(self.rng.uuid().into(), WALL, &value)),
                3 => replies.clear(),
                _ => {}
            }
        }
        for reply in replies {
            let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][self.rng.next_u64() as usize % 3];
            self.session
                .publish(self.now, Publication::new(topic.clone(), reply).qos(qos))
                .unwrap();
        }
    }

    /// Moves the clock to the next deadline of the agent.
    fn pass_time(&mut self) {
        if let Some(at) = self.agent.poll_timeout() {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.session.handle_timeout(self.now);
        }
    }
}

fn worlds() -> impl Iterator<Item = World> {
    let versions = [VersionPolicy::V3_1_1, VersionPolicy::V5];
    let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    (1_u8..)
        .zip(
            versions
                .into_iter()
                .flat_map(move |version| levels.map(|qos| (version, qos))),
        )
        .map(|(seed, (version, qos))| World::new(seed, version, qos))
}

#[test]
fn a_reply_in_the_instant_of_its_request_never_misses_its_waiter() {
    for mut world in worlds() {
        for token in 0..5_000 {
            world.request(token);
            world.settle();
            let value = Bytes::from(token.to_string());
            assert_eq!(
                world.outcomes.remove(&token),
                Some(vec![Outcome::Replied { value }])
            );
        }
        assert_eq!(world.agent.open_transactions(), 0);
        assert_eq!(world.agent.counters().replied, 5_000);
    }
}

#[test]
fn requests_in_one_burst_each_get_their_own_reply() {
    for mut world in worlds() {
        for token in 0..10_000 {
            world.request(token);
        }
        world.settle();
        for token in 0..10_000_u64 {
            let value = Bytes::from(token.to_string());
            assert_eq!(
                world.outcomes.remove(&token),
                Some(vec![Outcome::Replied { value }])
            );
        }
        assert_eq!(world.agent.session().in_flight(), 0);
    }
}

#[test]
fn odd_missing_and_repeated_replies_leave_each_transaction_with_one_outcome() {
    for mut world in worlds() {
        world.odd_replies = true;
        let mut aborted = 0;
        for token in 0..4_000 {
            let transaction = world.request(token);
            if token % 16 == 0 {
                world.agent.abort(transaction);
                aborted += 1;
            }
            if token % 50 == 0 {
                world.settle();
                world.now = world.now.after(Duration::from_millis(1));
            }
        }
        world.settle();
        while world.agent.open_transactions() > 0 {
            world.pass_time();
            world.settle();
        }
        assert!(world.outcomes.values().all(|outcomes| outcomes.len() == 1));
        assert_eq!(world.outcomes.len() as u64, 4_000 - aborted);
        let timed_out = world
            .outcomes
            .values()
            .filter(|o| matches!(o[0], Outcome::TimedOut { .. }))
            .count() as u64;
        let counters = *world.agent.counters();
        assert_eq!(
            (counters.begun, counters.aborted, counters.timed_out),
            (4_000, aborted, timed_out)
        );
        assert_eq!(counters.replied, 4_000 - aborted - timed_out);
        assert!(timed_out > 0 && counters.duplicate > 0 && counters.unknown > 0 && counters.malformed > 0);
        assert!(counters.late > 0, "replies to aborted transactions are late");
    }
}
