//! Configuration: every variable is defined once, in [`VARIABLES`], and checked before anything starts.

mod documentation;
mod environment;
mod value;
mod variable;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

pub use documentation::{markdown, rows};
pub use environment::{Environment, Flags, Origin, Resolved, Setting};
pub use value::{AgentMode, AgentName, Host, LogLevel, MqttScheme, MqttVersion};
pub use variable::{Config, Support, VARIABLES, Variable};

use crate::service;

/// What was read, with what is worth a warning.
pub struct Loaded {
    /// The checked values.
    pub config: Config,
    /// Every variable with the place its value came from.
    pub settings: Vec<Resolved>,
    /// Variables that have no effect.
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
    /// Address of the HTTP servers.
    pub http_listen: SocketAddr,
    /// Folder of everything that is kept.
    pub data_dir: PathBuf,
}

/// The link to the broker.
#[derive(Debug)]
pub struct MqttConfig {
    /// Host.
    pub host: Host,
    /// Port.
    pub port: u16,
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
    let (settings, mut errors, warnings) = environment.resolve(flags);
    match Config::read(&settings) {
        Ok(config) if errors.is_empty() => Ok(Loaded {
            config,
            settings,
            warnings,
        }),
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
        if self.mqtt_scheme == MqttScheme::Mqtts {
            errors.push(
                "CYBUS_MQTT_SCHEME: `mqtts` is not supported by this version yet: set it to `mqtt`"
                    .to_owned(),
            );
        }
        if !self.http_listen.ip().is_loopback() && !self.allow_insecure {
            errors.push(format!(
                "SYNCLINE_HTTP_LISTEN: {} is not a loopback address, and the listener has neither TLS nor a login: \
                 listen on 127.0.0.1, or set SYNCLINE_ALLOW_INSECURE=true",
                self.http_listen
            ));
        }
        match (self.agent_name, self.mqtt_host) {
            (Some(agent_name), Some(host)) if errors.is_empty() => Ok(RunConfig {
                mqtt: MqttConfig {
                    host,
                    port: self.mqtt_port,
                    version: self.mqtt_version,
                    username: self.mqtt_username.unwrap_or_else(|| agent_name.to_string()),
                    password: self.mqtt_password,
                },
                agent_name,
                http_listen: self.http_listen,
                data_dir: self.data_dir,
            }),
            _ => Err(ConfigError(errors)),
        }
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

    /// Folder of commissioning files.
    #[must_use]
    pub fn services_dir(&self) -> PathBuf {
        self.services
            .clone()
            .unwrap_or_else(|| self.data_dir.join("services"))
    }
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
