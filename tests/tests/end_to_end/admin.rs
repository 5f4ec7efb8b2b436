//! The admin listener, as probes, Prometheus and a browser use it.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example, run};
use syncline_tests::certificates::{Authority, Lifetime};
use syncline_tests::curl::{self, Response};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::{port, process, wait};

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";

struct Watched {
    agent: Agent,
    admin: String,
}

impl Watched {
    fn start(broker: &Mosquitto) -> Self {
        let address = format!("127.0.0.1:{}", port::free());
        let variables = [("SYNCLINE_ADMIN_LISTEN", address.as_str())];
        let agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
        Self {
            agent,
            admin: format!("http://{address}"),
        }
    }

    fn ask(&self, path: &str) -> Response {
        curl::ask(&format!("{}{path}", self.admin), &[])
    }

    fn wait_for_readiness(&self, status: u16) -> Response {
        wait::until(&format!("/readyz answers {status}"), wait::PATIENCE, || {
            Some(self.ask("/readyz")).filter(|response| response.status == status)
        })
    }
}

/// Fails when Prometheus's own linter finds anything.
fn check_with_promtool(metrics: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start promtool: {error}; run `cargo xtask test`"));
    let mut stdin = promtool.stdin.take().expect("a pipe");
    stdin.write_all(metrics.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("promtool ends");
    let findings = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && findings.is_empty(),
        "{}\n{metrics}",
        String::from_utf8_lossy(&findings)
    );
}

#[test]
fn connections_that_send_no_request_keep_no_probe_out() {
    /// More than the admin listener has places.
    const IDLE: usize = 100;
    let broker = Mosquitto::start();
    let watched = Watched::start(&broker);
    watched.wait_for_readiness(200);
    let address = watched.admin.trim_start_matches("http://");
    let idle: Vec<TcpStream> = (0..IDLE)
        .map(|number| {
            let mut stream = TcpStream::connect(address).expect("a connection");
            if number % 2 == 0 {
                stream
                    .write_all(b"GET /livez HTTP/1.1\r\nHost:")
                    .expect("the kernel takes it");
            }
            stream
        })
        .collect();
    let begin = Instant::now();
    for path in ["/livez", "/readyz"] {
        assert_eq!(watched.ask(path).status, 200);
    }
    // Nobody had to wait until an idle connection was closed for its idleness.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    drop(idle);
}

#[test]
fn readiness_follows_the_broker_and_says_why_it_is_missing() {
    let mut broker = Mosquitto::start();
    let watched = Watched::start(&broker);
    assert_eq!(watched.wait_for_readiness(200).json(), json!({ "ready": true }));
    broker.kill();
    let missing = watched.wait_for_readiness(503).json();
    let reason = missing["reasons"][0].as_str().expect("a reason");
    assert!(
        reason.starts_with(&format!("not connected to 127.0.0.1:{}", broker.port())),
        "{missing}"
    );
    // Without its broker the agent is alive all the same: a restart would mend nothing.
    assert_eq!(watched.ask("/livez").status, 200);
    broker.restart();
    watched.wait_for_readiness(200);
}

#[test]
fn metrics_count_what_has_happened_and_promtool_has_nothing_to_say() {
    let broker = Mosquitto::start();
    let watched = Watched::start(&broker);
    let _responder = Responder::start(&broker, BASE, |value| match value["order"].as_str() {
        Some("bad") => Answer::Error(409, "no".into()),
        _ => Answer::Value(json!(1)),
    });
    watched.wait_for_readiness(200);
    for (order, status) in [("good", 200), ("bad", 409), ("good", 200)] {
        let response = curl::ask(&watched.agent.url(&format!("{PATH}?order={order}")), &[]);
        assert_eq!(response.status, status);
    }
    let metrics = watched.ask("/metrics");
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    for line in [
        "syncline_transactions_total{outcome=\"replied\"} 2",
        "syncline_transactions_total{outcome=\"failed\"} 1",
        "syncline_transactions_in_flight{service=\"example1\",node=\"exampleNode\"} 0",
        "syncline_mqtt_connected 1",
        "syncline_mqtt_connections_total 1",
        "syncline_ready 1",
    ] {
        let found = metrics
            .body
            .lines()
            .any(|found| found.trim_end_matches(".0") == line);
        assert!(found, "no `{line}` in\n{}", metrics.body);
    }
    check_with_promtool(&metrics.body);

    let accept = ["-H", "accept: application/openmetrics-text; version=1.0.0"];
    let open_metrics = curl::ask(&format!("{}/metrics", watched.admin), &accept);
    assert!(open_metrics.body.ends_with("# EOF\n"), "{}", open_metrics.body);
}

