//! The hub's administrator as a program: everything that the page does, and nothing for anybody else.

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example};
use syncline_tests::curl::{self, Response};
use syncline_tests::hub::Hub;
use syncline_tests::wait;

/// A request below `/api/hub` with these options for curl.
fn ask(hub: &Hub, path: &str, options: &[&str]) -> Response {
    curl::ask(&hub.url(&format!("/api/hub{path}")), options)
}

/// As the documentation shows it.
fn admin(hub: &Hub, path: &str, body: Option<&Value>) -> Response {
    let user = format!("admin:{}", hub.password());
    let body = body.map(ToString::to_string);
    let mut options = vec!["--user", user.as_str()];
    if let Some(body) = &body {
        options.extend(["--json", body]);
    }
    ask(hub, path, &options)
}

fn change(hub: &Hub, path: &str, body: &Value) -> Value {
    let answer = admin(hub, path, Some(body));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn register(hub: &Hub, username: &str) -> u16 {
    let body = json!({"username": username, "password": "a-password"}).to_string();
    let options = ["--request", "POST", "--data", &body];
    curl::ask(&hub.url("/api/client-registry/register"), &options).status
}

#[test]
fn an_agent_is_commissioned_by_a_script() {
    let hub = Hub::start();
    let state = change(&hub, "/unlock", &json!({}));
    assert!(
        state["unlockedForSeconds"]
            .as_u64()
            .is_some_and(|left| left > 200),
        "{state}"
    );
    let variables = hub.variables();
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut agent = Agent::start_with(&example("1-transaction.yml"), hub.mqtt_port(), &variables);
    let pending = wait::until("the agent waits", wait::PATIENCE, || {
        let state = admin(&hub, "", None).json();
        Some(state["pending"][0].clone()).filter(|pending| pending.is_object())
    });
    assert_eq!(
        (&pending["username"], &pending["way"]),
        (&json!("test-agent"), &json!("rest"))
    );
    let id = pending["pairingId"].as_str().expect("a pairing id");
    agent.wait_for_log_line(&["pairing ID: ", id]);

    let state = change(&hub, "/grant", &json!({ "pairingId": id }));
    assert_eq!(state["pending"], json!([]));
    assert_eq!(
        state["users"],
        json!([{
            "username": "test-agent",
            "permissions": ["readwrite services/#", "write syncline/agents/test-agent/state"],
        }])
    );
    agent.wait_for_log_line(&["connected to the broker"]);
    wait::until("the hub knows that the agent is online", wait::PATIENCE, || {
        let state = admin(&hub, "", None).json();
        (state["agents"][0]["status"] == "online").then_some(())
    });
    // A second administrator comes too late.
    let late = admin(&hub, "/grant", Some(&json!({ "pairingId": id })));
    assert_eq!(late.status, 404, "{}", late.body);
}

#[test]
fn every_change_of_the_page_can_be_made() {
    let hub = Hub::start();
    change(&hub, "/unlock", &json!({}));
    assert_eq!(register(&hub, "line-1"), 202);
    assert_eq!(register(&hub, "line-2"), 202);
    let state = admin(&hub, "", None).json();
    let id = |index: usize| state["pending"][index]["id"].clone();
    change(&hub, "/deny", &json!({ "id": id(1) }));
    assert_eq!(register(&hub, "line-2"), 403);
    let granted = change(
        &hub,
        "/grant",
        &json!({ "id": id(0), "permissions": ["read plant/#"] }),
    );
    assert_eq!(granted["users"][0]["permissions"], json!(["read plant/#"]));
    assert_eq!(register(&hub, "line-1"), 201);

    let permitted = json!({ "username": "line-1", "permissions": ["write plant/line-1"] });
    let state = change(&hub, "/permit", &permitted);
    assert_eq!(state["users"][0]["permissions"], json!(["write plant/line-1"]));
    assert_eq!(
        change(&hub, "/delete", &json!({ "username": "line-1" }))["users"],
        json!([])
    );
    assert_eq!(
        change(&hub, "/lock", &json!({}))["unlockedForSeconds"],
        Value::Null
    );
    assert_eq!(register(&hub, "line-3"), 423);
}

#[test]
fn what_is_not_understood_changes_nothing_and_says_what_was_expected() {
    let hub = Hub::start();
    change(&hub, "/unlock", &json!({}));
    assert_eq!(register(&hub, "line-1"), 202);
    let before = admin(&hub, "", None).json()["pending"].clone();
    for (path, body, status) in [
        ("/grant", json!({}), 400),
        ("/grant", json!([]), 400),
        ("/grant", json!({"pairing": "0a1b2c"}), 400),
        ("/grant", json!({"pairingId": "zzzzzz"}), 404),
        ("/grant", json!({"id": 1, "permissions": ["own everything"]}), 422),
        ("/deny", json!({"id": 99}), 404),
        ("/permit", json!({"username": "line-1"}), 400),
        ("/permit", json!({"username": "nobody", "permissions": []}), 404),
        ("/delete", json!({"username": "nobody"}), 404),
        ("/else", json!({}), 404),
    ] {
        let answer = admin(&hub, path, Some(&body));
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.body);
    }
    assert_eq!(admin(&hub, "", None).json()["pending"], before);
}

#[test]
fn nobody_else_looks_or_acts_by_password_cookie_form_or_another_site() {
    let hub = Hub::start();
    let right = format!("admin:{}", hub.password());
    for (options, status) in [
        (&[][..], 401),
        (&["--user", "root:x"], 401),
        (&["--user", "admin:x"], 403),
        (&["--header", "cookie: syncline_hub=x"], 401),
    ] {
        let answer = ask(&hub, "", options);
        assert_eq!(answer.status, status, "{options:?}");
        assert_eq!(
            answer.header("www-authenticate"),
            None,
            "no browser keeps the password"
        );
        assert_eq!(
            ask(&hub, "/unlock", &[options, &["--json", "{}"]].concat()).status,
            status
        );
    }
    // The administrator's own browser, led by a page of another site.
    let form = ["--user", &right, "--data", "{}"];
    assert_eq!(ask(&hub, "/unlock", &form).status, 415);
    for header in ["origin: https://evil.example", "sec-fetch-site: cross-site"] {
        let options = ["--user", &right, "--json", "{}", "--header", header];
        assert_eq!(ask(&hub, "/unlock", &options).status, 403, "{header}");
    }
    // The page's cookie is for the page.
    let unlocked = hub.post("/api/hub/unlock", &[]);
    assert_eq!(unlocked.status, 401, "{}", unlocked.body);
    assert_eq!(admin(&hub, "", None).json()["unlockedForSeconds"], Value::Null);

    let guess = || ask(&hub, "", &["--user", "admin:guess"]);
    let slowed = (0..30).map(|_| guess()).find(|answer| answer.status != 403);
    assert_eq!(slowed.expect("a limit within 30 guesses").status, 429);
}
