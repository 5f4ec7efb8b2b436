//! Messages on their way out: the queue, the Packet Identifiers, and what each identifier awaits.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::op::{OpId, Publication};
use crate::codec::{PacketId, QoS};
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

/// A message with the operation that it belongs to.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) op: OpId,
    pub(super) publication: Publication,
    pub(super) expires_at: Option<Instant>,
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
    queue: VecDeque<Outgoing>,
    queued_bytes: usize,
}

impl Outbound {
    pub(super) fn new() -> Self {
        Self {
            flights: Vec::new(),
            free: VecDeque::new(),
            next_order: 0,
            publishes: 0,
            unacknowledged: 0,
            receive_maximum: 0,
            resend: VecDeque::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
        }
    }

    /// Whether nothing waits before a new message.
    pub(super) fn nothing_waits(&self) -> bool {
        self.queue.is_empty() && self.resend.is_empty()
    }

    /// Whether every message has been sent and acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.nothing_waits() && self.publishes == 0
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) fn in_flight(&self) -> usize {
        self.publishes
    }

    /// Whether flow control lets a message of this QoS leave now.
    pub(super) fn may_send(&self, qos: QoS) -> bool {
        qos == QoS::AtMostOnce || self.unacknowledged < self.receive_maximum
    }

    pub(super) fn enqueue(&mut self, outgoing: Outgoing) {
        self.queued_bytes += outgoing.publication.weight();
        self.queue.push_back(outgoing);
    }

    pub(super) fn front(&self) -> Option<&Outgoing> {
        self.queue.front()
    }

    pub(super) fn dequeue(&mut self) -> Option<Outgoing> {
        let outgoing = self.queue.pop_front()?;
        self.queued_bytes -= outgoing.publication.weight();
        Some(outgoing)
    }

    /// Takes the queued messages whose expiry has come, and tells when the next one comes.
    pub(super) fn take_expired(&mut self, now: Instant) -> (Vec<OpId>, Option<Instant>) {
        let mut expired = Vec::new();
        let mut next: Option<Instant> = None;
        let mut freed = 0;
        self.queue.retain(|outgoing| match outgoing.expires_at {
            Some(at) if at <= now => {
                expired.push(outgoing.op);
                freed += outgoing.publication.weight();
                false
            }
            Some(at) => {
                next = Some(next.map_or(at, |earlier| earlier.min(at)));
                true
            }
            None => true,
        });
        self.queued_bytes -= freed;
        (expired, next)
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

    /// Frees an identifier whose exchange is over.
    #[inline]
    pub(super) fn release(&mut self, id: PacketId) -> Option<Flight> {
        let index = id.get() - 1;
        let flight = self.flights.get_mut(usize::from(index))?.take()?;
        self.free.push_back(index);
        if matches!(
            flight.awaited,
            Awaited::Puback | Awaited::Pubrec | Awaited::Pubcomp
        ) {
            self.publishes -= 1;
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        Some(flight)
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
        over.into_iter()
            .filter_map(|id| self.release(id))
            .map(|flight| flight.op)
            .collect()
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
            .filter_map(|id| self.release(id))
            .collect()
    }

    /// Puts messages back before everything that is queued, in their order.
    pub(super) fn requeue_first(&mut self, outgoing: Vec<Outgoing>) {
        for message in outgoing.into_iter().rev() {
            self.queued_bytes += message.publication.weight();
            self.queue.push_front(message);
        }
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