#[test]
fn the_status_page_shows_the_agent_and_needs_no_script() {
    let broker = Mosquitto::start();
    let watched = Watched::start(&broker);
    watched.wait_for_readiness(200);
    let page = watched.ask("/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(
        page.body.contains("test-agent is <span class=\"yes\">ready"),
        "{}",
        page.body
    );
    assert!(
        page.body.contains("/data/FlowSync/example1") && !page.body.contains("<script"),
        "{}",
        page.body
    );

    let status: Value = watched.ask("/status").json();
    assert_eq!((&status["schema"], &status["ready"]), (&json!(1), &json!(true)));
    assert_eq!(status["nodes"][0]["topic"], BASE);
    assert_eq!(watched.ask("/nothing").status, 404);
    assert_eq!(
        curl::ask(&format!("{}/livez", watched.admin), &["-X", "POST"]).status,
        405
    );
}

#[test]
fn an_admin_listener_leaves_the_loopback_interface_only_when_told_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = run(&example("1-transaction.yml"), folder.path());
    command.env("SYNCLINE_ADMIN_LISTEN", "0.0.0.0:0");
    let output = process::run(&mut command);
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("SYNCLINE_ADMIN_LISTEN: 0.0.0.0:0 is not a loopback address")
            && text.contains("SYNCLINE_ALLOW_INSECURE"),
        "{text}"
    );
}

#[test]
fn with_tls_and_logins_it_is_seen_by_those_who_may_and_nothing_else_is_required() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new("plant");
    let files = authority
        .server(&["127.0.0.1"], Lifetime::Now)
        .write(folder.path(), "admin");
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, authority.certificate()).expect("a writable folder");
    let token = "a-token-of-the-monitoring-that-is-long-enough";
    // printf %s TOKEN | sha256sum
    let entry = "[[token]]\nname = \"monitoring\"\n\
        sha256 = \"de44c6bf6b6cd9140061fcfc952b5cec34a75559d2e3f2818a44bba8c4828743\"\nread = [\"metrics\", \"readyz\"]\n";
    let access = folder.path().join("access.toml");
    std::fs::write(&access, entry).expect("a writable folder");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (certificate, key, access) = (text(&files.certificate), text(&files.key), text(&access));
    // An address that others can reach, and no permission to be insecure.
    let port = port::free();
    let address = format!("0.0.0.0:{port}");
    let variables = [
        ("SYNCLINE_ADMIN_LISTEN", address.as_str()),
        ("SYNCLINE_ADMIN_TLS_CERT", &certificate),
        ("SYNCLINE_ADMIN_TLS_KEY", &key),
        ("SYNCLINE_ADMIN_AUTH", &access),
    ];
    let broker = Mosquitto::start();
    let agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let bearer = format!("authorization: Bearer {token}");
    let ca = text(&ca);
    let ask = |path: &str, further: &[&str]| {
        let options = [&["--cacert", ca.as_str()], further].concat();
        curl::ask(&format!("https://127.0.0.1:{port}{path}"), &options)
    };
    wait::until("the agent is ready", wait::PATIENCE, || {
        (ask("/readyz", &["--header", &bearer]).status == 200).then_some(())
    });
    assert_eq!(ask("/metrics", &["--header", &bearer]).status, 200);
    assert_eq!(ask("/status", &["--header", &bearer]).status, 403);
    for nobody in [
        &[][..],
        &["--header", "authorization: Bearer x"],
        &["--user", "a:b"],
    ] {
        let answer = ask("/metrics", nobody);
        assert_eq!(answer.status, 401, "{nobody:?}");
        assert!(answer.header("www-authenticate").is_some());
        assert!(!answer.body.contains("syncline_ready"), "{}", answer.body);
    }
    assert!(agent.log().contains("status page at https://"), "{}", agent.log());
}
