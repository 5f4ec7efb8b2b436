//! Login by client certificate at a broker that takes the username from it, and what is wrong with a certificate.

use std::path::Path;

use serde_json::json;
use syncline_tests::agent::{self, Agent, example};
use syncline_tests::certificates::{Authority, Lifetime, PairFiles};
use syncline_tests::process::Process;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::tls_broker::{Clients, Newest, TlsBroker};
use syncline_tests::wait;

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";
/// The name of agents in tests.
const NAME: &str = "test-agent";

fn variables<'a>(ca: &'a Path, pair: &'a PairFiles) -> [(&'static str, &'a str); 5] {
    let text = |path: &'a Path| path.to_str().expect("a path in UTF-8");
    [
        ("CYBUS_MQTT_SCHEME", "mqtts"),
        ("USE_MUTUAL_TLS", "true"),
        ("CA", text(ca)),
        ("AGENT_CERT", text(&pair.certificate)),
        ("AGENT_KEY", text(&pair.key)),
    ]
}

fn start(broker: &TlsBroker, pair: &PairFiles) -> Agent {
    Agent::start_with(
        &example("1-transaction.yml"),
        broker.port(),
        &variables(broker.ca(), pair),
    )
}

#[test]
fn certificate_logs_in_under_its_common_name() {
    for newest in [Newest::Tls13, Newest::Tls12] {
        let mut broker = TlsBroker::start(Clients::WithCertificate, newest);
        let pair = broker
            .authority()
            .client(NAME, Lifetime::Now)
            .write(broker.folder(), "agent");
        let agent = start(&broker, &pair);
        let _responder = Responder::start(&broker.broker, BASE, |_| Answer::Value(json!("here")));
        assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("here"));
        broker.broker.wait_for_log(&format!(" u'{NAME}'"));
        assert!(!agent.log().contains("WARN"), "{}", agent.log());
    }
}

#[test]
fn broker_that_wants_a_certificate_is_understood() {
    for newest in [Newest::Tls13, Newest::Tls12] {
        let broker = TlsBroker::start(Clients::WithCertificate, newest);
        let ca = broker.ca().to_str().expect("a path in UTF-8");
        let mut agent = Agent::start_with(
            &example("1-transaction.yml"),
            broker.port(),
            &[("CYBUS_MQTT_SCHEME", "mqtts"), ("CA", ca)],
        );
        agent.wait_for_log_line(&["wants a client certificate", "USE_MUTUAL_TLS=true"]);
        assert!(agent.is_running());
    }
}

#[test]
fn certificate_of_an_authority_that_the_broker_does_not_know_is_told_with_the_cure() {
    for newest in [Newest::Tls13, Newest::Tls12] {
        let broker = TlsBroker::start(Clients::WithCertificate, newest);
        let other = Authority::new("Other Authority");
        let pair = other.client(NAME, Lifetime::Now).write(broker.folder(), "agent");
        let mut agent = start(&broker, &pair);
        agent.wait_for_log_line(&["does not know the authority that issued this agent's certificate"]);
        assert!(agent.is_running());
    }
}

#[test]
fn certificate_that_ends_within_30_days_is_a_warning() {
    let broker = TlsBroker::start(Clients::WithCertificate, Newest::Tls13);
    let pair = broker
        .authority()
        .client(NAME, Lifetime::Days(29))
        .write(broker.folder(), "agent");
    let mut agent = start(&broker, &pair);
    agent.wait_for_log_line(&["WARN", "AGENT_CERT", "more days, until", "renewed"]);
    let _responder = Responder::start(&broker.broker, BASE, |_| Answer::Value(json!("here")));
    assert_eq!(agent.ask_when_ready(PATH, &[]).status, 200);
}

