//! The first command that a newcomer types.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::agent;
use syncline_tests::process::Process;

/// A demo with `options`, its output in the file `log` of `folder`.
fn start(folder: &Path, log: &str, options: &[&str]) -> Process {
    let mut command = agent::syncline();
    command.arg("demo").args(options).current_dir(folder);
    Process::start(&command, &folder.join(log))
}

#[test]
fn demo_shows_one_held_request_and_its_answer_and_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut demo = start(folder.path(), "demo.log", &["--once"]);
    let status = demo.wait(Duration::from_secs(30));
    let output = demo.output();
    assert!(status.success(), "{status}\n{output}");
    for shown in ["http://127.0.0.1:", "/treq", "/tres", "200", " ms"] {
        assert!(output.contains(shown), "`{shown}` is not in:\n{output}");
    }
}

#[test]
fn the_command_that_the_demo_prints_gets_an_answer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut demo = start(folder.path(), "demo.log", &[]);
    demo.wait_for_output("Ctrl-C");
    let output = demo.output();
    let line = output
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("curl "));
    let line = line.unwrap_or_else(|| panic!("no curl command in:\n{output}"));
    let answer = Command::new("sh")
        .args(["-c", &format!("{line} --silent --max-time 10")])
        .output();
    let answer = answer.expect("a shell");
    let body: Value = serde_json::from_slice(&answer.stdout).expect("the answer is JSON");
    assert_eq!(body, json!({ "confirmed": { "order": "4711" } }));
}

#[test]
fn two_demos_do_not_get_in_each_others_way() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = start(folder.path(), "first.log", &["--once"]);
    let mut second = start(folder.path(), "second.log", &["--once"]);
    assert!(first.wait(Duration::from_secs(30)).success());
    assert!(second.wait(Duration::from_secs(30)).success());
}
