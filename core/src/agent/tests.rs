//! What the machines do together: refusals that lead to the registry, grants that connect, and requests of nodes.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::codec::{self, Packet, PacketType, ReasonCode, Version};
use crate::flowsync::{self, NodeConfig};
use crate::registration::{self, Answer, Credentials, Failure, Login, Mode, Obstacle, Request, State};
use crate::session::{AckMode, DisconnectReason};
use crate::time::Duration;

mod bench;
mod nodes;
mod subscriptions;
mod version;

use bench::{Bench, WALL};

impl Bench {
    fn new(login: Login) -> Self {
        let registration = registration::Config {
            mode: Mode::Auto,
            login,
            csr: None,
        };
        let mut bench = Self::of_version(Version::V5);
        bench.agent.register_with(registration).unwrap();
        bench.agent.connect(bench.now);
        bench
    }

    fn stored() -> Self {
        Self::new(Login::Stored(credentials()))
    }

    /// Opens the transport and returns the credentials in the CONNECT.
    fn open(&mut self) -> (Option<String>, Option<Vec<u8>>) {
        self.agent.handle_transport_open(self.now);
        let bytes = self.written();
        let header = codec::peek(&bytes, Version::V5, u32::MAX)
            .unwrap()
            .expect("a whole packet");
        assert_eq!(header.packet_type, PacketType::Connect);
        let Packet::Connect(connect) = codec::decode(header, &bytes, Version::V5).unwrap() else {
            panic!("the first packet is not CONNECT");
        };
        (
            connect.username.map(ToString::to_string),
            connect.password.map(<[u8]>::to_vec),
        )
    }

    fn answer_registry(&mut self, request: &Request, status: u16) {
        let answer = Answer::Response {
            status,
            retry_after: None,
            body: b"{}",
        };
        self.agent
            .handle_registry_answer(self.now, WALL, request.id, &answer);
    }

    /// An agent without a registration, connected, whose one node is ready and whose acknowledgements are the caller's.
    fn with_ready_node() -> (Self, NodeId) {
        let mut bench = Self::with(Version::V5, |config| config.acks = AckMode::Manual);
        let node = NodeConfig::new("base").unwrap();
        let node = bench.agent.add_node(bench.now, node).unwrap();
        bench.agent.connect(bench.now);
        bench.take();
        bench.open();
        bench.connack(false, ReasonCode::SUCCESS);
        bench.take();
        let subscribe = bench.written();
        bench
            .agent
            .rx_extend(&[0x90, 4, subscribe[2], subscribe[3], 0, 0]);
        assert_eq!(bench.outputs(), [Output::NodeChanged(node, Readiness::Ready)]);
        (bench, node)
    }

    fn state(&self) -> State {
        self.agent.registration().unwrap().state()
    }
}

fn credentials() -> Credentials {
    Credentials::new("line-1", "kept-from-before").unwrap()
}

fn kept() -> (Option<String>, Option<Vec<u8>>) {
    (Some("line-1".into()), Some(b"kept-from-before".to_vec()))
}

