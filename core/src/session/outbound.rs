//! Messages on their way out: the Packet Identifiers, what each of them awaits, and the queue behind them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::config::Config;
use super::details::Details;
use super::op::{OpId, Publication};
use super::queue::Queue;
use super::store::Lifetime;
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

impl Awaited {
    fn is_publish(self) -> bool {
        matches!(self, Self::Puback | Self::Pubrec | Self::Pubcomp)
    }
}

/// A Packet Identifier in use.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) awaited: Awaited,
    /// The operation to complete; none where it is over, or its process is, and only the identifier is left to be freed.
    pub(super) op: Option<OpId>,
    /// Number of the store operation that its next packet waits for.
    pub(super) gate: u64,
    /// Whether the message may have been sent before.
    pub(super) is_repeat: bool,
    /// The message, while it may have to be sent again.
    pub(super) message: Option<(Publication, Option<Instant>)>,
    /// What the PUBREC said, which its PUBCOMP completes.
    reason: ReasonCode,
    details: Details,
}

impl Flight {
    /// A flight whose packet was sent, or may have been by an earlier process.
    #[inline]
    pub(super) fn new(awaited: Awaited, op: OpId, message: Option<(Publication, Option<Instant>)>) -> Self {
        Self {
            awaited,
            op: Some(op),
            gate: 0,
            is_repeat: true,
            message,
            reason: ReasonCode::SUCCESS,
            details: Details::NONE,
        }
    }

    /// A QoS 2 identifier that the server may hold and that nobody waits for: a PUBREL frees it.
    pub(super) fn orphan() -> Self {
        Self {
            op: None,
            ..Self::new(Awaited::Pubcomp, OpId::new(1), None)
        }
    }

    /// A PUBREC came: the message is the server's, is given back here, and never sent again.
    pub(super) fn received(&mut self, reason: ReasonCode, details: Details) -> Option<Publication> {
        self.awaited = Awaited::Pubcomp;
        self.reason = reason;
        if details.properties().as_bytes().len() <= MAX_KEPT_DETAILS {
            self.details = details;
        }
        self.message.take().map(|(publication, _)| publication)
    }

    /// The message is never sent again and given back here with its operation; a PUBREL frees the identifier.
    pub(super) fn withdraw(&mut self) -> (Option<OpId>, Option<Publication>) {
        self.awaited = Awaited::Pubcomp;
        let message = self.message.take();
        (self.op.take(), message.map(|(publication, _)| publication))
    }

