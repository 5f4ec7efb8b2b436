//! The servers and clients that the other tests trust, against each other and without the agent.

use serde_json::json;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;

#[test]
fn responder_answers_with_the_id_of_the_request_and_comes_back_with_the_broker() {
    let mut broker = Mosquitto::start();
    let _responder = Responder::start(&broker, "base", |value| match value.as_str() {
        Some("refuse me") => Answer::Error(409, "refused".into()),
        Some("ignore me") => Answer::Silence,
        _ => Answer::Value(json!({ "seen": value })),
    });
    for _ in 0..2 {
        let mut replies = Subscription::start(&broker, "base/tres");
        broker.wait_for_log("base/treq (QoS 0)");
        for (id, value) in [("a", "ignore me"), ("b", "refuse me"), ("c", "hello")] {
            publish(
                &broker,
                "base/treq",
                &json!({ "id": id, "timestamp": 1, "value": value }).to_string(),
                &[],
            );
        }
        let mut next = || wait::until("a reply", wait::PATIENCE, || replies.poll()).1;
        let refusal = json!({ "code": 409, "message": "refused" });
        assert_eq!(next(), json!({ "id": "b", "timestamp": 1, "error": refusal }));
        assert_eq!(
            next(),
            json!({ "id": "c", "timestamp": 1, "value": { "seen": "hello" } })
        );
        drop(replies);
        broker.restart();
    }
}
