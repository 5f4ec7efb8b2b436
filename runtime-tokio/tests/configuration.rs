//! Configuration: sources and their order, rules, and the documentation that is made from the same table.

use std::os::unix::fs::PermissionsExt as _;

use secrecy::ExposeSecret as _;
use syncline::config::{self, Config, ConfigError, Environment, Flags, MqttVersion, VARIABLES};
use syncline::tls::{self, IdentityFiles, Trust};

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn load(variables: &[(&str, &str)]) -> Config {
    config::load(&Flags::new(), &environment(variables))
        .unwrap()
        .config
}

fn errors(variables: &[(&str, &str)]) -> Vec<String> {
    let loaded = config::load(&Flags::new(), &environment(variables));
    let error: ConfigError = loaded.map(|_| ()).expect_err("the configuration must be refused");
    error.messages().to_vec()
}

fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
    config::load(&Flags::new(), &environment(variables))
        .unwrap()
        .warnings
}

fn run_errors(variables: &[(&str, &str)]) -> Vec<String> {
    load(variables).run().unwrap_err().messages().to_vec()
}

#[test]
fn documentation_shows_the_table_that_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    let table = config::markdown();
    assert!(
        document.ends_with(&table),
        "docs/configuration.md is stale: replace its table by the output of `syncline config env --markdown`\n{table}"
    );
}

#[test]
fn no_name_is_given_to_two_variables() {
    let mut names: Vec<String> = VARIABLES.iter().flat_map(|variable| variable.names()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(
        VARIABLES
            .iter()
            .all(|variable| !(variable.secret && variable.flag.is_some()))
    );
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let config = load(&[]);
    assert_eq!(config.mqtt_port, 1883);
    assert_eq!(config.mqtt_version, MqttVersion::Auto);
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.services.to_str(), Some("/data/services"));
    assert!(config.agent_name.is_none() && config.mqtt_password.is_none() && !config.allow_insecure);
}

#[test]
fn a_flag_goes_before_the_alias_before_the_name_before_the_default() {
    let both = environment(&[("CYBUS_MQTT_PORT", "1"), ("SYNCLINE_MQTT_PORT", "2")]);
    let port =
        |flags: &Flags, environment: &Environment| config::load(flags, environment).unwrap().config.mqtt_port;
    assert_eq!(
        port(&Flags::from([("CYBUS_MQTT_PORT", "3".to_owned())]), &both),
        3
    );
    assert_eq!(port(&Flags::new(), &both), 2);
    assert_eq!(port(&Flags::new(), &environment(&[("CYBUS_MQTT_PORT", "1")])), 1);
    let empty = environment(&[("CYBUS_MQTT_PORT", "1"), ("SYNCLINE_MQTT_PORT", "")]);
    assert_eq!(port(&Flags::new(), &empty), 1);
}

#[test]
fn a_secret_can_be_a_file_and_the_variable_itself_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "from file\r\n").unwrap();
    let path = file.to_str().unwrap();
    let password = |variables: &[(&str, &str)]| {
        load(variables)
            .mqtt_password
            .map(|password| password.expose_secret().to_owned())
    };
    assert_eq!(
        password(&[("CYBUS_PROTOCOL_MAPPER_PASSWORD_FILE", path)]).as_deref(),
        Some("from file")
    );
    assert_eq!(
        password(&[("SYNCLINE_PROTOCOL_MAPPER_PASSWORD_FILE", path)]).as_deref(),
        Some("from file")
    );
    let both = [
        ("CYBUS_PROTOCOL_MAPPER_PASSWORD", "from name"),
        ("CYBUS_PROTOCOL_MAPPER_PASSWORD_FILE", path),
    ];
    assert_eq!(password(&both).as_deref(), Some("from name"));

    std::fs::write(&file, "\n").unwrap();
    let empty = errors(&[("CYBUS_PROTOCOL_MAPPER_PASSWORD_FILE", path)]);
    assert_eq!(
        empty,
        [format!(
            "CYBUS_PROTOCOL_MAPPER_PASSWORD_FILE: {path}: the file is empty, expected the value"
        )]
    );
    let absent = errors(&[("CYBUS_PROTOCOL_MAPPER_PASSWORD_FILE", "/nowhere/at/all")]);
    assert!(
        absent[0].starts_with("CYBUS_PROTOCOL_MAPPER_PASSWORD_FILE: /nowhere/at/all: cannot read"),
        "{absent:?}"
    );
}

