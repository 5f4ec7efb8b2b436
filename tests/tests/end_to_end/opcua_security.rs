//! Who gets in to an OPC UA server, and what for: policies, certificates, passwords and permissions, asked with asyncua.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use syncline_tests::agent::{service_file, syncline};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::publish;
use syncline_tests::opcua::{Library, OpcuaAgent, OpcuaClient, write, written};
use syncline_tests::process;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::{secrets, wait};
use tempfile::TempDir;

const POLICIES: [&str; 3] = ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"];
const SETPOINT: &str = "ns=1;s=setpoint";
const LEVEL: &str = "ns=1;s=level";
const START_JOB: &str = "ns=1;s=startJob";
const PASSWORD: &str = "correct horse battery";

/// Nodes with and without something to write, below a server with `properties`.
fn service(properties: &str) -> String {
    format!(
        "metadata: {{name: plant}}
resources:
  server:
    type: Cybus::Server::Opcua
    properties: {{{properties}}}
  root:
    type: Cybus::Node::Opcua
    properties: {{parent: !ref server, nodeType: Object}}
  setpoint:
    type: Cybus::Node::Opcua
    properties: {{parent: !ref root, nodeType: Variable, dataType: Double, initialValue: 0, operation: transaction}}
  level:
    type: Cybus::Node::Opcua
    properties: {{parent: !ref root, nodeType: Variable, dataType: Double, initialValue: 1, operation: serverProvides, topic: level}}
  slow:
    type: Cybus::Node::Opcua
    properties:
      {{parent: !ref root, nodeType: Variable, dataType: Double, operation: transaction,
       transaction: {{timeout: 8000, timeoutErrorMessage: nobody answers}}}}
  startJob:
    type: Cybus::Node::Opcua
    properties: {{parent: !ref root, nodeType: Method, operation: transaction}}
"
    )
}

const BOTH_MODES: &str = "securityModes: [Sign, SignAndEncrypt]";

