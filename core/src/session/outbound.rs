//! Messages on their way out: the Packet Identifiers, what each of them awaits, and the queue behind them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::config::Config;
use super::details::Details;
use super::op::{OpId, Publication};
use super::queue::Queue;
use crate::codec::{PacketId, QoS, ReasonCode};
use crate::limits::MAX_KEPT_DETAILS;
use crate::time::Instant;

/// What a Packet Identifier in use waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    Puback,
    Pubrec,
    Pubcomp,
    Suback { filters: u32 },
    Unsuback { filters: u32 },
}

/// A Packet Identifier in use.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) awaited: Awaited,
    pub(super) op: OpId,
    /// Place in the original order of sending.
    order: u64,
    /// The message, while it may have to be sent again.
    pub(super) message: Option<(Publication, Option<Instant>)>,
    /// What the PUBREC said, which its PUBCOMP completes.
    reason: ReasonCode,
    details: Details,
}

impl Flight {
    /// A PUBREC came: the message is the server's, and is never sent again.
    pub(super) fn received(&mut self, reason: ReasonCode, details: Details) {
        self.awaited = Awaited::Pubcomp;
        self.message = None;
        self.reason = reason;
        if details.properties().as_bytes().len() <= MAX_KEPT_DETAILS {
            self.details = details;
        }
    }

    /// What both acknowledgements of a QoS 2 message say together: the later word, where it has one.
    pub(super) fn completed(&mut self, reason: ReasonCode, details: Details) -> (ReasonCode, Details) {
        let reason = if reason == ReasonCode::SUCCESS {
            self.reason
        } else {
            reason
        };
        let earlier = core::mem::take(&mut self.details);
        (reason, if details.is_empty() { earlier } else { details })
    }
}

/// The sending half of the Session state.
#[derive(Debug)]
pub(super) struct Outbound {
    /// Index + 1 is the Packet Identifier.
    flights: Vec<Option<Flight>>,
    /// Free indices, the one that has been free longest first.
    free: VecDeque<u16>,
    next_order: u64,
    /// PUBLISH packets in flight.
    publishes: usize,
    /// Messages that the server counts against its Receive Maximum (MQTT 5.0 §4.9): those sent on this connection, and
    /// those that were released again on it.
    unacknowledged: usize,
    receive_maximum: usize,
    /// Identifiers to send again, in original order.
    resend: VecDeque<PacketId>,
    pub(super) queue: Queue,
}

