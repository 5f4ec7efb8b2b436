//! An agent and a central of versions that do not go together: both numbers everywhere, and offline. That it is online once that is
//! mended is shown in `runtime-tokio/tests/data_plane/versions.rs`, where nobody has to wait for it.

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example, syncline};
use syncline_tests::central::Central;
use syncline_tests::hub::Hub;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::process::output;
use syncline_tests::{curl, port, wait};

const PATH: &str = "/data/flowsync/example1";
const STATE: &str = "syncline/agents/test-agent/state";

/// The version of the built program.
fn own_version() -> String {
    let (_, text, _) = output(syncline().arg("--version"));
    let version = text.trim().rsplit(' ').next();
    version.expect("a version").to_owned()
}

fn agent(broker: &Mosquitto, central: &Central, further: &[(&str, &str)]) -> Agent {
    let url = central.url();
    let mut variables = vec![("SYNCLINE_REGISTRY_URL", url.as_str())];
    variables.extend(further);
    Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables)
}

#[test]
fn an_agent_stays_offline_while_its_central_is_of_another_version_and_says_so_everywhere() {
    let (broker, central) = (Mosquitto::start(), Central::start("99.1.0"));
    let mut states = Subscription::start(&broker, STATE);
    let mut next = || wait::until("a state", wait::PATIENCE, || states.poll()).1;
    let admin = format!("127.0.0.1:{}", port::free());
    let mut agent = agent(&broker, &central, &[("SYNCLINE_ADMIN_LISTEN", &admin)]);
    let own = own_version();
    agent.wait_for_log_line(&["ERROR", "offline", "99.1.0", &own, "SYNCLINE_VERSION_CHECK"]);
    assert_eq!(next()["status"], "online");
    let offline = next();
    assert_eq!(
        (&offline["status"], &offline["version"]),
        (&json!("offline"), &json!(own))
    );
    // Its own word, not the Will.
    assert!(offline["since"].is_string(), "{offline}");

    let ask = |path: &str| curl::ask(&format!("http://{admin}{path}"), &[]);
    let ready = ask("/readyz");
    assert_eq!(ready.status, 503);
    let reasons = ready.json()["reasons"].to_string();
    assert!(reasons.contains("99.1.0") && reasons.contains(&own), "{reasons}");
    let status: Value = ask("/status").json();
    assert_eq!(
        status["central"],
        json!({ "version": "99.1.0", "matches": false })
    );
    assert!(
        ask("/metrics")
            .body
            .contains("syncline_central_version_matches{version=\"99.1.0\"} 0")
    );
    assert_eq!(curl::ask(&agent.url(PATH), &[]).status, 503);
}

#[test]
fn an_agent_whose_central_is_of_its_version_says_that_they_match() {
    let own = own_version();
    let (broker, central) = (Mosquitto::start(), Central::start(&own));
    let agent = agent(&broker, &central, &[]);
    wait::until("the central has told its version", wait::PATIENCE, || {
        let (code, text, _) = output(&mut agent.beside(&["status", "--json"]));
        assert_eq!(code, 0, "{text}");
        let status: Value = serde_json::from_str(&text).expect("JSON");
        (status["central"] == json!({ "version": own, "matches": true })).then_some(())
    });
}

#[test]
fn the_rule_is_the_operators() {
    let own = own_version();
    let series = own.rsplit_once('.').expect("three numbers").0;
    let sibling = format!("{series}.987");
    for (rule, version, fits) in [
        ("compatible", sibling.as_str(), true),
        ("exact", sibling.as_str(), false),
        ("exact", own.as_str(), true),
        ("off", "99.1.0", true),
        // Nothing to compare with.
        ("compatible", "latest", true),
    ] {
        let (broker, central) = (Mosquitto::start(), Central::start(version));
        let mut agent = agent(&broker, &central, &[("SYNCLINE_VERSION_CHECK", rule)]);
        if fits {
            // Without a responder the request is held until its time is up.
            assert_eq!(agent.ask_when_ready(PATH, &[]).status, 500, "{rule} {version}");
            assert!(
                !agent.log().contains("ERROR"),
                "{rule} {version}: {}",
                agent.log()
            );
        } else {
            agent.wait_for_log_line(&["offline", version, &own]);
        }
    }
}

#[test]
fn a_hub_tells_its_version() {
    let hub = Hub::start();
    let info = curl::ask(&hub.url("/api/system/info"), &[]);
    assert_eq!(
        (info.status, &info.json()["version"]),
        (200, &json!(own_version()))
    );
}
