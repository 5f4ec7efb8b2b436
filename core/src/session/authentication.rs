//! Enhanced authentication (MQTT 5.0 §4.12): challenges while the connection is made, and later at the caller's wish.

use bytes::Bytes;

use super::details::Details;
use super::link::Link;
use super::op::{Completion, OpId, SubmitError};
use super::output::Output;
use super::receive::{Fault, Received, violation};
use super::{Config, Session};
use crate::codec::{
    Auth, EncodeError, Packet, Properties, Property, PropertyBuf, PropertyId, ReasonCode, Version,
};
use crate::limits::MAX_PACKET_SIZE;
use crate::time::Instant;

/// Whose turn it is.
///
/// ```text
/// Over ─CONNECT, AUTH 0x19→ AwaitServer ─AUTH 0x18→ AwaitCaller
///   ↑                         │      ↑                   │
///   └───CONNACK, AUTH 0x00────┘      └────AUTH 0x18──────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// No authentication is in progress.
    Over,
    /// The server continues or ends it; the operation is that of a re-authentication.
    AwaitServer(Option<OpId>),
    /// A challenge was handed out.
    AwaitCaller(Option<OpId>),
}

impl Exchange {
    /// Ends it without success and returns the operation that is lost by that.
    pub(super) fn abandon(&mut self) -> Option<OpId> {
        match core::mem::replace(self, Self::Over) {
            Self::AwaitServer(op) | Self::AwaitCaller(op) => op,
            Self::Over => None,
        }
    }
}

impl Session {
    /// Answers an [`Output::AuthChallenge`]. `properties` may hold a Reason String and User Properties.
    ///
    /// While the connection is made, the wait for the CONNACK begins anew.
    ///
    /// # Errors
    /// [`SubmitError::NotChallenged`] where there is nothing to answer; [`SubmitError::Invalid`] and
    /// [`SubmitError::TooLarge`] for what cannot be sent. Nothing was sent.
    pub fn authenticate(
        &mut self,
        now: Instant,
        data: &[u8],
        properties: &PropertyBuf,
    ) -> Result<(), SubmitError> {
        let (Exchange::AwaitCaller(op), Some(_)) = (self.exchange, self.link.version()) else {
            return Err(SubmitError::NotChallenged);
        };
        self.send_auth(ReasonCode::CONTINUE_AUTHENTICATION, data, properties)?;
        self.exchange = Exchange::AwaitServer(op);
        if let Link::AwaitConnack { deadline, .. } = &mut self.link {
            *deadline = now.after(self.config.connack_timeout);
        }
        Ok(())
    }

    /// Authenticates again on a standing connection, with the method of the configuration, as when a token is about to
    /// expire. Messages go on meanwhile. Ends with [`Completion::Authenticated`]; a server that does not accept it ends
    /// the connection.
    ///
    /// # Errors
    /// [`SubmitError::NotConnected`], [`SubmitError::NoAuthentication`], [`SubmitError::Authenticating`] while another
    /// is in progress; [`SubmitError::Invalid`] and [`SubmitError::TooLarge`] for what cannot be sent. Nothing was sent.
    pub fn reauthenticate(&mut self, data: &[u8], properties: &PropertyBuf) -> Result<OpId, SubmitError> {
        if self.version_for_submit()? != Version::V5 || self.config.authentication.is_none() {
            return Err(SubmitError::NoAuthentication);
        }
        if self.exchange != Exchange::Over {
            return Err(SubmitError::Authenticating);
        }
        self.send_auth(ReasonCode::REAUTHENTICATE, data, properties)?;
        let op = self.next_op();
        self.exchange = Exchange::AwaitServer(Some(op));
        Ok(op)
    }

    /// Replaces the Authentication Data of the next CONNECT, for a method whose data is good for one connection. The
    /// time for it is at [`Output::OpenTransport`].
    ///
    /// # Errors
    /// [`SubmitError::NoAuthentication`] without an authentication method in the configuration, [`SubmitError::Invalid`]
    /// for more than 65,535 bytes.
    pub fn set_authentication_data(&mut self, data: Option<Bytes>) -> Result<(), SubmitError> {
        let Some(authentication) = &mut self.config.authentication else {
            return Err(SubmitError::NoAuthentication);
        };
        if let Some(data) = &data {
            PropertyBuf::new()
                .push(Property::AuthenticationData(data))
                .map_err(SubmitError::Invalid)?;
        }
        authentication.data = data;
        Ok(())
    }

