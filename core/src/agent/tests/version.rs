//! An agent whose central is of another version, or of none.

use super::*;
use crate::codec::QoS;
use crate::registration::version::Likeness;
use crate::topic::TopicName;

/// A bench that is online and whose central says `version`.
fn online_with_central(version: &str) -> (Bench, Vec<Output>) {
    let mut bench = Bench::stored();
    bench.agent.check_version("1.4.2", Likeness::Compatible);
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::SUCCESS);
    let [Output::Connected(_), Output::AskVersion(request)] = bench.outputs() else {
        panic!("a connection does not ask the central");
    };
    let mut outputs = bench.tell_version(&request, version);
    bench.written();
    outputs.extend(bench.take());
    (bench, outputs)
}

impl Bench {
    fn tell_version(&mut self, request: &Request, version: &str) -> Vec<Output> {
        let body = alloc::format!("{{\"version\":\"{version}\"}}");
        let answer = Answer::Response {
            status: 200,
            retry_after: None,
            body: body.as_bytes(),
        };
        self.agent.handle_version_answer(self.now, request.id, &answer);
        self.take()
    }
}

#[test]
fn a_central_of_another_version_holds_the_agent_off_until_it_is_mended() {
    let (mut bench, outputs) = online_with_central("1.5.0");
    let [
        Output::VersionDiffers(mismatch, again),
        Output::CloseTransport,
        Output::Disconnected(end),
    ] = &outputs[..]
    else {
        panic!("a mismatch does not end the connection: {outputs:?}");
    };
    assert_eq!(
        (mismatch.central.as_str(), mismatch.own.as_str()),
        ("1.5.0", "1.4.2")
    );
    assert_eq!((end.reason, end.retry_at), (DisconnectReason::Requested, None));
    assert_eq!(bench.agent.poll_timeout(), Some(*again), "nothing else is tried");

    bench.pass();
    let [Output::AskVersion(request)] = bench.outputs() else {
        panic!("the central is not asked again");
    };
    let still = bench.tell_version(&request, "1.5.0");
    assert!(matches!(still[..], [Output::VersionDiffers(..)]), "{still:?}");
    bench.pass();
    let [Output::AskVersion(request)] = bench.outputs() else {
        panic!("the central is not asked again");
    };
    let mended = bench.tell_version(&request, "1.4.9");
    assert_eq!(
        mended,
        [Output::VersionAgrees(Some("1.4.9".into())), Output::OpenTransport]
    );
    assert_eq!(bench.open(), kept());
}

#[test]
fn what_is_said_on_a_mismatch_leaves_before_the_connection_ends() {
    let mut bench = Bench::stored();
    bench.agent.check_version("1.4.2", Likeness::Exact);
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::SUCCESS);
    let [Output::Connected(_), Output::AskVersion(request)] = bench.outputs() else {
        panic!("a connection does not ask the central");
    };
    let answer = Answer::Response {
        status: 200,
        retry_after: None,
        body: br#"{"version":"1.4.3"}"#,
    };
    bench.agent.handle_version_answer(bench.now, request.id, &answer);
    let Some(Output::VersionDiffers(..)) = bench.agent.poll(bench.now) else {
        panic!("a mismatch is not told first");
    };
    let topic = TopicName::try_from("state".to_string()).unwrap();
    let farewell = Publication::new(topic, "offline").qos(QoS::AtLeastOnce);
    bench.agent.publish(bench.now, farewell).unwrap();
    assert_eq!(bench.take(), [], "the connection waits for the acknowledgement");
    assert_eq!(bench.written()[0] >> 4, 3, "PUBLISH");
    bench.agent.rx_extend(&[0x40, 2, 0, 1]);
    let outputs = bench.take();
    assert!(matches!(outputs[0], Output::OpCompleted(..)), "{outputs:?}");
    assert_eq!(bench.written(), [0xE0, 0], "DISCONNECT");
}

#[test]
fn a_link_that_is_lost_on_the_way_off_is_not_final() {
    let mut bench = Bench::stored();
    bench.agent.check_version("1.4.2", Likeness::Exact);
    bench.take();
    bench.open();
    bench.connack(false, ReasonCode::SUCCESS);
    let [Output::Connected(_), Output::AskVersion(request)] = bench.outputs() else {
        panic!("a connection does not ask the central");
    };
    let topic = TopicName::try_from("state".to_string()).unwrap();
    let unacknowledged = Publication::new(topic, "x").qos(QoS::AtLeastOnce);
    bench.agent.publish(bench.now, unacknowledged).unwrap();
    bench.tell_version(&request, "1.4.3");
    bench.agent.handle_transport_closed(bench.now);
    let outputs = bench.take();
    assert!(matches!(outputs[..], [Output::Disconnected(_)]), "{outputs:?}");
}

#[test]
fn a_central_that_goes_together_or_tells_nothing_is_no_obstacle() {
    for (version, told) in [("1.4.0", Some("1.4.0")), ("?", None)] {
        let (bench, outputs) = online_with_central(version);
        assert_eq!(outputs, [Output::VersionAgrees(told.map(ToString::to_string))]);
        assert!(bench.agent.session().is_established());
    }
}

#[test]
fn disconnecting_ends_the_wait_for_the_central_and_connecting_asks_it_anew() {
    let (mut bench, _) = online_with_central("1.5.0");
    bench.agent.disconnect(bench.now, Disconnect::default()).unwrap();
    bench.take();
    assert_eq!(bench.agent.poll_timeout(), None);
    bench.agent.connect(bench.now);
    assert_eq!(bench.outputs(), [Output::OpenTransport]);
    bench.open();
    bench.connack(false, ReasonCode::SUCCESS);
    assert!(matches!(
        bench.outputs(),
        [Output::Connected(_), Output::AskVersion(_)]
    ));
}
