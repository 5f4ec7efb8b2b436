//! Commissioning files that change while the agent runs: what has not changed goes on, what has is answered for, and a mistake
//! changes nothing.

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::{Value, json};
use syncline_tests::curl::{self, Pending};
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;

use crate::reloading::{Plant, node, server, service};

/// Milliseconds that no test takes.
const LONG: u32 = 100_000;

fn ask(plant: &Plant, path: &str) -> Pending {
    curl::send(&plant.agent.url(path), &[])
}

/// Waits until so many requests are held.
fn wait_for_held(plant: &Plant, count: u64) {
    wait::until(&format!("{count} requests are held"), wait::PATIENCE, || {
        (plant.status()["transactions"]["open"] == count).then_some(())
    });
}

#[test]
fn a_held_request_is_answered_after_a_reload_that_changes_everything_else() {
    let plant = Plant::start(&service(
        "plant",
        &[
            server(),
            node("kept", "/kept", LONG),
            node("changed", "/changed", LONG),
            node("gone", "/gone", LONG),
        ],
    ));
    let kept = "/data/plant/kept";
    let warm = Responder::start(&plant.broker, "services/plant/kept", |_| {
        Answer::Value(json!("warm"))
    });
    assert_eq!(plant.agent.ask_when_ready(kept, &[]).status, 200);
    drop(warm);

    let mut treqs = Subscription::start(&plant.broker, "services/plant/kept/treq");
    let mut held = [kept, "/data/plant/changed", "/data/plant/gone"].map(|path| ask(&plant, path));
    wait_for_held(&plant, 3);
    plant.replace(&service(
        "plant",
        &[
            server(),
            node("added", "/added", LONG),
            // It is the same node at another URL.
            node("kept", "/moved", LONG),
            node("changed", "/changed", LONG - 1),
        ],
    ));
    plant.wait_for_reloads(1, 0);
    let [kept, changed, gone] = &mut held;
    for held in [changed, gone] {
        let response = held.response();
        assert_eq!((response.status, response.header("retry-after")), (503, None));
        assert_eq!(
            response.json()["error"]["message"],
            "this node was changed or removed while the request was held, which may have been carried out: find out \
             before sending it again"
        );
    }
    let totals = &plant.status()["transactions"];
    assert_eq!(
        (&totals["withdrawn"], &totals["cancelled"]),
        (&json!(2), &json!(0))
    );
    assert!(!kept.is_finished());
    let last = &plant.status()["reloads"]["last"];
    let counts = ["added", "changed", "removed", "unchanged"].map(|name| last[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 1], "{last}");

    for path in ["/data/plant/kept", "/data/plant/gone"] {
        assert_eq!(curl::ask(&plant.agent.url(path), &[]).status, 404, "{path}");
    }
    let answer = |name: &'static str| move |_: &Value| Answer::Value(json!(name));
    let _late = Responder::start(&plant.broker, "services/plant/kept", answer("kept"));
    let _added = Responder::start(&plant.broker, "services/plant/added", answer("added"));
    let _changed = Responder::start(&plant.broker, "services/plant/changed", answer("changed"));
    for name in ["added", "changed"] {
        let response = plant.agent.ask_when_ready(&format!("/data/plant/{name}"), &[]);
        assert_eq!((response.status, response.json()), (200, json!(name)));
    }
    assert_eq!(plant.agent.ask_when_ready("/data/plant/moved", &[]).status, 200);
    // The responder came after its treq, which is answered by hand.
    let (_, treq) = wait::until("the first treq", wait::PATIENCE, || treqs.poll());
    let reply = json!({ "id": treq["id"], "timestamp": 1, "value": "late" }).to_string();
    publish(&plant.broker, "services/plant/kept/tres", &reply, &[]);
    let response = kept.response();
    assert_eq!((response.status, response.json()), (200, json!("late")));
}

