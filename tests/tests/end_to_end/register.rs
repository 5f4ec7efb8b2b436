//! `syncline register`: how it ends in every case, what it leaves behind, and what a person sees meanwhile.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example, syncline};
use syncline_tests::hub::{AGENT_PERMISSIONS, Hub};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::process::{Process, output};
use syncline_tests::{port, wait};

/// `syncline register` at `hub`, with its credentials in `data`.
fn register(hub: &Hub, data: &Path, arguments: &[&str]) -> Command {
    let mut command = command(hub.mqtt_port(), data, arguments);
    command.envs(hub.variables());
    command
}

fn command(mqtt_port: u16, data: &Path, arguments: &[&str]) -> Command {
    let mut command = syncline();
    command
        .arg("register")
        .args(arguments)
        .env("CYBUS_MQTT_HOST", "127.0.0.1")
        .env("CYBUS_MQTT_PORT", mqtt_port.to_string())
        .env("CYBUS_AGENT_NAME", "test-agent")
        .env("SYNCLINE_DATA_DIR", data);
    command
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The pairing id that `--no-wait` gives, with the exit code 75.
fn asked_once(hub: &Hub, data: &Path) -> String {
    let (code, text, errors) = output(&mut register(hub, data, &["--no-wait", "--json"]));
    let state = json(&text);
    assert_eq!(
        (code, &state["outcome"]),
        (75, &json!("pending")),
        "{text} {errors}"
    );
    state["pairingId"].as_str().expect("a pairing id").to_owned()
}

#[test]
fn it_waits_for_the_grant_and_then_the_agent_runs_without_a_registration() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let id = asked_once(&hub, folder.path());
    hub.unlock();
    assert_eq!(
        asked_once(&hub, folder.path()),
        id,
        "the same while it is locked and while it is pending"
    );

    let log = folder.path().join("register.log");
    let mut waiting = Process::start(&register(&hub, folder.path(), &["--timeout", "1m"]), &log);
    waiting.wait_for_output(&format!("pairing ID: {id}"));
    waiting.wait_for_output("User Management → Client Registry");
    hub.grant(&id, AGENT_PERMISSIONS);
    assert_eq!(
        waiting.wait(wait::PATIENCE).code(),
        Some(0),
        "{}",
        waiting.output()
    );
    assert!(
        waiting.output().contains("registered: broker"),
        "{}",
        waiting.output()
    );

    // Who is let in is told so, and the registry is of no concern any more.
    let (code, text, errors) = output(&mut register(&hub, folder.path(), &[]));
    assert_eq!(
        (code, text.contains("registered already")),
        (0, true),
        "{text} {errors}"
    );
    assert!(!errors.contains("asking for registration"), "{errors}");
    let (code, text, _) = output(&mut register(&hub, folder.path(), &["--json"]));
    let state = json(&text);
    assert_eq!(
        (code, &state["outcome"], &state["pairingId"]),
        (0, &json!("known"), &json!(id))
    );

    let data = folder.path().display().to_string();
    let [(_, url), (_, authority)] = hub.variables();
    let mut agent = Agent::start_with(
        &example("1-transaction.yml"),
        hub.mqtt_port(),
        &[
            ("SYNCLINE_DATA_DIR", &data),
            ("SYNCLINE_REGISTRY_URL", &url),
            ("CA", &authority),
        ],
    );
    agent.wait_for_log_line(&["connected to the broker"]);
    assert!(!agent.log().contains("registration"), "{}", agent.log());
    // The folder is the running agent's.
    let (code, _, errors) = output(&mut register(&hub, folder.path(), &[]));
    assert_eq!(code, 75);
    assert!(
        errors.contains("another agent, process") && errors.ends_with("next: syncline status\n"),
        "{errors}"
    );
}

