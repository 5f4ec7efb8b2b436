//! Configuration: every variable is defined once, in [`VARIABLES`], and checked before anything starts.

mod documentation;
mod environment;
mod file;
mod value;
mod variable;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use syncline_core::registration::Mode;
use syncline_core::registration::version::Likeness;

pub use documentation::{markdown, rows};
pub use environment::{Environment, Flags, Origin, Resolved, Setting};
pub use value::{AgentMode, AgentName, CaFile, Host, LogFormat, LogLevel, MqttScheme, MqttVersion};
pub use variable::{Computed, Config, VARIABLES, Variable};

use crate::registry::{Registry, RegistryUrl};
use crate::run::OpcuaListen;
use crate::service;
use crate::tls::{self, IdentityFiles, Trust};

/// What was read, with what is worth a warning.
pub struct Loaded {
    /// The checked values.
    pub config: Config,
    /// Every variable with the place its value came from.
    pub settings: Vec<Resolved>,
    /// Variables that have no effect, and values that are seldom meant.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with the configuration; each message names its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

/// What a running agent needs: nothing is missing, and the values fit together.
#[derive(Debug)]
pub struct RunConfig {
    /// Unique identity of this agent.
    pub agent_name: AgentName,
    /// The link to the broker.
    pub mqtt: MqttConfig,
    /// How to be let in.
    pub registration: RegistrationConfig,
    /// How alike the versions of agent and central have to be; `None` where the central is not asked: because nobody wants
    /// to know, or because there is no registry to ask.
    pub version_check: Option<Likeness>,
    /// Address of the HTTP servers.
    pub http_listen: SocketAddr,
    /// TLS of the HTTP servers; `None` for plain HTTP.
    pub http_tls: Option<tls::ServerFiles>,
    /// File of those who may call the HTTP servers; `None` for everyone.
    pub http_access: Option<PathBuf>,
    /// Threads that HTTP connections may take; `None` for as many as go with this machine.
    pub http_threads: Option<NonZeroUsize>,
    /// Where the OPC UA server listens.
    pub opcua_listen: OpcuaListen,
    /// Whether a listener without protection may leave the loopback interface.
    pub allow_insecure: bool,
    /// Certificate of the admin listener; `None` for plain HTTP.
    pub admin_tls: Option<tls::ServerFiles>,
    /// File of those who may look there; everyone may without it.
    pub admin_access: Option<PathBuf>,
    /// Address of the admin listener; none when absent.
    pub admin_listen: Option<SocketAddr>,
    /// Whom connections to other systems believe, and what they show where they shall.
    pub outgoing_tls: tls::Settings,
    /// Time for held requests to end when the agent stops.
    pub drain_time: Duration,
    /// Folder of everything that is kept.
    pub data_dir: PathBuf,
}

/// How to be let in where nobody knows this agent.
#[derive(Debug)]
pub struct RegistrationConfig {
    /// Where to register.
    pub mode: Mode,
    /// The client registry, and who is believed to be it.
    pub registry: Registry,
}

/// The link to the broker.
#[derive(Debug)]
pub struct MqttConfig {
    /// Host.
    pub host: Host,
    /// Port.
    pub port: u16,
    /// TLS; `None` for plain TCP.
    pub tls: Option<tls::Settings>,
    /// Protocol version.
    pub version: MqttVersion,
    /// Login name. With no password there is no login.
    pub username: String,
    /// Login password.
    pub password: Option<SecretString>,
}

/// Reads flags, environment, files and defaults.
///
/// # Errors
/// Every value that is wrong.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, ConfigError> {
    let (settings, mut errors, mut warnings) = environment.resolve(flags);
    match Config::read(&settings) {
        Ok(config) if errors.is_empty() => {
            warnings.extend(config.doubts());
            Ok(Loaded {
                config,
                settings,
                warnings,
            })
        }
        Ok(_) => Err(ConfigError(errors)),
        Err(wrong) => {
            errors.extend(wrong);
            Err(ConfigError(errors))
        }
    }
}

