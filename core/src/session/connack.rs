//! CONNACK: what the server allows, and whether it still has the Session.

use alloc::string::String;

use super::Session;
use super::authentication::Exchange;
use super::config::SessionLost;
use super::details::Details;
use super::link::Link;
use super::op::{Completion, Loss};
use super::output::{Connected, DisconnectReason, Output, ServerLimits};
use super::queue::Outgoing;
use super::receive::{Fault, Received, violation};
use crate::codec::{
    Connack, FixedHeader, Packet, PacketType, Properties, Property, PropertyId, ReasonCode, Version, decode,
};
use crate::limits::MIN_SERVER_PACKET_SIZE;
use crate::time::{Duration, Instant};

impl Session {
    pub(super) fn receive_connack(
        &mut self,
        now: Instant,
        version: Version,
        header: FixedHeader,
    ) -> Result<Received, Fault> {
        if header.packet_type != PacketType::Connack {
            return Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "first packet was not CONNACK",
            ));
        }
        let len = header.packet_len();
        // A 3.1.1 server answers a 5.0 CONNECT in its own form, which has no property length.
        let spoken = if header.remaining_len == 2 {
            Version::V3_1_1
        } else {
            version
        };
        let frame = self.rx.take(len);
        let Packet::Connack(connack) = decode(header, &frame, spoken)? else {
            return Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "first packet was not CONNACK",
            ));
        };
        if connack.reason != ReasonCode::SUCCESS {
            let refused = DisconnectReason::Refused(connack.reason);
            self.close_by_server(now, refused, Details::from(connack.properties));
            return Ok(Received::Packet);
        }
        if spoken != version {
            return Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "CONNACK is of another protocol version",
            ));
        }
        if connack.session_present && self.begins_new_session(version) {
            let rule = "CONNACK has Session Present for a client without Session state [MQTT-3.2.2-4]";
            return Err(violation(ReasonCode::PROTOCOL_ERROR, rule));
        }
        if let Exchange::AwaitCaller(_) = self.exchange {
            let rule = "CONNACK says success before the server's challenge was answered";
            return Err(violation(ReasonCode::PROTOCOL_ERROR, rule));
        }
        self.check_connack_method(&connack.properties)?;
        self.check_assigned_identifier(&connack.properties)?;
        if let Some(Property::MaximumPacketSize(max)) = connack.properties.find(PropertyId::MaximumPacketSize)
            && max < MIN_SERVER_PACKET_SIZE
        {
            let rule = "CONNACK has a Maximum Packet Size below that of an acknowledgement";
            return Err(violation(ReasonCode::PACKET_TOO_LARGE, rule));
        }
        self.establish(now, version, &connack);
        Ok(Received::Packet)
    }

    /// A server names only a client that has no name (MQTT 5.0 §3.2.2.3.7). A store of another name would be useless to the
    /// next process.
    fn check_assigned_identifier(&self, properties: &Properties<'_>) -> Result<(), Fault> {
        match properties.find(PropertyId::AssignedClientIdentifier) {
            Some(Property::AssignedClientIdentifier(id))
                if !self.config.client_id.is_empty() && id != self.config.client_id =>
            {
                let rule = "CONNACK assigns a client identifier where CONNECT has another";
                Err(violation(ReasonCode::PROTOCOL_ERROR, rule))
            }
            _ => Ok(()),
        }
    }

    fn establish(&mut self, now: Instant, version: Version, connack: &Connack<'_>) {
        let mut session_expiry = self.asked_session_expiry(version);
        let mut server = ServerLimits {
            keep_alive: self.config.keep_alive,
            ..ServerLimits::UNRESTRICTED
        };
        for property in connack.properties.iter() {
            match property {
                Property::ReceiveMaximum(max) => server.receive_maximum = max,
                Property::MaximumQos(qos) => server.maximum_qos = qos,
                Property::RetainAvailable(available) => server.retain_available = available,
                Property::MaximumPacketSize(max) => server.maximum_packet_size = max,
                Property::WildcardSubscriptionAvailable(available) => server.wildcard_available = available,
                Property::SubscriptionIdentifierAvailable(available) => {
                    server.subscription_id_available = available;
                }
                Property::SharedSubscriptionAvailable(available) => server.shared_available = available,
                Property::ServerKeepAlive(seconds) => {
                    server.keep_alive = Duration::from_secs(u64::from(seconds));
                }
                Property::AssignedClientIdentifier(id) => self.config.client_id = String::from(id),
                Property::SessionExpiryInterval(seconds) => session_expiry = seconds,
                Property::TopicAliasMaximum(max) => server.topic_alias_maximum = max,
                _ => {}
            }
        }
        self.server = server;
        self.exchange = Exchange::Over;
        self.sent_aliases
            .reset(server.topic_alias_maximum.min(self.config.topic_aliases));
        self.redial.accepted();
        self.last_sent = now;
        self.last_received = now;
        self.link = Link::Established { version, since: now };
        let session_present = connack.session_present;
        self.outputs.push_back(Output::Connected(Connected {
            session_present,
            version,
            server,
            session_expiry,
            details: Details::from(connack.properties),
        }));
        if !session_present {
            self.session_lost();
        }
        self.resumable = session_expiry != 0;
        self.gave_up = false;
        self.is_resumed = session_present;
        self.store_session();
        let window = server.receive_maximum.min(self.config.max_in_flight.get());
        let max_qos_2 = match version {
            Version::V3_1_1 => self.config.max_qos_2_in_flight.get(),
            Version::V5 => u16::MAX,
        };
        self.outbound.link_established(window, max_qos_2);
    }

    /// Seconds for which the CONNECT asked the Session to outlive the connection.
    fn asked_session_expiry(&self, version: Version) -> u32 {
        match version {
            Version::V5 => self.config.session_expiry,
            Version::V3_1_1 if self.is_clean_session() => 0,
            Version::V3_1_1 => u32::MAX,
        }
    }

    /// The server has no Session for this client: what it had acknowledged is gone, what it had not may be sent anew.
    fn session_lost(&mut self) {
        self.forget_all_received();
        let mut again = alloc::vec::Vec::new();
        for (id, flight) in self.outbound.abandon_flights() {
            let (awaited, lifetime) = (flight.awaited, flight.lifetime());
            match (self.config.on_session_lost, flight.message, flight.op) {
                (SessionLost::Republish, Some((publication, expires_at)), Some(op)) => {
                    again.push(Outgoing {
                        op,
                        publication,
                        expires_at,
                    });
                }
                (_, message, Some(op)) => {
                    if let Some((publication, _)) = &message {
                        self.forget_message(op, publication);
                    }
                    self.complete(op, Completion::Lost(Loss::SessionLost));
                }
                (_, _, None) => {}
            }
            self.forget_flight(id, awaited, lifetime);
        }
        self.outbound.queue.push_front(again);
    }
}