#[test]
fn while_it_waits_its_output_alone_tells_whom_to_let_in_and_how() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let id = asked_once(&hub, folder.path());
    // The log is silent, and locked is as good a reason to tell as any.
    let waiting = |arguments: &[&str], log: &str| {
        let mut command = register(&hub, folder.path(), arguments);
        command.env("CYBUS_LOG_LEVEL", "error");
        Process::start(&command, &folder.path().join(log))
    };
    let mut told = waiting(&["--timeout", "1m"], "text.log");
    told.wait_for_output(&format!("Username: test-agent, pairing ID: {id}\nwaiting 1m for"));
    told.wait_for_output("unlock the client registry, compare the pairing ID and grant the request");
    told.terminate();
    told.wait(wait::PATIENCE);

    let mut told = waiting(&["--timeout", "1m", "--json"], "json.log");
    told.wait_for_output("\n");
    let pending = json(&told.output());
    assert_eq!(
        (&pending["schema"], &pending["outcome"], &pending["pairingId"]),
        (&json!(1), &json!("pending"), &json!(id)),
    );
    hub.unlock();
    // Nobody is told twice.
    wait::until("the request", wait::PATIENCE, || {
        hub.page().contains(&id).then_some(())
    });
    hub.grant(&id, AGENT_PERMISSIONS);
    assert_eq!(told.wait(wait::PATIENCE).code(), Some(0), "{}", told.output());
    let output = told.output();
    let lines: Vec<Value> = output.lines().map(json).collect();
    assert_eq!(
        (lines.len(), &lines[1]["outcome"]),
        (2, &json!("registered")),
        "{output}"
    );
}

#[test]
fn it_gives_up_waiting_when_its_time_is_over() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let begin = Instant::now();
    let (code, text, errors) = output(&mut register(&hub, folder.path(), &["--timeout", "1500ms"]));
    assert_eq!(code, 75, "{errors}");
    assert!(begin.elapsed() >= Duration::from_millis(1500));
    assert!(text.starts_with("Username: test-agent, pairing ID: "), "{text}");
    assert!(
        errors.contains("error: not let in: the client registry is locked"),
        "{errors}"
    );
}

#[test]
fn it_ends_with_77_where_the_name_is_taken_or_can_never_be_one() {
    let hub = Hub::start();
    hub.unlock();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let id = asked_once(&hub, folder.path());
    hub.grant(&id, AGENT_PERMISSIONS);
    let rival = tempfile::tempdir().expect("a temporary folder");
    let (code, text, _) = output(&mut register(&hub, rival.path(), &["--no-wait", "--json"]));
    let state = json(&text);
    assert_eq!((code, &state["outcome"]), (77, &json!("refused")), "{text}");
    assert!(
        state["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("CYBUS_AGENT_NAME")
                && reason.contains("CYBUS_PROTOCOL_MAPPER_PASSWORD")),
        "{text}"
    );

    let mut never = register(&hub, rival.path(), &["--json"]);
    never.env("CYBUS_MQTT_USERNAME", "a b");
    let other = tempfile::tempdir().expect("a temporary folder");
    never.env("SYNCLINE_DATA_DIR", other.path());
    let (code, text, _) = output(&mut never);
    assert_eq!((code, &json(&text)["outcome"]), (77, &json!("refused")), "{text}");
}

