//! A link that falls silent without an end: it is given up within one and a half Keep Alives, whichever way is silent, and
//! each held request gets the answer that is its due.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use syncline::run::{self, RunningAgent, ServedNode, Settings};
use syncline::service::{self, Context};
use syncline::transport::Endpoint;
use syncline_core::session::{self, VersionPolicy};
use syncline_core::time::Duration as CoreDuration;
use syncline_tests::faulty_link::{Cut, FaultyLink, Silence};
use syncline_tests::held_requests::{Answer as Reply, ask_all};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;
use tokio::task::JoinSet;

const KEEP_ALIVE: CoreDuration = CoreDuration::from_secs(4);
/// One and a half Keep Alives, and what a busy machine may add.
const FOUND_OUT: Duration = Duration::from_millis(6_000 + 300);
/// Past the time in which a link is found out.
const QUICK_TIMEOUT: Duration = Duration::from_millis(7_000);
/// An answer within it was not waited for.
const AT_ONCE: Duration = Duration::from_millis(500);

const BOTH: Silence = Silence {
    to_server: true,
    to_client: true,
};
const TO_SERVER: Silence = Silence {
    to_server: true,
    to_client: false,
};
const TO_CLIENT: Silence = Silence {
    to_server: false,
    to_client: true,
};

/// One request may be lost with the link; the other is the session's promise, and long enough for the link to come back.
fn service(name: &str) -> String {
    let node = |resource: &str, qos: u8, timeout: u128| {
        format!(
            "
  {resource}:
    type: Cybus::Node::Http
    properties:
      parent: !ref server
      method: GET
      route: /{resource}
      qos: {qos}
      operation: transaction
      transaction:
        timeout: {timeout}
        timeoutErrorCode: 504
        timeoutErrorMessage: the machine is silent"
        )
    };
    format!(
        "
metadata:
  name: {name}
resources:
  server:
    type: Cybus::Server::Http{}{}
",
        node("quick", 0, QUICK_TIMEOUT.as_millis()),
        node("patient", 1, 60_000)
    )
}

/// An agent behind a link, and those who answer its requests.
struct Bench {
    agent: RunningAgent,
    link: FaultyLink,
    port: u16,
}

impl Bench {
    async fn start(broker: u16, folder: &Path, name: &str, version: VersionPolicy) -> Self {
        let file = folder.join(format!("{name}.yml"));
        std::fs::write(&file, service(name)).expect("a writable folder");
        let link = FaultyLink::start(broker, || Cut::NEVER).await;
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: link.port(),
        };
        let mut session = session::Config::new(name);
        session.version = version;
        session.keep_alive = KEEP_ALIVE;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings::new(endpoint, session, anywhere);
        let planned = service::plan_files(&[file], &Context::default()).expect("a good file");
        let agent = run::start(settings, &planned.plan)
            .await
            .expect("the agent starts");
        let url = agent.served()[0].url.strip_prefix("http://127.0.0.1:");
        let (port, _) = url.and_then(|rest| rest.split_once('/')).expect("a URL");
        let port = port.parse().expect("a port");
        Self { agent, link, port }
    }

    fn node(&self, resource: &str) -> &ServedNode {
        let mut served = self.agent.served().iter();
        served.find(|node| node.resource == resource).expect("a node")
    }

    async fn ready(&self) {
        for resource in ["quick", "patient"] {
            let ready = tokio::time::timeout(wait::PATIENCE, self.node(resource).node.ready());
            ready
                .await
                .expect("the node becomes ready")
                .expect("the agent is running");
        }
    }
}

async fn ask(port: u16, resource: &'static str) -> Reply {
    let limit = Duration::from_secs(90);
    let mut replies = ask_all(port, 1, limit, |_| format!("/data/{resource}")).await;
    replies.as_mut().expect("an answer").remove(0)
}

fn reply(status: u16, body: &serde_json::Value) -> Reply {
    let body = body.to_string();
    Reply { status, body }
}

/// A bench whose link falls silent like that and comes back.
async fn falls_silent(bench: Bench, silence: Silence, what: String) {
    bench.ready().await;
    let port = bench.port;
    for resource in ["quick", "patient"] {
        assert_eq!(ask(port, resource).await, reply(200, &json!("here")), "{what}");
    }
    let begin = Instant::now();
    bench.link.silence(silence);
    let held = [
        tokio::spawn(ask(port, "quick")),
        tokio::spawn(ask(port, "patient")),
    ];
    let mut further = JoinSet::new();
    // Requests go on, so that the agent has always something to send.
    let node = bench.node("quick").node.clone();
    let found_out = node.not_ready();
    tokio::pin!(found_out);
    let mut pause = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            () = &mut found_out => break,
            _ = pause.tick() => drop(further.spawn(ask(port, "quick"))),
        }
    }
    let took = begin.elapsed();
    println!("{what}: found out after {took:?}");
    assert!(took < FOUND_OUT, "{what}: {took:?}");

    let asked = Instant::now();
    assert_eq!(ask(port, "patient").await.status, 503, "{what}");
    assert!(asked.elapsed() < AT_ONCE, "{what}: {:?}", asked.elapsed());
    let [quick, patient] = held;
    let silent = json!({"error": {"code": 504, "message": "the machine is silent"}});
    let expected = reply(504, &silent);
    assert_eq!(quick.await.expect("no panic"), expected, "{what}");
    while let Some(answer) = further.join_next().await {
        let answer = answer.expect("no panic");
        // One that came when the link was just given up was not published.
        assert!(answer == expected || answer.status == 503, "{what}: {answer:?}");
    }
    bench.link.silence(Silence::default());
    bench.ready().await;
    assert_eq!(
        patient.await.expect("no panic"),
        reply(200, &json!("here")),
        "{what}"
    );
    assert_eq!(ask(port, "quick").await, reply(200, &json!("here")), "{what}");
    bench.agent.stop().await;
}

#[test]
fn silent_links_are_given_up_within_one_and_a_half_keep_alives_and_held_requests_get_their_due() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut cases = Vec::new();
    let mut responders = Vec::new();
    for (version, short) in [(VersionPolicy::V5, "v5"), (VersionPolicy::V3_1_1, "v3")] {
        for (silence, ways) in [(BOTH, "both"), (TO_SERVER, "out"), (TO_CLIENT, "in")] {
            let name = format!("{ways}{short}");
            for resource in ["quick", "patient"] {
                let base = format!("services/{name}/{resource}");
                responders.push(Responder::start(&broker, &base, |_| Answer::Value(json!("here"))));
            }
            cases.push((name, version, silence));
        }
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut benches = JoinSet::new();
        for (name, version, silence) in cases {
            let bench = Bench::start(broker.port(), folder.path(), &name, version).await;
            benches.spawn(falls_silent(bench, silence, name));
        }
        while let Some(ended) = benches.join_next().await {
            ended.expect("the link is found out");
        }
    });
    drop(responders);
}
