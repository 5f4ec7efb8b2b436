//! Commissioning files with a mistake: place, what was found, what was expected.

use std::path::Path;
use std::process::Command;

use syncline_tests::process::Process;
use syncline_tests::{agent, wait};

/// `EX_CONFIG` of sysexits: what the agent exits with when its configuration cannot be run.
const CONFIGURATION: i32 = 78;

const GOOD: &str = "\
metadata:
  name: example
resources:
  server:
    type: Cybus::Server::Http
  node:
    type: Cybus::Node::Http
    properties:
      parent: !ref server
      method: GET
      route: /example
      operation: transaction
      transaction:
        timeout: 2000
";

/// Writes `text` and runs `syncline check` on it; returns the exit code and what was printed.
fn check(folder: &Path, text: &str) -> (Option<i32>, String) {
    let file = folder.join("service.yml");
    std::fs::write(&file, text).expect("a writable temporary folder");
    let mut command = agent::syncline();
    command.arg("check").arg(&file);
    finish(&command, folder)
}

fn run(folder: &Path) -> (Option<i32>, String) {
    let mut command = agent::run(&folder.join("service.yml"), folder);
    // Nothing listens there, and nothing needs to: the file is read first.
    command
        .env("CYBUS_MQTT_PORT", "1")
        .env("SYNCLINE_HTTP_LISTEN", "127.0.0.1:0");
    finish(&command, folder)
}

fn finish(command: &Command, folder: &Path) -> (Option<i32>, String) {
    let mut process = Process::start(command, &folder.join("output"));
    let status = process.wait(wait::PATIENCE);
    (status.code(), process.output())
}

/// Both commands must refuse `text`, point at `place`, and use each of `words`.
fn is_refused(text: &str, place: &str, words: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (code, output) in [check(folder.path(), text), run(folder.path())] {
        assert_eq!(code, Some(CONFIGURATION), "{output}");
        for word in [&format!("service.yml:{place}")[..]].iter().chain(words) {
            assert!(output.contains(word), "`{word}` is not in:\n{output}");
        }
    }
}

#[test]
fn sound_file_passes_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, output) = check(folder.path(), GOOD);
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn wrong_type_is_reported_with_its_place_and_the_type_expected() {
    is_refused(&GOOD.replace("2000", "soon"), "14:18", &["soon", "integer"]);
}

#[test]
fn value_out_of_range_is_reported_with_the_range() {
    is_refused(&GOOD.replace("2000", "600001"), "14:18", &["600001", "600000"]);
}

#[test]
fn misspelt_key_is_reported_with_the_nearest_one() {
    is_refused(
        &GOOD.replace("timeout:", "timeuot:"),
        "14:9",
        &["timeuot", "timeout"],
    );
}

#[test]
fn reference_to_nothing_is_reported_by_name() {
    is_refused(
        &GOOD.replace("!ref server", "!ref sever"),
        "9:",
        &["sever", "server"],
    );
}

#[test]
fn broken_yaml_is_reported_with_its_place() {
    is_refused(
        &GOOD.replace("name: example", "name: [example"),
        "3:",
        &["not valid YAML"],
    );
}