    /// How long its message is kept.
    pub(super) fn lifetime(&self) -> Lifetime {
        let publication = self.message.as_ref().map(|(publication, _)| publication);
        publication.map_or(Lifetime::Session, |publication| publication.lifetime)
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
    /// PUBLISH packets in flight.
    publishes: usize,
    /// Those at QoS 2 among them, and how many there may be.
    qos_2: usize,
    max_qos_2: usize,
    /// Messages that the server counts against its Receive Maximum (MQTT 5.0 §4.9): those sent on this connection, and
    /// those that were released again on it.
    unacknowledged: usize,
    receive_maximum: usize,
    /// Identifiers whose packet is due, in original order: after a resumption what is to be sent again, with a store also
    /// what is to be sent for the first time.
    due: VecDeque<PacketId>,
    pub(super) queue: Queue,
}

impl Outbound {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            flights: Vec::new(),
            free: VecDeque::new(),
            publishes: 0,
            qos_2: 0,
            max_qos_2: 0,
            unacknowledged: 0,
            receive_maximum: 0,
            due: VecDeque::new(),
            queue: Queue::new(config),
        }
    }

    /// Whether nothing waits before a new message.
    #[inline]
    pub(super) fn nothing_waits(&self) -> bool {
        self.queue.is_empty() && self.due.is_empty()
    }

    /// Whether every message has been sent and acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.nothing_waits() && self.publishes == 0
    }

    pub(super) fn in_flight(&self) -> usize {
        self.publishes
    }

    /// Operations of the messages in flight, and of those in the queue.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = OpId> + '_ {
        let publishes = self
            .flights
            .iter()
            .flatten()
            .filter(|flight| flight.awaited.is_publish())
            .filter_map(|flight| flight.op);
        publishes.chain(self.queue.operations())
    }

    /// Whether flow control lets a message of this QoS leave now.
    #[inline]
    pub(super) fn may_send(&self, qos: QoS) -> bool {
        if qos == QoS::AtMostOnce {
            return true;
        }
        self.unacknowledged + self.due.len() < self.receive_maximum
            && (qos == QoS::AtLeastOnce || self.qos_2 < self.max_qos_2)
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
    #[inline(always)]
    pub(super) fn occupy(
        &mut self,
        op: OpId,
        awaited: Awaited,
        message: Option<(Publication, Option<Instant>)>,
    ) {
        if message.is_some() {
            self.publishes += 1;
            self.unacknowledged += 1;
            if awaited == Awaited::Pubrec {
                self.qos_2 += 1;
            }
        }
        *self.free_slot() = Some(Flight::new(awaited, op, message));
    }

    /// Puts the free identifier `id` to use for a message that is due once the store has operation `gate`.
    pub(super) fn reserve(
        &mut self,
        id: PacketId,
        op: OpId,
        awaited: Awaited,
        message: (Publication, Option<Instant>),
        gate: u64,
    ) {
        self.publishes += 1;
        self.qos_2 += usize::from(awaited == Awaited::Pubrec);
        self.due.push_back(id);
        *self.free_slot() = Some(Flight {
            gate,
            is_repeat: false,
            ..Flight::new(awaited, op, Some(message))
        });
    }

    /// The slot of the free identifier, to be filled.
    #[inline]
    fn free_slot(&mut self) -> &mut Option<Flight> {
        let index = self.free.pop_front().map_or(self.flights.len(), usize::from);
        if index == self.flights.len() {
            self.flights.push(None);
        }
        &mut self.flights[index]
    }

    /// Puts back what an earlier process had in flight.
    pub(super) fn restore(&mut self, restored: BTreeMap<PacketId, Flight>) {
        self.publishes = restored.len();
        self.qos_2 = restored
            .values()
            .filter(|flight| flight.awaited != Awaited::Puback)
            .count();
        for (id, flight) in restored {
            let index = id.get() - 1;
            let from = u16::try_from(self.flights.len()).unwrap_or(index);
            self.free.extend(from..index);
            self.flights.resize_with(usize::from(index), || None);
            self.flights.push(Some(flight));
        }
    }

    /// What an identifier is used for.
    #[inline]
    pub(super) fn flight(&mut self, id: PacketId) -> Option<&mut Flight> {
        self.flights.get_mut(usize::from(id.get()) - 1)?.as_mut()
    }

    /// Frees an identifier whose exchange is over and returns the operation to complete.
    #[inline]
    pub(super) fn release(&mut self, id: PacketId) -> Option<OpId> {
        let index = id.get() - 1;
        let slot = self.flights.get_mut(usize::from(index))?;
        let Flight { op, awaited, .. } = *slot.as_ref()?;
        *slot = None;
        self.freed(index, awaited);
        op
    }

    /// As [`Outbound::release`], with all that was known of the exchange.
    pub(super) fn take(&mut self, id: PacketId) -> Option<Flight> {
        let index = id.get() - 1;
        let flight = self.flights.get_mut(usize::from(index))?.take()?;
        self.freed(index, flight.awaited);
        Some(flight)
    }

    #[inline]
    fn freed(&mut self, index: u16, awaited: Awaited) {
        self.free.push_back(index);
        match awaited {
            Awaited::Puback => {}
            Awaited::Pubrec | Awaited::Pubcomp => self.qos_2 -= 1,
            Awaited::Suback { .. } | Awaited::Unsuback { .. } => return,
        }
        self.publishes -= 1;
        self.unacknowledged = self.unacknowledged.saturating_sub(1);
    }

    /// The connection ended: subscriptions in progress are over, messages stay.
    pub(super) fn link_lost(&mut self) -> Vec<OpId> {
        self.due.clear();
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

    /// A connection begins on which `receive_maximum` messages may be unacknowledged, the server's number or a smaller one,
    /// and `max_qos_2` be in flight at QoS 2; with the Session resumed, everything in flight is due again.
    pub(super) fn link_established(&mut self, receive_maximum: u16, max_qos_2: u16) {
        self.max_qos_2 = usize::from(max_qos_2);
        self.unacknowledged = 0;
        self.receive_maximum = usize::from(receive_maximum);
        self.due = self.in_order().into();
    }

    /// The identifier whose packet is due and may be sent, with the store's operations durable up to `persisted`. A
    /// PUBREL does not wait for the Receive Maximum, but the server that still holds its message counts it.
    pub(super) fn next_due(&mut self, persisted: u64) -> Option<PacketId> {
        let id = *self.due.front()?;
        let full = self.unacknowledged >= self.receive_maximum;
        match self.flight(id).map(|flight| (flight.awaited, flight.gate)) {
            Some((_, gate)) if gate > persisted => return None,
            Some((Awaited::Puback | Awaited::Pubrec, _)) if full => return None,
            Some((Awaited::Puback | Awaited::Pubrec | Awaited::Pubcomp, _)) => self.unacknowledged += 1,
            _ => {}
        }
        self.due.pop_front()
    }

    /// Whether packets of identifiers in use are due.
    #[inline]
    pub(super) fn packets_are_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Gives back what more messages have needed than are in flight now.
    pub(super) fn release_memory(&mut self) {
        let used = self.flights.iter().rposition(Option::is_some);
        let slots = used.map_or(0, |last| last + 1);
        self.flights.truncate(slots);
        self.flights.shrink_to_fit();
        self.free.retain(|index| usize::from(*index) < slots);
        self.free.shrink_to_fit();
        self.due.shrink_to_fit();
        self.queue.release_memory();
    }

    /// Ends every exchange and returns them in original order.
    pub(super) fn abandon_flights(&mut self) -> Vec<(PacketId, Flight)> {
        self.due.clear();
        let ids = self.in_order();
        ids.into_iter()
            .filter_map(|id| Some((id, self.take(id)?)))
            .collect()
    }

    /// The identifiers in use in the order of their operations, which is that of sending.
    fn in_order(&self) -> Vec<PacketId> {
        let mut used: Vec<_> = self
            .flights
            .iter()
            .enumerate()
            .filter_map(|(index, flight)| Some((flight.as_ref()?.op, packet_id(index)?)))
            .collect();
        used.sort_unstable();
        used.into_iter().map(|(_, id)| id).collect()
    }
}

fn packet_id(index: usize) -> Option<PacketId> {
    u16::try_from(index + 1).ok().and_then(PacketId::new)
}
