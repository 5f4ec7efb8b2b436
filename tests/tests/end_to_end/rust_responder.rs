//! `syncline::responder` against Mosquitto and the agent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use syncline::driver::{AgentHandle, Driver};
use syncline::responder::{Counters, Error, Options, Request, Responder};
use syncline::transport::Endpoint;
use syncline_core::session::Config;
use syncline_core::topic::TopicFilter;
use syncline_tests::agent::{Agent, service_file};
use syncline_tests::built::{Source, built};
use syncline_tests::held_requests::{Answer, ask_all};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::process::Process;
use syncline_tests::{curl, wait};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TREQ: &str = "services/answered/order/treq";
const TRES: &str = "services/answered/order/tres";
const LIMIT: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(10);

/// A node that waits for so many milliseconds.
fn service(timeout: u32) -> (TempDir, PathBuf) {
    service_file(&format!(
        "metadata: {{name: answered}}\nresources:\n  server:\n    type: Cybus::Server::Http\n  order:\n    type: Cybus::Node::Http\n    \
         properties:\n      parent: !ref server\n      method: GET\n      route: /order\n      qos: 1\n      operation: transaction\n      \
         transaction: {{timeout: {timeout}, timeoutErrorCode: 504}}\n"
    ))
}

/// A responder in this process, with a link of its own.
struct InProcess {
    responder: Option<Responder>,
    link: AgentHandle,
    calls: Arc<AtomicUsize>,
    runtime: Runtime,
}

impl InProcess {
    fn start(broker: &Mosquitto, name: &str, group: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(2)
            .build()
            .expect("a runtime");
        let broker = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: broker.port(),
        };
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let (responder, link) = runtime.block_on(async {
            let mut config = Config::new(name);
            config.reconnect.longest = Duration::from_millis(200);
            config.reconnect.first = Duration::from_millis(200);
            let driver = Driver::new(broker, config).expect("a driver");
            let link = driver.handle();
            let mut options = Options::new(TopicFilter::try_from(TREQ).expect("a filter"));
            if let Some(group) = group {
                options = options.group(group).expect("a group");
            }
            let name = name.to_owned();
            let responder = Responder::start(&link, options, move |request| {
                counted.fetch_add(1, Ordering::Relaxed);
                answer(request, name.clone())
            });
            tokio::spawn(driver.run());
            tokio::time::timeout(LIMIT, responder.ready())
                .await
                .expect("the broker confirms");
            (responder, link)
        });
        Self {
            responder: Some(responder),
            link,
            calls,
            runtime,
        }
    }

    fn counters(&self) -> Counters {
        self.responder.as_ref().expect("it has not stopped").counters()
    }

    fn stop(mut self) -> Counters {
        let responder = self.responder.take().expect("it stops once");
        let counters = self.runtime.block_on(responder.stop(GRACE));
        self.link.stop();
        counters
    }
}

