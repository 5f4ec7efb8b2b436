//! Pages of other origins, clients that wait for less or come again, and the description of the nodes.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Plant;

const OURS: &str = "https://plant.example";

fn options(path: &str, origin: &str) -> String {
    format!(
        "OPTIONS {path} HTTP/1.1\r\nHost: plant\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    )
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_is_told_what_it_may_send() {
    let plant = Plant::start().await;
    let mut client = plant.client().await;
    client.send(options("/data/plant/write", OURS)).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.fields["access-control-allow-origin"], OURS);
    assert_eq!(answer.fields["access-control-allow-methods"], "OPTIONS, POST");
    assert!(answer.fields["access-control-allow-headers"].contains("authorization"));
    client
        .send(options("/data/plant/write", "https://elsewhere.example"))
        .await;
    let answer = client.answer().await;
    assert!(!answer.fields.contains_key("access-control-allow-origin"));
    client.send(options("/data/plant/nowhere", OURS)).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 404);
    assert!(!answer.fields.contains_key("access-control-allow-methods"));
}

#[tokio::test]
async fn errors_that_no_node_answers_are_shared_with_allowed_origins_as_well() {
    let plant = Plant::start().await;
    let mut client = plant.client().await;
    for (path, status, shared) in [
        ("/data/Plant/nowhere", 404, true),
        ("/data/plant/write", 405, true),
        ("/data/planter", 404, false),
    ] {
        client
            .send(format!(
                "DELETE {path} HTTP/1.1\r\nHost: plant\r\nOrigin: {OURS}\r\n\r\n"
            ))
            .await;
        let answer = client.answer().await;
        let origin = answer.fields.get("access-control-allow-origin");
        assert_eq!(
            (answer.status, origin.is_some_and(|origin| origin == OURS)),
            (status, shared),
            "{path}"
        );
    }
}

#[tokio::test]
async fn answers_and_errors_are_shared_with_allowed_origins_alone() {
    let plant = Plant::start().await;
    let mut client = plant.client().await;
    for (origin, shared) in [(OURS, true), ("https://elsewhere.example", false)] {
        client
            .send(format!(
                "GET /data/plant/hasty HTTP/1.1\r\nHost: plant\r\nOrigin: {origin}\r\n\r\n"
            ))
            .await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.fields["vary"].as_str()), (408, "origin"));
        assert_eq!(
            answer.fields.contains_key("access-control-allow-origin"),
            shared,
            "{origin}"
        );
    }
}

#[tokio::test]
async fn a_client_that_prefers_to_wait_for_less_is_held_for_less() {
    let plant = Plant::start().await;
    let mut client = plant.client().await;
    let asked = Instant::now();
    client
        .send("GET /data/plant/read HTTP/1.1\r\nHost: plant\r\nPrefer: wait=1\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert!(
        asked.elapsed() >= Duration::from_secs(1),
        "the node's own time is 60 s"
    );
    assert_eq!(
        (answer.status, answer.fields["preference-applied"].as_str()),
        (500, "wait=1")
    );
}

#[tokio::test]
async fn the_nodes_are_described() {
    let plant = Plant::start().await;
    let mut client = plant.client().await;
    client.get("/openapi.json").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["paths"]["/data/Plant/Write"]["post"]["operationId"],
        "plant.write"
    );
}

fn keyed(key: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /data/plant/write HTTP/1.1\r\nHost: plant\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: \
         {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_request_that_comes_again_with_its_key_is_published_once() {
    let mut plant = Plant::start().await;
    let mut lost = plant.client().await;
    lost.send(keyed("order-1", "1")).await;
    let treq = plant.responder.next().await;
    // Its client goes away while it is held, and comes again.
    drop(lost);
    let mut client = plant.client().await;
    client.send(keyed("order-1", "1")).await;
    plant.responder.reply(&treq, "value", json!("done")).await;
    assert_eq!(client.answer().await.body, "\"done\"");
    client.send(keyed("order-1", "1")).await;
    assert_eq!(client.answer().await.body, "\"done\"");
    client.send(keyed("order-1", "2")).await;
    assert_eq!(client.answer().await.status, 422);
    assert!(plant.responder.none_came());

    client.send(keyed("order-2", "1")).await;
    let treq = plant.responder.next().await;
    plant
        .responder
        .reply(&treq, "error", json!({"code": 409, "message": "no"}))
        .await;
    for _ in 0..2 {
        assert_eq!(client.answer().await.status, 409);
        client.send(keyed("order-2", "1")).await;
    }
    assert!(plant.responder.none_came());
}
