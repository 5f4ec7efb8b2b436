//! The files in `examples/deploy` as they stand: their environment, and nothing else, in a container like the one they ask for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use syncline_tests::agent::{example, syncline};
use syncline_tests::hub::Hub;
use syncline_tests::process::Process;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::{container, curl, wait, workspace, yaml};

const URL: &str = "http://127.0.0.1:8080/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";
/// What Connectware's documentation has in its examples, under the names that it has there.
const NAMES: [&str; 6] = [
    "CYBUS_AGENT_MODE",
    "CYBUS_AGENT_NAME",
    "CYBUS_MQTT_HOST",
    "CYBUS_MQTT_PORT",
    "CYBUS_MQTT_SCHEME",
    "CYBUS_MQTT_USERNAME",
];
/// Names the file to the test in the container.
const FILE: &str = "TEST_DEPLOYMENT_FILE";

/// A deployment file: what it sets, and where it mounts folders and files.
struct Deployment {
    environment: BTreeMap<String, String>,
    mounts: Vec<String>,
    /// The words of each health check.
    checks: Vec<Vec<String>>,
}

impl Deployment {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).expect("a readable file");
        let documents = yaml::documents(&text);
        if let Some(agent) = documents[0]["services"]["agent"].as_object() {
            let environment = agent["environment"].as_object().expect("a mapping");
            let target = |volume: &Value| volume.as_str()?.split(':').nth(1).map(str::to_owned);
            return Self {
                environment: environment
                    .iter()
                    .map(|(name, value)| (name.clone(), string(value)))
                    .collect(),
                mounts: list(&agent["volumes"]).iter().filter_map(target).collect(),
                // The first word says that no shell is needed.
                checks: vec![words(&agent["healthcheck"]["test"]).split_off(1)],
            };
        }
        let is_deployment = |document: &&Value| document["kind"] == "Deployment";
        let deployment = documents.iter().find(is_deployment).expect("a Deployment");
        let agent = &deployment["spec"]["template"]["spec"]["containers"][0];
        Self {
            environment: list(&agent["env"])
                .iter()
                .map(|entry| (string(&entry["name"]), string(&entry["value"])))
                .collect(),
            mounts: list(&agent["volumeMounts"])
                .iter()
                .map(|mount| string(&mount["mountPath"]))
                .collect(),
            checks: ["livenessProbe", "readinessProbe"]
                .map(|probe| words(&agent[probe]["exec"]["command"]))
                .to_vec(),
        }
    }
}

fn string(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a sequence")
}

fn words(value: &Value) -> Vec<String> {
    list(value).iter().map(string).collect()
}

fn file(name: &str) -> PathBuf {
    workspace().join("examples/deploy").join(name)
}

/// Runs [`an_agent_of_this_file_goes_online`] in a container.
fn works_as_it_stands(name: &str) {
    let file = file(name);
    let deployment = Deployment::read(&file);
    assert!(
        deployment.environment.keys().eq(NAMES),
        "{:?}",
        deployment.environment
    );
    for place in ["/data", "/data/services", "/connectware/certs/ca"] {
        assert!(
            deployment.mounts.iter().any(|mount| mount.starts_with(place)),
            "{place}"
        );
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a writable folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args([
            "--exact",
            "deployment::an_agent_of_this_file_goes_online",
            "--ignored",
        ])
        .env(FILE, &file)
        // Built out here, where there is a network.
        .env("SYNCLINE_BIN", syncline().get_program());
    let command = container::inside(&command, &root, &deployment.environment["CYBUS_MQTT_HOST"]);
    let mut inside = Process::start(&command, &folder.path().join("output"));
    let status = inside.wait(2 * wait::PATIENCE);
    assert!(status.success(), "{}", inside.output());
    assert!(inside.output().contains("1 passed"), "{}", inside.output());
}

#[test]
fn the_compose_file_works_as_it_stands() {
    works_as_it_stands("compose.yml");
}

#[test]
fn the_kubernetes_file_works_as_it_stands() {
    works_as_it_stands("kubernetes.yml");
}

/// Not a test by itself: it needs the ports and folders of a container.
#[test]
#[ignore = "what the tests before run in a container"]
fn an_agent_of_this_file_goes_online() {
    let file = std::env::var_os(FILE).expect("a file");
    let Deployment {
        environment, checks, ..
    } = Deployment::read(Path::new(&file));
    let (host, name) = (&environment["CYBUS_MQTT_HOST"], &environment["CYBUS_AGENT_NAME"]);
    let hub = Hub::start_as(host);
    hub.unlock();
    let put = |from: &Path, to: &str| {
        std::fs::create_dir_all(Path::new(to).parent().expect("a folder")).expect("a writable container");
        std::fs::copy(from, to).expect("a writable container");
    };
    put(&hub.authority(), "/connectware/certs/ca/ca-chain.pem");
    put(&example("1-transaction.yml"), "/data/services/1-transaction.yml");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = syncline();
    command.envs(&environment);
    let mut agent = Process::start(&command, &folder.path().join("agent.log"));
    agent.wait_for_output("pairing ID: ");
    let log = agent.output();
    let (_, rest) = log.split_once("pairing ID: ").expect("just awaited");
    let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    hub.grant(
        &id,
        &format!("readwrite services/#\nwrite syncline/agents/{name}/state"),
    );
    agent.wait_for_output("connected to the broker");
    assert!(!agent.output().contains("WARN"), "{}", agent.output());
    assert!(Path::new("/data/credentials.json").is_file());

    hub.admit("responder", "a-password", "readwrite services/#");
    let login = Some(("responder", "a-password"));
    let _responder = Responder::start_at(hub.mqtt_port(), login, BASE, |_| {
        Answer::Value(json!("confirmed"))
    });
    let answer = wait::until("the node is ready", wait::PATIENCE, || {
        Some(curl::ask(URL, &[])).filter(|answer| answer.status != 503)
    });
    assert_eq!(answer.json(), json!("confirmed"));

    for check in checks {
        assert_eq!(check[0], "syncline");
        let status = syncline().envs(&environment).args(&check[1..]).status();
        assert!(status.expect("a program").success(), "{check:?}");
    }
}
