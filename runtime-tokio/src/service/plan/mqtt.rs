//! Connections to other brokers.

use std::time::Duration;

use bytes::Bytes;
use syncline_core::codec::QoS;
use syncline_core::topic::TopicName;

use super::Secret;

/// Another broker.
#[derive(Debug, Clone, PartialEq)]
pub struct MqttConnection {
    /// Plain or over TLS.
    pub scheme: MqttScheme,
    /// Host name or address.
    pub host: String,
    /// TCP port, 1883 by default.
    pub port: u16,
    /// Client Identifier; derived from agent and resource where absent.
    pub client_id: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Keep Alive, 60 s by default; zero turns it off.
    pub keep_alive: Duration,
    /// Whether each connection begins a new Session, by default. If not, that broker keeps messages for this agent while
    /// it is away.
    pub clean_session: bool,
    /// What TLS is done with, where there is any.
    pub tls: TlsMaterial,
    /// What that broker publishes when this agent disappears.
    pub will: Option<MqttWill>,
}

/// Schemes of an MQTT connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttScheme {
    /// Plain.
    Mqtt,
    /// Over TLS.
    Mqtts,
}

impl MqttScheme {
    /// The word for tables and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
        }
    }
}

/// Whom TLS believes, and what it shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsMaterial {
    /// Whether a certificate is shown: that of `identity`, else the agent's own.
    pub mutual_authentication: bool,
    /// Whether the server's certificate goes unchecked.
    pub trust_all_certificates: bool,
    /// Certificates of the authorities that are believed, PEM; those of the agent's outgoing connections where absent.
    pub authorities: Option<String>,
    /// The certificate to show.
    pub identity: Option<ClientCertificate>,
}

/// A client certificate with its key, both PEM; they belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and those between it and its authority.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
}

/// The message that a broker publishes when its client disappears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttWill {
    /// Where.
    pub topic: TopicName,
    /// What, empty by default.
    pub payload: Bytes,
    /// Quality of service.
    pub qos: QoS,
    /// Whether that broker keeps it.
    pub retain: bool,
}
