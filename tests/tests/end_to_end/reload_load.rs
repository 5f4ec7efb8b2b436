//! A hundred reloads while requests come without a pause: not one to an untouched node fails, and nothing is left behind.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::responder::{Answer, Responder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::reloading::{Plant, node, server, service};

/// Reloads before anything is measured: every cache has its size then, and every thread is started.
const FIRST: u64 = 20;
/// Reloads between the two measurements.
const RELOADS: u64 = 100;
/// Clients that ask without a pause.
const CLIENTS: usize = 8;
/// Memory that the process may have more of afterwards, in bytes: the allocator's own unsteadiness, and far below what one
/// forgotten plan in a hundred would take.
const STEADY: u64 = 3 << 20;

/// Nodes, mappings and a provided value that come, change and go; beside the one node that stays.
fn plan(round: u64) -> String {
    let mut resources = vec![server(), node("kept", "/kept", 100_000)];
    let timeout = 50_000 + u32::try_from(round).expect("a small number");
    for number in 0..10 {
        resources.push(node(
            &format!("changed{number}"),
            &format!("/changed{number}"),
            timeout,
        ));
    }
    if round.is_multiple_of(2) {
        for number in 0..20 {
            resources.push(node(&format!("half{number}"), &format!("/half{number}"), 1_000));
            resources.push(format!(
                "  read{number}: {{type: 'Cybus::Node::Http', properties: {{parent: !ref server, method: GET, route: /read{number}}}}}\n  \
                 flow{number}: {{type: 'Cybus::Mapping', properties: {{mappings: [{{subscribe: {{topic: in{number}}}, \
                 publish: {{topic: out{number}}}, rules: [{{transform: {{expression: value}}}}]}}]}}}}\n"
            ));
        }
    }
    service("plant", &resources)
}

/// What the process holds.
#[derive(Debug)]
struct Footprint {
    memory: u64,
    threads: u64,
    files: usize,
}

impl Footprint {
    fn of(plant: &Plant) -> Self {
        let process = format!("/proc/{}", plant.agent.id());
        let status = std::fs::read_to_string(format!("{process}/status")).expect("a running process");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let text = line.and_then(|line| line.split_whitespace().next());
            text.and_then(|text| text.parse::<u64>().ok()).expect("a number")
        };
        Self {
            memory: number("VmRSS:") * 1024,
            threads: number("Threads:"),
            files: std::fs::read_dir(format!("{process}/fd"))
                .expect("a running process")
                .count(),
        }
    }
}

fn reload(plant: &Plant, rounds: std::ops::Range<u64>) {
    for round in rounds {
        plant.reload(&plan(round));
    }
}

#[test]
fn a_hundred_reloads_under_load_fail_no_request_and_leave_nothing_behind() {
    let plant = Plant::start(&plan(0));
    let _responder = Responder::start(&plant.broker, "services/plant/kept", |_: &Value| {
        Answer::Value(json!("kept"))
    });
    assert_eq!(plant.agent.ask_when_ready("/data/plant/kept", &[]).status, 200);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let load = Load::start(&runtime, plant.agent.http_port());

    reload(&plant, 1..FIRST + 1);
    let before = Footprint::of(&plant);
    reload(&plant, FIRST + 1..FIRST + RELOADS + 1);
    let after = Footprint::of(&plant);
    let answered = load.stop(&runtime).expect("every request is answered with 200");
    println!("{answered} requests answered over {RELOADS} reloads; {before:?}, then {after:?}");
    assert!(answered > RELOADS, "the load was no load");
    assert!(
        after.memory < before.memory + STEADY,
        "{before:?}, then {after:?}"
    );
    // A connection or two come and go at either look; one left behind by each reload would be a hundred.
    assert!(after.threads <= before.threads + 1, "{before:?}, then {after:?}");
    assert!(after.files <= before.files + 2, "{before:?}, then {after:?}");

    // The last round is an even one.
    let filters = |name: &str, count: u32, end: &str| -> Vec<String> {
        (0..count).map(|number| format!("{name}{number}{end}")).collect()
    };
    let expected = [
        vec!["services/plant/kept/tres".to_owned()],
        filters("services/plant/changed", 10, "/tres"),
        filters("services/plant/half", 20, "/tres"),
        filters("services/plant/read", 20, ""),
        filters("in", 20, ""),
    ]
    .concat();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    plant.check_subscriptions(&expected);
    plant.replace(&service("plant", &[server(), node("kept", "/kept", 100_000)]));
    plant.check_subscriptions(&["services/plant/kept/tres"]);
}

/// Clients that ask one after the other, each on a connection of its own.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: JoinSet<io::Result<()>>,
}

impl Load {
    fn start(runtime: &tokio::runtime::Runtime, port: u16) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            clients.spawn_on(client(port, stop, answered), runtime.handle());
        }
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// How many requests were answered; an error if one was not, or with another status.
    fn stop(mut self, runtime: &tokio::runtime::Runtime) -> io::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        runtime.block_on(async {
            while let Some(ended) = self.clients.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok(self.answered.load(Ordering::Relaxed))
        })
    }
}

async fn client(port: u16, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let mut buffer = vec![0; 4_096];
    while !stop.load(Ordering::Relaxed) {
        stream
            .write_all(b"GET /data/plant/kept HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\"kept\"") {
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer)).await??;
            answer.extend_from_slice(&buffer[..read]);
            if read == 0
                || !answer.starts_with(b"HTTP/1.1 200 ".get(..answer.len()).unwrap_or(b"HTTP/1.1 200 "))
            {
                return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
            }
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