#[test]
fn it_ends_with_69_where_nobody_is_there_and_with_78_where_the_wrong_one_is() {
    let nowhere = port::free();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("http://127.0.0.1:{nowhere}");
    for mode in ["auto", "rest", "mqtt"] {
        let mut register = command(nowhere, folder.path(), &["--no-wait"]);
        register
            .env("SYNCLINE_REGISTRY_URL", &url)
            .env("SYNCLINE_REGISTRATION", mode);
        let (code, _, errors) = output(&mut register);
        assert_eq!(code, 69, "{mode}: {errors}");
        assert!(folder.path().join("credentials.json").exists(), "{mode}");
    }

    let (hub, other) = (Hub::start(), Hub::start());
    let mut untrusted = register(&hub, folder.path(), &["--no-wait"]);
    untrusted
        .env("CA", other.authority())
        .env("SYNCLINE_REGISTRATION", "rest");
    let (code, _, errors) = output(&mut untrusted);
    assert_eq!(code, 78, "{errors}");
    assert!(
        errors.contains("certificate of the client registry is not accepted"),
        "{errors}"
    );

    // Where the broker is asked in its place, the registry's fault is still the one to mend.
    untrusted.env("SYNCLINE_REGISTRATION", "auto");
    let (_, _, errors) = output(&mut untrusted);
    let last = errors.split("error: not let in: ").nth(1);
    assert!(
        last.is_some_and(|last| last.contains("certificate of the client registry is not accepted")),
        "{errors}"
    );

    let mut unnamed = register(&hub, folder.path(), &[]);
    unnamed.env_remove("CYBUS_AGENT_NAME");
    let (code, _, errors) = output(&mut unnamed);
    assert_eq!(
        (code, errors.contains("CYBUS_AGENT_NAME is required")),
        (78, true),
        "{errors}"
    );
}

#[test]
fn it_asks_nobody_where_new_credentials_could_not_be_kept() {
    let hub = Hub::start();
    hub.unlock();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a writable folder");
    let (code, _, errors) = output(&mut register(&hub, &file.join("data"), &["--no-wait"]));
    assert_eq!(code, 74, "{errors}");
    assert!(
        errors.contains("error: SYNCLINE_DATA_DIR: new credentials cannot be kept in "),
        "{errors}"
    );
    assert!(!hub.page().contains("test-agent"));
}

#[test]
fn where_the_broker_lets_anybody_in_nothing_is_asked() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut open = command(broker.port(), folder.path(), &[]);
    open.env("SYNCLINE_REGISTRATION", "off");
    let (code, text, errors) = output(&mut open);
    assert_eq!(
        (code, text.contains("no registration needed")),
        (0, true),
        "{text} {errors}"
    );
}

#[test]
fn a_signal_ends_it_and_the_pairing_id_stays() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("register.log");
    let mut waiting = Process::start(&register(&hub, folder.path(), &[]), &log);
    waiting.wait_for_output("pairing ID: ");
    waiting.wait_for_output("locked");
    waiting.terminate();
    assert_eq!(
        waiting.wait(wait::PATIENCE).code(),
        Some(143),
        "{}",
        waiting.output()
    );
    let id = asked_once(&hub, folder.path());
    assert!(
        waiting.output().contains(&format!("pairing ID: {id}")),
        "{}",
        waiting.output()
    );
}

#[test]
fn on_a_terminal_a_line_tells_how_long_it_has_taken_and_gives_way_to_all_else() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let register = register(&hub, folder.path(), &["--timeout", "3s"]);
    let mut words = vec![register.get_program().to_string_lossy().into_owned()];
    words.extend(
        register
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    let mut terminal = Command::new("script");
    terminal
        .args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"])
        .envs(
            register
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TERM", "xterm")
        .env("NO_COLOR", "1");
    let mut terminal = Process::start(&terminal, &folder.path().join("terminal.log"));
    assert_eq!(
        terminal.wait(wait::PATIENCE).code(),
        Some(75),
        "{}",
        terminal.output()
    );
    let seen = terminal.output();
    let (progress, erase) = ("waiting to be let in, ", "\r\u{1b}[K");
    for seconds in [1, 2] {
        assert!(
            seen.contains(&format!("{erase}{progress}{seconds} s so far")),
            "{seen:?}"
        );
    }
    // Whatever follows such a line erases it first.
    for (at, _) in seen.match_indices(" s so far") {
        assert!(seen[at + " s so far".len()..].starts_with(erase), "{seen:?}");
    }
    assert!(seen.contains("error: not let in: "), "{seen:?}");
}