impl Config {
    /// What `syncline run` needs.
    ///
    /// # Errors
    /// Every variable that is missing or does not fit the others.
    pub fn run(self) -> Result<RunConfig, ConfigError> {
        let mut errors = Vec::new();
        if self.agent_name.is_none() {
            errors.push("CYBUS_AGENT_NAME is required: set it to a name that no other agent has".to_owned());
        }
        if self.mqtt_host.is_none() {
            errors.push("CYBUS_MQTT_HOST is required: set it to the host of the broker".to_owned());
        }
        if self.use_mutual_tls && self.mqtt_scheme == MqttScheme::Mqtt {
            errors.push(
                "USE_MUTUAL_TLS: a client certificate can be shown over TLS only: set CYBUS_MQTT_SCHEME=mqtts, and \
                 CYBUS_MQTT_PORT to the broker's port for TLS, usually 8883"
                    .to_owned(),
            );
        }
        let http_tls = pair(
            tls::Listener::Http,
            [
                ("SYNCLINE_HTTP_TLS_CERT", self.http_tls_cert),
                ("SYNCLINE_HTTP_TLS_KEY", self.http_tls_key),
            ],
            &mut errors,
        );
        let admin_tls = pair(
            tls::Listener::Admin,
            [
                ("SYNCLINE_ADMIN_TLS_CERT", self.admin_tls_cert),
                ("SYNCLINE_ADMIN_TLS_KEY", self.admin_tls_key),
            ],
            &mut errors,
        );
        for (name, address, has_tls, has_login) in [
            (
                "HTTP",
                Some(self.http_listen),
                http_tls.is_some(),
                self.http_auth.is_some(),
            ),
            (
                "ADMIN",
                self.admin_listen,
                admin_tls.is_some(),
                self.admin_auth.is_some(),
            ),
        ] {
            let lacks = match (has_tls, has_login) {
                (true, true) => continue,
                (false, false) => "has neither TLS nor a login",
                (false, true) => "has a login but no TLS, so that everyone on the way could read it",
                (true, false) => "has TLS but no login",
            };
            if let Some(address) =
                address.filter(|address| !address.ip().is_loopback() && !self.allow_insecure)
            {
                errors.push(format!(
                    "SYNCLINE_{name}_LISTEN: {address} is not a loopback address, and the listener {lacks}: set \
                     SYNCLINE_{name}_TLS_CERT, SYNCLINE_{name}_TLS_KEY and SYNCLINE_{name}_AUTH, listen on 127.0.0.1, or \
                     set SYNCLINE_ALLOW_INSECURE=true"
                ));
            }
        }
        match (self.agent_name, self.mqtt_host) {
            (Some(agent_name), Some(host)) if errors.is_empty() => {
                let username = self.mqtt_username.unwrap_or_else(|| agent_name.to_string());
                // What the agent is told to believe of broker and registry does not hold for others.
                let authorities = Trust::Authorities(self.ca.path.clone());
                let trust = match self.trust_all_certs {
                    true => Trust::Anyone,
                    false => Trust::Authorities(self.ca.path),
                };
                let own = IdentityFiles {
                    certificate: self.agent_cert,
                    key: self.agent_key,
                    username: username.clone(),
                };
                let identity = self.use_mutual_tls.then(|| own.clone());
                let url = self
                    .registry_url
                    .unwrap_or_else(|| RegistryUrl::of_host(host.as_str()));
                let has_registry = matches!(self.registration, Mode::Auto | Mode::Rest);
                Ok(RunConfig {
                    outgoing_tls: tls::Settings {
                        trust: authorities,
                        identity: Some(own),
                    },
                    version_check: self.version_check.filter(|_| has_registry),
                    registration: RegistrationConfig {
                        mode: self.registration,
                        registry: Registry::new(url, trust.clone()),
                    },
                    mqtt: MqttConfig {
                        host,
                        port: self.mqtt_port,
                        tls: (self.mqtt_scheme == MqttScheme::Mqtts)
                            .then_some(tls::Settings { trust, identity }),
                        version: self.mqtt_version,
                        username,
                        password: self.mqtt_password,
                    },
                    agent_name,
                    http_listen: self.http_listen,
                    http_tls,
                    http_access: self.http_auth,
                    http_threads: self.http_threads,
                    opcua_listen: self.opcua_listen,
                    allow_insecure: self.allow_insecure,
                    admin_tls,
                    admin_access: self.admin_auth,
                    admin_listen: self.admin_listen,
                    drain_time: self.drain_time,
                    data_dir: self.data_dir,
                })
            }
            _ => Err(ConfigError(errors)),
        }
    }