async fn answer(request: Request, name: String) -> Result<Value, Error> {
    let asked: BTreeMap<String, String> = request.parse()?;
    assert!(!asked.contains_key("panic"), "asked to panic");
    if asked.contains_key("refuse") {
        return Err(Error::new(409, "refused"));
    }
    if let Some(millis) = asked.get("sleep") {
        tokio::time::sleep(Duration::from_millis(millis.parse().unwrap_or(0))).await;
    }
    Ok(json!({ "n": asked.get("n"), "by": name }))
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

#[test]
fn a_thousand_requests_get_each_its_own_answer() {
    let broker = Mosquitto::start_with("max_queued_messages 0\nmax_inflight_messages 0");
    let (_folder, file) = service(60_000);
    let agent = Agent::start(&file, broker.port());
    let responder = InProcess::start(&broker, "one", None);
    assert_eq!(agent.ask_when_ready("/data/order?n=first", &[]).status, 200);
    let answers = responder
        .runtime
        .block_on(ask_all(agent.http_port(), 1_000, LIMIT, |n| {
            format!("/data/order?n={n}")
        }));
    for (n, answer) in answers.expect("every request is answered").iter().enumerate() {
        assert_eq!(answer.status, 200, "request {n}: {}", answer.body);
        assert_eq!(body(answer)["n"], n.to_string());
    }
    assert_eq!(responder.calls.load(Ordering::Relaxed), 1_001);
    let counters = responder.stop();
    assert_eq!(
        (counters.fresh, counters.answered),
        (1_001, 1_001),
        "{counters:?}"
    );
    assert_eq!(
        (counters.overloaded, counters.undelivered),
        (0, 0),
        "{counters:?}"
    );
}

#[test]
fn a_panic_an_error_and_a_late_answer_cost_their_own_requests_only() {
    let broker = Mosquitto::start();
    let (_folder, file) = service(700);
    let agent = Agent::start(&file, broker.port());
    let responder = InProcess::start(&broker, "one", None);
    assert_eq!(agent.ask_when_ready("/data/order?n=first", &[]).status, 200);
    let mut answers = Subscription::start(&broker, TRES);
    let mut slow = curl::send(&agent.url("/data/order?sleep=20000"), &[]);
    let panicked = curl::ask(&agent.url("/data/order?panic=1"), &[]);
    let message = &panicked.json()["error"]["message"];
    assert_eq!(panicked.status, 500);
    assert!(
        message
            .as_str()
            .is_some_and(|text| text.contains("its log says more")),
        "{message}"
    );
    assert_eq!(curl::ask(&agent.url("/data/order?refuse=1"), &[]).status, 409);
    assert_eq!(curl::ask(&agent.url("/data/order?n=after"), &[]).status, 200);
    assert_eq!(slow.response().status, 504);
    wait::until("its function is cut off", wait::PATIENCE, || {
        (responder.counters().expired == 1).then_some(())
    });
    let counters = responder.stop();
    assert_eq!(
        (counters.panicked, counters.refused, counters.answered),
        (1, 1, 2),
        "{counters:?}"
    );
    let told: Vec<Value> = std::iter::from_fn(|| answers.poll())
        .map(|(_, tres)| tres)
        .collect();
    assert_eq!(told.len(), 3, "the slow one was not answered any more: {told:?}");
}

#[test]
fn a_request_that_comes_again_is_answered_again_and_worked_on_once() {
    let broker = Mosquitto::start();
    let responder = InProcess::start(&broker, "one", None);
    let mut answers = Subscription::start(&broker, TRES);
    let mut elsewhere = Subscription::start(&broker, "elsewhere");
    let id = "6f0c1b6e-3c5d-4a7e-9a51-0a2b3c4d5e6f";
    let request = format!(r#"{{"id":"{id}","timestamp":1,"value":{{"n":"1"}}}}"#);
    publish(&broker, TREQ, &request, &[]);
    let first = wait::until("an answer", wait::PATIENCE, || answers.poll()).1;
    assert_eq!((&first["id"], &first["value"]["n"]), (&json!(id), &json!("1")));
    publish(&broker, TREQ, &request, &[]);
    let second = wait::until("the same answer", wait::PATIENCE, || answers.poll()).1;
    assert_eq!(second, first);
    // As an MQTT 5.0 request it says itself where its answer goes.
    let properties = ["-V", "5", "-D", "publish", "response-topic", "elsewhere"];
    publish(&broker, TREQ, &request, &properties);
    let third = wait::until("the same answer elsewhere", wait::PATIENCE, || elsewhere.poll()).1;
    assert_eq!(third, first);
    for (payload, options) in [("no request", &[][..]), (request.as_str(), &["-r"])] {
        publish(&broker, TREQ, payload, options);
    }
    assert_eq!(responder.calls.load(Ordering::Relaxed), 1);
    wait::until("all is counted", wait::PATIENCE, || {
        let Counters {
            fresh,
            repeated,
            ignored,
            ..
        } = responder.counters();
        // What is retained comes to those who are there as any other message.
        ((fresh, repeated, ignored) == (1, 3, 1)).then_some(())
    });
    // To who comes later it is from the past.
    let late = InProcess::start(&broker, "late", None);
    wait::until("it is ignored", wait::PATIENCE, || {
        (late.counters().ignored == 1).then_some(())
    });
    assert_eq!(late.calls.load(Ordering::Relaxed), 0);
}

#[test]
fn two_responders_of_a_group_share_the_requests_and_one_goes_on_alone() {
    let broker = Mosquitto::start();
    let (_folder, file) = service(20_000);
    let agent = Agent::start(&file, broker.port());
    let (one, other) = (
        InProcess::start(&broker, "one", Some("stock")),
        InProcess::start(&broker, "other", Some("stock")),
    );
    assert_eq!(agent.ask_when_ready("/data/order?n=first", &[]).status, 200);
    let ask = |of: &InProcess, count| {
        let all = ask_all(agent.http_port(), count, LIMIT, |n| format!("/data/order?n={n}"));
        let answers = of.runtime.block_on(all).expect("every request is answered");
        assert!(answers.iter().all(|answer| answer.status == 200));
        answers
    };
    let by = |answers: &[Answer], name: &str| answers.iter().filter(|at| body(at)["by"] == name).count();
    let answers = ask(&one, 100);
    let (ones, others) = (by(&answers, "one"), by(&answers, "other"));
    assert!(
        ones > 0 && others > 0 && ones + others == 100,
        "{ones} and {others}"
    );
    let counters = other.stop();
    let calls = u64::try_from(one.calls.load(Ordering::Relaxed)).expect("few calls");
    assert_eq!(counters.fresh + calls, 101, "each request is one's");
    assert_eq!(by(&ask(&one, 50), "one"), 50);
}

#[test]
fn a_responder_that_stops_finishes_what_it_does_and_one_that_starts_again_goes_on() {
    let mut broker = Mosquitto::start();
    let (_folder, file) = service(5_000);
    let agent = Agent::start(&file, broker.port());
    let responder = InProcess::start(&broker, "one", None);
    assert_eq!(agent.ask_when_ready("/data/order?n=first", &[]).status, 200);
    let mut slow = curl::send(&agent.url("/data/order?sleep=1000"), &[]);
    wait::until("it is being worked on", wait::PATIENCE, || {
        (responder.calls.load(Ordering::Relaxed) == 2).then_some(())
    });
    let counters = responder.stop();
    assert_eq!((counters.answered, counters.undelivered), (2, 0), "{counters:?}");
    assert_eq!(slow.response().status, 200);
    let responder = InProcess::start(&broker, "one", None);
    assert_eq!(curl::ask(&agent.url("/data/order?n=again"), &[]).status, 200);
    // And it comes back with the broker.
    broker.restart();
    assert_eq!(agent.ask_when_ready("/data/order?n=back", &[]).status, 200);
    assert_eq!(responder.calls.load(Ordering::Relaxed), 2);
}

#[test]
fn the_example_answers_until_it_is_interrupted() {
    let broker = Mosquitto::start();
    let (_folder, file) = service(5_000);
    let agent = Agent::start(&file, broker.port());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = built(
        "SYNCLINE_RESPONDER_EXAMPLE",
        "syncline",
        Source::Example("responder"),
    );
    let mut command = Command::new(program);
    command.args(["127.0.0.1", &broker.port().to_string(), TREQ]);
    let mut example = Process::start(&command, &folder.path().join("output"));
    example.wait_for_output("answering services/answered/order/treq");
    let answer = agent.ask_when_ready("/data/order?n=7", &[]);
    assert_eq!(
        (answer.status, &answer.json()["confirmed"]["n"]),
        (200, &json!("7"))
    );
    let interrupted = Command::new("kill")
        .args(["-INT", &example.id().to_string()])
        .status();
    assert!(interrupted.expect("kill starts").success());
    let status = example.wait(wait::PATIENCE);
    let output = example.output();
    assert!(
        status.success() && output.contains("answered: 1"),
        "{status}: {output}"
    );
}
