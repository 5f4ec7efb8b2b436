//! A headless Chromium, driven over the WebDriver protocol (W3C WebDriver): what a person would see and press.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::{curl, port, wait};

/// Name of an element's reference in WebDriver's JSON (§12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window. Dropping it ends the browser.
#[derive(Debug)]
pub struct Browser {
    session: String,
    /// Ends before the profile's folder is removed.
    _driver: Process,
    _profile: TempDir,
}

/// Something on the page.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Browser {
    /// Starts a browser that accepts the certificates of a hub that was started a moment ago.
    ///
    /// # Panics
    /// When `chromedriver` or `chromium` is not installed, or does not start; here and below when a page is not as expected.
    #[must_use]
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let driver_port = port::free();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={driver_port}"));
        // What the browser leaves behind goes with the folder.
        command.env("HOME", profile.path()).env("TMPDIR", profile.path());
        let mut driver = Process::start(&command, &profile.path().join("chromedriver.log"));
        driver.wait_for_output("started successfully");
        let base = format!("http://127.0.0.1:{driver_port}/session");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"},
        }}});
        let session = send("POST", &base, &wanted);
        let id = session["sessionId"].as_str().expect("a session");
        Self {
            session: format!("{base}/{id}"),
            _driver: driver,
            _profile: profile,
        }
    }

    /// Loads a page.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The address of the page.
    #[must_use]
    pub fn address(&self) -> String {
        text(&self.get("/url"))
    }

    /// Waits until an element matches this CSS selector.
    #[must_use]
    pub fn find(&self, selector: &str) -> Element {
        let wanted = json!({"using": "css selector", "value": selector});
        wait::until(&format!("{selector} is on the page"), wait::PATIENCE, || {
            let found = send("POST", &format!("{}/elements", self.session), &wanted);
            let id = found.as_array()?.first()?[ELEMENT].as_str()?.to_owned();
            Some(Element(id))
        })
    }

    /// Presses an element.
    pub fn click(&self, element: &Element) {
        self.post(&format!("/element/{}/click", element.0), &json!({}));
    }

    /// Types into an element.
    pub fn type_into(&self, element: &Element, keys: &str) {
        self.post(&format!("/element/{}/value", element.0), &json!({ "text": keys }));
    }

    /// Presses keys wherever the focus is: `\u{e004}` is Tab, `\u{e007}` Enter.
    pub fn press(&self, keys: &str) {
        let strokes = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})));
        let actions = json!({"actions": [{
            "type": "key", "id": "keyboard", "actions": strokes.collect::<Vec<_>>(),
        }]});
        self.post("/actions", &actions);
    }

    /// The `id` of the element that has the focus.
    #[must_use]
    pub fn focused(&self) -> String {
        text(&self.run("return document.activeElement.id"))
    }

    /// What an element shows.
    #[must_use]
    pub fn text(&self, element: &Element) -> String {
        text(&self.get(&format!("/element/{}/text", element.0)))
    }

    /// What a script returns.
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        send(
            "POST",
            &format!("{}/execute/sync", self.session),
            &json!({"script": script, "args": []}),
        )
    }

    /// What the page has complained of: errors of scripts and of its content security policy.
    #[must_use]
    pub fn complaints(&self) -> Value {
        send(
            "POST",
            &format!("{}/se/log", self.session),
            &json!({"type": "browser"}),
        )
    }

    fn post(&self, path: &str, body: &Value) {
        send("POST", &format!("{}{path}", self.session), body);
    }

    fn get(&self, path: &str) -> Value {
        value(curl::ask(&format!("{}{path}", self.session), &[]))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session; without it the browser would outlive the driver.
        if !std::thread::panicking() {
            let _ = curl::ask(&self.session, &["--request", "DELETE"]);
        } else {
            let mut command = Command::new("curl");
            command.args([
                "--silent",
                "--max-time",
                "10",
                "--request",
                "DELETE",
                &self.session,
            ]);
            // The test has failed already.
            let _ = command.output();
        }
    }
}

fn send(method: &str, url: &str, body: &Value) -> Value {
    let body = body.to_string();
    let json = "content-type: application/json";
    value(curl::ask(
        url,
        &["--request", method, "--header", json, "--data", &body],
    ))
}

/// The `value` of an answer.
fn value(response: curl::Response) -> Value {
    let answer = response.json();
    assert_eq!(response.status, 200, "WebDriver: {answer}");
    answer["value"].clone()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
