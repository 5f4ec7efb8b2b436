//! The corpus of odd requests over raw sockets, plain and with TLS: what is ambiguous is refused, ends its connection, and is never
//! published.

use syncline_tests::http_corpus::{Case, PATH, all};
use syncline_tests::http_plant::{Below, HttpPlant};
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::raw_http::{RawAnswer, RawClient};
use syncline_tests::wait;

const SERVICE: &str = "\
metadata: {name: corpus}
resources:
  server: {type: 'Cybus::Server::Http'}
  node: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: POST, route: /in, topic: in}}
";
const TOPIC: &str = "services/corpus/in";

/// The bytes of a case, and then those of a request that publishes 2.
fn bytes(plant: &HttpPlant, case: &Case) -> Vec<u8> {
    let host = format!("127.0.0.1:{}", plant.agent.http_port());
    let mut bytes = Vec::new();
    let mut rest = &case.request[..];
    while let Some(at) = rest.windows(6).position(|six| six == b"{host}") {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(host.as_bytes());
        rest = &rest[at + 6..];
    }
    bytes.extend_from_slice(rest);
    let second = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n2"
    );
    bytes.extend_from_slice(second.as_bytes());
    bytes
}

/// Sends a case, at most so many bytes at once, and looks at what comes of it.
///
/// # Errors
/// What is wrong with that.
async fn check(plant: &HttpPlant, case: &Case, at_once: usize) -> Result<(), String> {
    let expected = case.status;
    let mut client = plant.connect().await;
    for piece in bytes(plant, case).chunks(at_once) {
        // The end may come before all is sent.
        if client.send(piece).await.is_err() {
            break;
        }
    }
    let first = answer(&mut client).await?;
    if first.status != expected {
        return Err(format!("expected {expected}, got {first:?}"));
    }
    if expected == 200 {
        return match answer(&mut client).await? {
            second if second.status == 200 => Ok(()),
            second => Err(format!("the second is answered with {second:?}")),
        };
    }
    if first.field("connection") != Some("close") || first.json()["error"]["code"] != expected {
        return Err(format!("expected an error that announces the end, got {first:?}"));
    }
    match client.rest(wait::PATIENCE).await {
        Ok(rest) if rest.is_empty() => Ok(()),
        Ok(rest) => Err(format!(
            "more than one answer: {}",
            String::from_utf8_lossy(&rest)
        )),
        Err(error) => Err(format!("the connection stays: {error}")),
    }
}

async fn answer(client: &mut RawClient) -> Result<RawAnswer, String> {
    let answer = client.answer(wait::PATIENCE).await;
    answer
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "the end instead of an answer".to_owned())
}

fn assert_each_is_judged(below: Below, at_once: usize) {
    let plant = HttpPlant::start(SERVICE, below);
    let mut messages = Subscription::start(&plant.broker, TOPIC);
    let cases = all();
    let sound = cases.iter().filter(|case| case.status == 200).count();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut wrong = Vec::new();
        for case in &cases {
            if let Err(what) = check(&plant, case, at_once).await {
                wrong.push(format!("{}: {what}", case.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
    let mut next = || wait::until("a message", wait::PATIENCE, || messages.poll()).1;
    publish(&plant.broker, TOPIC, "\"the end\"", &[]);
    for _ in 0..sound {
        assert_eq!((next(), next()), (1.into(), 2.into()));
    }
    // Whatever else had been published would have come before this.
    assert_eq!(next(), "the end");
    assert!(
        sound >= 10 && cases.len() - sound >= 100,
        "{sound} of {}",
        cases.len()
    );
}

#[test]
fn ambiguous_requests_are_refused_over_tcp() {
    assert_each_is_judged(Below::Tcp, usize::MAX);
}

#[test]
fn ambiguous_requests_are_refused_over_tls() {
    assert_each_is_judged(Below::Tls, usize::MAX);
}

#[test]
fn ambiguous_requests_are_refused_when_they_come_in_pieces() {
    assert_each_is_judged(Below::Tcp, 7);
}