    /// Values that are allowed and seldom meant.
    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        match (self.mqtt_scheme, self.mqtt_port) {
            (MqttScheme::Mqtts, 1883) => doubts.push(
                "CYBUS_MQTT_SCHEME is `mqtts` and CYBUS_MQTT_PORT is 1883, where brokers speak without TLS: set \
                 CYBUS_MQTT_PORT=8883"
                    .to_owned(),
            ),
            (MqttScheme::Mqtt, 8883) => doubts.push(
                "CYBUS_MQTT_PORT is 8883, where brokers speak TLS, and CYBUS_MQTT_SCHEME is `mqtt`: set \
                 CYBUS_MQTT_SCHEME=mqtts"
                    .to_owned(),
            ),
            _ => {}
        }
        if let Some(url) = self
            .registry_url
            .as_ref()
            .filter(|url| !url.is_secure() && !is_loopback(url))
        {
            doubts.push(format!(
                "SYNCLINE_REGISTRY_URL: {url} is without TLS, and the password of this agent crosses the network in the clear: \
                 use https://"
            ));
        }
        if self.trust_all_certs {
            doubts.push(
                "TRUST_ALL_CERTS is on: NO SERVER IS VERIFIED, and whoever is between this agent and its broker can read \
                 and change everything, passwords too; set CA to the authority of the broker's certificate instead"
                    .to_owned(),
            );
        } else if self.mqtt_scheme == MqttScheme::Mqtts && self.ca.named && !self.ca.path.exists() {
            doubts.push(format!(
                "CA: {} does not exist, servers are verified against the system's authorities",
                self.ca.path.display()
            ));
        }
        doubts
    }

    /// Where an OPC UA server would listen.
    #[must_use]
    pub fn opcua_listen(&self) -> OpcuaListen {
        self.opcua_listen
    }

    /// What commissioning files may ask about the agent, except the values of their parameters.
    #[must_use]
    pub fn service_context(&self) -> service::Context {
        let agent_name = self.agent_name.as_ref().map(ToString::to_string);
        service::Context {
            mqtt_host: self.mqtt_host.as_ref().map(ToString::to_string),
            mqtt_port: Some(self.mqtt_port),
            mqtt_user: self.mqtt_username.clone().or_else(|| agent_name.clone()),
            mqtt_password: self
                .mqtt_password
                .as_ref()
                .map(|password| password.expose_secret().to_owned()),
            agent_name,
            ..service::Context::default()
        }
    }
}

/// Certificate and key of a listener, which come together or not at all.
fn pair(
    listener: tls::Listener,
    files: [(&str, Option<PathBuf>); 2],
    errors: &mut Vec<String>,
) -> Option<tls::ServerFiles> {
    let [(certificate_name, certificate), (key_name, key)] = files;
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            return Some(tls::ServerFiles {
                listener,
                certificate,
                key,
            });
        }
        (None, None) => {}
        (Some(_), None) => errors.push(format!(
            "{key_name} is required with {certificate_name}: set it to the certificate's key"
        )),
        (None, Some(_)) => errors.push(format!(
            "{certificate_name} is required with {key_name}: set it to the key's certificate"
        )),
    }
    None
}

/// Whether a registry is on this machine.
fn is_loopback(url: &RegistryUrl) -> bool {
    let host = &url.endpoint().host;
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl ConfigError {
    /// The messages, one for each mistake.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