#[test]
fn refused_credentials_are_registered_with_the_same_password_and_connect_when_granted() {
    let mut bench = Bench::stored();
    let node = bench
        .agent
        .add_node(bench.now, NodeConfig::new("base").unwrap())
        .unwrap();
    assert_eq!(bench.outputs(), [Output::OpenTransport]);
    assert_eq!(bench.open(), kept());
    bench.connack(false, ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    let [
        Output::CloseTransport,
        Output::Disconnected(disconnected),
        Output::AskRegistry(request),
    ] = bench.outputs()
    else {
        panic!("a refusal does not lead to the registry");
    };
    assert_eq!(disconnected.retry_at, None);
    assert!(request.body.ends_with(br#""password":"kept-from-before"}"#));

    bench.answer_registry(&request, 202);
    let [Output::RegistrationDelayed(delay)] = bench.outputs() else {
        panic!("pending does not delay");
    };
    assert_eq!(delay.obstacle, Obstacle::Pending);
    assert_eq!(bench.agent.poll_timeout(), delay.retry_at);
    bench.pass();
    let [Output::AskRegistry(request)] = bench.outputs() else {
        panic!("the registry is not asked again");
    };
    bench.answer_registry(&request, 201);
    let [Output::Granted(_), Output::OpenTransport] = bench.outputs() else {
        panic!("a grant does not connect");
    };
    assert_eq!(bench.open(), kept());
    bench.connack(false, ReasonCode::SUCCESS);
    assert!(matches!(bench.outputs(), [Output::Connected(_)]));
    assert_eq!(bench.state(), State::Online);
    let subscribe = bench.written();
    assert_eq!(subscribe[0], 0x82, "SUBSCRIBE for the node");
    assert_eq!(bench.agent.readiness(node), Some(Readiness::Waiting));
}

#[test]
fn new_credentials_are_stored_before_the_registry_and_the_broker_see_them() {
    let mut bench = Bench::new(Login::New {
        username: "line-1".into(),
    });
    let [Output::StoreCredentials(stored)] = bench.outputs() else {
        panic!("new credentials are not stored first");
    };
    bench.agent.handle_credentials_stored(bench.now);
    let [Output::AskRegistry(request)] = bench.outputs() else {
        panic!("stored credentials are not registered");
    };
    let unreachable = Answer::Failed(Failure::Unreachable);
    bench
        .agent
        .handle_registry_answer(bench.now, WALL, request.id, &unreachable);
    let [Output::RegistrationDelayed(_), Output::OpenTransport] = bench.outputs() else {
        panic!("without a registry the broker is not asked");
    };
    let shown = bench.open();
    assert_eq!(
        shown,
        (
            Some(stored.username().into()),
            Some(stored.password().as_bytes().to_vec())
        )
    );
}

#[test]
fn a_lost_link_is_the_sessions_to_mend() {
    let mut bench = Bench::stored();
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::SUCCESS);
    bench.take();
    for _ in 0..3 {
        bench.agent.handle_transport_closed(bench.now);
        let [Output::Disconnected(disconnected)] = bench.outputs() else {
            panic!("a lost link is more than that");
        };
        assert!(disconnected.retry_at.is_some());
        bench.pass();
        assert_eq!(bench.outputs(), [Output::OpenTransport]);
        assert_eq!(bench.open(), kept());
        bench.connack(false, ReasonCode::SUCCESS);
        assert!(matches!(bench.outputs(), [Output::Connected(_)]));
        assert_eq!(bench.state(), State::Online);
    }
}

#[test]
fn a_refusal_that_is_not_about_credentials_is_tried_again_without_the_registry() {
    let mut bench = Bench::stored();
    bench.take();
    for _ in 0..5 {
        bench.open();
        bench.connack(false, ReasonCode::BANNED);
        let [Output::CloseTransport, Output::Disconnected(disconnected)] = bench.outputs() else {
            panic!("a ban is more than that");
        };
        assert!(disconnected.retry_at.is_some());
        bench.pass();
        assert_eq!(bench.outputs(), [Output::OpenTransport]);
    }
}

#[test]
fn what_is_final_is_told_once() {
    let mut bench = Bench::stored();
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::SUCCESS);
    bench.take();
    // DISCONNECT with session taken over.
    bench.agent.rx_extend(&[0xE0, 0x02, 0x8E, 0x00]);
    let [
        Output::CloseTransport,
        Output::Disconnected(_),
        Output::GaveUp(reason),
    ] = bench.outputs()
    else {
        panic!("a session taken over is not final");
    };
    assert_eq!(reason, DisconnectReason::ByServer(ReasonCode::SESSION_TAKEN_OVER));

    let mut bench = Bench::stored();
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::NOT_AUTHORIZED);
    let [.., Output::AskRegistry(request)] = &bench.take()[..] else {
        panic!("a refusal does not lead to the registry");
    };
    let request = request.clone();
    bench.answer_registry(&request, 422);
    assert!(matches!(bench.outputs(), [Output::Denied(_)]));
    assert_eq!(bench.agent.poll_timeout(), None);
}

#[test]
fn disconnecting_ends_a_registration_wherever_it_stands() {
    let mut bench = Bench::stored();
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::NOT_AUTHORIZED);
    bench.take();
    assert_eq!(bench.state(), State::AwaitResponse);
    bench.agent.disconnect(bench.now, Disconnect::default()).unwrap();
    assert_eq!(bench.state(), State::Idle);
    assert_eq!(bench.agent.poll_timeout(), None);
    assert!(
        !bench
            .take()
            .iter()
            .any(|output| matches!(output, Output::GaveUp(_)))
    );
    bench.now = bench.now.after(Duration::from_secs(3600));
    bench.agent.handle_timeout(bench.now);
    assert_eq!(bench.take(), []);
}

