//! Connections that other threads than the listener's serve.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, Plant, soon};

/// Takes more than half of its thread's time for as long as it is polled.
async fn toil() {
    loop {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        tokio::task::yield_now().await;
    }
}

/// How many of this process's threads serve connections beside the listener's.
fn others() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim_end() == "http")
        .count()
}

#[tokio::test]
async fn a_request_is_held_answered_and_given_up_whichever_thread_serves_it() {
    let mut plant = Plant::start_with(|settings| settings.http_limits.threads = 3).await;
    let mut early = plant.client().await;
    early.get("/data/plant/nowhere").await;
    assert_eq!(early.answer().await.status, 404);
    let toil = tokio::spawn(toil());
    soon("other threads to serve connections", async {
        while others() < 2 {
            let mut client = plant.client().await;
            client.get("/data/plant/nowhere").await;
            assert_eq!(client.answer().await.status, 404);
        }
    })
    .await;

    // One on the listener's own thread, the others in turn on the two besides.
    let mut clients = vec![early];
    for _ in 0..4 {
        clients.push(Client::connect(plant.address()).await);
    }
    let mut treqs = Vec::new();
    for (number, client) in clients.iter_mut().enumerate() {
        client
            .post("/data/plant/write", "application/json", &number.to_string())
            .await;
        let treq = plant.responder.next().await;
        assert_eq!(treq.value, number);
        treqs.push(treq);
    }
    for (number, (client, treq)) in clients.iter_mut().zip(&treqs).enumerate().rev() {
        assert!(client.is_held());
        plant.responder.reply(treq, "value", json!(number)).await;
        assert_eq!(client.answer().await.body, number.to_string());
    }

    let mut leaving = clients.pop().expect("one of another thread");
    leaving.get("/data/plant/narrow").await;
    plant.responder.next().await;
    drop(leaving);
    let second = clients.last_mut().expect("another one of another thread");
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

    toil.abort();
    let stopping = tokio::spawn(plant.agent.stop());
    for client in &mut clients {
        client.closed().await;
    }
    soon("the agent to stop", stopping).await.unwrap();
    soon("the threads to end", async {
        while others() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
