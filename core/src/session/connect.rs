//! CONNECT: made of the configuration, and checked with it.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Session;
use super::authentication::put_authentication;
use super::config::{Config, ConfigError, OnRefusal};
use crate::codec::{Connect, EncodeError, LastWill, Packet, Properties, Property, PropertyBuf, Version};

impl Session {
    /// User name and password of the next CONNECT.
    ///
    /// # Errors
    /// [`ConfigError::Credentials`] where they do not fit a CONNECT; the ones before stay.
    pub fn set_credentials(
        &mut self,
        username: Option<String>,
        password: Option<Bytes>,
    ) -> Result<(), ConfigError> {
        let before = (
            core::mem::replace(&mut self.config.username, username),
            core::mem::replace(&mut self.config.password, password),
        );
        let checked = self.config.validate();
        if checked.is_err() {
            (self.config.username, self.config.password) = before;
        }
        checked
    }

    /// Leaves refused credentials to the caller, whatever the configuration says.
    pub(crate) fn await_credentials(&mut self) {
        self.config.reconnect.on_refusal = OnRefusal::AwaitCredentials;
        self.redial.set_policy(self.config.reconnect);
    }

    /// Whether the CONNECT can be encoded, and otherwise which part of the configuration is at fault.
    pub(super) fn check_connect(&self, version: Version) -> Result<(), ConfigError> {
        let mut properties = PropertyBuf::new();
        if let Some(authentication) = &self.config.authentication {
            let data = authentication.data.as_deref();
            put_authentication(&self.config, data, &mut properties).map_err(ConfigError::Authentication)?;
        }
        let mut out = Vec::new();
        self.encode_connect(version, None, &mut out)
            .map_err(ConfigError::Properties)?;
        self.encode_connect(version, self.last_will(version), &mut out)
            .map_err(ConfigError::Will)
    }

    /// Appends the CONNECT.
    pub(super) fn connect_packet(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.encode_connect(version, self.last_will(version), out)
    }

    /// Whether a 3.1.1 Session ends with its connection; the flag that begins it also says that.
    pub(super) fn is_clean_session(&self) -> bool {
        let config = &self.config;
        config.clean_start || config.session_expiry == 0 || config.client_id.is_empty() || self.gave_up
    }

    /// Whether the CONNECT asks for a new Session.
    pub(super) fn begins_new_session(&self, version: Version) -> bool {
        match version {
            Version::V5 => self.config.clean_start || !self.resumable,
            Version::V3_1_1 => self.is_clean_session(),
        }
    }

    fn encode_connect(
        &self,
        version: Version,
        will: Option<LastWill<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let config = &self.config;
        let properties = match version {
            Version::V5 => connect_properties(config)?,
            Version::V3_1_1 => PropertyBuf::new(),
        };
        let connect = Connect {
            version,
            clean_start: self.begins_new_session(version),
            // `Config::validate` bounds it.
            keep_alive: u16::try_from(config.keep_alive.as_secs()).unwrap_or(u16::MAX),
            client_id: &config.client_id,
            properties: properties.as_properties(),
            will,
            username: config.username.as_deref(),
            password: config.password.as_deref(),
        };
        Packet::Connect(connect).encode(version, out)
    }

    fn last_will(&self, version: Version) -> Option<LastWill<'_>> {
        let will = self.config.will.as_ref()?;
        Some(LastWill {
            topic: will.topic.as_str(),
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: match version {
                Version::V5 => will.properties.as_properties(),
                Version::V3_1_1 => Properties::EMPTY,
            },
        })
    }
}

fn connect_properties(config: &Config) -> Result<PropertyBuf, EncodeError> {
    let mut properties = config.properties.clone();
    if config.session_expiry != 0 {
        properties.push(Property::SessionExpiryInterval(config.session_expiry))?;
    }
    properties.push(Property::ReceiveMaximum(config.receive_maximum.get()))?;
    properties.push(Property::MaximumPacketSize(config.max_packet_size))?;
    if config.topic_alias_maximum != 0 {
        properties.push(Property::TopicAliasMaximum(config.topic_alias_maximum))?;
    }
    if config.request_response_information {
        properties.push(Property::RequestResponseInformation(true))?;
    }
    if !config.request_problem_information {
        properties.push(Property::RequestProblemInformation(false))?;
    }
    let data = config.authentication.as_ref();
    let data = data.and_then(|authentication| authentication.data.as_deref());
    put_authentication(config, data, &mut properties)?;
    Ok(properties)
}