#[test]
fn the_configuration_file_goes_after_everything_but_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    std::fs::write(&secret, "from secret file").unwrap();
    let file = folder.path().join("syncline.toml");
    let text = "agent-name = 'from-file'\nmqtt-port = 1\nprotocol-mapper-password = 'from toml'\n";
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (path, secret) = (file.to_str().unwrap(), secret.to_str().unwrap());

    let variables = [
        ("SYNCLINE_CONFIG", path),
        ("CYBUS_MQTT_PORT", "2"),
        ("CYBUS_PROTOCOL_MAPPER_PASSWORD_FILE", secret),
    ];
    let loaded = config::load(&Flags::new(), &environment(&variables)).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(loaded.config.agent_name.unwrap().as_str(), "from-file");
    assert_eq!(loaded.config.mqtt_port, 2);
    let password = loaded.config.mqtt_password.unwrap();
    assert_eq!(password.expose_secret(), "from secret file");
    let origin = |name: &str| {
        let found = loaded
            .settings
            .iter()
            .find(|resolved| resolved.variable.name == name);
        found.unwrap().setting.as_ref().unwrap().origin().to_string()
    };
    assert_eq!(origin("CYBUS_AGENT_NAME"), format!("{path}:1"));
    assert_eq!(origin("CYBUS_MQTT_PORT"), "CYBUS_MQTT_PORT");

    let flags = Flags::from([("SYNCLINE_CONFIG", path.to_owned())]);
    let by_flag = config::load(&flags, &environment(&[])).unwrap().config;
    assert_eq!(by_flag.mqtt_port, 1);
    assert_eq!(by_flag.mqtt_password.unwrap().expose_secret(), "from toml");
}

#[test]
fn a_wrong_value_of_the_configuration_file_is_named_by_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("syncline.toml");
    std::fs::write(&file, "\nmqtt-port = 70000\n").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(
        errors(&[("SYNCLINE_CONFIG", path)]),
        [format!(
            "{path}:2: mqtt-port: found `70000`, expected a port number from 1 to 65535"
        )]
    );
    let absent = errors(&[("SYNCLINE_CONFIG", "/nowhere/at/all")]);
    assert!(
        absent[0].starts_with("/nowhere/at/all: cannot read the file"),
        "{absent:?}"
    );
}

#[test]
fn defaults_that_follow_other_variables_are_shown_as_they_are() {
    let variables = [
        ("CYBUS_AGENT_NAME", "line-1"),
        ("CYBUS_MQTT_HOST", "broker"),
        ("SYNCLINE_DATA_DIR", "/own"),
    ];
    let loaded = config::load(&Flags::new(), &environment(&variables)).unwrap();
    let shown = |name: &str| {
        let found = loaded
            .settings
            .iter()
            .find(|resolved| resolved.variable.name == name);
        let setting = found.unwrap().setting.as_ref().unwrap();
        (setting.shown().to_owned(), setting.origin().to_string())
    };
    let default = |value: &str| (value.to_owned(), "default".to_owned());
    assert_eq!(shown("CYBUS_MQTT_USERNAME"), default("line-1"));
    assert_eq!(shown("SYNCLINE_SERVICES"), default("/own/services"));
    assert_eq!(shown("SYNCLINE_REGISTRY_URL"), default("https://broker"));
    assert_eq!(loaded.config.services.to_str(), Some("/own/services"));
}