#[test]
fn a_mistake_changes_nothing_and_is_told_once_by_its_place() {
    let good = service("plant", &[server(), node("kept", "/kept", LONG)]);
    let mut plant = Plant::start(&good);
    let kept = "/data/plant/kept";
    let _responder = Responder::start(&plant.broker, "services/plant/kept", |_| Answer::Value(json!(1)));
    assert_eq!(plant.agent.ask_when_ready(kept, &[]).status, 200);

    let bad = service("plant", &[server(), node("added", "/added", 1)]).replace("GET", "GOT");
    plant.replace(&bad);
    plant.wait_for_reloads(0, 1);
    let at = bad.lines().position(|line| line.contains("GOT")).unwrap() + 1;
    let column = bad.lines().nth(at - 1).unwrap().find("GOT").unwrap() + 1;
    let place = format!("{}:{at}:{column}: ", plant.file.display());
    plant
        .agent
        .wait_for_log_line(&["ERROR", &place, "found the text `GOT`, expected `GET`"]);
    let status = plant.status();
    assert!(
        status["reloads"]["last"]["errors"][0]
            .as_str()
            .unwrap()
            .starts_with(&place),
        "{status}"
    );
    assert_eq!(status["ready"], true, "{status}");
    assert_eq!(curl::ask(&plant.agent.url(kept), &[]).status, 200);
    assert_eq!(curl::ask(&plant.agent.url("/data/plant/added"), &[]).status, 404);

    // Asked again, it says that there is nothing new to say.
    plant.agent.hang_up();
    plant.wait_for_reloads(0, 2);
    plant.agent.wait_for_log_line(&["same 1 error as before"]);
    assert_eq!(
        plant.agent.log().matches(&place).count(),
        1,
        "{}",
        plant.agent.log()
    );

    plant.replace(&good);
    plant.wait_for_reloads(1, 2);
    assert_eq!(plant.status()["reloads"]["last"]["succeeded"], true);
    assert_eq!(curl::ask(&plant.agent.url(kept), &[]).status, 200);
}

#[test]
fn files_of_a_folder_come_change_and_go_by_themselves() {
    let mut plant = Plant::start_folder(&service("plant", &[server(), node("first", "/first", LONG)]));
    let answer = |name: &'static str| move |_: &Value| Answer::Value(json!(name));
    let _first = Responder::start(&plant.broker, "services/plant/first", answer("first"));
    let _second = Responder::start(&plant.broker, "services/other/second", answer("second"));
    assert_eq!(
        plant.agent.ask_when_ready("/data/plant/first", &[]).json(),
        "first"
    );
    let mut presence = Subscription::start(&plant.broker, "syncline/agents/test-agent/state");
    let mut services = || wait::until("a state", wait::PATIENCE, || presence.poll()).1["services"].clone();
    assert_eq!(services(), json!(["plant"]));

    // Moved into the folder.
    let other = service("other", &[server(), node("second", "/second", LONG)]);
    let staged = plant.folder.path().join("staged");
    std::fs::write(&staged, &other).unwrap();
    let other_file = plant.file.with_file_name("b.yaml");
    std::fs::rename(&staged, &other_file).unwrap();
    plant.wait_for_reloads(1, 0);
    assert_eq!(
        plant.agent.ask_when_ready("/data/other/second", &[]).json(),
        "second"
    );
    assert_eq!(services(), json!(["plant", "other"]));
    let paths = || curl::ask(&plant.agent.url("/openapi.json"), &[]).json()["paths"].clone();
    assert!(paths()["/data/other/second"].is_object());

    // Written over.
    std::fs::write(&other_file, other.replace("/second", "/third")).unwrap();
    plant.wait_for_reloads(2, 0);
    assert_eq!(
        plant.agent.ask_when_ready("/data/other/third", &[]).json(),
        "second"
    );
    assert_eq!(curl::ask(&plant.agent.url("/data/other/second"), &[]).status, 404);

    std::fs::remove_file(&other_file).unwrap();
    plant.wait_for_reloads(3, 0);
    assert_eq!(curl::ask(&plant.agent.url("/data/other/third"), &[]).status, 404);
    assert!(paths()["/data/other/third"].is_null());
    assert_eq!(services(), json!(["plant"]));

    // The last one: nobody means that by it.
    std::fs::remove_file(&plant.file).unwrap();
    plant.wait_for_reloads(3, 1);
    plant
        .agent
        .wait_for_log_line(&["ERROR", "SYNCLINE_SERVICES: found no file"]);
    assert_eq!(
        curl::ask(&plant.agent.url("/data/plant/first"), &[]).json(),
        "first"
    );
    plant.check_subscriptions(&["services/plant/first/tres"]);
}

