//! Variables of the environment: what one is, and the table from which parsing, flags and documentation are made.

use super::value::{
    self, AgentMode, AgentName, CaFile, Host, LogFormat, LogLevel, MqttScheme, MqttVersion, optional,
    or_default,
};
use super::{Resolved, Setting};
use crate::registry::RegistryUrl;
use crate::run::OpcuaListen;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;
use syncline_core::registration::Mode;
use syncline_core::registration::version::Likeness;

/// The variable that names the configuration file, which cannot name itself.
pub(super) const CONFIG_FILE: &str = "SYNCLINE_CONFIG";

/// One variable of the environment.
#[derive(Debug)]
pub struct Variable {
    /// The name that documentation uses.
    pub name: &'static str,
    /// Further names, besides the `SYNCLINE_` alias.
    pub also: &'static [&'static str],
    /// Flag that goes before the environment, without its dashes. A secret has none: other users could read it.
    pub flag: Option<&'static str>,
    /// Whether `syncline run` needs it.
    pub required: bool,
    /// Text that stands for the variable when it is not set.
    pub default: Option<&'static str>,
    /// What documentation shows as the default when it is worked out from others.
    pub default_shown: &'static str,
    /// Works out the default from the values of other variables, whose defaults are not worked out themselves.
    pub computed: Option<Computed>,
    /// What it is for, in one sentence.
    pub meaning: &'static str,
    /// Whether the value is never shown, and may be given as `NAME_FILE`.
    pub secret: bool,
}

/// Works out a default; is given what looks up another variable's value by its name.
pub type Computed = fn(&dyn Fn(&str) -> Option<String>) -> Option<String>;

impl Variable {
    /// A variable that is read, with nothing special about it.
    const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            also: &[],
            flag: None,
            required: false,
            default: None,
            default_shown: "",
            computed: None,
            meaning,
            secret: false,
        }
    }

    /// All names under which the variable is read, the one that wins first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let alias = match self.name.strip_prefix("SYNCLINE_") {
            Some(_) => None,
            None => Some(format!(
                "SYNCLINE_{}",
                self.name.strip_prefix("CYBUS_").unwrap_or(self.name)
            )),
        };
        let own = std::iter::once(self.name)
            .chain(self.also.iter().copied())
            .map(str::to_owned);
        alias.into_iter().chain(own).collect()
    }

    /// Key of the variable in the configuration file: its name without prefix, in lower case, with hyphens.
    #[must_use]
    pub fn key(&self) -> String {
        let stem = ["CYBUS_", "SYNCLINE_"]
            .into_iter()
            .find_map(|prefix| self.name.strip_prefix(prefix));
        stem.unwrap_or(self.name).to_ascii_lowercase().replace('_', "-")
    }

    /// The default as documentation shows it; empty when there is none.
    #[must_use]
    pub fn default_text(&self) -> &'static str {
        self.default.unwrap_or(self.default_shown)
    }
}