#[test]
fn every_variable_has_a_key_of_its_own_and_a_flag_is_that_key() {
    let mut keys: Vec<String> = VARIABLES.iter().map(|variable| variable.key()).collect();
    for variable in VARIABLES {
        assert!(
            variable.flag.is_none_or(|flag| flag == variable.key()),
            "{}",
            variable.name
        );
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn only_a_secret_has_a_file() {
    assert_eq!(
        warnings(&[("CYBUS_MQTT_PORT_FILE", "/x")]),
        ["CYBUS_MQTT_PORT_FILE has no effect, CYBUS_MQTT_PORT is not a secret: set CYBUS_MQTT_PORT itself"]
    );
}

#[test]
fn every_wrong_value_is_reported_at_once_under_the_name_that_was_used() {
    assert_eq!(
        errors(&[
            ("SYNCLINE_AGENT_NAME", "a/b"),
            ("CYBUS_MQTT_HOST", "mqtt://broker:1883"),
            ("CYBUS_MQTT_PORT", "x"),
            ("CYBUS_MQTT_SCHEME", "ws"),
            ("CYBUS_LOG_LEVEL", "loud"),
            ("SYNCLINE_MQTT_VERSION", "4"),
            ("SYNCLINE_HTTP_LISTEN", "localhost:8080"),
            ("SYNCLINE_ALLOW_INSECURE", "maybe"),
            ("CYBUS_AGENT_MODE", "central"),
        ]),
        [
            "CYBUS_AGENT_MODE: found `central`, expected `distributed`",
            "SYNCLINE_AGENT_NAME: found `a/b`, expected 3 to 63 letters, digits, `_`, `.` and `-`, the first a letter \
             or digit",
            "CYBUS_MQTT_HOST: found `mqtt://broker:1883`, expected a host name or an IP address; scheme and port have \
             variables of their own, `CYBUS_MQTT_SCHEME` and `CYBUS_MQTT_PORT`",
            "CYBUS_MQTT_PORT: found `x`, expected a port number from 1 to 65535",
            "CYBUS_MQTT_SCHEME: found `ws`, expected `mqtt` or `mqtts`",
            "SYNCLINE_MQTT_VERSION: found `4`, expected `5`, `3.1.1` or `auto`",
            "CYBUS_LOG_LEVEL: found `loud`, expected `debug`, `info`, `warn` or `error`",
            "SYNCLINE_HTTP_LISTEN: found `localhost:8080`, expected an IP address and a port such as `127.0.0.1:8080` \
             or `[::1]:8080`",
            "SYNCLINE_ALLOW_INSECURE: found `maybe`, expected `true` or `false`",
        ]
    );
}

#[test]
fn a_variable_without_effect_is_a_warning() {
    assert_eq!(
        warnings(&[
            ("CYBUS_MQTT_HSOT", "x"),
            ("SYNCLINE_ZEBRA", "x"),
            ("CYBUS_HTTP_LISTN", "x"),
            ("CYBUS_EMPTY", ""),
            ("OTHER", "x")
        ]),
        [
            "CYBUS_HTTP_LISTN is not a variable of this agent, did you mean SYNCLINE_HTTP_LISTEN?",
            "CYBUS_MQTT_HSOT is not a variable of this agent, did you mean CYBUS_MQTT_HOST?",
            "SYNCLINE_ZEBRA is not a variable of this agent; `syncline config env` lists them all",
        ]
    );
}

#[test]
fn a_registry_without_tls_is_a_warning_unless_it_is_on_this_machine() {
    let of = |url| warnings(&[("SYNCLINE_REGISTRY_URL", url)]);
    let warned = of("http://central.example");
    assert!(warned[0].contains("in the clear"), "{warned:?}");
    for fine in [
        "https://central.example",
        "http://127.0.0.1:8081",
        "http://localhost",
        "http://[::1]",
    ] {
        assert!(of(fine).is_empty(), "{fine}");
    }
}

#[test]
fn certificate_and_key_of_the_http_servers_come_together() {
    let agent = [("CYBUS_AGENT_NAME", "line-1"), ("CYBUS_MQTT_HOST", "broker")];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> { [&agent, more].concat() };
    let (certificate, key) = (
        ("SYNCLINE_HTTP_TLS_CERT", "a.crt"),
        ("SYNCLINE_HTTP_TLS_KEY", "a.key"),
    );
    for (given, missing) in [(certificate, key), (key, certificate)] {
        let errors = run_errors(&with(&[given]));
        assert!(
            errors[0].starts_with(&format!("{} is required with {}", missing.0, given.0)),
            "{errors:?}"
        );
    }
    assert!(load(&with(&[certificate, key])).run().unwrap().http_tls.is_some());
}

#[test]
fn a_run_needs_name_and_host() {
    assert_eq!(
        run_errors(&[]),
        [
            "CYBUS_AGENT_NAME is required: set it to a name that no other agent has",
            "CYBUS_MQTT_HOST is required: set it to the host of the broker",
        ]
    );
}

#[test]
fn tls_follows_the_scheme_and_a_client_certificate_its_own_variable() {
    let agent = [("CYBUS_AGENT_NAME", "line-1"), ("CYBUS_MQTT_HOST", "broker")];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> { [&agent, more].concat() };
    let tls = |more: &[(&'static str, &'static str)]| load(&with(more)).run().unwrap().mqtt.tls;
    assert_eq!(tls(&[]), None);
    let defaults = Trust::Authorities("/connectware/certs/ca/ca-chain.pem".into());
    assert_eq!(
        tls(&[("CYBUS_MQTT_SCHEME", "mqtts")]),
        Some(tls::Settings {
            trust: defaults.clone(),
            identity: None
        })
    );
    let mutual = [("CYBUS_MQTT_SCHEME", "mqtts"), ("CYBUS_USE_MUTUAL_TLS", "yes")];
    let identity = |username: &str, certificate: &str| {
        Some(IdentityFiles {
            certificate: certificate.into(),
            key: "/connectware/certs/client/tls.key".into(),
            username: username.to_owned(),
        })
    };
    assert_eq!(
        tls(&mutual),
        Some(tls::Settings {
            trust: defaults,
            identity: identity("line-1", "/connectware/certs/client/tls.crt"),
        })
    );
    let named = [
        ("CYBUS_MQTT_USERNAME", "user"),
        ("SYNCLINE_AGENT_CERT", "/own.crt"),
        ("AGENT_CERT", "/other.crt"),
        ("TRUST_ALL_CERTS", "1"),
    ];
    assert_eq!(
        tls(&[&mutual[..], &named].concat()),
        Some(tls::Settings {
            trust: Trust::Anyone,
            identity: identity("user", "/own.crt"),
        })
    );
    let errors = run_errors(&with(&[("USE_MUTUAL_TLS", "true")]));
    assert!(
        errors[0].starts_with("USE_MUTUAL_TLS: a client certificate can be shown over TLS only"),
        "{errors:?}"
    );
}

#[test]
fn values_that_are_seldom_meant_are_warnings() {
    let only = |variables: &[(&str, &str)], words: &[&str]| {
        let warnings = warnings(variables);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        for word in words {
            assert!(warnings[0].contains(word), "`{word}` is not in {warnings:?}");
        }
    };
    let mqtts = ("CYBUS_MQTT_SCHEME", "mqtts");
    let tls_port = ("CYBUS_MQTT_PORT", "8883");
    only(&[mqtts], &["1883", "8883"]);
    only(&[tls_port], &["CYBUS_MQTT_SCHEME=mqtts"]);
    only(
        &[mqtts, tls_port, ("TRUST_ALL_CERTS", "true")],
        &["NO SERVER IS VERIFIED"],
    );
    only(
        &[mqtts, tls_port, ("CA", "/nowhere/ca.pem")],
        &["/nowhere/ca.pem does not exist"],
    );
    assert_eq!(warnings(&[mqtts, tls_port]), Vec::<String>::new());
    assert_eq!(warnings(&[("CA", "/nowhere/ca.pem")]), Vec::<String>::new());
}

#[test]
fn a_listener_leaves_the_loopback_interface_only_when_told_to() {
    let agent = [("CYBUS_AGENT_NAME", "line-1"), ("CYBUS_MQTT_HOST", "broker")];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> { [&agent, more].concat() };
    for open in ["0.0.0.0:8080", "[::]:8080", "192.168.0.5:80"] {
        let errors = run_errors(&with(&[("SYNCLINE_HTTP_LISTEN", open)]));
        assert!(errors[0].contains("SYNCLINE_ALLOW_INSECURE=true"), "{errors:?}");
        let allowed = with(&[("SYNCLINE_HTTP_LISTEN", open), ("SYNCLINE_ALLOW_INSECURE", "Yes")]);
        assert!(load(&allowed).run().is_ok());
        let listen = ("SYNCLINE_HTTP_LISTEN", open);
        let tls = [
            ("SYNCLINE_HTTP_TLS_CERT", "a.crt"),
            ("SYNCLINE_HTTP_TLS_KEY", "a.key"),
        ];
        let login = ("SYNCLINE_HTTP_AUTH", "access.toml");
        assert!(run_errors(&with(&[listen, login]))[0].contains("has a login but no TLS"));
        assert!(run_errors(&with(&[listen, tls[0], tls[1]]))[0].contains("has TLS but no login"));
        assert!(load(&with(&[listen, tls[0], tls[1], login])).run().is_ok());
    }
    assert!(load(&with(&[("SYNCLINE_HTTP_LISTEN", "[::1]:0")])).run().is_ok());
}

#[test]
fn the_login_name_is_the_agent_s_name_unless_set() {
    let agent = [("CYBUS_AGENT_NAME", "line-1"), ("CYBUS_MQTT_HOST", "broker")];
    assert_eq!(load(&agent).run().unwrap().mqtt.username, "line-1");
    let named = [&agent[..], &[("CYBUS_MQTT_USERNAME", "user")]].concat();
    assert_eq!(load(&named).run().unwrap().mqtt.username, "user");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let variables = [("CYBUS_PROTOCOL_MAPPER_PASSWORD", "s3cret")];
    let loaded = config::load(&Flags::new(), &environment(&variables)).unwrap();
    let shown: Vec<&str> = loaded
        .settings
        .iter()
        .filter_map(|resolved| Some(resolved.setting.as_ref()?.shown()))
        .collect();
    assert!(
        shown.contains(&"********") && !shown.contains(&"s3cret"),
        "{shown:?}"
    );
    assert!(!format!("{:?}", loaded.config).contains("s3cret"));
}