#[test]
fn what_rules_and_nodes_remember_outlives_a_reload_that_is_not_about_them() {
    let resource = |name: &str, text: &str| format!("  {name}: {text}\n");
    let read = resource(
        "read",
        "{type: 'Cybus::Node::Http', properties: {parent: !ref server, method: GET, route: /read, topic: level}}",
    );
    let changes = |publish: &str| {
        let text = format!(
            "{{type: 'Cybus::Mapping', properties: {{mappings: [{{subscribe: {{topic: in}}, publish: {{topic: {publish}}}, \
             rules: [{{cov: {{key: value}}}}]}}]}}}}"
        );
        resource("changes", &text)
    };
    let plant = Plant::start(&service("plant", &[server(), read.clone(), changes("out")]));
    let mut out = Subscription::start(&plant.broker, "out");
    let mut next = || wait::until("a message", wait::PATIENCE, || out.poll()).1["value"].clone();
    plant.wait_until_ready();
    publish(&plant.broker, "services/plant/level", r#"{"value":7}"#, &[]);
    publish(&plant.broker, "in", r#"{"value":1}"#, &[]);
    assert_eq!(next(), 1);
    let value = |plant: &Plant| plant.agent.ask_when_ready("/data/plant/read", &[]);
    wait::until("the value is there", wait::PATIENCE, || {
        (value(&plant).status == 200).then_some(())
    });

    plant.replace(&service(
        "plant",
        &[server(), read.clone(), changes("out"), node("new", "/new", 1)],
    ));
    plant.wait_for_reloads(1, 0);
    assert_eq!(value(&plant).json(), 7);
    publish(&plant.broker, "in", r#"{"value":1}"#, &[]);
    publish(&plant.broker, "in", r#"{"value":2}"#, &[]);
    assert_eq!(next(), 2, "1 is no change");
    let mapping = &plant.status()["mappings"][0];
    assert_eq!(
        (&mapping["received"], &mapping["published"]),
        (&json!(3), &json!(2))
    );

    plant
        .replace(&service("plant", &[server(), read, changes("out/")]).replace("topic: out/", "topic: else"));
    plant.wait_for_reloads(2, 0);
    let mut elsewhere = Subscription::start(&plant.broker, "else");
    plant.wait_until_ready();
    publish(&plant.broker, "in", r#"{"value":2}"#, &[]);
    let (_, message) = wait::until("a message", wait::PATIENCE, || elsewhere.poll());
    assert_eq!(message["value"], 2, "a mapping that was changed begins anew");
    plant.check_subscriptions(&["in", "services/plant/level"]);
}

#[test]
fn the_listener_opens_with_the_first_http_server_and_closes_with_the_last() {
    let mapping = "  flow: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {topic: a}, publish: {topic: b}}]}}\n";
    let without = service("plant", &[mapping.to_owned()]);
    let with = service(
        "plant",
        &[mapping.to_owned(), server(), node("node", "/node", LONG)],
    );
    let mut plant = Plant::start_without_http(&without);
    let _responder = Responder::start(&plant.broker, "services/plant/node", |_| Answer::Value(json!(1)));
    let address = ("127.0.0.1", plant.agent.http_port());

    let other = TcpListener::bind(address).expect("nobody listens");
    plant.replace(&with);
    plant.wait_for_reloads(0, 1);
    plant.agent.wait_for_log_line(&[
        "ERROR",
        "stays in force",
        "cannot listen on",
        "SYNCLINE_HTTP_LISTEN",
    ]);
    assert_eq!(plant.status()["nodes"], json!([]), "nothing of it was done");
    plant.check_subscriptions(&["a"]);
    drop(other);

    // It is tried again without being asked for.
    plant.wait_for_reloads(1, 1);
    assert_eq!(plant.agent.ask_when_ready("/data/plant/node", &[]).status, 200);

    plant.replace(&without);
    plant.wait_for_reloads(2, 1);
    wait::until("nobody listens", wait::PATIENCE, || {
        TcpListener::bind(address).ok()
    });
    plant.check_subscriptions(&["a"]);
    plant.replace(&with);
    plant.wait_for_reloads(3, 1);
    assert_eq!(plant.agent.ask_when_ready("/data/plant/node", &[]).status, 200);
}

#[test]
fn the_first_request_of_a_new_node_finds_its_mapping_subscribed() {
    let answering = |round: u32| {
        let flow = format!(
            "  flow{round}: {{type: 'Cybus::Mapping', properties: {{mappings: [{{subscribe: {{endpoint: !ref node{round}}}, \
             publish: {{endpoint: !ref node{round}}}}}]}}}}\n"
        );
        let node = node(&format!("node{round}"), &format!("/node{round}"), 500);
        service("plant", &[server(), node, flow])
    };
    let plant = Plant::start(&answering(0));
    plant.wait_until_ready();
    for round in 1..10 {
        plant.replace(&answering(round));
        plant.agent.hang_up();
        let url = plant.agent.url(&format!("/data/plant/node{round}?round={round}"));
        let first = wait::until("the new node is served", wait::PATIENCE, || {
            Some(curl::ask(&url, &[])).filter(|response| !matches!(response.status, 404 | 503))
        });
        assert_eq!(
            (first.status, first.json()),
            (200, json!({ "round": round.to_string() }))
        );
    }
}

#[test]
fn a_reload_without_a_broker_is_in_force_when_it_is_back() {
    let mut plant = Plant::start(&service("plant", &[server(), node("old", "/old", LONG)]));
    plant.wait_until_ready();
    plant.broker.kill();
    wait::until("the agent notices", wait::PATIENCE, || {
        (!plant.is_connected()).then_some(())
    });
    plant.replace(&service("plant", &[server(), node("new", "/new", LONG)]));
    plant.wait_for_reloads(1, 0);
    assert_eq!(curl::ask(&plant.agent.url("/data/plant/old"), &[]).status, 404);
    assert_eq!(curl::ask(&plant.agent.url("/data/plant/new"), &[]).status, 503);
    plant.broker.restart();
    let _responder = Responder::start(&plant.broker, "services/plant/new", |_| Answer::Value(json!(1)));
    assert_eq!(plant.agent.ask_when_ready("/data/plant/new", &[]).status, 200);
    plant.check_subscriptions(&["services/plant/new/tres"]);
}

#[test]
fn signals_in_a_row_and_one_to_stop_end_in_order() {
    let mut plant = Plant::start(&service("plant", &[server(), node("node", "/node", LONG)]));
    plant.wait_until_ready();
    for round in 0..50 {
        plant.replace(&service(
            "plant",
            &[server(), node("node", &format!("/node{round}"), LONG - round)],
        ));
        plant.agent.hang_up();
    }
    plant.agent.terminate();
    assert_eq!(plant.agent.exit_code(), 143);
    let log = plant.agent.log();
    assert!(log.contains("stopping:") && !log.contains("ERROR"), "{log}");
}

#[test]
fn a_file_of_logins_that_changes_is_taken_up_and_a_bad_one_is_not() {
    const FIRST: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
    const SECOND: &str = "zyxwvutsrqponmlkjihgfedcba9876543210";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file: PathBuf = folder.path().join("logins.toml");
    let write = |token: &str| {
        let digest = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {token} | sha256sum | cut -d' ' -f1")])
            .output()
            .expect("sha256sum");
        let digest = String::from_utf8(digest.stdout).expect("hexadecimal");
        let text = format!(
            "[[token]]\nname = 'board'\nsha256 = '{}'\nread = ['#']\n",
            digest.trim()
        );
        std::fs::write(&file, text).expect("a writable folder");
    };
    write(FIRST);
    let path = file.display().to_string();
    let mut plant = Plant::start_with(
        &service("plant", &[server(), node("node", "/node", 1)]),
        &[("SYNCLINE_HTTP_AUTH", &path)],
    );
    let status = |plant: &Plant, token: &str| {
        let header = format!("Authorization: Bearer {token}");
        curl::ask(&plant.agent.url("/data/plant/nowhere"), &["-H", &header]).status
    };
    assert_eq!((status(&plant, FIRST), status(&plant, SECOND)), (404, 401));

    std::fs::write(&file, "[[token]]\nname = 'board'\n").expect("a writable folder");
    plant.agent.hang_up();
    plant.agent.wait_for_log_line(&[
        "WARN",
        "who may come in stays as it was",
        "SYNCLINE_HTTP_AUTH",
        "line 1",
    ]);
    assert_eq!((status(&plant, FIRST), status(&plant, SECOND)), (404, 401));

    // By itself, without a signal.
    write(SECOND);
    plant
        .agent
        .wait_for_log_line(&["INFO", "SYNCLINE_HTTP_AUTH", "has changed, and is in force"]);
    assert_eq!((status(&plant, FIRST), status(&plant, SECOND)), (401, 404));

    // It never comes to rest: a comment changes all the time.
    let taken_up = |plant: &Plant| plant.agent.log().matches("has changed, and is in force").count();
    let before = taken_up(&plant);
    let settled = std::fs::read_to_string(&file).expect("just written");
    let mut round = 0;
    wait::until("a file that goes on changing is taken up", wait::PATIENCE, || {
        round += 1;
        std::fs::write(&file, format!("# {round}\n{settled}")).expect("a writable folder");
        (taken_up(&plant) > before).then_some(())
    });
}
