//! Broker gone and back, agent stopping.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;

use crate::support::{Client, Plant, Responder, address, agent, broker_at, loopback, soon};

#[tokio::test]
async fn without_broker_the_answer_is_503_at_once_and_recovery_needs_nobody() {
    let broker = broker_at(loopback()).await;
    let broker_address = broker.address();
    broker.stop().await;
    let agent = agent(broker_address, |settings| {
        settings.session.reconnect.first = Duration::from_millis(200);
        settings.session.reconnect.longest = Duration::from_millis(200);
    })
    .await;
    let mut client = Client::connect(address(&agent)).await;
    let asked = Instant::now();
    client.get("/data/plant/read").await;
    let answer = client.answer().await;
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "the node's timeout is 60 s"
    );
    assert_eq!((answer.status, answer.fields["retry-after"].as_str()), (503, "1"));

    for round in 0..2 {
        let broker = broker_at(broker_address).await;
        let node = &agent.served()[0].node;
        soon("the node to be ready", node.ready()).await.unwrap();
        let mut responder = Responder::start(broker_address).await;
        client.get("/data/plant/read").await;
        let treq = responder.next().await;
        responder.reply(&treq, "value", json!(round)).await;
        assert_eq!(client.answer().await.body, round.to_string());
        drop(responder);
        broker.stop().await;
        soon("the node to notice", node.not_ready()).await;
        client.get("/data/plant/read").await;
        assert_eq!(client.answer().await.status, 503);
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_stopping_agent_lets_held_requests_end_and_takes_no_more() {
    let mut plant = Plant::start().await;
    let (mut held, mut idle) = (plant.client().await, plant.client().await);
    idle.get("/data/plant/nowhere").await;
    assert_eq!(idle.answer().await.status, 404);
    held.get("/data/plant/read").await;
    let treq = plant.responder.next().await;
    let http = plant.address();
    let stopping = tokio::spawn(plant.agent.stop());
    idle.closed().await;
    soon("the listener to close", async {
        while TcpStream::connect(http).await.is_ok() {}
    })
    .await;
    assert!(held.is_held());
    plant.responder.reply(&treq, "value", json!(1)).await;
    assert_eq!(held.answer().await.status, 200);
    held.closed().await;
    soon("the agent to stop", stopping).await.unwrap();
    plant.broker.stop().await;
}

#[tokio::test]
async fn requests_that_outlast_the_drain_time_are_answered_with_503() {
    let mut plant = Plant::start_with(|settings| settings.drain_time = Duration::from_millis(100)).await;
    let mut held = plant.client().await;
    held.get("/data/plant/read").await;
    plant.responder.next().await;
    soon("the agent to stop", plant.agent.stop()).await;
    let answer = held.answer().await;
    assert_eq!((answer.status, answer.fields.get("retry-after")), (503, None));
    assert!(
        answer.body.contains("find out before sending it again"),
        "{}",
        answer.body
    );
    held.closed().await;
}