/// Makes the table and the struct that it fills: each variable is written once.
macro_rules! variables {
    ($($(#[$doc:meta])+ $field:ident: $type:ty = $parse:expr => $variable:expr;)+) => {
        /// Every variable that is read, checked by itself; [`Config::run`](super::Config::run) checks them together.
        #[derive(Debug)]
        pub struct Config {
            $($(#[$doc])+ pub $field: $type,)+
        }

        /// Every variable there is, in the order of the documentation.
        pub static VARIABLES: &[Variable] = &[$($variable,)+];

        impl Config {
            /// Reads every value; all that are wrong are reported at once.
            pub(super) fn read(settings: &[Resolved]) -> Result<Self, Vec<String>> {
                let mut errors = Vec::new();
                $(
                    let variable: Variable = $variable;
                    let setting = settings.iter().find(|resolved| resolved.variable.name == variable.name);
                    let parse: fn(Option<&Setting>) -> Result<$type, String> = $parse;
                    let $field = match parse(setting.and_then(|resolved| resolved.setting.as_ref())) {
                        Ok(value) => Some(value),
                        Err(error) => {
                            errors.push(error);
                            None
                        }
                    };
                )+
                match ($($field,)+) {
                    ($(Some($field),)+) => Ok(Self { $($field,)+ }),
                    _ => Err(errors),
                }
            }
        }
    };
}

variables! {
    /// Set in a container: without a subcommand the agent then runs.
    agent_mode: Option<AgentMode> = |setting| optional(setting, AgentMode::parse) => Variable {
        required: false,
        ..Variable::new("CYBUS_AGENT_MODE", "`distributed`: run as an agent when no subcommand is given.")
    };

    /// Unique identity of this agent.
    agent_name: Option<AgentName> = |setting| optional(setting, AgentName::parse) => Variable {
        flag: Some("agent-name"),
        required: true,
        ..Variable::new("CYBUS_AGENT_NAME", "Unique identity; equals `agentName` in commissioning files.")
    };

    /// Host of the broker.
    mqtt_host: Option<Host> = |setting| optional(setting, Host::parse) => Variable {
        flag: Some("mqtt-host"),
        required: true,
        ..Variable::new("CYBUS_MQTT_HOST", "Host of the broker.")
    };

    /// Port of the broker.
    mqtt_port: u16 = |setting| or_default(setting, value::port) => Variable {
        flag: Some("mqtt-port"),
        default: Some("1883"),
        ..Variable::new("CYBUS_MQTT_PORT", "Port of the broker; it does not follow the scheme.")
    };

    /// Transport to the broker.
    mqtt_scheme: MqttScheme = |setting| or_default(setting, MqttScheme::parse) => Variable {
        flag: Some("mqtt-scheme"),
        default: Some("mqtt"),
        ..Variable::new("CYBUS_MQTT_SCHEME", "`mqtt`, or `mqtts` for TLS.")
    };

    /// Login name; the agent's name when absent.
    mqtt_username: Option<String> = |setting| optional(setting, value::text) => Variable {
        flag: Some("mqtt-username"),
        default_shown: "the agent's name",
        computed: Some(|value| value("CYBUS_AGENT_NAME")),
        ..Variable::new("CYBUS_MQTT_USERNAME", "Login name at the broker.")
    };

    /// Login password.
    mqtt_password: Option<SecretString> = |setting| optional(setting, value::secret) => Variable {
        secret: true,
        ..Variable::new("CYBUS_PROTOCOL_MAPPER_PASSWORD", "Login password at the broker; none means a generated one, or no login with `SYNCLINE_REGISTRATION=off`.")
    };

    /// Protocol version.
    mqtt_version: MqttVersion = |setting| or_default(setting, MqttVersion::parse) => Variable {
        flag: Some("mqtt-version"),
        default: Some("auto"),
        ..Variable::new("SYNCLINE_MQTT_VERSION", "`5`, `3.1.1`, or `auto`: 5 first, 3.1.1 when the broker refuses it or keeps closing the connection, and then 5 again at the next connection.")
    };

    /// Whether the agent logs in by client certificate.
    use_mutual_tls: bool = |setting| or_default(setting, value::boolean) => Variable {
        also: &["CYBUS_USE_MUTUAL_TLS"],
        flag: Some("use-mutual-tls"),
        default: Some("false"),
        ..Variable::new("USE_MUTUAL_TLS", "Login by client certificate, whose common name must be the login name; needs `mqtts`.")
    };

    /// Key of the client certificate.
    agent_key: PathBuf = |setting| or_default(setting, value::path) => Variable {
        flag: Some("agent-key"),
        default: Some("/connectware/certs/client/tls.key"),
        ..Variable::new("AGENT_KEY", "Key of the client certificate, PEM.")
    };

    /// Client certificate.
    agent_cert: PathBuf = |setting| or_default(setting, value::path) => Variable {
        flag: Some("agent-cert"),
        default: Some("/connectware/certs/client/tls.crt"),
        ..Variable::new("AGENT_CERT", "Client certificate and those between it and its authority, PEM; with `SYNCLINE_REGISTRATION=rest` the client registry issues one that does not exist yet.")
    };

    /// Authorities that servers are verified against.
    ca: CaFile = |setting| CaFile::read(setting) => Variable {
        flag: Some("ca"),
        default: Some("/connectware/certs/ca/ca-chain.pem"),
        ..Variable::new(
            "CA",
            "Authorities that servers are verified against, PEM; the system's where the file does not exist.",
        )
    };

    /// Whether servers go unverified.
    trust_all_certs: bool = |setting| or_default(setting, value::boolean) => Variable {
        also: &["CYBUS_TRUST_ALL_CERTS"],
        flag: Some("trust-all-certs"),
        default: Some("false"),
        ..Variable::new("TRUST_ALL_CERTS", "Believe every server, whoever it may be: for a test bench, never for a plant.")
    };

    /// Base URL of the client registry; HTTPS at the broker's host when absent.
    registry_url: Option<RegistryUrl> = |setting| optional(setting, str::parse) => Variable {
        flag: Some("registry-url"),
        default_shown: "`https://` and the broker's host",
        computed: Some(|value| Some(RegistryUrl::of_host(Host::parse(&value("CYBUS_MQTT_HOST")?).ok()?.as_str()).to_string())),
        ..Variable::new("SYNCLINE_REGISTRY_URL", "Client registry, where an agent that nobody knows asks to be let in.")
    };

    /// Where to register.
    registration: Mode = |setting| or_default(setting, value::registration_mode) => Variable {
        flag: Some("registration"),
        default: Some("auto"),
        ..Variable::new(
            "SYNCLINE_REGISTRATION",
            "Where to register: `auto` (at the client registry, else over MQTT), `rest`, `mqtt` or `off`.",
        )
    };

    /// How alike the versions of agent and central have to be; `None` for no check.
    version_check: Option<Likeness> = |setting| or_default(setting, value::version_check) => Variable {
        flag: Some("version-check"),
        default: Some("compatible"),
        ..Variable::new(
            "SYNCLINE_VERSION_CHECK",
            "What goes with the version of the central, where that tells one: `exact`ly the same, `compatible` (the same \
             major.minor), or anything with `off`; asked at the client registry, else not at all.",
        )
    };

    /// Least grave message that is logged.
    log_level: LogLevel = |setting| or_default(setting, LogLevel::parse) => Variable {
        flag: Some("log-level"),
        default: Some("info"),
        ..Variable::new("CYBUS_LOG_LEVEL", "`debug`, `info`, `warn` or `error`; `RUST_LOG` goes before it.")
    };

    /// Form of the log's lines.
    log_format: LogFormat = |setting| or_default(setting, LogFormat::parse) => Variable {
        flag: Some("log-format"),
        default: Some("text"),
        ..Variable::new(
            "SYNCLINE_LOG_FORMAT",
            "`text`, `logfmt`, `json`, or `pino`: JSON with the fields and numbers that Connectware's log has.",
        )
    };

    /// File that holds values for these variables.
    config_file: Option<PathBuf> = |setting| optional(setting, value::path) => Variable {
        flag: Some("config"),
        ..Variable::new(CONFIG_FILE, "Configuration file, TOML: each variable under its key.")
    };

    /// Folder of everything that is kept.
    data_dir: PathBuf = |setting| or_default(setting, value::path) => Variable {
        flag: Some("data-dir"),
        default: Some("/data"),
        ..Variable::new("SYNCLINE_DATA_DIR", "Folder of everything that the agent keeps.")
    };

    /// Folder of commissioning files.
    services: PathBuf = |setting| or_default(setting, value::path) => Variable {
        flag: Some("services"),
        default_shown: "`services` in the data folder",
        computed: Some(|value| Some(PathBuf::from(value("SYNCLINE_DATA_DIR")?).join("services").display().to_string())),
        ..Variable::new("SYNCLINE_SERVICES", "Folder of commissioning files, read when no `--service` is given; hidden files are left out.")
    };

    /// Address of the HTTP servers.
    http_listen: SocketAddr = |setting| or_default(setting, value::listen_address) => Variable {
        flag: Some("http-listen"),
        default: Some("127.0.0.1:8080"),
        ..Variable::new("SYNCLINE_HTTP_LISTEN", "Address and port of the HTTP servers.")
    };

    /// Certificate of the HTTP servers.
    http_tls_cert: Option<PathBuf> = |setting| optional(setting, value::path) => Variable {
        flag: Some("http-tls-cert"),
        ..Variable::new("SYNCLINE_HTTP_TLS_CERT", "Certificate of the HTTP servers, PEM; with it they speak HTTPS.")
    };

    /// Key of that certificate.
    http_tls_key: Option<PathBuf> = |setting| optional(setting, value::path) => Variable {
        flag: Some("http-tls-key"),
        ..Variable::new("SYNCLINE_HTTP_TLS_KEY", "Key of that certificate, PEM.")
    };

    /// File of those who may call the HTTP servers.
    http_auth: Option<PathBuf> = |setting| optional(setting, value::path) => Variable {
        flag: Some("http-auth"),
        ..Variable::new(
            "SYNCLINE_HTTP_AUTH",
            "File of the users and tokens that may call the HTTP servers, and of the users of the OPC UA server, see `syncline access`; \
             everyone may call the HTTP servers without it.",
        )
    };

    /// Threads that HTTP connections may take; `None` for as many as go with this machine.
    http_threads: Option<NonZeroUsize> = |setting| optional(setting, value::threads) => Variable {
        flag: Some("http-threads"),
        default_shown: "half of the processors, `4` at most",
        ..Variable::new(
            "SYNCLINE_HTTP_THREADS",
            "Threads that HTTP connections may take; the others come into use while the first is busy for half of its time.",
        )
    };

    /// Where the OPC UA server listens.
    opcua_listen: OpcuaListen = |setting| or_default(setting, value::opcua_listen) => Variable {
        flag: Some("opcua-listen"),
        default: Some("127.0.0.1"),
        ..Variable::new(
            "SYNCLINE_OPCUA_LISTEN",
            "Address of the OPC UA server, on the port that its file names; with a port, that one goes before the file's.",
        )
    };

    /// Time for held requests to end when the agent stops.
    drain_time: Duration = |setting| or_default(setting, value::duration) => Variable {
        flag: Some("drain-time"),
        default: Some("5s"),
        ..Variable::new("SYNCLINE_DRAIN_TIME", "Time for held requests to end when the agent stops, such as `500ms` or `1m`.")
    };

    /// Address of the admin listener; none when absent.
    admin_listen: Option<SocketAddr> = |setting| Ok(optional(setting, value::listen_address_or_off)?.flatten()) => Variable {
        flag: Some("admin-listen"),
        default: Some("off"),
        ..Variable::new(
            "SYNCLINE_ADMIN_LISTEN",
            "Address and port of `/livez`, `/readyz`, `/metrics` and the status page, or `off`.",
        )
    };

    /// Certificate of the admin listener.
    admin_tls_cert: Option<PathBuf> = |setting| optional(setting, value::path) => Variable {
        flag: Some("admin-tls-cert"),
        ..Variable::new("SYNCLINE_ADMIN_TLS_CERT", "Certificate of the admin listener, PEM; with it the listener speaks HTTPS.")
    };

    /// Key of that certificate.
    admin_tls_key: Option<PathBuf> = |setting| optional(setting, value::path) => Variable {
        flag: Some("admin-tls-key"),
        ..Variable::new("SYNCLINE_ADMIN_TLS_KEY", "Key of that certificate, PEM.")
    };

    /// File of those who may look at the admin listener.
    admin_auth: Option<PathBuf> = |setting| optional(setting, value::path) => Variable {
        flag: Some("admin-auth"),
        ..Variable::new(
            "SYNCLINE_ADMIN_AUTH",
            "File of the users and tokens that may look at the admin listener, see `syncline access`; everyone may without it.",
        )
    };

    /// Whether a listener without TLS and login may leave the loopback interface.
    allow_insecure: bool = |setting| or_default(setting, value::boolean) => Variable {
        flag: Some("allow-insecure"),
        default: Some("false"),
        ..Variable::new(
            "SYNCLINE_ALLOW_INSECURE",
            "Let a listener without TLS and login leave the loopback interface.",
        )
    };
}
