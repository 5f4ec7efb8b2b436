//! The `syncline` command as its callers see it: exit codes, and what goes to stdout and what to stderr.

mod check;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn syncline(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("the command can be started")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

/// A folder with one file.
fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

#[test]
fn run_refuses_a_wrong_service_file_before_it_does_anything() {
    let folder = folder_with("a.yml", "metadata: {name: t}\n");
    let file = folder.path().join("a.yml");
    let file = file.to_str().unwrap();
    let arguments = [
        "run",
        "--service",
        file,
        "--agent-name",
        "line-1",
        "--mqtt-host",
        "127.0.0.1",
    ];
    let output = syncline(&arguments, &[]);
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).starts_with(&format!("{file}:1:1: error: the top level: expected `resources`")));
}

#[test]
fn run_without_service_reads_the_folder_and_says_when_it_is_empty() {
    let folder = folder_with("notes.txt", "no service");
    let path = folder.path().to_str().unwrap();
    let agent = [
        ("CYBUS_AGENT_NAME", "line-1"),
        ("CYBUS_MQTT_HOST", "127.0.0.1"),
        ("SYNCLINE_SERVICES", path),
    ];
    let output = syncline(&["run"], &agent);
    assert_eq!(code(&output), 78);
    assert_eq!(
        stderr(&output),
        format!(
            "error: SYNCLINE_SERVICES: found no file `*.yml` or `*.yaml` in {path}\nnext: syncline run --service FILE\n"
        )
    );
    std::fs::write(folder.path().join("b.yaml"), "[").unwrap();
    let output = syncline(&["run"], &agent);
    assert_eq!(code(&output), 78);
    assert!(
        stderr(&output).contains("b.yaml:1:1: error: not valid YAML"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_agent_mode_alone_means_run() {
    let output = syncline(&[], &[("CYBUS_AGENT_MODE", "distributed")]);
    assert_eq!(code(&output), 78);
    assert!(
        stderr(&output).starts_with("error: CYBUS_AGENT_NAME is required"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn no_command_prints_the_help_on_stderr_and_is_a_usage_error() {
    let output = syncline(&[], &[]);
    assert_eq!((code(&output), stdout(&output)), (2, ""));
    assert!(stderr(&output).contains("Examples:") && !stderr(&output).contains('\u{1b}'));
    assert_eq!(code(&syncline(&["check"], &[])), 2);
    assert_eq!(code(&syncline(&["run", "--set", "novalue"], &[])), 2);
}

#[test]
fn help_begins_with_examples_and_names_the_variables() {
    let output = syncline(&["run", "--help"], &[]);
    assert_eq!(code(&output), 0);
    let help = stdout(&output);
    assert!(help.find("Examples:").unwrap() < help.find("Usage:").unwrap());
    assert!(
        help.contains("CYBUS_MQTT_HOST") && !help.contains("PASSWORD"),
        "{help}"
    );
}

#[test]
fn config_show_masks_secrets_and_tells_origins() {
    let variables = [
        ("CYBUS_PROTOCOL_MAPPER_PASSWORD", "s3cret"),
        ("SYNCLINE_MQTT_PORT", "1884"),
    ];
    let output = syncline(
        &["config", "show", "--origin", "--mqtt-host", "broker"],
        &variables,
    );
    assert_eq!(code(&output), 0);
    let lines: Vec<String> = stdout(&output)
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for expected in [
        "CYBUS_MQTT_HOST broker --mqtt-host",
        "CYBUS_MQTT_PORT 1884 SYNCLINE_MQTT_PORT",
        "CYBUS_PROTOCOL_MAPPER_PASSWORD ******** CYBUS_PROTOCOL_MAPPER_PASSWORD",
        "CYBUS_MQTT_SCHEME mqtt default",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected}\n{lines:#?}"
        );
    }
    assert!(!stdout(&output).contains("s3cret"));
}

#[test]
fn version_is_that_of_the_package() {
    let output = syncline(&["--version"], &[]);
    assert_eq!(
        stdout(&output),
        concat!("syncline ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_signal_stops_the_agent_with_its_own_exit_code() {
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args([
                "run",
                "--service",
                "examples/1-transaction.yml",
                "--agent-name",
                "line-1",
            ])
            .args([
                "--mqtt-host",
                "127.0.0.1",
                "--mqtt-port",
                "9",
                "--http-listen",
                "127.0.0.1:0",
            ])
            .env_clear()
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command can be started");
        let mut log = BufReader::new(agent.stderr.take().unwrap()).lines();
        let serving = log
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains("/data/FlowSync/example1"));
        assert!(serving, "the agent ended before it served");
        let kill = format!("kill -{signal} {}", agent.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        log.for_each(drop);
        assert_eq!(agent.wait().unwrap().code(), Some(expected), "{signal}");
    }
}

#[test]
fn the_page_of_commands_is_what_the_command_line_says() {
    let output = syncline(&["man", "--markdown"], &[]);
    assert_eq!(code(&output), 0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        stdout(&output),
        "docs/commands.md is stale: replace it by the output of `syncline man --markdown`"
    );
}

#[test]
fn completions_and_manual_come_from_the_table_of_variables() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = syncline(&["completions", shell], &[]);
        assert_eq!(code(&output), 0);
        assert!(stdout(&output).contains("mqtt-host"), "{shell}");
    }
    let page = syncline(&["man", "config", "show"], &[]);
    assert_eq!(code(&page), 0);
    assert!(
        stdout(&page).contains("SYNCLINE_LOG_FORMAT") && stdout(&page).contains("syncline\\-config\\-show")
    );
    let unknown = syncline(&["man", "frobnicate"], &[]);
    assert_eq!((code(&unknown), stdout(&unknown)), (2, ""));

    let folder = tempfile::tempdir().unwrap();
    let written = syncline(&["man", "--dir", folder.path().to_str().unwrap()], &[]);
    assert_eq!(code(&written), 0, "{}", stderr(&written));
    assert!(folder.path().join("syncline-run.1").is_file());
}

#[test]
fn data_that_cannot_be_written_ends_with_74() {
    for arguments in [
        &["check", "examples/1-transaction.yml"][..],
        &["check", "--json", "examples/1-transaction.yml"],
        &["config", "show"],
        &["man"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args(arguments)
            .env_clear()
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(code(&output), 74, "{arguments:?}");
        assert!(
            stderr(&output).contains("cannot write to the standard output"),
            "{arguments:?}"
        );
    }
}

#[test]
fn check_does_not_wait_for_the_writer_of_a_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("a.yml");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [&fifo, folder.path()] {
        let path = path.to_str().unwrap();
        let output = syncline(&["check", path], &[]);
        assert_eq!((code(&output), stdout(&output)), (78, ""));
        assert!(
            stderr(&output).starts_with(&format!("{path}: error: not a regular file")),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn the_log_has_the_form_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let log = |format: &str| {
        let data = folder.path().to_str().unwrap();
        let arguments = [
            "run",
            "--agent-name",
            "line-1",
            "--mqtt-host",
            "h",
            "--data-dir",
            data,
            "--log-format",
            format,
        ];
        // The folder has no commissioning file, so that the agent ends by itself.
        let output = syncline(&arguments, &[("CYBUS_TYPO", "x")]);
        assert_eq!(code(&output), 78);
        let text = stderr(&output).to_owned();
        text.lines()
            .filter(|line| !line.starts_with("error") && !line.starts_with("next"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let pino: Vec<serde_json::Value> = log("pino")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let warning = "CYBUS_TYPO is not a variable of this agent; `syncline config env` lists them all";
    assert_eq!((&pino[0]["level"], &pino[0]["v"]), (&40.into(), &1.into()));
    assert_eq!(pino[0]["msg"], warning);
    assert!(pino[0]["time"].is_u64() && pino[0]["pid"].is_u64() && pino[0]["hostname"].is_string());

    let json: serde_json::Value = serde_json::from_str(&log("json")[0]).unwrap();
    assert_eq!((&json["level"], &json["msg"]), (&"warn".into(), &warning.into()));
    assert!(json["time"].as_str().unwrap().ends_with('Z'), "{json}");

    assert!(log("logfmt")[0].contains(&format!("level=warn target=syncline::cli::run msg=\"{warning}\"")));
    assert!(log("text")[0].ends_with(warning));
}

#[test]
fn cert_show_prints_what_certificates_say_and_fails_when_one_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, until: i32| {
        let mut parameters = rcgen::CertificateParams::new(vec!["edge.example".to_owned()]).unwrap();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "line-1");
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, parameters.self_signed(&key).unwrap().pem()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, over) = (file("good.pem", 4096), file("over.pem", 2001));
    let shown = syncline(&["cert", "show"], &[("AGENT_CERT", &good)]);
    assert_eq!((code(&shown), stderr(&shown)), (0, ""));
    assert!(
        stdout(&shown).contains("names        edge.example")
            && stdout(&shown).contains("state        valid for"),
        "{}",
        stdout(&shown)
    );
    let json = syncline(&["cert", "show", "--json", &good, &over], &[]);
    assert_eq!(code(&json), 1);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["certificates"][0]["commonName"], "line-1");
    assert_eq!(document["certificates"][1]["state"], "expired");
    assert_eq!(document["certificates"][1]["notAfter"], "2001-01-01T00:00:00Z");

    let absent = syncline(&["cert", "show", "/nowhere/at/all.pem"], &[]);
    assert_eq!((code(&absent), stdout(&absent)), (78, ""));
    assert!(stderr(&absent).starts_with("error: /nowhere/at/all.pem: cannot read the file"));
}

#[test]
fn what_is_asked_for_wrongly_ends_with_2_before_anything_is_tried() {
    for arguments in [
        &["mqtt", "pub", "a/#", "--message", "x"][..],
        &["mqtt", "sub", "a/#/b"],
        &["mqtt", "pub", "a", "--qos", "3", "--message", "x"],
        &["health", "sleepy"],
        &["check"],
        &["check", "--live", "examples/1-transaction.yml"],
    ] {
        let output = syncline(
            arguments,
            &[("CYBUS_AGENT_NAME", "line-1"), ("CYBUS_MQTT_HOST", "127.0.0.1")],
        );
        assert_eq!((code(&output), stdout(&output)), (2, ""), "{arguments:?}");
        assert!(
            stderr(&output).starts_with("error: "),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}