/// The text of an entry that `syncline access user` makes.
fn user(name: &str, password: &str, rights: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("password");
    std::fs::write(&input, password).expect("a writable folder");
    let mut command = syncline();
    command.args(["access", "user", name]).args(rights);
    let input = std::fs::File::open(&input).expect("a readable file");
    let output = command
        .stdin(Stdio::from(input))
        .output()
        .expect("the command can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// An operator who may do everything below the root, and a viewer who may read the level alone.
fn users() -> String {
    secrets::keep("password of the operator", PASSWORD);
    let all = "ua/cybusopcuaserver/root/#";
    user(
        "operator",
        PASSWORD,
        &["--read", "UA/CybusOpcuaServer/#", "--write", all],
    ) + &user("viewer", PASSWORD, &["--read", "UA/+/root/level"])
}

struct Plant {
    /// They end before their broker does.
    _responders: [Responder; 2],
    agent: OpcuaAgent,
    broker: Mosquitto,
    access: PathBuf,
    folder: TempDir,
}

impl Plant {
    fn start(properties: &str) -> Self {
        let (folder, file) = service_file(&service(properties));
        let access = folder.path().join("access.toml");
        std::fs::write(&access, users()).expect("a writable folder");
        let broker = Mosquitto::start();
        let confirmed = |base| Responder::start(&broker, base, |value| Answer::Value(value.clone()));
        let responders = [
            confirmed("services/plant/setpoint"),
            confirmed("services/plant/startJob"),
        ];
        let path = access.to_str().expect("a path in UTF-8");
        let agent = OpcuaAgent::start(&file, broker.port(), &[("SYNCLINE_HTTP_AUTH", path)]);
        Self {
            _responders: responders,
            agent,
            broker,
            access,
            folder,
        }
    }

    /// The task to connect with a certificate.
    fn connect(&self, session: &str, security: &str, user: &str, password: &str) -> Value {
        json!({
            "do": "connect", "session": session, "url": self.agent.url(), "security": security, "name": "client",
            "folder": self.folder.path(), "user": user, "password": password,
        })
    }

    /// A client whose certificate the agent trusts.
    fn trusted_client(&self) -> OpcuaClient {
        let mut client = OpcuaClient::start();
        let refused = client.ask(self.connect("a", "Basic256Sha256,SignAndEncrypt", "operator", PASSWORD));
        assert_eq!(refused["error"], "BadCertificateUntrusted", "{refused}");
        let certificate = self.folder.path().join("client.der");
        let (code, told, complaint) = self.opcua(&["trust", certificate.to_str().expect("a path in UTF-8")]);
        assert_eq!(code, 0, "{told}{complaint}");
        client
    }

    /// `syncline opcua` on the agent's data folder.
    fn opcua(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = syncline();
        command.arg("opcua").args(arguments);
        command.arg("--data-dir").arg(self.agent.data());
        process::output(&mut command)
    }
}

fn connects(client: &mut OpcuaClient, task: Value) {
    let answer = client.ask(task);
    assert_eq!(answer["result"], "connected", "{answer}");
}

fn attribute(client: &mut OpcuaClient, session: &str, node: &str, attribute: &str) -> (Value, String) {
    let answer = client.ask(json!({"do": "read", "session": session, "node": node, "attribute": attribute}));
    let status = answer["result"]["status"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"));
    (answer["result"]["value"].clone(), status.to_owned())
}

fn write_as(client: &mut OpcuaClient, session: &str) -> Value {
    let mut task = write(SETPOINT, "Double", &json!(7.5));
    task["session"] = session.into();
    client.ask(task)["result"]["codes"][0].clone()
}

fn call_as(client: &mut OpcuaClient, session: &str) -> Value {
    let task = json!({"do": "call", "session": session, "object": "ns=1;s=root", "method": START_JOB, "arguments": []});
    client.ask(task)["result"]["codes"][0].clone()
}

#[test]
fn a_password_lets_in_over_each_policy_that_protects_it_and_a_wrong_one_over_none() {
    let plant = Plant::start(BOTH_MODES);
    let mut client = plant.trusted_client();
    for policy in POLICIES {
        for mode in ["Sign", "SignAndEncrypt"] {
            let security = format!("{policy},{mode}");
            connects(
                &mut client,
                plant.connect(&security, &security, "operator", PASSWORD),
            );
            assert_eq!(write_as(&mut client, &security), "Good", "{security}");
            for (user, password) in [("operator", "correct horse batter"), ("operators", PASSWORD)] {
                let refused = client.ask(plant.connect("b", &security, user, password));
                assert_eq!(
                    refused["error"], "BadIdentityTokenRejected",
                    "{security}: {refused}"
                );
            }
            let anonymous = plant.connect("b", &security, "", "");
            assert!(client.ask(anonymous)["error"].is_string(), "{security}");
        }
    }
    let line = plant
        .agent
        .wait_for_log_line(&["the password is not that of the user \"operator\""]);
    assert!(line.contains("1 since the start"), "{line}");
    assert_eq!(plant.agent.status()["opcua"]["refusedLogins"], 12);
    // The name that nobody has may be somebody's password.
    assert!(!plant.agent.log().contains("operators"));
}

#[test]
fn a_client_gets_in_as_soon_as_its_certificate_is_trusted() {
    let plant = Plant::start("");
    let mut client = OpcuaClient::start();
    let task = plant.connect("a", "Basic256Sha256,SignAndEncrypt", "operator", PASSWORD);
    assert_eq!(client.ask(task.clone())["error"], "BadCertificateUntrusted");
    // Again, and it is still not trusted.
    assert_eq!(client.ask(task.clone())["error"], "BadSecurityChecksFailed");

    let line = plant.agent.wait_for_log_line(&["syncline opcua trust"]);
    let (_, command) = line.split_once("syncline opcua ").expect("a command");
    let arguments: Vec<&str> = command.split(' ').collect();
    let thumbprint = arguments[1];
    assert_eq!(arguments[..3], ["trust", thumbprint, "--data-dir"], "{line}");
    let (code, listed, _) = plant.opcua(&["certificates"]);
    assert_eq!(code, 0);
    assert!(
        listed.contains(thumbprint) && listed.contains("rejected"),
        "{listed}"
    );
    let (code, told, complaint) = plant.opcua(&["trust", thumbprint]);
    assert_eq!((code, complaint.as_str()), (0, ""), "{told}");
    let (_, listed, _) = plant.opcua(&["certificates"]);
    assert!(
        !listed.contains("rejected") && listed.contains("trusted"),
        "{listed}"
    );
    connects(&mut client, task);
}

#[test]
fn a_second_client_gets_in_by_the_same_rules() {
    let plant = Plant::start(BOTH_MODES);
    let mut client = OpcuaClient::on(Library::NodeOpcua);
    let connect = |session: &str, security: (&str, &str), user: &str, password: &str| {
        json!({
            "do": "connect", "session": session, "url": plant.agent.url(), "policy": security.0, "mode": security.1,
            "folder": plant.folder.path().join("own"), "server": plant.agent.data().join("opcua/own/certificate.der"),
            "user": user, "password": password,
        })
    };
    let protected = ("Basic256Sha256", "SignAndEncrypt");
    let refused = client.ask(connect("a", protected, "operator", PASSWORD));
    assert_eq!(refused["error"], "BadCertificateUntrusted", "{refused}");
    let line = plant.agent.wait_for_log_line(&["syncline opcua trust"]);
    let (_, thumbprint) = line.split_once("syncline opcua trust ").expect("a command");
    let (code, told, complaint) = plant.opcua(&["trust", &thumbprint[..8]]);
    assert_eq!(code, 0, "{told}{complaint}");
    for policy in ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] {
        for mode in ["Sign", "SignAndEncrypt"] {
            let session = format!("{policy} {mode}");
            connects(
                &mut client,
                connect(&session, (policy, mode), "operator", PASSWORD),
            );
            assert_eq!(write_as(&mut client, &session), "Good", "{session}");
        }
        let refused = client.ask(connect(
            "b",
            (policy, "SignAndEncrypt"),
            "operator",
            "wrong horse",
        ));
        assert_eq!(
            refused["error"], "BadIdentityTokenRejected",
            "{policy}: {refused}"
        );
    }
    connects(&mut client, connect("viewer", protected, "viewer", PASSWORD));
    assert_eq!(write_as(&mut client, "viewer"), "BadUserAccessDenied");
    assert_eq!(call_as(&mut client, "viewer"), "BadUserAccessDenied");
    assert_eq!(client.read_as("viewer", SETPOINT).1, "BadUserAccessDenied");
    assert_eq!(client.read_as("viewer", LEVEL), (json!(1), "Good".to_owned()));
}

#[test]
fn a_user_without_the_right_reads_writes_calls_and_monitors_nothing() {
    let plant = Plant::start("");
    let mut client = plant.trusted_client();
    for user in ["operator", "viewer"] {
        connects(
            &mut client,
            plant.connect(user, "Aes256Sha256RsaPss,SignAndEncrypt", user, PASSWORD),
        );
    }
    // CurrentRead is 1, CurrentWrite 2; the level is nobody's to write.
    let access =
        |client: &mut OpcuaClient, user: &str, node: &str| attribute(client, user, node, "UserAccessLevel");
    let good = |value: Value| (value, "Good".to_owned());
    let denied = (Value::Null, "BadUserAccessDenied".to_owned());
    assert_eq!(access(&mut client, "operator", SETPOINT), good(json!(3)));
    assert_eq!(access(&mut client, "operator", LEVEL), good(json!(1)));
    assert_eq!(access(&mut client, "viewer", LEVEL), good(json!(1)));
    assert_eq!(access(&mut client, "viewer", SETPOINT), denied);
    assert_eq!(
        attribute(&mut client, "operator", SETPOINT, "Value"),
        good(json!(0.0))
    );
    assert_eq!(attribute(&mut client, "viewer", LEVEL, "Value"), good(json!(1.0)));
    assert_eq!(attribute(&mut client, "viewer", SETPOINT, "Value"), denied);
    let executable =
        |client: &mut OpcuaClient, user: &str| attribute(client, user, START_JOB, "UserExecutable");
    assert_eq!(executable(&mut client, "operator"), good(json!(true)));
    assert_eq!(executable(&mut client, "viewer"), good(json!(false)));

    assert_eq!(write_as(&mut client, "viewer"), "BadUserAccessDenied");
    assert_eq!(call_as(&mut client, "viewer"), "BadUserAccessDenied");
    let follow = |node: &str| json!({"do": "follow", "session": "viewer", "node": node, "until": 1.0});
    assert_eq!(client.ask(follow(SETPOINT))["error"], "BadUserAccessDenied");
    assert_eq!(client.ask(follow(LEVEL))["result"], json!([1.0]));
    assert_eq!(write_as(&mut client, "operator"), "Good");
    assert_eq!(call_as(&mut client, "operator"), "Good");
}

#[test]
fn a_changed_file_counts_for_those_who_are_in_already() {
    let plant = Plant::start("");
    let mut client = plant.trusted_client();
    for user in ["operator", "viewer"] {
        connects(
            &mut client,
            plant.connect(user, "Basic256Sha256,SignAndEncrypt", user, PASSWORD),
        );
    }
    let follow = |session: &str, until: Value| json!({"do": "follow", "session": session, "node": LEVEL, "until": until});
    let ends = client.begin(follow("viewer", json!("BadUserAccessDenied")));
    let goes_on = client.begin(follow("operator", json!(3.0)));
    wait::until("both have the first value", wait::PATIENCE, || {
        publish(&plant.broker, "services/plant/level", r#"{"value": 2}"#, &[]);
        (client.read_as("operator", LEVEL).0 == json!(2.0)).then_some(())
    });
    // The viewer has another password, so whoever is in by the one before is nobody.
    secrets::keep("new password of the viewer", "another horse");
    let text = std::fs::read_to_string(&plant.access).expect("the file");
    let (operator, _) = text.rsplit_once("[[user]]").expect("two users");
    let viewer = user("viewer", "another horse", &["--read", "#"]);
    std::fs::write(&plant.access, format!("{operator}{viewer}")).expect("a writable folder");
    plant.agent.hang_up();
    wait::until("the file is in force", wait::PATIENCE, || {
        (client.read_as("viewer", LEVEL).1 == "BadUserAccessDenied").then_some(())
    });
    publish(&plant.broker, "services/plant/level", r#"{"value": 3}"#, &[]);
    let told = client.end(goes_on)["result"].clone();
    assert!(
        told.as_array().is_some_and(|told| told.ends_with(&[json!(3.0)])),
        "{told}"
    );
    let told = client.end(ends)["result"].clone();
    assert!(!told.to_string().contains("3.0"), "{told}");
    let refused = client.ask(plant.connect("b", "Basic256Sha256,SignAndEncrypt", "viewer", PASSWORD));
    assert_eq!(refused["error"], "BadIdentityTokenRejected", "{refused}");
}

#[test]
fn a_held_write_outlives_the_keys_that_it_came_with() {
    let plant = Plant::start("");
    let mut client = plant.trusted_client();
    // Renewed after three quarters of that. From the second time on, what the client sends in that moment ends the connection.
    let mut connect = plant.connect("a", "Aes256Sha256RsaPss,SignAndEncrypt", "operator", PASSWORD);
    connect["lifetime"] = json!(8000);
    connects(&mut client, connect);
    let held = client.begin(write("ns=1;s=slow", "Double", &json!(2.5)));
    let (code, text, took) = written(&client.end(held));
    assert_eq!(
        (code.as_str(), text.as_deref()),
        ("BadTimeout", Some("nobody answers"))
    );
    assert!(took >= 8000.0, "{took} ms");
    let keys = client.ask(json!({"do": "keys"}));
    assert_eq!(keys["result"], 2, "{keys}");
}

#[test]
fn a_protected_channel_is_not_renewed_without_protection() {
    let plant = Plant::start(
        "allowAnonymous: true, securityPolicies: [None, Basic256Sha256], securityModes: [None, Sign, SignAndEncrypt]",
    );
    let mut client = plant.trusted_client();
    for mode in ["Sign", "SignAndEncrypt"] {
        let security = format!("Basic256Sha256,{mode}");
        connects(&mut client, plant.connect(mode, &security, "operator", PASSWORD));
        assert_eq!(write_as(&mut client, mode), "Good");
        let answer = client.ask(json!({"do": "downgrade", "session": mode}));
        assert!(answer.get("result").is_none(), "{mode}: {answer}");
        let answer = client.ask(json!({"do": "read", "session": mode, "node": LEVEL}));
        assert!(answer.get("result").is_none(), "{mode}: {answer}");
    }
    let log = plant
        .agent
        .wait_for_log_line(&["OPC UA connections", "2 since the start"]);
    assert!(
        log.contains("a channel is renewed by the security policy"),
        "{log}"
    );
}

/// A message of OPC UA TCP: its header, then numbers and texts with their lengths (Part 6, §7.1.2).
fn message(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&kind[..], &length(8 + content.len()), content].concat()
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a short message").to_le_bytes()
}

#[test]
fn a_policy_that_is_not_offered_opens_no_channel() {
    const BAD_SECURITY_POLICY_REJECTED: u32 = 0x8055_0000;
    let plant = Plant::start("securityPolicies: [Aes256_Sha256_RsaPss]");
    for policy in ["Basic128Rsa15", "Basic256Sha256"] {
        let mut connection =
            TcpStream::connect(("127.0.0.1", plant.agent.port())).expect("the server listens");
        let url = plant.agent.url();
        let sizes = [
            [0; 4],
            length(65_536),
            length(65_536),
            [0; 4],
            [0; 4],
            length(url.len()),
        ]
        .concat();
        let hello = message(b"HELF", &[&sizes, url.as_bytes()].concat());
        connection.write_all(&hello).expect("the server reads");
        let mut acknowledgement = [0; 28];
        connection
            .read_exact(&mut acknowledgement)
            .expect("the server answers");
        assert_eq!(&acknowledgement[..4], b"ACKF");
        let uri = format!("http://opcfoundation.org/UA/SecurityPolicy#{policy}");
        let certificate = [7; 900];
        let opening = [
            &[0; 4],
            &length(uri.len())[..],
            uri.as_bytes(),
            &length(certificate.len()),
            &certificate,
            &[9; 400],
        ];
        connection
            .write_all(&message(b"OPNF", &opening.concat()))
            .expect("the server reads");
        let mut error = Vec::new();
        connection
            .read_to_end(&mut error)
            .expect("the server answers and closes");
        let status = error.get(8..12).and_then(|status| status.try_into().ok());
        assert_eq!(&error[..4], b"ERRF", "{policy}: {error:?}");
        assert_eq!(
            status.map(u32::from_le_bytes),
            Some(BAD_SECURITY_POLICY_REJECTED),
            "{policy}"
        );
    }
    let line = plant
        .agent
        .wait_for_log_line(&["OPC UA connections", "does not offer the security policy"]);
    assert!(line.contains("WARN"), "{line}");
}

#[test]
fn sessions_that_nobody_may_activate_keep_nobody_out() {
    /// What the agent allows; docs/opcua.md tells users.
    const SESSIONS: usize = 200;
    let plant = Plant::start("");
    let mut client = plant.trusted_client();
    let crowd = json!({"do": "crowd", "session": "crowd", "url": plant.agent.url(), "count": SESSIONS});
    assert_eq!(client.ask(crowd)["result"], "asked");
    connects(
        &mut client,
        plant.connect("a", "Basic256Sha256,SignAndEncrypt", "operator", PASSWORD),
    );
    assert_eq!(plant.agent.status()["opcua"]["sessions"], 1);
    let _ = plant.agent.wait_for_log_line(&[
        "OPC UA connections",
        "takes no sessions by the security policy None",
    ]);
}

#[test]
fn who_searches_by_host_and_port_is_told_the_complete_url() {
    let plant = Plant::start("");
    let mut client = OpcuaClient::start();
    for url in ["", "/", "/UA/CybusOpcuaServer"] {
        let url = format!("opc.tcp://127.0.0.1:{}{url}", plant.agent.port());
        let answer = client.ask(json!({"do": "endpoints", "session": "a", "url": url}));
        assert_eq!(answer["result"], json!([plant.agent.url()]), "{answer}");
    }
    let other = format!("opc.tcp://127.0.0.1:{}/other", plant.agent.port());
    let answer = client.ask(json!({"do": "endpoints", "session": "a", "url": other}));
    assert!(answer["error"].is_string(), "{answer}");
}

#[test]
fn a_password_without_encryption_is_not_taken_even_if_it_is_right() {
    let plant = Plant::start(
        "allowAnonymous: true, securityPolicies: [None, Basic256Sha256], securityModes: [None, SignAndEncrypt]",
    );
    let mut client = OpcuaClient::start();
    for policy in ["userpass_none", "userpass_rsa_oaep", "anonymous"] {
        let answer = client.ask(json!({
            "do": "connect", "session": "a", "url": plant.agent.url(), "policy_id": policy,
            "user": "operator", "password": PASSWORD,
        }));
        assert_eq!(answer["error"], "BadIdentityTokenRejected", "{policy}: {answer}");
    }
    connects(
        &mut client,
        json!({"do": "connect", "session": "a", "url": plant.agent.url()}),
    );
    assert_eq!(write_as(&mut client, "a"), "Good");
}

#[test]
fn a_server_that_nobody_could_use_or_everyone_does_not_start() {
    let refused = |properties: &str, variables: &[(&str, &str)]| {
        let (folder, file) = service_file(&service(properties));
        let access = folder.path().join("access.toml");
        std::fs::write(&access, users()).expect("a writable folder");
        let mut command = syncline_tests::agent::run(&file, folder.path());
        command
            .env("SYNCLINE_REGISTRATION", "off")
            .env("SYNCLINE_OPCUA_LISTEN", "127.0.0.1:0")
            .envs(variables.iter().copied());
        if !variables.iter().any(|(name, _)| *name == "SYNCLINE_HTTP_AUTH") {
            command.env("SYNCLINE_HTTP_AUTH", &access);
        }
        let (code, _, complaint) = process::output(&mut command);
        assert_eq!(code, 78, "{complaint}");
        complaint
    };
    let complaint = refused("", &[("SYNCLINE_HTTP_AUTH", "")]);
    assert!(
        complaint.contains("nobody can log in") && complaint.contains("SYNCLINE_HTTP_AUTH"),
        "{complaint}"
    );
    let complaint = refused("securityPolicies: [None], securityModes: [None]", &[]);
    assert!(
        complaint.contains("passwords are not taken without encryption"),
        "{complaint}"
    );
    let everywhere = [("SYNCLINE_OPCUA_LISTEN", "0.0.0.0:0")];
    let complaint = refused("allowAnonymous: true", &everywhere);
    assert!(
        complaint.contains("clients without a name") && complaint.contains("SYNCLINE_ALLOW_INSECURE"),
        "{complaint}"
    );
    let both = "allowAnonymous: true, securityPolicies: [None, Basic256Sha256], securityModes: [None, SignAndEncrypt]";
    assert!(refused(both, &everywhere).contains("everyone, unencrypted"));
}
