//! Time and number: what a slow or greedy client can hold on to.

use std::time::Duration;

use crate::support::{Client, Plant};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_head_that_does_not_end_in_time_is_answered_with_408_and_the_end() {
    let plant = Plant::start_with(|settings| settings.http_limits.head_time = SHORT).await;
    let mut silent = plant.client().await;
    silent.closed().await;
    let mut slow = plant.client().await;
    slow.get("/data/plant/nowhere").await;
    assert_eq!(slow.answer().await.status, 404);
    slow.send("GET /data/plant/nowhere HTTP/1.1\r\nHost: h\r\n").await;
    let answer = slow.answer().await;
    assert_eq!(
        (answer.status, answer.fields["connection"].as_str()),
        (408, "close")
    );
    assert_eq!(answer.json()["error"]["code"], 408);
    slow.closed().await;
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_is_answered_with_408() {
    let plant = Plant::start_with(|settings| settings.http_limits.body_time = SHORT).await;
    let mut client = plant.client().await;
    client
        .send("POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nContent-Length: 2\r\n\r\na")
        .await;
    assert_eq!(client.answer().await.status, 408);
    client.closed().await;
}

#[tokio::test]
async fn an_idle_connection_ends_after_its_time_and_not_with_the_head_time() {
    let plant = Plant::start_with(|settings| {
        settings.http_limits.head_time = SHORT;
        settings.http_limits.idle_time = 4 * SHORT;
    })
    .await;
    let mut client = plant.client().await;
    client.get("/data/plant/nowhere").await;
    assert_eq!(client.answer().await.status, 404);
    let idle_since = std::time::Instant::now();
    client.closed().await;
    assert!(idle_since.elapsed() >= 4 * SHORT);
}

#[tokio::test]
async fn a_held_request_outlasts_the_time_for_heads_bodies_and_idleness() {
    let mut plant = Plant::start_with(|settings| {
        settings.http_limits.head_time = SHORT / 10;
        settings.http_limits.body_time = SHORT / 10;
        settings.http_limits.idle_time = SHORT / 10;
    })
    .await;
    let mut held = plant.client().await;
    held.get("/data/plant/read").await;
    let treq = plant.responder.next().await;
    // Twice as long as any of them: the other node's own timeout is the clock.
    let mut clock = plant.client().await;
    clock.get("/data/plant/hasty").await;
    assert_eq!(clock.answer().await.status, 408);
    assert!(held.is_held());
    plant.responder.reply(&treq, "value", serde_json::json!(1)).await;
    assert_eq!(held.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_another_to_end() {
    let plant = Plant::start_with(|settings| settings.http_limits.connections = 1).await;
    let mut first = plant.client().await;
    first.get("/data/plant/nowhere").await;
    assert_eq!(first.answer().await.status, 404);
    let mut second = plant.client().await;
    second.get("/data/plant/nowhere").await;
    first.get("/data/plant/nowhere").await;
    assert_eq!(first.answer().await.status, 404);
    assert!(second.is_held());
    drop(first);
    assert_eq!(second.answer().await.status, 404);
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let plant = Plant::start().await;
    for head in ["X: y\r\n".repeat(100), format!("X: {}\r\n", "y".repeat(20_000))] {
        let mut client: Client = plant.client().await;
        client
            .send(format!("GET /data/plant/read HTTP/1.1\r\nHost: h\r\n{head}\r\n"))
            .await;
        assert_eq!(client.answer().await.status, 431);
        client.closed().await;
    }
}

#[tokio::test]
async fn a_client_that_never_reads_its_answer_gives_its_place_up() {
    let mut plant = Plant::start_with(|settings| {
        settings.http_limits.connections = 1;
        settings.http_limits.answer_time = SHORT;
    })
    .await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(plant.address()).await.unwrap();
    let request = b"GET /data/plant/read HTTP/1.1\r\nHost: plant\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut deaf, request)
        .await
        .unwrap();
    let treq = plant.responder.next().await;
    let large = "x".repeat(3_500_000);
    plant
        .responder
        .reply(&treq, "value", serde_json::json!(large))
        .await;
    let mut next = plant.client().await;
    next.get("/data/plant/nowhere").await;
    assert_eq!(next.answer().await.status, 404);
}

#[tokio::test]
async fn idle_connections_that_hold_every_place_give_them_up_while_others_are_served() {
    let idle_time = 5 * SHORT;
    let plant = Plant::start_with(|settings| {
        settings.http_limits.connections = 4;
        settings.http_limits.idle_time = idle_time;
    })
    .await;
    let mut busy = plant.client().await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut client = plant.client().await;
        client.get("/data/plant/nowhere").await;
        assert_eq!(client.answer().await.status, 404);
        idle.push(client);
    }
    let since = std::time::Instant::now();
    let mut next = plant.client().await;
    next.get("/data/plant/nowhere").await;
    let mut served = 0;
    while next.is_held() {
        busy.get("/data/plant/nowhere").await;
        assert_eq!(busy.answer().await.status, 404);
        served += 1;
        tokio::task::yield_now().await;
    }
    let waited = since.elapsed();
    assert_eq!(next.answer().await.status, 404);
    assert!(
        waited >= idle_time - SHORT / 10 && served > 0,
        "{waited:?}, {served}"
    );
    for client in &mut idle {
        client.closed().await;
    }
}
