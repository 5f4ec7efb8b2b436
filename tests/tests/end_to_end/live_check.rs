//! `syncline check --live`: the way to broker and registry, step by step, and what its end says to a script.

use std::path::Path;
use std::process::Command;

use syncline_tests::agent::syncline;
use syncline_tests::central::Central;
use syncline_tests::certificates::Lifetime;
use syncline_tests::hub::{AGENT_PERMISSIONS, Hub};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::port;
use syncline_tests::process::output;
use syncline_tests::tls_broker::{Clients, Newest, TlsBroker};

/// `check --live` of an agent on that broker.
fn check(broker_port: u16, data: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = syncline();
    command
        .args(["check", "--live"])
        .env("CYBUS_MQTT_HOST", "127.0.0.1")
        .env("CYBUS_MQTT_PORT", broker_port.to_string())
        .env("CYBUS_AGENT_NAME", "test-agent")
        .env("SYNCLINE_DATA_DIR", data)
        .envs(variables.iter().copied());
    command
}

/// The steps to a server, and whether the last one failed.
fn steps<'a>(text: &'a str, server: &str) -> (Vec<&'a str>, &'a str) {
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with(server)).collect();
    let names = rows.iter().filter_map(|line| line.split_whitespace().nth(2));
    (names.collect(), rows.last().copied().unwrap_or_default())
}

#[test]
fn the_way_to_the_broker_ends_with_the_step_that_fails() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let off = [("SYNCLINE_REGISTRATION", "off")];
    let (code, text, _) = output(&mut check(broker.port(), folder.path(), &off));
    assert_eq!(code, 0, "{text}");
    assert_eq!(steps(&text, "broker").0, ["DNS", "TCP", "CONNECT"], "{text}");
    assert_eq!(steps(&text, "registry").0, [""; 0], "{text}");

    let (code, text, _) = output(&mut check(port::free(), folder.path(), &off));
    assert_eq!(code, 69);
    let (names, last) = steps(&text, "broker");
    assert_eq!(names, ["DNS", "TCP"], "{text}");
    assert!(
        last.contains("FAILED") && last.contains("CYBUS_MQTT_PORT"),
        "{text}"
    );

    let mqtts = [off[0], ("CYBUS_MQTT_SCHEME", "mqtts")];
    let (code, text, _) = output(&mut check(broker.port(), folder.path(), &mqtts));
    let (names, last) = steps(&text, "broker");
    assert_eq!((code, names), (78, vec!["DNS", "TCP", "TLS"]), "{text}");
    assert!(
        last.contains("FAILED") && last.contains("CYBUS_MQTT_PORT"),
        "{text}"
    );
}

#[test]
fn who_does_not_speak_mqtt_is_no_matter_of_logins() {
    let hub = Hub::start();
    let tls = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let off = [("SYNCLINE_REGISTRATION", "off")];
    for port in [hub.http_port(), tls.port()] {
        let (code, text, _) = output(&mut check(port, folder.path(), &off));
        let (names, last) = steps(&text, "broker");
        assert_eq!(names, ["DNS", "TCP", "CONNECT"], "{text}");
        // A server that speaks TLS may close before it has said anything.
        assert!(code == 78 || code == 69, "{code}: {text}");
        assert!(last.contains("CYBUS_MQTT_SCHEME=mqtts"), "{text}");
        assert!(!last.contains("CYBUS_MQTT_USERNAME"), "{text}");
    }
}

#[test]
fn who_is_let_in_by_certificate_is_told_so() {
    let broker = TlsBroker::start(Clients::WithCertificate, Newest::Tls13);
    let authority = broker.authority();
    let pair = authority
        .client("test-agent", Lifetime::Now)
        .write(broker.folder(), "agent");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let (ca, certificate, key) = (text(broker.ca()), text(&pair.certificate), text(&pair.key));
    let variables = [
        ("SYNCLINE_REGISTRATION", "off"),
        ("CYBUS_MQTT_SCHEME", "mqtts"),
        ("USE_MUTUAL_TLS", "true"),
        ("CA", &ca),
        ("AGENT_CERT", &certificate),
        ("AGENT_KEY", &key),
    ];
    let (code, text, _) = output(&mut check(broker.port(), folder.path(), &variables));
    assert_eq!(code, 0, "{text}");
    assert!(
        steps(&text, "broker").1.contains("ok: let in by certificate"),
        "{text}"
    );
}

