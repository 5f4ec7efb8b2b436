//! An agent that nobody knows comes to be let in at `syncline hub`, and stays so.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::agent::{self, Agent, example};
use syncline_tests::dynamic_security::DynamicSecurity;
use syncline_tests::hub::{AGENT_PERMISSIONS, Hub};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::process::Process;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::small_disk::SmallDisk;
use syncline_tests::{curl, wait};

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";

fn start(hub: &Hub, further: &[(&str, &str)]) -> Agent {
    let variables = hub.variables();
    let mut all: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    all.extend(further);
    Agent::start_with(&example("1-transaction.yml"), hub.mqtt_port(), &all)
}

fn stored_password(agent: &Agent) -> String {
    let text = std::fs::read_to_string(agent.data().join("credentials.json")).expect("stored credentials");
    let stored: Value = serde_json::from_str(&text).expect("JSON");
    stored["password"].as_str().expect("a password").to_owned()
}

#[test]
fn an_agent_goes_from_unknown_to_online_and_stays_known() {
    goes_online_and_stays_known(&Hub::start());
}

#[test]
fn an_agent_goes_online_at_a_mosquitto_that_follows_the_hub() {
    let broker = DynamicSecurity::start_with("");
    let hub = Hub::start_with(&broker);
    goes_online_and_stays_known(&hub);
    hub.delete("test-agent");
    hub.delete("responder");
    for name in ["test-agent", "responder"] {
        assert!(!broker.kept().contains(name), "{}", broker.kept());
    }
}