#[test]
fn without_a_registration_a_refusal_is_final_unless_the_policy_is_to_retry() {
    let mut bench = Bench::with(Version::V5, |config| config.username = Some("line-1".into()));
    bench.agent.connect(bench.now);
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::NOT_AUTHORIZED);
    let [
        Output::CloseTransport,
        Output::Disconnected(_),
        Output::GaveUp(reason),
    ] = bench.outputs()
    else {
        panic!("a refusal is not final");
    };
    assert_eq!(reason, DisconnectReason::Refused(ReasonCode::NOT_AUTHORIZED));
}

#[test]
fn a_reply_that_the_caller_never_sees_is_acknowledged_for_it() {
    let (mut bench, node) = Bench::with_ready_node();
    let value = serde_json::value::to_raw_value(&1).unwrap();
    let transaction = bench.agent.request(bench.now, WALL, node, &value, 7, None);
    bench.written();
    let tres = alloc::format!(r#"{{"id":"{}","timestamp":1,"value":2}}"#, transaction.unwrap());
    let publish = |packet_id: u8, payload: &str| {
        let len = u8::try_from(2 + 9 + 2 + 1 + payload.len()).unwrap();
        let head = [&[0x32, len, 0, 9][..], b"base/tres", &[0, packet_id, 0]].concat();
        [head, payload.as_bytes().to_vec()].concat()
    };
    bench.agent.rx_extend(&publish(5, &tres));
    let [Output::Completed { token: 7, .. }] = bench.outputs() else {
        panic!("the reply does not complete the transaction");
    };
    assert_eq!(bench.written(), [0x40, 2, 0, 5]);

    bench.agent.rx_extend(&publish(6, "garbage"));
    assert!(matches!(bench.outputs(), [Output::Ignored(_)]));
    assert_eq!(bench.written(), [0x40, 2, 0, 6]);
}

#[test]
fn the_end_of_a_removed_nodes_subscription_is_not_told() {
    let (mut bench, node) = Bench::with_ready_node();
    bench.agent.remove_node(node);
    let unsubscribe = bench.written();
    assert_eq!(unsubscribe[0], 0xA2);
    bench
        .agent
        .rx_extend(&[0xB0, 4, unsubscribe[2], unsubscribe[3], 0, 0]);
    assert_eq!(bench.take(), []);
    assert_eq!(bench.agent.readiness(node), None);
}

#[test]
fn a_request_says_by_its_properties_where_its_answer_goes_and_until_when() {
    let (mut bench, node) = Bench::with_ready_node();
    let value = serde_json::value::to_raw_value(&1).unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let terms = Terms {
        timeout: Some(Duration::from_millis(1200)),
        trace: Some(trace.parse().unwrap()),
    };
    let asked = bench.agent.request_on(bench.now, WALL, node, &value, 7, &terms);
    let transaction = asked.unwrap();
    let bytes = bench.written();
    let header = codec::peek(&bytes, Version::V5, u32::MAX).unwrap().unwrap();
    let Packet::Publish(publish) = codec::decode(header, &bytes, Version::V5).unwrap() else {
        panic!("the request is no PUBLISH");
    };
    let asked = flowsync::Asked::read(publish.topic, &publish.properties).unwrap();
    assert_eq!(asked.reply_to.as_str(), "base/tres");
    assert_eq!(
        asked.expiry,
        Some(Duration::from_secs(2)),
        "whole seconds, rounded up"
    );
    assert_eq!(asked.trace.unwrap().as_str(), trace);
    assert_eq!(
        asked.correlation.as_deref(),
        Some(transaction.to_string().as_bytes())
    );
    // Whoever answers by that alone is understood.
    let id = transaction.to_string();
    let payload = br#"{"value":2}"#;
    let properties = [&[9, 0, 36][..], id.as_bytes()].concat();
    let body = [&[0, 9][..], b"base/tres", &[39], &properties, payload].concat();
    let head = [0x30, u8::try_from(body.len()).unwrap()];
    bench.agent.rx_extend(&[&head[..], &body].concat());
    let [Output::Completed { token: 7, .. }] = bench.outputs() else {
        panic!("the reply does not complete the transaction");
    };
}
