//! Requests that are held, and how they end.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Plant, soon};

#[tokio::test]
async fn a_request_is_held_until_its_reply_has_come() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    client.get("/data/plant/read?unit=7&unit=8").await;
    let treq = plant.responder.next().await;
    assert_eq!(treq.topic, "services/plant/read/treq");
    assert_eq!(treq.value, json!({"unit": ["7", "8"]}));
    assert!(client.is_held());
    plant.responder.reply(&treq, "value", json!({"level": 0.5})).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"level":0.5}"#));
    assert_eq!(answer.fields["content-type"], "application/json");
}

#[tokio::test]
async fn replies_find_their_own_requests_in_any_order() {
    let mut plant = Plant::start().await;
    let mut clients = Vec::new();
    let mut treqs = Vec::new();
    for number in 0..20 {
        let mut client = plant.client().await;
        client
            .post("/DATA/PLANT/WRITE", "application/json", &number.to_string())
            .await;
        let treq = plant.responder.next().await;
        assert_eq!(treq.value, number);
        clients.push(client);
        treqs.push(treq);
    }
    for (number, treq) in treqs.iter().enumerate().rev() {
        plant.responder.reply(treq, "value", number.into()).await;
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.answer().await.body, number.to_string());
    }
}

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    client.get("/data/plant/read?n=1").await;
    client.post("/data/plant/write", "text/plain", "two").await;
    let first = plant.responder.next().await;
    assert!(
        plant.responder.none_came(),
        "the second one waits for the first one's answer"
    );
    plant.responder.reply(&first, "value", json!(1)).await;
    assert_eq!(client.answer().await.body, "1");
    let second = plant.responder.next().await;
    assert_eq!(second.value, "two");
    plant.responder.reply(&second, "value", json!(2)).await;
    assert_eq!(client.answer().await.body, "2");
}

#[tokio::test]
async fn an_error_reply_gives_its_code_and_message() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    for (accept, expected) in [
        ("*/*", json!({"error": {"code": 418, "message": "no tea"}})),
        (
            "application/problem+json",
            json!({"type": "about:blank", "title": "I'm a teapot", "status": 418, "detail": "no tea", "code": 418}),
        ),
    ] {
        client
            .send(format!(
                "GET /data/plant/read HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n"
            ))
            .await;
        let treq = plant.responder.next().await;
        plant
            .responder
            .reply(&treq, "error", json!({"code": 418, "message": "no tea"}))
            .await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.json()), (418, expected));
    }
}

#[tokio::test]
async fn a_timeout_gives_the_configured_code_and_text() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    let started = Instant::now();
    client.get("/data/plant/hasty").await;
    let answer = client.answer().await;
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(answer.status, 408);
    assert_eq!(
        answer.json(),
        json!({"error": {"code": 408, "message": "too late"}})
    );
    let treq = plant.responder.next().await;
    plant.responder.reply(&treq, "value", json!("late")).await;
    client.get("/data/plant/hasty").await;
    assert_eq!(
        client.answer().await.status,
        408,
        "a late reply answers nothing else"
    );
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_slot() {
    let mut plant = Plant::start().await;
    let mut first = plant.client().await;
    first.get("/data/plant/narrow").await;
    plant.responder.next().await;
    let mut second = plant.client().await;
    second.get("/data/plant/narrow").await;
    let refused = second.answer().await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.fields["retry-after"], "1");

    drop(first);
    let treq = soon("the slot to be free", async {
        loop {
            second.get("/data/plant/narrow").await;
            tokio::select! {
                treq = plant.responder.next() => break treq,
                answer = second.answer() => assert_eq!(answer.status, 503),
            }
        }
    })
    .await;
    plant.responder.reply(&treq, "value", json!("free")).await;
    assert_eq!(second.answer().await.body, "\"free\"");
}

#[tokio::test]
async fn head_is_answered_without_body_and_options_without_transaction() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    client
        .send("HEAD /data/plant/read HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    let treq = plant.responder.next().await;
    plant.responder.reply(&treq, "value", json!("four")).await;
    let answer = client.answer_to("HEAD").await;
    assert_eq!(
        (answer.status, answer.fields["content-length"].as_str()),
        (200, "6")
    );
    client
        .send("OPTIONS /data/plant/read HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.fields["allow"].as_str()),
        (204, "GET, HEAD, OPTIONS")
    );
    assert!(plant.responder.none_came());
}
