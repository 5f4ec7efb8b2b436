//! Clients that close their side while their request is held: those who wait are answered, those who have gone are forgotten.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::support::{Client, Plant, soon};

const GET: &str = "GET /data/plant/narrow HTTP/1.1\r\nHost: plant\r\n\r\n";

/// A client that has asked the node that holds one request, and has closed its side.
async fn half_closed(plant: &mut Plant, request: &str) -> Client {
    let mut client = plant.client().await;
    client.send(request).await;
    client.stream.shutdown().await.unwrap();
    client
}

/// Asks until the node's one place is free.
async fn place_is_free(plant: &mut Plant) {
    soon("the place to be free", async {
        loop {
            let mut next = plant.client().await;
            next.send(GET).await;
            tokio::select! {
                answer = next.answer() => assert_eq!(answer.status, 503),
                treq = plant.responder.next() => {
                    plant.responder.reply(&treq, "value", json!("free")).await;
                    assert_eq!(next.answer().await.body, "\"free\"");
                    return;
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_has_closed_its_side_gets_its_answer_and_the_end() {
    let mut plant = Plant::start().await;
    let mut client = half_closed(&mut plant, GET).await;
    let treq = plant.responder.next().await;
    assert_eq!(client.answer().await.status, 100, "asks whether anybody is there");
    plant.responder.reply(&treq, "value", json!("late")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "\"late\""));
    client.closed().await;
}

#[tokio::test]
async fn requests_that_came_before_the_end_are_all_answered() {
    let mut plant = Plant::start().await;
    let mut client = half_closed(&mut plant, &GET.repeat(2)).await;
    for number in 1..=2 {
        let treq = plant.responder.next().await;
        plant.responder.reply(&treq, "value", json!(number)).await;
    }
    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        let answer = client.answer().await;
        if answer.status == 200 {
            bodies.push(answer.body);
        }
    }
    assert_eq!(bodies, ["1", "2"]);
    client.closed().await;
}

#[tokio::test]
async fn a_client_that_goes_away_after_it_has_closed_its_side_frees_its_place() {
    let mut plant = Plant::start().await;
    let mut client = half_closed(&mut plant, GET).await;
    plant.responder.next().await;
    assert_eq!(client.answer().await.status, 100);
    drop(client);
    place_is_free(&mut plant).await;
}

#[tokio::test]
async fn a_client_of_http_1_0_that_closes_its_side_has_gone() {
    let mut plant = Plant::start().await;
    let mut client = half_closed(&mut plant, "GET /data/plant/narrow HTTP/1.0\r\n\r\n").await;
    plant.responder.next().await;
    client.closed().await;
    place_is_free(&mut plant).await;
}
