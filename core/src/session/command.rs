//! Commands: synchronous, all or nothing, each answered by an operation id or with what was submitted.

use super::link::Link;
use super::op::{OpId, Publication, Refused, SubmitError};
use super::outbound::{Awaited, Outgoing};
use super::output::DisconnectReason;
use super::{Draining, Session};
use crate::codec::{
    FilterBuf, Packet, Property, PropertyBuf, ReasonCode, Subscribe, SubscribeOptions, Unsubscribe, Version,
};
use crate::limits::TRANSMIT_HIGH_WATER;
use crate::session::AckToken;
use crate::time::{Duration, Instant};
use crate::topic::TopicFilter;

/// A Topic Filter with what is asked of its subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Topic Filter.
    pub filter: TopicFilter,
    /// Subscription Options; 3.1.1 carries the QoS alone.
    pub options: SubscribeOptions,
}

/// How to disconnect. The default: now, normally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect {
    /// When.
    pub when: When,
    /// Reason Code for a 5.0 server; [`ReasonCode::DISCONNECT_WITH_WILL`] has the Will published.
    pub reason: ReasonCode,
}

/// When a disconnect takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once, after what is already encoded.
    Now,
    /// When every message has been sent and acknowledged, at the latest after this time. Nothing more is accepted.
    Settled(Duration),
}

impl Default for Disconnect {
    fn default() -> Self {
        Self {
            when: When::Now,
            reason: ReasonCode::SUCCESS,
        }
    }
}

impl Session {
    /// Asks for a connection, and for a new one whenever it is lost. Nothing changes while there is one, or an attempt.
    pub fn connect(&mut self, now: Instant) {
        if matches!(self.link, Link::Idle | Link::Waiting { .. }) {
            self.redial.reset();
            self.open_transport(now);
        }
    }

    /// Ends the connection and the Session: no reconnect, and operations that do not finish complete as
    /// [`Loss::Closed`](super::Loss::Closed). Ends with [`DisconnectReason::Requested`] where there was a connection or
    /// an attempt at one.
    pub fn disconnect(&mut self, now: Instant, disconnect: Disconnect) {
        let deadline = match disconnect.when {
            When::Now => now,
            When::Settled(patience) => now.after(patience),
        };
        self.draining = Some(Draining {
            deadline,
            reason: disconnect.reason,
        });
        let settled = !self.is_established() || self.outbound.is_settled();
        if disconnect.when == When::Now || settled {
            self.finish_draining(now, disconnect.reason);
        }
    }

    /// Submits a message. Without a connection it is queued, within the queue's bounds.
    ///
    /// # Errors
    /// The message comes back: the queue is full, the server does not accept it, or the session is disconnecting.
    // The error carries the message on purpose: a refused message is not lost, and boxing it would allocate.
    #[allow(clippy::result_large_err)]
    pub fn publish(&mut self, now: Instant, publication: Publication) -> Result<OpId, Refused<Publication>> {
        if let Err(reason) = self.check_submit(&publication) {
            return Err(Refused {
                reason,
                submitted: publication,
            });
        }
        let expires_at = publication.expiry.map(|expiry| now.after(expiry));
        let outgoing = Outgoing {
            op: self.peek_op(),
            publication,
            expires_at,
        };
        let direct = self.is_established()
            && self.outbound.nothing_waits()
            && self.outbound.may_send(outgoing.publication.qos)
            && self.outbound.in_flight() < usize::from(self.config.max_in_flight.get())
            && self.tx.len() < TRANSMIT_HIGH_WATER;
        if direct {
            return match self.send(now, outgoing) {
                Ok(()) => Ok(self.next_op()),
                Err((reason, outgoing)) => Err(Refused {
                    reason,
                    submitted: outgoing.publication,
                }),
            };
        }
        let full = self.outbound.queued() >= self.config.queue_messages
            || self.outbound.queued_bytes() + outgoing.publication.weight() > self.config.queue_bytes;
        if full {
            return Err(Refused {
                reason: SubmitError::QueueFull,
                submitted: outgoing.publication,
            });
        }
        if let Some(at) = expires_at {
            self.next_expiry = Some(self.next_expiry.map_or(at, |earlier| earlier.min(at)));
        }
        self.outbound.enqueue(outgoing);
        Ok(self.next_op())
    }

