//! The hub's admin page in a real browser, and what it keeps out.

use serde_json::json;
use syncline_tests::agent::{Agent, example};
use syncline_tests::browser::Browser;
use syncline_tests::curl;
use syncline_tests::hub::{AGENT_PERMISSIONS, Hub};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

fn start(hub: &Hub) -> Agent {
    let variables = hub.variables();
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Agent::start_with(&example("1-transaction.yml"), hub.mqtt_port(), &variables)
}

/// Asks to register as `username` and gives the status of the answer.
fn register(hub: &Hub, username: &str, password: &str) -> u16 {
    let body = json!({"username": username, "password": password}).to_string();
    let options = ["--request", "POST", "--data", &body];
    curl::ask(&hub.url("/api/client-registry/register"), &options).status
}

/// Presses Tab until the element with this `id` has the focus.
fn tab_to(browser: &Browser, id: &str) {
    for _ in 0..50 {
        if browser.focused() == id {
            return;
        }
        browser.press(TAB);
    }
    panic!(
        "{id} cannot be reached with Tab, the focus is on {:?}",
        browser.focused()
    );
}

#[test]
fn an_agent_is_let_in_by_pressing_buttons() {
    let hub = Hub::start();
    let mut agent = start(&hub);
    agent.wait_for_log_line(&["pairing ID: "]);
    let browser = Browser::start();
    browser.open(&hub.secure_url());
    assert!(browser.address().ends_with("/login"));
    browser.type_into(&browser.find("#password"), hub.password());
    browser.click(&browser.find("#login"));
    browser.click(&browser.find("#unlock"));
    // The agent asks again by itself, and the page shows it by itself.
    let shown = browser.text(&browser.find("td.pairing-id"));
    assert!(agent.log().contains(&format!("pairing ID: {shown}")), "{shown}");
    browser.click(&browser.find("a[id^=review]"));
    assert_eq!(browser.text(&browser.find("strong.pairing-id")), shown);
    browser.click(&browser.find("#grant"));
    agent.wait_for_log_line(&["connected to the broker"]);
    assert_eq!(browser.text(&browser.find("#user-test-agent")), "Change");
    assert_eq!(browser.complaints(), json!([]));
}

#[test]
fn a_keyboard_suffices() {
    let hub = Hub::start();
    let browser = Browser::start();
    browser.open(&hub.secure_url());
    // The password's field has the focus from the start.
    let _ = browser.find("#password");
    tab_to(&browser, "password");
    browser.press(hub.password());
    browser.press(ENTER);
    let _ = browser.find("#unlock");
    tab_to(&browser, "unlock");
    browser.press(ENTER);
    let _ = browser.find("#lock");
    assert_eq!(register(&hub, "by-keyboard", "a-password"), 202);
    let _ = browser.find("#review-1");
    tab_to(&browser, "review-1");
    browser.press(ENTER);
    let _ = browser.find("#grant");
    tab_to(&browser, "grant");
    browser.press(ENTER);
    let _ = browser.find("#user-by-keyboard");
    assert_eq!(register(&hub, "by-keyboard", "a-password"), 201);
    tab_to(&browser, "logout");
    browser.press(ENTER);
    let _ = browser.find("#login");
}

#[test]
fn names_are_text_and_never_markup() {
    let hub = Hub::start();
    hub.unlock();
    let name = "<img/src=x/onerror=alert(1)>";
    assert_eq!(register(&hub, name, "a-password"), 422, "a slash is refused");
    let name = "<b>\"bold\"&'</b>".replace('/', "!");
    assert_eq!(register(&hub, &name, "a-password"), 202);
    let browser = Browser::start();
    browser.open(&hub.secure_url());
    browser.type_into(&browser.find("#password"), hub.password());
    browser.click(&browser.find("#login"));
    assert_eq!(browser.text(&browser.find("tbody td")), name);
    assert_eq!(
        browser.run("return document.querySelectorAll('main b').length"),
        0
    );
    assert_eq!(browser.complaints(), json!([]));
}

#[test]
fn nothing_is_seen_or_done_without_a_login() {
    let hub = Hub::start();
    for path in ["/", "/pending?id=1", "/user?name=x"] {
        let answer = curl::ask(&hub.url(path), &[]);
        assert_eq!(answer.status, 303, "{path}");
        assert_eq!(answer.header("location"), Some("/login"), "{path}");
    }
    for path in [
        "/unlock", "/lock", "/grant", "/deny", "/permit", "/delete", "/logout",
    ] {
        let answer = curl::ask(&hub.url(path), &["--data", "csrf=x"]);
        assert_eq!(answer.header("location"), Some("/login"), "{path}");
        // With a login, but with the token of nobody.
        assert_eq!(hub.post(path, &[("csrf", "x")]).status, 403, "{path}");
        assert_eq!(hub.post(path, &[]).status, 403, "{path}");
    }
    assert_eq!(register(&hub, "line-1", "a-password"), 423, "still locked");
    let foreign = ["--data", "password=x", "--header", "origin: https://evil.example"];
    assert_eq!(curl::ask(&hub.url("/login"), &foreign).status, 403);
}

#[test]
fn guessing_passwords_is_slowed_down() {
    let hub = Hub::start();
    let guess = || curl::ask(&hub.url("/login"), &["--data", "password=guess"]);
    let slowed = (0..30).map(|_| guess()).find(|answer| answer.status != 403);
    let slowed = slowed.expect("a limit within 30 guesses");
    assert_eq!(slowed.status, 429);
    let wait = slowed
        .header("retry-after")
        .and_then(|text| text.parse::<u64>().ok());
    assert!(wait.is_some_and(|wait| wait >= 1), "{wait:?}");
    let right = hub.post("/login", &[("password", hub.password())]);
    assert_eq!(
        right.status, 429,
        "the right one waits too, or guessing would go on"
    );
}

#[test]
fn the_registry_answers_what_it_documents() {
    let hub = Hub::start();
    let url = hub.url("/api/client-registry/register");
    for (body, status) in [
        ("", 400),
        ("garbage", 400),
        (r#"{"username":"line-1"}"#, 400),
        (r#"{"username":"ab","password":"12345"}"#, 422),
        (r#"{"username":"abc","password":"1234"}"#, 422),
        (r#"{"username":"abc","password":"12345","csr":"garbage"}"#, 422),
        (r#"{"username":"abc","password":"12345"}"#, 423),
    ] {
        let answer = curl::ask(&url, &["--request", "POST", "--data", body]);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.body);
    }
    let too_long = "x".repeat(70_000);
    let too_long = curl::ask(&url, &["--request", "POST", "--data", &too_long]);
    assert_eq!(too_long.status, 413);
    hub.unlock();
    assert_eq!(register(&hub, "line-1", "secret"), 202);
    let info = curl::ask(&hub.url("/api/system/info"), &[]).json();
    assert!(info["version"].is_string());
    // printf 'line-1\0secret' | sha256sum
    hub.grant("009be4", AGENT_PERMISSIONS);
    assert_eq!(register(&hub, "line-1", "secret"), 201);
    assert_eq!(register(&hub, "line-1", "other-secret"), 409);
    assert_eq!(curl::ask(&hub.url("/api/else"), &[]).status, 404);
}