/// Starts an agent with these files, which must end with 78, each of `words` and no word of the key.
fn cannot_start(folder: &Path, pair: &PairFiles, words: &[&str]) {
    let mut command = agent::run(&example("1-transaction.yml"), folder);
    command
        .envs(variables(Path::new("/nowhere"), pair))
        // Nothing listens there, and nothing needs to: the files are read first.
        .env("CYBUS_MQTT_PORT", "1")
        .env("SYNCLINE_HTTP_LISTEN", "127.0.0.1:0");
    // The system's authorities are none of this test's business.
    command.env("CA", folder.join("ca.pem"));
    let mut process = Process::start(&command, &folder.join("output"));
    let status = process.wait(wait::PATIENCE);
    let output = process.output();
    assert_eq!(status.code(), Some(78), "{output}");
    for word in words {
        assert!(output.contains(word), "`{word}` is not in:\n{output}");
    }
    let key = std::fs::read_to_string(&pair.key).unwrap_or_default();
    let secret = key.lines().nth(1).filter(|line| line.len() > 8);
    assert!(
        secret.is_none_or(|line| !output.contains(line)),
        "the key was shown:\n{output}"
    );
}

struct Files {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new("Plant Authority");
        std::fs::write(folder.path().join("ca.pem"), authority.certificate()).expect("a writable folder");
        Self { folder, authority }
    }

    fn pair(&self, common_name: &str, lifetime: Lifetime) -> PairFiles {
        self.authority
            .client(common_name, lifetime)
            .write(self.folder.path(), "agent")
    }

    fn cannot_start(&self, pair: &PairFiles, words: &[&str]) {
        cannot_start(self.folder.path(), pair, words);
    }
}

#[test]
fn certificate_of_another_name_ends_the_start() {
    let files = Files::new();
    let words = [
        "AGENT_CERT",
        "agent.crt",
        "`line-7`",
        "`test-agent`",
        "CN=test-agent",
        "CYBUS_MQTT_USERNAME",
    ];
    files.cannot_start(&files.pair("line-7", Lifetime::Now), &words);
}

#[test]
fn certificate_outside_of_its_time_ends_the_start() {
    let files = Files::new();
    files.cannot_start(
        &files.pair(NAME, Lifetime::Past),
        &["AGENT_CERT", "agent.crt", "expired on 2020-01-01", "renewed"],
    );
    files.cannot_start(
        &files.pair(NAME, Lifetime::Future),
        &["AGENT_CERT", "agent.crt", "not valid before 2100-01-01", "clock"],
    );
}

#[test]
fn key_of_another_certificate_ends_the_start() {
    let files = Files::new();
    let pair = files.pair(NAME, Lifetime::Now);
    std::fs::write(&pair.key, files.authority.client(NAME, Lifetime::Now).key).expect("a writable folder");
    files.cannot_start(&pair, &["AGENT_KEY", "agent.key", "does not belong", "agent.crt"]);
}

#[test]
fn files_that_hold_no_pair_end_the_start_with_what_they_hold() {
    let files = Files::new();
    let pair = files.pair(NAME, Lifetime::Now);
    let (certificate, key) = (read(&pair.certificate), read(&pair.key));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let traditional = key.replace(
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n",
    );
    for (certificate, key, words) in [
        (
            &certificate[..certificate.len() / 2],
            &*key,
            ["AGENT_CERT", "cut short"],
        ),
        ("", &*key, ["AGENT_CERT", "no certificate"]),
        (&*key, &*key, ["AGENT_CERT", "no certificate"]),
        (&*certificate, &key[..key.len() / 2], ["AGENT_KEY", "cut short"]),
        (&*certificate, &*certificate, ["AGENT_KEY", "no private key"]),
        (&*certificate, &*encrypted, ["AGENT_KEY", "encrypted"]),
        (&*certificate, &*traditional, ["AGENT_KEY", "encrypted"]),
    ] {
        std::fs::write(&pair.certificate, certificate).expect("a writable folder");
        std::fs::write(&pair.key, key).expect("a writable folder");
        files.cannot_start(&pair, &words);
    }
    std::fs::remove_file(&pair.key).expect("a writable folder");
    files.cannot_start(&pair, &["AGENT_KEY", "agent.key", "no such file"]);
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("a readable file")
}