/// The whole life at one hub; in the end the agent and a responder are users.
fn goes_online_and_stays_known(hub: &Hub) {
    let mut unknown = start(hub, &[]);
    let id = unknown.pairing_id();
    unknown.wait_for_log_line(&["locked"]);
    assert_eq!(curl::ask(&unknown.url(PATH), &[]).status, 503);

    hub.unlock();
    // The page shows the same pairing id as the log.
    assert!(!hub.pending(&id).is_empty());
    // A restart while it waits goes on with the same claim.
    let mut waiting = unknown.restart();
    assert_eq!(waiting.pairing_id(), id);
    hub.grant(&id, AGENT_PERMISSIONS);
    waiting.wait_for_log_line(&["connected to the broker"]);

    let responder = hub.responder(BASE);
    assert_eq!(waiting.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    wait::until("the page shows the agent online", wait::PATIENCE, || {
        hub.page()
            .contains("<td>test-agent</td><td>online</td>")
            .then_some(())
    });

    let mut known = waiting.restart();
    known.wait_for_log_line(&["connected to the broker"]);
    assert_eq!(known.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    assert!(!known.log().contains("registration"), "{}", known.log());

    // A deleted user is disconnected and registers again with the same password.
    let password = stored_password(&known);
    hub.lock();
    hub.delete("test-agent");
    assert_eq!(known.pairing_id(), id);
    wait::until("requests are refused", wait::PATIENCE, || {
        (curl::ask(&known.url(PATH), &[]).status == 503).then_some(())
    });
    hub.unlock();
    hub.grant(&id, AGENT_PERMISSIONS);
    assert_eq!(known.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    assert_eq!(stored_password(&known), password);
    drop(responder);

    for secret in [&password, hub.password()] {
        assert!(!known.log().contains(secret), "the agent's log has a secret");
    }
    assert!(!hub.log().contains(&password), "the hub's log has a secret");
    let kept = std::fs::read_to_string(hub.data().join("hub.json")).expect("the hub's file");
    assert!(!kept.contains(&password) && !kept.contains(hub.password()));
}

#[test]
fn credentials_that_found_a_full_disk_are_stored_as_soon_as_there_is_room() {
    let hub = Hub::start();
    hub.unlock();
    let disk = SmallDisk::mount(64 << 10);
    disk.fill();
    let data = disk.path().to_str().expect("a path in UTF-8");
    let mut agent = start(&hub, &[("SYNCLINE_DATA_DIR", data)]);
    let id = agent.pairing_id();
    agent.wait_for_log_line(&[
        "WARN",
        "cannot store the credentials",
        "no space left",
        "again every 5 s",
    ]);
    assert!(!disk.path().join("credentials.json").exists());
    disk.make_room();
    agent.wait_for_log_line(&["INFO", "the credentials are stored", data]);
    hub.grant(&id, AGENT_PERMISSIONS);
    agent.wait_for_log_line(&["connected to the broker"]);

    // As after `kill -9`.
    let mut known = agent.restart();
    known.wait_for_log_line(&["connected to the broker"]);
    assert!(!known.log().contains("registration"), "{}", known.log());
}

#[test]
fn a_second_agent_of_the_same_name_is_told_how_to_mend_it() {
    tells_a_rival_how_to_mend_it(&Hub::start());
}

#[test]
fn a_second_agent_of_the_same_name_is_told_how_to_mend_it_where_a_mosquitto_follows_the_hub() {
    let broker = DynamicSecurity::start_with("");
    tells_a_rival_how_to_mend_it(&Hub::start_with(&broker));
}

fn tells_a_rival_how_to_mend_it(hub: &Hub) {
    hub.unlock();
    let mut first = start(hub, &[]);
    let id = first.pairing_id();
    hub.grant(&id, AGENT_PERMISSIONS);
    first.wait_for_log_line(&["connected to the broker"]);

    let mut rival = start(hub, &[]);
    assert_ne!(rival.pairing_id(), id);
    rival.wait_for_log_line(&["registered with other credentials", "delete", "CYBUS_AGENT_NAME"]);
    assert!(rival.is_running() && first.is_running());
}

#[test]
fn a_denied_agent_is_told_and_let_in_after_all() {
    let hub = Hub::start();
    hub.unlock();
    let mut agent = start(&hub, &[]);
    let id = agent.pairing_id();
    hub.deny(&id);
    agent.wait_for_log_line(&["denied this request"]);
    assert!(agent.is_running());
    hub.unlock();
    let mut agent = agent.restart();
    hub.grant(&id, AGENT_PERMISSIONS);
    agent.wait_for_log_line(&["connected to the broker"]);
}

#[test]
fn an_agent_registers_over_mqtt_alone() {
    for (mode, version) in [("mqtt", "5"), ("mqtt", "3.1.1"), ("auto", "5")] {
        let hub = Hub::start();
        hub.unlock();
        // Nobody listens there, so that `auto` finds no registry.
        let nowhere = format!("http://127.0.0.1:{}", syncline_tests::port::free());
        let variables = [
            ("SYNCLINE_REGISTRATION", mode),
            ("SYNCLINE_MQTT_VERSION", version),
            ("SYNCLINE_REGISTRY_URL", &nowhere),
        ];
        let mut agent = start(&hub, &variables);
        let id = agent.pairing_id();
        hub.grant(&id, AGENT_PERMISSIONS);
        agent.wait_for_log_line(&["connected to the broker"]);
        assert!(hub.page().contains("test-agent"), "{mode} {version}");
    }
}

#[test]
fn an_agent_with_a_given_password_registers_with_that() {
    let hub = Hub::start();
    hub.unlock();
    let mut agent = start(&hub, &[("CYBUS_PROTOCOL_MAPPER_PASSWORD", "given-by-hand")]);
    let id = agent.pairing_id();
    hub.grant(&id, AGENT_PERMISSIONS);
    agent.wait_for_log_line(&["connected to the broker"]);
    assert!(!agent.data().join("credentials.json").exists());
}

#[test]
fn what_the_registry_can_never_accept_ends_the_agent_with_77() {
    let hub = Hub::start();
    hub.unlock();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = agent::run(&example("1-transaction.yml"), folder.path());
    command.env("CYBUS_MQTT_USERNAME", "a b").envs(hub.variables());
    command.env("SYNCLINE_HTTP_LISTEN", "127.0.0.1:0");
    let mut agent = Process::start(&command, &folder.path().join("agent.log"));
    let status = agent.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(77), "{}", agent.output());
    assert!(
        agent.output().contains("the user name has the character ' '"),
        "{}",
        agent.output()
    );
}

#[test]
fn a_registry_of_an_unknown_authority_gets_no_password() {
    let (hub, other) = (Hub::start(), Hub::start());
    hub.unlock();
    let authority = other.authority();
    let foreign = [
        ("CA", authority.to_str().expect("UTF-8")),
        ("SYNCLINE_REGISTRATION", "rest"),
    ];
    let mut agent = start(&hub, &foreign);
    agent.wait_for_log_line(&["certificate of the client registry is not accepted", "CA"]);
    assert!(!hub.page().contains("test-agent"));
}

#[test]
fn an_agent_registers_and_connects_with_tls_throughout() {
    let hub = Hub::start();
    hub.unlock();
    let port = hub.mqtts_port().to_string();
    let mut agent = start(
        &hub,
        &[("CYBUS_MQTT_SCHEME", "mqtts"), ("CYBUS_MQTT_PORT", &port)],
    );
    let id = agent.pairing_id();
    hub.grant(&id, AGENT_PERMISSIONS);
    agent.wait_for_log_line(&["connected to the broker", &port]);
    assert!(!agent.log().contains("WARN"), "{}", agent.log());
}

/// An agent that is to log in by certificate on that port, and has yet to be issued one.
fn start_without_certificate(hub: &Hub, port: u16, folder: &Path) -> Agent {
    let path = |name: &str| folder.join("certs").join(name).display().to_string();
    let variables = [
        ("USE_MUTUAL_TLS", "true"),
        ("SYNCLINE_REGISTRATION", "rest"),
        ("CYBUS_MQTT_SCHEME", "mqtts"),
        ("CYBUS_MQTT_PORT", &port.to_string()),
        ("AGENT_CERT", &path("agent.crt")),
        ("AGENT_KEY", &path("agent.key")),
        // The key is a secret as well.
        ("RUST_LOG", "trace"),
    ];
    start(hub, &variables)
}

#[test]
fn an_agent_is_issued_its_certificate_and_logs_in_with_that_alone() {
    let hub = Hub::start();
    let file = |name: &str| hub.data().join(name).display().to_string();
    let port = syncline_tests::port::free();
    // Takes the name of a client from its certificate, and asks for no password.
    let mut broker = Mosquitto::start_with(&format!(
        "user root\nlistener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
         use_identity_as_username true",
        file("ca.crt"),
        file("server.crt"),
        file("server.key"),
    ));
    let pair = tempfile::tempdir().expect("a temporary folder");
    let key = pair.path().join("certs/agent.key");
    let mut agent = start_without_certificate(&hub, port, pair.path());
    let id = agent.pairing_id();
    hub.unlock();
    wait::until("the request for a certificate waits", wait::PATIENCE, || {
        hub.page().contains("with a certificate to sign").then_some(())
    });
    // A restart while it waits keeps key and claim.
    let made = std::fs::read(&key).expect("a key");
    let mut agent = agent.restart();
    assert_eq!(agent.pairing_id(), id);
    hub.grant(&id, "");
    agent.wait_for_log_line(&["connected to the broker"]);
    broker.wait_for_log(" u'test-agent'");
    assert_eq!(std::fs::read(&key).expect("a key"), made);

    let responder = Responder::start(&broker, BASE, |_| Answer::Value(json!("confirmed")));
    assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    // From now on it has its certificate, and the registry is of no concern.
    let mut agent = agent.restart();
    assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    assert!(!agent.log().contains("registration"), "{}", agent.log());
    assert!(agent.is_running());
    drop(responder);
}

#[test]
fn an_agent_goes_online_by_an_issued_certificate_at_a_mosquitto_that_follows_the_hub() {
    let mut broker = DynamicSecurity::start_with("");
    let hub = Hub::start_with(&broker);
    let port = broker.let_in_by_certificate(&hub.data());
    hub.unlock();
    let pair = tempfile::tempdir().expect("a temporary folder");
    let mut unknown = start_without_certificate(&hub, port, pair.path());
    let id = unknown.pairing_id();
    // What it may do comes from the role that the hub gives it, who it is from the certificate.
    hub.grant(&id, AGENT_PERMISSIONS);
    unknown.wait_for_log_line(&["connected to the broker", &port.to_string()]);
    broker.wait_for_log(" u'test-agent'");
    let responder = hub.responder(BASE);
    assert_eq!(unknown.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    wait::until("the page shows the agent online", wait::PATIENCE, || {
        hub.page()
            .contains("<td>test-agent</td><td>online</td>")
            .then_some(())
    });

    hub.lock();
    let known = unknown.restart();
    assert_eq!(known.ask_when_ready(PATH, &[]).json(), json!("confirmed"));
    assert!(!known.log().contains("registration"), "{}", known.log());
    drop(responder);
}
