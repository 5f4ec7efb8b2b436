//! TLS and logins of the HTTP servers, asked with curl.

use std::path::PathBuf;
use std::process::Stdio;

use syncline_tests::agent::{self, Agent, example};
use syncline_tests::certificates::{Authority, Lifetime, PairFiles};
use syncline_tests::curl::{self, Response};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::wait;

const PATH: &str = "/data/flowsync/example4";

struct Plant {
    agent: Agent,
    authority: Authority,
    files: PairFiles,
    ca: PathBuf,
    _broker: Mosquitto,
    folder: tempfile::TempDir,
}

/// An agent with a certificate, and with `access` as the file of users and tokens.
fn plant(access: Option<&str>) -> Plant {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = Authority::new("plant");
    let files = authority
        .server(&["127.0.0.1"], Lifetime::Now)
        .write(folder.path(), "http");
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, authority.certificate()).expect("a writable folder");
    let access_file = folder.path().join("access.toml");
    if let Some(text) = access {
        std::fs::write(&access_file, text).expect("a writable folder");
    }
    let broker = Mosquitto::start();
    let text = |path: &PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
    let (certificate, key, access_text) = (text(&files.certificate), text(&files.key), text(&access_file));
    let mut variables = vec![
        ("SYNCLINE_HTTP_TLS_CERT", certificate.as_str()),
        ("SYNCLINE_HTTP_TLS_KEY", key.as_str()),
    ];
    if access.is_some() {
        variables.push(("SYNCLINE_HTTP_AUTH", &access_text));
    }
    let agent = Agent::start_with(
        &example("4-timeout-code-and-message.yml"),
        broker.port(),
        &variables,
    );
    Plant {
        agent,
        authority,
        files,
        ca,
        _broker: broker,
        folder,
    }
}

impl Plant {
    fn send(&self, options: &[&str]) -> Response {
        let url = format!("https://127.0.0.1:{}{PATH}", self.agent.http_port());
        let ca = self.ca.to_str().expect("a path in UTF-8");
        curl::ask(&url, &[&["--cacert", ca], options].concat())
    }

    /// Asks until the node is ready. Nobody answers: what gets through ends with the code of the file.
    fn send_when_ready(&self, options: &[&str]) -> Response {
        wait::until("the node is ready", wait::PATIENCE, || {
            Some(self.send(options)).filter(|response| response.status != 503)
        })
    }
}

/// What `syncline access` prints for `arguments`, and what it says beside it.
fn access(arguments: &[&str], input: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let password = folder.path().join("password");
    std::fs::write(&password, input).expect("a writable folder");
    let output = agent::syncline()
        .arg("access")
        .args(arguments)
        .stdin(Stdio::from(
            std::fs::File::open(&password).expect("a readable file"),
        ))
        .output()
        .expect("the command can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    assert!(output.status.success(), "{}", text(output.stderr));
    (text(output.stdout), text(output.stderr))
}

#[test]
fn a_request_over_tls_is_held_and_answered() {
    let plant = plant(None);
    let response = plant.send_when_ready(&[]);
    assert_eq!(response.status, 408);
    assert_eq!(response.json()["error"]["message"], "No answer came in time");
    for version in ["--tlsv1.3", "--tls-max"] {
        let options = if version == "--tls-max" {
            vec![version, "1.2"]
        } else {
            vec![version]
        };
        assert_eq!(plant.send(&options).status, 408, "{version}");
    }
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let mut plant = plant(None);
    assert_eq!(plant.send_when_ready(&[]).status, 408);
    std::fs::write(&plant.files.certificate, "-----BEGIN CERTIFICATE-----\n").expect("a writable folder");
    plant
        .agent
        .wait_for_log_line(&["the certificate of the HTTP servers stays as it is"]);
    assert_eq!(plant.send(&[]).status, 408);

    let other = Authority::new("successor");
    let folder = plant.folder.path().to_owned();
    let _ = other.server(&["127.0.0.1"], Lifetime::Now).write(&folder, "http");
    std::fs::write(&plant.ca, other.certificate()).expect("a writable folder");
    plant
        .agent
        .wait_for_log_line(&["showing another certificate to clients of the HTTP servers"]);
    assert_eq!(plant.send(&[]).status, 408);
    assert_ne!(plant.authority.certificate(), other.certificate());

    // Nobody would believe this one.
    let file = plant.files.certificate.display().to_string();
    let _ = other
        .server(&["127.0.0.1"], Lifetime::Past)
        .write(&folder, "http");
    plant
        .agent
        .wait_for_log_line(&["ERROR", "HTTP servers stays as it is", &file, "expired"]);
    assert_eq!(plant.send(&[]).status, 408);
    let key = plant.files.key.display().to_string();
    std::fs::remove_file(&plant.files.key).expect("it was there");
    plant
        .agent
        .wait_for_log_line(&["ERROR", "HTTP servers stays as it is", &key]);
    assert_eq!(plant.send(&[]).status, 408);
}

#[test]
fn only_who_may_is_let_in_and_nothing_is_published_for_others() {
    let (user, _) = access(
        &["user", "press", "--read", "data/flowsync/+"],
        "correct horse\nmore",
    );
    let (token, shown) = access(&["token", "board", "--write", "#"], "");
    let secret = shown
        .trim()
        .strip_prefix("token, shown once: ")
        .expect("the token");
    let file = format!("{user}\n{token}");
    assert!(
        !file.contains("correct horse") && !file.contains(secret),
        "{file}"
    );
    let plant = plant(Some(&file));

    let anonymous = plant.send(&[]);
    assert_eq!(anonymous.status, 401);
    assert_eq!(
        anonymous.header("www-authenticate"),
        Some("Basic realm=\"syncline\", charset=\"UTF-8\"")
    );
    assert_eq!(plant.send(&["-u", "press:wrong horse"]).status, 401);
    assert_eq!(plant.send(&["-u", "nobody:correct horse"]).status, 401);
    let bearer = format!("Authorization: Bearer {secret}");
    assert_eq!(
        plant.send(&["-H", &bearer]).status,
        403,
        "it may write and not read"
    );
    assert_eq!(plant.send(&["-H", &bearer, "-X", "POST"]).status, 405);
    assert_eq!(
        plant.send(&["-u", "press:correct horse", "-X", "POST"]).status,
        403
    );
    // Gets through and is held until the time of the file is over.
    assert_eq!(plant.send_when_ready(&["-u", "press:correct horse"]).status, 408);
}