    fn send_auth(
        &mut self,
        reason: ReasonCode,
        data: &[u8],
        properties: &PropertyBuf,
    ) -> Result<(), SubmitError> {
        let mut all = properties.clone();
        put_authentication(&self.config, Some(data), &mut all).map_err(SubmitError::Invalid)?;
        // Before the CONNACK the server has told no limit.
        let max = if self.is_established() {
            self.server.maximum_packet_size
        } else {
            MAX_PACKET_SIZE
        };
        let properties = all.as_properties();
        self.submit_packet(Version::V5, &Packet::Auth(Auth { reason, properties }), max)
    }

    /// Handles an AUTH, in either stage of a 5.0 connection.
    pub(super) fn receive_auth(
        &mut self,
        reason: ReasonCode,
        method: MethodCheck,
        details: Details,
    ) -> Result<Received, Fault> {
        let broken = |rule| Err(violation(ReasonCode::PROTOCOL_ERROR, rule));
        match method {
            MethodCheck::NotConfigured => {
                return broken("AUTH without an authentication method in CONNECT [MQTT-4.12.0-6]");
            }
            MethodCheck::Differs => {
                return broken("AUTH is not of the authentication method in CONNECT [MQTT-4.12.0-5]");
            }
            MethodCheck::Same => {}
        }
        match (self.exchange, reason) {
            (Exchange::AwaitServer(op), ReasonCode::CONTINUE_AUTHENTICATION) => {
                self.exchange = Exchange::AwaitCaller(op);
                Ok(Received::Output(Output::AuthChallenge(details)))
            }
            (Exchange::AwaitServer(Some(op)), ReasonCode::SUCCESS) => {
                self.exchange = Exchange::Over;
                let completion = Completion::Authenticated(details);
                Ok(Received::Output(Output::Completed(op, completion)))
            }
            (Exchange::AwaitServer(None), ReasonCode::SUCCESS) => {
                broken("AUTH says success where CONNACK has to")
            }
            (_, ReasonCode::REAUTHENTICATE) => broken("server sent an AUTH that only a client may send"),
            (Exchange::AwaitCaller(_), _) => broken("second AUTH before the first was answered"),
            _ => broken("AUTH without an authentication in progress"),
        }
    }

    /// How the method in a packet relates to the one in CONNECT.
    pub(super) fn check_method(&self, properties: &Properties<'_>) -> MethodCheck {
        let found = match properties.find(PropertyId::AuthenticationMethod) {
            Some(Property::AuthenticationMethod(method)) => Some(method),
            _ => None,
        };
        match &self.config.authentication {
            None => MethodCheck::NotConfigured,
            Some(own) if found == Some(&own.method) => MethodCheck::Same,
            Some(_) => MethodCheck::Differs,
        }
    }

    /// A successful CONNACK has the method of the CONNECT, or none where that had none.
    pub(super) fn check_connack_method(&self, properties: &Properties<'_>) -> Result<(), Fault> {
        let rule = match self.check_method(properties) {
            MethodCheck::Differs => "CONNACK is not of the authentication method in CONNECT [MQTT-4.12.0-5]",
            MethodCheck::NotConfigured if properties.contains(PropertyId::AuthenticationMethod) => {
                "CONNACK has an authentication method where CONNECT has none [MQTT-4.12.0-6]"
            }
            MethodCheck::Same | MethodCheck::NotConfigured => return Ok(()),
        };
        Err(violation(ReasonCode::PROTOCOL_ERROR, rule))
    }
}

/// How the Authentication Method in a packet relates to the one in CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MethodCheck {
    Same,
    Differs,
    NotConfigured,
}

/// Adds the method, and this data.
pub(super) fn put_authentication(
    config: &Config,
    data: Option<&[u8]>,
    properties: &mut PropertyBuf,
) -> Result<(), EncodeError> {
    if let Some(authentication) = &config.authentication {
        properties.push(Property::AuthenticationMethod(&authentication.method))?;
        if let Some(data) = data {
            properties.push(Property::AuthenticationData(data))?;
        }
    }
    Ok(())
}