    /// Subscribes to all `filters` with one packet. Needs a connection: what a subscription asks for is not queued.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn subscribe(&mut self, filters: &[Filter], properties: &PropertyBuf) -> Result<OpId, SubmitError> {
        let version = self.version_for_submit()?;
        for filter in filters {
            self.check_filter(&filter.filter)?;
        }
        let has_id = properties
            .as_properties()
            .iter()
            .any(|p| matches!(p, Property::SubscriptionIdentifier(_)));
        if has_id && !self.server.subscription_id_available {
            return Err(SubmitError::SubscriptionIdNotSupported);
        }
        let mut encoded = FilterBuf::default();
        for filter in filters {
            let options = match version {
                Version::V5 => filter.options,
                Version::V3_1_1 => SubscribeOptions {
                    qos: filter.options.qos,
                    ..SubscribeOptions::default()
                },
            };
            encoded
                .push(&filter.filter, options)
                .map_err(SubmitError::Invalid)?;
        }
        let packet_id = self.outbound.free_id().ok_or(SubmitError::NoPacketId)?;
        let packet = Subscribe {
            packet_id,
            properties: properties_for(version, properties),
            filters: encoded.as_filters(),
        };
        let awaited = Awaited::Suback {
            filters: count(filters.len()),
        };
        self.submit(version, &Packet::Subscribe(packet), awaited)
    }

    /// Unsubscribes from all `filters` with one packet. Needs a connection.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn unsubscribe(
        &mut self,
        filters: &[TopicFilter],
        properties: &PropertyBuf,
    ) -> Result<OpId, SubmitError> {
        let version = self.version_for_submit()?;
        let mut encoded = FilterBuf::default();
        for filter in filters {
            encoded
                .push(filter, SubscribeOptions::default())
                .map_err(SubmitError::Invalid)?;
        }
        let packet_id = self.outbound.free_id().ok_or(SubmitError::NoPacketId)?;
        let packet = Unsubscribe {
            packet_id,
            properties: properties_for(version, properties),
            filters: encoded.as_filters(),
        };
        let awaited = Awaited::Unsuback {
            filters: count(filters.len()),
        };
        self.submit(version, &Packet::Unsubscribe(packet), awaited)
    }

    /// Acknowledges a message in [`AckMode::Manual`](super::AckMode::Manual). The wire sees acknowledgements in the
    /// order in which the messages came, whatever the order of these calls.
    ///
    /// # Errors
    /// [`SubmitError::StaleToken`] for a token that is not outstanding on this connection.
    pub fn acknowledge(&mut self, token: AckToken) -> Result<(), SubmitError> {
        if !self.inbound.acknowledge(token) {
            return Err(SubmitError::StaleToken);
        }
        self.send_due_acks();
        Ok(())
    }

    /// What can be told before a packet is encoded.
    fn check_submit(&self, publication: &Publication) -> Result<(), SubmitError> {
        if self.draining.is_some()
            || matches!(
                self.link,
                Link::Closing {
                    reason: DisconnectReason::Requested,
                    ..
                }
            )
        {
            return Err(SubmitError::Closing);
        }
        if self.is_established() {
            self.check_server(publication)
        } else {
            Ok(())
        }
    }

    /// What the server on this connection does not accept.
    pub(super) fn check_server(&self, publication: &Publication) -> Result<(), SubmitError> {
        if publication.qos > self.server.maximum_qos {
            return Err(SubmitError::QosNotSupported(self.server.maximum_qos));
        }
        if publication.retain && !self.server.retain_available {
            return Err(SubmitError::RetainNotSupported);
        }
        Ok(())
    }

    fn check_filter(&self, filter: &TopicFilter) -> Result<(), SubmitError> {
        if filter.share_group().is_some() && !self.server.shared_available {
            return Err(SubmitError::SharedNotSupported);
        }
        if filter.has_wildcard() && !self.server.wildcard_available {
            return Err(SubmitError::WildcardNotSupported);
        }
        Ok(())
    }

    fn version_for_submit(&self) -> Result<Version, SubmitError> {
        if self.draining.is_some() {
            return Err(SubmitError::Closing);
        }
        match self.link {
            Link::Established { version, .. } => Ok(version),
            _ => Err(SubmitError::NotConnected),
        }
    }

    /// Encodes a packet that carries the free Packet Identifier, then puts the identifier to use.
    fn submit(
        &mut self,
        version: Version,
        packet: &Packet<'_>,
        awaited: Awaited,
    ) -> Result<OpId, SubmitError> {
        let max = self.server.maximum_packet_size;
        self.tx.append(|out| {
            let size = packet.encoded_len(version).map_err(SubmitError::Invalid)?;
            if size > max as usize {
                return Err(SubmitError::TooLarge { size, max });
            }
            packet.encode(version, out).map_err(SubmitError::Invalid)
        })?;
        let op = self.next_op();
        self.outbound.occupy(op, awaited, None);
        Ok(op)
    }

    fn peek_op(&self) -> OpId {
        OpId::new(self.next_op)
    }

    fn next_op(&mut self) -> OpId {
        let op = self.peek_op();
        self.next_op += 1;
        op
    }
}

fn properties_for(version: Version, properties: &PropertyBuf) -> crate::codec::Properties<'_> {
    match version {
        Version::V5 => properties.as_properties(),
        Version::V3_1_1 => crate::codec::Properties::EMPTY,
    }
}

fn count(filters: usize) -> u32 {
    u32::try_from(filters).unwrap_or(u32::MAX)
}
