//! No secret is ever shown: one whole life of an agent, told in every format, asked by every command and on every page.
//!
//! Each other test is searched as well, by what it stands on (`tests/src/secrets.rs`); here is what none of them shows.

use serde_json::json;
use syncline_tests::agent::{Agent, example};
use syncline_tests::hub::Hub;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::{curl, port, process, secrets, wait};

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";

/// What the responder and the one who looks on log in with.
const RESPONDER: (&str, &str) = ("responder", "password-of-the-responder");

/// What it may do, which is also to read its own state.
const PERMISSIONS: &str = "readwrite services/#\nreadwrite syncline/agents/test-agent/state";

/// Commands that an operator may give beside the agent, with what they end with.
const COMMANDS: [(&[&str], i32); 12] = [
    (&["status"], 0),
    (&["status", "--json"], 0),
    (&["health", "live"], 0),
    (&["health", "ready"], 0),
    (&["flow", "list"], 0),
    (&["flow", "call", "exampleNode", "{\"order\":42}"], 0),
    (&["flow", "call", "elsewhere"], 2),
    (&["config", "show"], 0),
    (&["config", "show", "--origin"], 0),
    (&["check", "--live"], 0),
    (
        &[
            "mqtt",
            "pub",
            "services/example1/x",
            "--message",
            "1",
            "--qos",
            "1",
        ],
        0,
    ),
    (
        &["mqtt", "sub", "syncline/agents/test-agent/state", "--count", "1"],
        0,
    ),
];

fn start(hub: &Hub, further: &[(&str, &str)]) -> Agent {
    let variables = hub.variables();
    let given = variables.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<_> = given.chain(further.iter().copied()).collect();
    Agent::start_with(&example("1-transaction.yml"), hub.mqtt_port(), &all)
}

fn is_ended_with(agent: &Agent, arguments: &[&str], code: i32) {
    let ended = process::run(&mut agent.beside(arguments));
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {text}");
}

/// A whole life whose log has that format: unknown, pending, online, asked, deleted, registered again, stopped.
fn live(format: &str) {
    let hub = Hub::start();
    let admin = format!("127.0.0.1:{}", port::free());
    let further = [
        ("SYNCLINE_LOG_FORMAT", format),
        // Beyond CYBUS_LOG_LEVEL=debug: with all that libraries have to say.
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "full"),
        ("SYNCLINE_ADMIN_LISTEN", &admin),
    ];
    hub.unlock();
    let mut agent = start(&hub, &further);
    let id = agent.pairing_id();
    hub.grant(&id, PERMISSIONS);
    agent.wait_for_log_line(&["connected to the broker"]);
    hub.admit(RESPONDER.0, RESPONDER.1, "readwrite #");
    let responder = Responder::start_at(hub.mqtt_port(), Some(RESPONDER), BASE, |_| {
        Answer::Value(json!("confirmed"))
    });
    assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    wait::until("the page shows the agent online", wait::PATIENCE, || {
        hub.page()
            .contains("<td>test-agent</td><td>online</td>")
            .then_some(())
    });

    for path in ["/", "/status", "/metrics", "/livez", "/readyz", "/nothing"] {
        let answer = curl::ask(&format!("http://{admin}{path}"), &[]);
        assert!([200, 404].contains(&answer.status), "{path}: {}", answer.body);
    }
    for path in [
        "/user?name=test-agent",
        "/ca.crt",
        "/api/system/info",
        "/login",
        "/nothing",
    ] {
        assert!(hub.look(path).status < 500, "{path}");
    }
    for (arguments, code) in COMMANDS {
        is_ended_with(&agent, arguments, code);
    }
    is_ended_with(&agent, &["register"], 75);
    let service = example("1-transaction.yml");
    is_ended_with(&agent, &["run", "--service", &service.to_string_lossy()], 75);
    // A key in place of a certificate is an error of the kind that quotes what it has found.
    for (file, code) in [("ca.crt", 0), ("ca.key", 78)] {
        is_ended_with(
            &agent,
            &["cert", "show", &hub.data().join(file).to_string_lossy()],
            code,
        );
    }

    hub.delete("test-agent");
    hub.grant(&id, PERMISSIONS);
    assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    agent.terminate();
    assert_eq!(agent.exit_code(), 143);
    drop((responder, agent, hub));
}

/// Runs that life and checks that it was searched for what it has as secrets: finding nothing proves little without.
fn shows_no_secret(format: &str) {
    live(format);
    let kept = secrets::kept().join("\n");
    for what in [
        "credentials.json",
        "ca.key",
        "server.key",
        "hub's administrator",
        "cookie",
        RESPONDER.0,
    ] {
        assert!(kept.contains(what), "{what} is none of:\n{kept}");
    }
    let places = secrets::places().join("\n");
    for place in [
        "output of /",
        "command line of `syncline run`",
        "command line of `syncline hub`",
        "hub.json",
        "session.log",
        "/metrics",
        "/status",
        "/user?name=",
        "`syncline config`",
    ] {
        assert!(places.contains(place), "{place} is none of:\n{places}");
    }
}

#[test]
fn a_life_told_as_text_shows_no_secret() {
    shows_no_secret("text");
}

#[test]
fn a_life_told_as_logfmt_shows_no_secret() {
    shows_no_secret("logfmt");
}

#[test]
fn a_life_told_as_json_shows_no_secret() {
    shows_no_secret("json");
}

#[test]
fn a_life_told_as_connectware_does_shows_no_secret() {
    shows_no_secret("pino");
}

#[test]
#[should_panic(expected = "shows the password that the agent was given")]
fn a_secret_that_is_shown_is_found() {
    // Its user name is shown, and rightly so; as a password it must not be.
    let careless = "the-same-word-for-both";
    let hub = Hub::start();
    let login = [
        ("CYBUS_MQTT_USERNAME", careless),
        ("CYBUS_PROTOCOL_MAPPER_PASSWORD", careless),
    ];
    let mut agent = start(&hub, &login);
    agent.pairing_id();
    drop(agent);
}