impl Outbound {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            flights: Vec::new(),
            free: VecDeque::new(),
            next_order: 0,
            publishes: 0,
            unacknowledged: 0,
            receive_maximum: 0,
            resend: VecDeque::new(),
            queue: Queue::new(config),
        }
    }

    /// Whether nothing waits before a new message.
    #[inline]
    pub(super) fn nothing_waits(&self) -> bool {
        self.queue.is_empty() && self.resend.is_empty()
    }

    /// Whether every message has been sent and acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.nothing_waits() && self.publishes == 0
    }

    pub(super) fn in_flight(&self) -> usize {
        self.publishes
    }

    /// Whether flow control lets a message of this QoS leave now.
    pub(super) fn may_send(&self, qos: QoS) -> bool {
        qos == QoS::AtMostOnce || self.unacknowledged < self.receive_maximum
    }

    /// The identifier that [`Outbound::occupy`] would give out.
    #[inline]
    pub(super) fn free_id(&self) -> Option<PacketId> {
        match self.free.front() {
            Some(index) => packet_id(usize::from(*index)),
            None => packet_id(self.flights.len()),
        }
    }

    /// Puts the free identifier to use.
    #[inline]
    pub(super) fn occupy(
        &mut self,
        op: OpId,
        awaited: Awaited,
        message: Option<(Publication, Option<Instant>)>,
    ) {
        let order = self.next_order;
        self.next_order += 1;
        if message.is_some() {
            self.publishes += 1;
            self.unacknowledged += 1;
        }
        let flight = Some(Flight {
            awaited,
            op,
            order,
            message,
            reason: ReasonCode::SUCCESS,
            details: Details::NONE,
        });
        match self.free.pop_front() {
            Some(index) => self.flights[usize::from(index)] = flight,
            None => self.flights.push(flight),
        }
    }

    /// What an identifier is used for.
    #[inline]
    pub(super) fn flight(&mut self, id: PacketId) -> Option<&mut Flight> {
        self.flights.get_mut(usize::from(id.get()) - 1)?.as_mut()
    }

    /// Frees an identifier whose exchange is over and returns its operation.
    #[inline]
    pub(super) fn release(&mut self, id: PacketId) -> Option<OpId> {
        let index = id.get() - 1;
        let slot = self.flights.get_mut(usize::from(index))?;
        let Flight { op, awaited, .. } = *slot.as_ref()?;
        *slot = None;
        self.freed(index, awaited);
        Some(op)
    }

    /// As [`Outbound::release`], with all that was known of the exchange.
    fn take(&mut self, id: PacketId) -> Option<Flight> {
        let index = id.get() - 1;
        let flight = self.flights.get_mut(usize::from(index))?.take()?;
        self.freed(index, flight.awaited);
        Some(flight)
    }

    #[inline]
    fn freed(&mut self, index: u16, awaited: Awaited) {
        self.free.push_back(index);
        if matches!(awaited, Awaited::Puback | Awaited::Pubrec | Awaited::Pubcomp) {
            self.publishes -= 1;
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
    }

    /// The connection ended: subscriptions in progress are over, messages stay.
    pub(super) fn link_lost(&mut self) -> Vec<OpId> {
        self.resend.clear();
        let over: Vec<PacketId> = self
            .in_order()
            .into_iter()
            .filter(|id| {
                let awaited = self.flight(*id).map(|flight| flight.awaited);
                matches!(awaited, Some(Awaited::Suback { .. } | Awaited::Unsuback { .. }))
            })
            .collect();
        over.into_iter().filter_map(|id| self.release(id)).collect()
    }

    /// A connection begins that lets `receive_maximum` messages be unacknowledged; with the Session resumed, everything
    /// in flight is due again.
    pub(super) fn link_established(&mut self, receive_maximum: u16) {
        self.unacknowledged = 0;
        self.receive_maximum = usize::from(receive_maximum);
        self.resend = self.in_order().into();
    }

    /// The identifier that is due to be sent again. A PUBREL does not wait for the Receive Maximum, but the server that
    /// still holds its message counts it.
    pub(super) fn next_resend(&mut self) -> Option<PacketId> {
        let id = *self.resend.front()?;
        let full = self.unacknowledged >= self.receive_maximum;
        match self.flight(id).map(|flight| flight.awaited) {
            Some(Awaited::Puback | Awaited::Pubrec) if full => return None,
            Some(Awaited::Puback | Awaited::Pubrec | Awaited::Pubcomp) => self.unacknowledged += 1,
            _ => {}
        }
        self.resend.pop_front()
    }

    /// Whether identifiers are due to be sent again.
    pub(super) fn resends_wait(&self) -> bool {
        !self.resend.is_empty()
    }

    /// Ends every exchange and returns them in original order.
    pub(super) fn abandon_flights(&mut self) -> Vec<Flight> {
        self.resend.clear();
        self.in_order()
            .into_iter()
            .filter_map(|id| self.take(id))
            .collect()
    }

    fn in_order(&self) -> Vec<PacketId> {
        let mut used: Vec<_> = self
            .flights
            .iter()
            .enumerate()
            .filter_map(|(index, flight)| Some((flight.as_ref()?.order, packet_id(index)?)))
            .collect();
        used.sort_unstable();
        used.into_iter().map(|(_, id)| id).collect()
    }
}

fn packet_id(index: usize) -> Option<PacketId> {
    u16::try_from(index + 1).ok().and_then(PacketId::new)
}
