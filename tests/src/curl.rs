//! `curl` as the HTTP client, as a person would use it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::{secrets, wait};

/// curl's own limit, past any that a test sets for the agent.
const MAX_TIME: &str = "90";

/// A request that has been sent and may be held.
#[derive(Debug)]
pub struct Pending {
    url: String,
    process: Process,
    folder: TempDir,
}

/// A complete response.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Body text.
    pub body: String,
    /// From before the connection to the last byte, as curl measured it.
    pub time: Duration,
}

/// Sends a request with `curl URL OPTIONS…` and does not wait for its answer.
///
/// # Panics
/// When curl is not installed.
#[must_use]
pub fn send(url: &str, options: &[&str]) -> Pending {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name| folder.path().join(name).to_string_lossy().into_owned();
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        MAX_TIME,
        "--noproxy",
        "*",
    ]);
    command.args(["--dump-header", &file("headers"), "--output", &file("body")]);
    command
        .args(["--write-out", "%{http_code} %{time_total}"])
        .args(options)
        .arg(url);
    let process = Process::start(&command, &folder.path().join("result"));
    Pending {
        url: url.to_owned(),
        process,
        folder,
    }
}

/// Sends a request and waits for its answer.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn ask(url: &str, options: &[&str]) -> Response {
    send(url, options).response()
}

impl Pending {
    /// Whether the answer is there, or there will be none.
    pub fn is_finished(&mut self) -> bool {
        self.process.exit_status().is_some()
    }

    /// Waits for the answer.
    ///
    /// # Panics
    /// When curl does not get a complete one; it says why.
    #[must_use]
    pub fn response(&mut self) -> Response {
        let status = wait::until("curl ends", Duration::from_secs(100), || {
            self.process.exit_status()
        });
        let result = self.process.output();
        assert!(status.success(), "curl ended with {status}: {result}");
        let response = parse(&result, self.folder.path());
        let place = format!("the answer of {}", self.url);
        secrets::show(&place, response.body.as_str());
        // A login is given its cookie.
        let told = |(name, _): &&(String, String)| !name.eq_ignore_ascii_case("set-cookie");
        for (_, value) in response.headers.iter().filter(told) {
            secrets::show(&place, value.as_str());
        }
        response
    }
}

impl Response {
    /// The value of the header of that name, which is compared without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let entry = self
            .headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(&entry.1)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| {
            panic!(
                "status {} with a body that is not JSON ({error}): {}",
                self.status, self.body
            )
        })
    }
}

fn parse(result: &str, folder: &Path) -> Response {
    let (status, seconds) = result
        .split_once(' ')
        .expect("curl writes the status and the time");
    let headers = std::fs::read_to_string(folder.join("headers")).expect("curl writes the headers");
    Response {
        status: status.parse().expect("a status is a number"),
        headers: headers
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        // curl makes no file for an empty body.
        body: std::fs::read_to_string(folder.join("body")).unwrap_or_default(),
        time: Duration::from_secs_f64(seconds.parse().expect("a time is a number")),
    }
}