#[test]
fn a_version_that_cannot_be_compared_is_not_told_as_one_that_agrees() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for version in ["0", "99999999999999999999.1.1", "<script>"] {
        let url = Central::start(version).url();
        let variables = [
            ("SYNCLINE_REGISTRY_URL", url.as_str()),
            ("SYNCLINE_VERSION_CHECK", "compatible"),
        ];
        let (code, text, _) = output(&mut check(broker.port(), folder.path(), &variables));
        assert_eq!(code, 0, "{text}");
        let (_, last) = steps(&text, "registry");
        assert!(last.contains("tells no version that could be compared"), "{text}");
    }
}

#[test]
fn the_way_to_the_registry_goes_as_far_as_a_request_that_changes_nothing() {
    let hub = Hub::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [(url_name, url), (ca_name, ca)] = hub.variables();
    let variables = [(url_name, url.as_str()), (ca_name, ca.as_str())];
    let (code, text, _) = output(&mut check(hub.mqtt_port(), folder.path(), &variables));
    let (names, last) = steps(&text, "registry");
    assert_eq!(names, ["DNS", "TCP", "TLS", "GET"], "{text}");
    assert!(last.contains("ok: the central has version "), "{text}");
    assert_eq!(code, 77, "nobody has let it in: {text}");
    assert!(!hub.page().contains("test-agent"));

    hub.unlock();
    let mut register = check(hub.mqtt_port(), folder.path(), &variables);
    let mut registering = syncline();
    registering.args(["register", "--no-wait", "--json"]).envs(
        register
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let (code, state, errors) = output(&mut registering);
    assert_eq!(code, 75, "{errors}");
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    hub.grant(
        state["pairingId"].as_str().expect("a pairing id"),
        AGENT_PERMISSIONS,
    );
    let (code, text, _) = output(&mut register);
    assert_eq!(code, 0, "{text}");
    assert!(
        steps(&text, "broker").1.contains("ok: logged in as test-agent"),
        "{text}"
    );
}

#[test]
fn trouble_with_certificates_or_versions_is_named_and_ends_with_78() {
    let (broker, hub, other) = (Mosquitto::start(), Hub::start(), Hub::start());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = other.authority().display().to_string();
    let foreign = [
        ("SYNCLINE_REGISTRY_URL", hub.secure_url()),
        ("CA", authority.clone()),
    ];
    let no_tls = [
        ("SYNCLINE_REGISTRY_URL", hub.url("").replace("http:", "https:")),
        ("CA", authority),
    ];
    let central = Central::start("99.1.0");
    let differs = [
        ("SYNCLINE_REGISTRY_URL", central.url()),
        ("SYNCLINE_VERSION_CHECK", "compatible".to_owned()),
    ];
    for (variables, step, words) in [
        (foreign, "TLS", ["issued by", "CA"]),
        (no_tls, "TLS", ["does not speak TLS", "SYNCLINE_REGISTRY_URL"]),
        (differs, "GET", ["99.1.0", "SYNCLINE_VERSION_CHECK"]),
    ] {
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (code, text, _) = output(&mut check(broker.port(), folder.path(), &variables));
        let (names, last) = steps(&text, "registry");
        assert_eq!((code, names.last()), (78, Some(&step)), "{text}");
        assert!(words.iter().all(|word| last.contains(word)), "{words:?}: {text}");
        assert!(!last.contains("CYBUS_MQTT"), "that is another server: {text}");
    }
}

#[test]
fn a_registry_that_nobody_named_is_needed_only_by_those_who_are_not_let_in() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, text, _) = output(&mut check(broker.port(), folder.path(), &[]));
    assert_eq!(code, 0, "{text}");
    assert!(
        steps(&text, "registry").1.contains("none, nor needed: "),
        "{text}"
    );

    let nowhere = format!("http://127.0.0.1:{}", port::free());
    let named = [("SYNCLINE_REGISTRY_URL", nowhere.as_str())];
    let (code, text, _) = output(&mut check(broker.port(), folder.path(), &named));
    assert_eq!(code, 69, "{text}");

    let locked = Mosquitto::start_with("allow_anonymous false");
    let (code, text, _) = output(&mut check(locked.port(), folder.path(), &[]));
    assert_eq!(code, 69, "whom the broker refuses has to register: {text}");
    assert!(steps(&text, "registry").1.contains("FAILED: "), "{text}");
}
