//! Requests that never become a transaction.

use serde_json::json;

use crate::support::Plant;

#[tokio::test]
async fn what_cannot_become_a_treq_is_refused_and_nothing_is_published() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    client.get("/data/plant/nowhere").await;
    assert_eq!(client.answer().await.status, 404);

    client.get("/data/plant/write").await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.fields["allow"].as_str()),
        (405, "OPTIONS, POST")
    );

    client
        .post("/data/plant/write", "application/json", "{\"a\":\n1,}")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("at line 2 column 3"), "{message}");

    client
        .post("/data/plant/write", "application/x-www-form-urlencoded", "a=1")
        .await;
    assert_eq!(client.answer().await.status, 415);
    assert!(plant.responder.none_came());

    client.post("/data/plant/write", "application/json", "[1]").await;
    let treq = plant.responder.next().await;
    assert_eq!(treq.value, json!([1]), "the connection is still of use");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_it_has_come() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    client
        .send("POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nContent-Length: 1001\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 413);
    client.closed().await;

    let mut client = plant.client().await;
    let chunk = "x".repeat(0x200);
    client
        .send(format!(
            "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n\
             200\r\n{chunk}\r\n200\r\n{chunk}\r\n"
        ))
        .await;
    assert_eq!(client.answer().await.status, 413);
    assert!(plant.responder.none_came());
}

#[tokio::test]
async fn the_answer_to_an_oversized_body_survives_the_rest_of_it() {
    let plant = Plant::start().await;
    let mut client = plant.client().await;
    let length = 4_000_000;
    client
        .send(format!(
            "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
    client.send(vec![b'x'; length]).await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    let head = "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: application/octet-stream\r\n";
    client
        .send(format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\n"
        ))
        .await;
    client.send("c\r\n0\r\n\r\n").await;
    assert_eq!(plant.responder.next().await.value, "YWJj");
}

#[tokio::test]
async fn ambiguous_framing_is_answered_with_400_and_the_end() {
    let mut plant = Plant::start().await;
    let faulty = [
        "GET /data/plant/read HTTP/1.1\nHost: h\n\n",
        "GET /data/plant/read HTTP/1.1\r\n\r\n",
        "GET /data/plant/read HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /data/plant/read HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /data/plant/read HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        "POST /data/plant/write HTTP/1.1\r\nHost: h\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    ];
    for request in faulty {
        let mut whole = plant.client().await;
        whole.send(request).await;
        assert_eq!(whole.answer().await.status, 400, "{request:?}");
        whole.closed().await;
        let (head, tail) = request.split_at(request.len() - 9);
        let mut halves = plant.client().await;
        halves.send(head).await;
        tokio::task::yield_now().await;
        halves.send(tail).await;
        assert_eq!(halves.answer().await.status, 400, "{request:?} in two parts");
        halves.closed().await;
    }
    assert!(plant.responder.none_came());
}

#[tokio::test]
async fn a_faulty_request_does_not_cost_the_one_before_it_its_answer() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    client
        .send("GET /data/plant/read HTTP/1.1\r\nHost: h\r\n\r\nGET /data/plant/read HTTP/1.1\r\n\r\n")
        .await;
    let treq = plant.responder.next().await;
    plant.responder.reply(&treq, "value", json!(1)).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.answer().await.status, 400);
    client.closed().await;
    assert!(plant.responder.none_came());
}
