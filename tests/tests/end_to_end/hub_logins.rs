//! Logins at the hub's embedded broker: whose Client Identifier may be whose.

use std::process::Command;

use syncline_tests::hub::Hub;
use syncline_tests::process::{Process, output};

const PASSWORD: &str = "correct-horse";

/// `program` of Mosquitto's clients as `username`, with the Client Identifier `client_id`.
fn client(hub: &Hub, program: &str, username: &str, client_id: &str, arguments: &[&str]) -> Command {
    // Line by line, or what it says would stay in a buffer.
    let mut command = Command::new("stdbuf");
    command
        .args(["--output=L", program])
        .args(["-h", "127.0.0.1", "-p", &hub.mqtt_port().to_string()])
        .args(["-u", username, "-P", PASSWORD, "-i", client_id])
        .args(["-d", "-q", "1", "-t", "plant/line"])
        .args(arguments);
    command
}

#[test]
fn nobody_throws_another_user_out_by_taking_its_client_identifier() {
    let hub = Hub::start();
    for name in ["line-1", "line-2"] {
        hub.admit(name, PASSWORD, "readwrite plant/#");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let listener = client(&hub, "mosquitto_sub", "line-1", "line-1", &[]);
    let mut line = Process::start(&listener, &folder.path().join("mosquitto_sub.log"));
    line.wait_for_output("SUBACK");

    for client_id in ["line-1", "line-1-command-7", "line-1-trial", "__hub"] {
        for (version, reason) in [
            ("5", "Client Identifier not valid"),
            ("311", "identifier rejected"),
        ] {
            let arguments = ["-V", version, "-m", "intruder"];
            let mut intruder = client(&hub, "mosquitto_pub", "line-2", client_id, &arguments);
            let (code, text, errors) = output(&mut intruder);
            assert_ne!(code, 0, "{client_id}: {text}{errors}");
            let told = format!("{text}{errors}").to_lowercase();
            assert!(told.contains(&reason.to_lowercase()), "{client_id}: {told}");
        }
    }
    for client_id in ["line-2", "line-2-command-7", "line-2-trial", "anything"] {
        let message = format!("from {client_id}");
        let mut own = client(&hub, "mosquitto_pub", "line-2", client_id, &["-m", &message]);
        let (code, text, errors) = output(&mut own);
        assert_eq!(code, 0, "{client_id}: {text}{errors}");
        line.wait_for_output(&message);
    }
    let connects = line.output().matches("sending CONNECT").count();
    assert_eq!(connects, 1, "it was thrown out: {}", line.output());
}
