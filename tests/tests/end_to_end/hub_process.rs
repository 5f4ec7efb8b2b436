//! `syncline hub` as a process: what it logs, and how.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use syncline_tests::agent::syncline;
use syncline_tests::process::{Process, output};
use syncline_tests::{port, wait};

fn hub(data: &Path, arguments: &[&str]) -> Command {
    let mut command = syncline();
    command.args(["hub", "--data-dir"]).arg(data).args(arguments);
    for flag in ["--http", "--mqtt"] {
        command.arg(flag).arg(format!("127.0.0.1:{}", port::free()));
    }
    command
}

/// The log of a hub from its start to its orderly end.
fn log_of(command: &Command, folder: &Path) -> Vec<String> {
    let mut hub = Process::start(command, &folder.join("hub.log"));
    hub.wait_for_output("page     http://");
    hub.terminate();
    assert_eq!(hub.wait(wait::PATIENCE).code(), Some(143));
    let lines = hub.output();
    let lines = lines.lines().filter(|line| line.starts_with('{'));
    lines.map(str::to_owned).collect()
}

#[test]
fn its_log_has_the_form_and_the_level_that_flags_and_environment_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let mut by_environment = hub(&data, &[]);
    by_environment.env("SYNCLINE_LOG_FORMAT", "pino");
    let lines = log_of(&by_environment, folder.path());
    assert!(
        !lines.is_empty(),
        "a hub tells of its own connection to its broker"
    );
    for line in &lines {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(record["level"].is_u64() && record["msg"].is_string(), "{line}");
    }

    let mut by_flag = hub(&data, &["--log-format", "json", "--log-level", "error"]);
    by_flag
        .env("SYNCLINE_LOG_FORMAT", "text")
        .env("CYBUS_LOG_LEVEL", "debug");
    assert_eq!(log_of(&by_flag, folder.path()), [""; 0]);

    let (code, _, errors) = output(&mut hub(&data, &["--log-format", "xml"]));
    assert_eq!(
        (code, errors.contains("--log-format: found `xml`")),
        (78, true),
        "{errors}"
    );
}

#[test]
fn a_password_that_could_not_be_shown_is_not_kept_and_a_second_hub_waits_its_turn() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let full = File::create("/dev/full").expect("a device that takes nothing");
    let log = File::create(folder.path().join("full.log")).expect("a writable folder");
    let ended = hub(&data, &[]).stdout(full).stderr(log).status();
    let said = std::fs::read_to_string(folder.path().join("full.log")).expect("its log");
    assert_eq!(ended.expect("a hub").code(), Some(74), "{said}");
    assert!(!said.contains("a bug in"), "{said}");

    let mut first = Process::start(&hub(&data, &[]), &folder.path().join("hub.log"));
    first.wait_for_output("--new-password");
    let (code, _, errors) = output(&mut hub(&data, &[]));
    assert_eq!(
        (code, errors.contains("uses this folder")),
        (75, true),
        "{errors}"
    );
}

#[test]
fn a_signal_ends_it_while_it_waits_for_mosquitto() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("its address").to_string();
    let password = folder.path().join("password");
    std::fs::write(&password, "of-the-administrator\n").expect("a writable folder");
    let mut command = syncline();
    command
        .arg("hub")
        .arg("--data-dir")
        .arg(folder.path().join("data"));
    command.args(["--http", &format!("127.0.0.1:{}", port::free())]);
    command
        .args(["--mosquitto", &address, "--mosquitto-password-file"])
        .arg(&password);
    let mut hub = Process::start(&command, &folder.path().join("hub.log"));
    let _connection = silent.accept().expect("the hub connects");
    hub.terminate();
    assert_eq!(hub.wait(wait::PATIENCE).code(), Some(143), "{}", hub.output());
    assert!(!hub.output().contains("no answer"), "{}", hub.output());
}
