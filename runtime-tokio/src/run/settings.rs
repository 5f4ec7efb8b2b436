//! What an agent needs besides its plan.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret as _;
use syncline_core::registration::Mode;
use syncline_core::registration::version::Likeness;
use syncline_core::session::{self, VersionPolicy};

use super::watch;
use crate::config::{AgentName, MqttVersion, RunConfig};
use crate::http::Limits;
use crate::registry::Registry;
use crate::tls;
use crate::transport::Endpoint;

/// What an agent needs besides its plan.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker.
    pub broker: Endpoint,
    /// TLS towards the broker; `None` for plain TCP.
    pub tls: Option<tls::Settings>,
    /// Whom connections to other systems believe, and what they show where they shall; the system's authorities by default.
    pub outgoing_tls: tls::Settings,
    /// Time between two looks at the files for TLS, 3 s by default.
    pub tls_look_interval: Duration,
    /// Time between two looks at the commissioning files, 1 s by default.
    pub services_look_interval: Duration,
    /// The MQTT session. With a registration, user name and password in it are the ones that were given.
    pub session: session::Config,
    /// How to be let in; `None` to log in as `session` says and be refused.
    pub registration: Option<RegistrationSettings>,
    /// How alike the versions of agent and central have to be, and where the central is; `None` not to ask.
    pub version_check: Option<(Likeness, Registry)>,
    /// Folder of everything that is kept; `None` to keep nothing.
    pub data_dir: Option<PathBuf>,
    /// Address of the HTTP listener; port 0 has the system choose one.
    pub http_listen: SocketAddr,
    /// TLS of the HTTP listener; `None` for plain HTTP.
    pub http_tls: Option<tls::ServerFiles>,
    /// File of those who may call the HTTP servers; `None` for everyone.
    pub http_access: Option<PathBuf>,
    /// Certificate of the admin listener; `None` for plain HTTP, by default.
    pub admin_tls: Option<tls::ServerFiles>,
    /// File of those who may look there; `None` for everyone, by default.
    pub admin_access: Option<PathBuf>,
    /// Where the OPC UA server listens, on 127.0.0.1 and the port of the file by default.
    pub opcua_listen: OpcuaListen,
    /// Whether a listener without protection may leave the loopback interface, not by default.
    pub allow_insecure: bool,
    /// What the HTTP listener grants its clients.
    pub http_limits: Limits,
    /// Address of the admin listener; none by default.
    pub admin_listen: Option<SocketAddr>,
    /// Whose state is published; nobody's by default.
    pub presence_of: Option<AgentName>,
    /// Time that held requests have to end when the agent stops, 5 s by default.
    pub drain_time: Duration,
}

/// Where an OPC UA server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpcuaListen {
    /// The address.
    pub ip: IpAddr,
    /// A port that goes before the file's; 0 has the system choose one.
    pub port: Option<u16>,
}

impl Default for OpcuaListen {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: None,
        }
    }
}

/// How an agent is let in where nobody knows it.
#[derive(Debug, Clone)]
pub struct RegistrationSettings {
    /// Where to register.
    pub mode: Mode,
    /// The client registry.
    pub registry: Registry,
    /// Login name.
    pub username: String,
}

impl Settings {
    /// The defaults for a broker without TLS, a session and a listener.
    #[must_use]
    pub fn new(broker: Endpoint, session: session::Config, http_listen: SocketAddr) -> Self {
        let drain_time = Duration::from_secs(5);
        Self {
            broker,
            tls: None,
            outgoing_tls: tls::Settings {
                trust: tls::Trust::Authorities(PathBuf::new()),
                identity: None,
            },
            tls_look_interval: tls::LOOK_INTERVAL,
            services_look_interval: watch::LOOK_INTERVAL,
            session,
            registration: None,
            version_check: None,
            data_dir: None,
            http_listen,
            http_tls: None,
            http_access: None,
            admin_tls: None,
            admin_access: None,
            opcua_listen: OpcuaListen::default(),
            allow_insecure: false,
            http_limits: Limits::default(),
            admin_listen: None,
            presence_of: None,
            drain_time,
        }
    }
}

impl From<&RunConfig> for Settings {
    /// The agent's name is its Client Identifier.
    fn from(config: &RunConfig) -> Self {
        let mqtt = &config.mqtt;
        let broker = Endpoint {
            host: mqtt.host.as_str().to_owned(),
            port: mqtt.port,
        };
        let mut session = session::Config::new(config.agent_name.as_str());
        session.version = match mqtt.version {
            MqttVersion::V5 => VersionPolicy::V5,
            MqttVersion::V3_1_1 => VersionPolicy::V3_1_1,
            MqttVersion::Auto => VersionPolicy::Auto,
        };
        if let Some(password) = &mqtt.password {
            session.username = Some(mqtt.username.clone());
            session.password = Some(Bytes::copy_from_slice(password.expose_secret().as_bytes()));
        }
        let mut http_limits = Limits::default();
        if let Some(threads) = config.http_threads {
            http_limits.threads = threads.get();
        }
        Self {
            tls: mqtt.tls.clone(),
            outgoing_tls: config.outgoing_tls.clone(),
            registration: Some(config.into()),
            version_check: config
                .version_check
                .map(|likeness| (likeness, config.registration.registry.clone())),
            data_dir: Some(config.data_dir.clone()),
            http_tls: config.http_tls.clone(),
            http_access: config.http_access.clone(),
            http_limits,
            opcua_listen: config.opcua_listen,
            allow_insecure: config.allow_insecure,
            admin_tls: config.admin_tls.clone(),
            admin_access: config.admin_access.clone(),
            admin_listen: config.admin_listen,
            presence_of: Some(config.agent_name.clone()),
            drain_time: config.drain_time,
            ..Self::new(broker, session, config.http_listen)
        }
    }
}

impl From<&RunConfig> for RegistrationSettings {
    fn from(config: &RunConfig) -> Self {
        Self {
            mode: config.registration.mode,
            registry: config.registration.registry.clone(),
            username: config.mqtt.username.clone(),
        }
    }
}
