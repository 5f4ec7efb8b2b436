//! How connections begin, are kept alive, and end.

use super::command::Unfinished;
use super::details::Details;
use super::link::Link;
use super::op::{Completion, Loss};
use super::output::{DisconnectReason, Disconnected, Output};
use super::{Draining, Session};
use crate::codec::{Packet, ReasonCode, Version};
use crate::limits::BROKEN_RESUMPTIONS;
use crate::time::{Duration, Instant};

impl Session {
    pub(super) fn open_transport(&mut self, now: Instant) {
        self.link = Link::Opening {
            deadline: now.after(self.config.connect_timeout),
        };
        self.outputs.push_back(Output::OpenTransport);
    }

    /// Ends the connection on this side's account; a 5.0 server is told why before the transport closes.
    pub(super) fn fail(&mut self, now: Instant, code: ReasonCode, reason: DisconnectReason) {
        self.count_broken_resumption(now, &reason);
        if self.link.version() == Some(Version::V5) {
            let disconnect = crate::codec::Disconnect {
                reason: code,
                properties: crate::codec::Properties::EMPTY,
            };
            self.append_control(|out| Packet::Disconnect(disconnect).encode(Version::V5, out));
            self.link = Link::Closing {
                deadline: now.after(self.config.close_timeout),
                reason,
            };
            self.rx.clear();
        } else {
            self.close_transport(now, reason);
        }
    }

    /// A Session whose resumption ends in the same fault over and over is given up for a new one.
    fn count_broken_resumption(&mut self, now: Instant, reason: &DisconnectReason) {
        let Link::Established { since, .. } = self.link else {
            return;
        };
        let is_servers = matches!(
            reason,
            DisconnectReason::Malformed(_) | DisconnectReason::Violation(_)
        );
        if !is_servers || !self.is_resumed || now.since(since) >= self.config.reconnect.stable_after {
            self.broken_resumptions = 0;
            return;
        }
        self.broken_resumptions += 1;
        if self.broken_resumptions >= BROKEN_RESUMPTIONS {
            self.broken_resumptions = 0;
            self.gave_up = true;
            self.resumable = false;
            self.store_session();
        }
    }

    pub(super) fn close_transport(&mut self, now: Instant, reason: DisconnectReason) {
        self.close_by_server(now, reason, Details::NONE);
    }

    /// Closes the transport because the server said so, and maybe why.
    pub(super) fn close_by_server(&mut self, now: Instant, reason: DisconnectReason, details: Details) {
        self.complete_written();
        self.outputs.push_back(Output::CloseTransport);
        self.link_down(now, reason, details);
    }

    pub(super) fn link_down(&mut self, now: Instant, reason: DisconnectReason, details: Details) {
        let uptime = match self.link {
            Link::Established { since, .. } => Some(now.since(since)),
            _ => None,
        };
        self.complete_written();
        let unwritten: alloc::vec::Vec<_> = self.tx.clear().collect();
        let unanswered = self.outbound.link_lost();
        let unauthenticated = self.exchange.abandon();
        for op in unwritten.into_iter().chain(unanswered).chain(unauthenticated) {
            self.complete(op, Completion::Lost(Loss::LinkLost));
        }
        self.rx.clear();
        self.inbound.link_lost();
        if let Some(store) = &mut self.store {
            store.link_lost();
        }
        self.received_aliases.clear();
        self.ping_deadline = None;
        let draining = self.draining.take().is_some();
        let wait = self.redial.after(&reason, uptime, &mut self.rng);
        let retry_at = match wait {
            _ if core::mem::take(&mut self.connect_after) => {
                self.redial.reset();
                Some(now)
            }
            Some(wait) if !draining => Some(now.after(wait)),
            _ => None,
        };
        self.link = retry_at.map_or(Link::Idle, |until| Link::Waiting { until });
        self.outputs.push_back(Output::Disconnected(Disconnected {
            reason,
            retry_at,
            details,
        }));
        if (draining || reason == DisconnectReason::Requested) && self.unfinished == Unfinished::Close {
            self.abandon_everything();
        }
    }

    /// The session is over by request: every operation ends, nothing is resumed.
    fn abandon_everything(&mut self) {
        self.gave_up |= self.inbound.is_unfinished() || self.outbound.in_flight() > 0;
        self.resumable = false;
        // First, so that no later process takes the server's half of these exchanges up.
        self.store_session();
        for (id, flight) in self.outbound.abandon_flights() {
            if let (Some((publication, _)), Some(op)) = (&flight.message, flight.op) {
                self.forget_message(op, publication);
            }
            self.forget_flight(id, flight.awaited, flight.lifetime());
            if let Some(op) = flight.op {
                self.complete(op, Completion::Lost(Loss::Closed));
            }
        }
        while let Some(outgoing) = self.outbound.queue.pop_front() {
            self.lose(outgoing, Loss::Closed);
        }
        self.forget_all_received();
    }

    pub(super) fn keep_alive(&mut self, now: Instant) {
        if self.server.keep_alive.is_zero() {
            return;
        }
        let is_silent = self.quiet_since().after(self.server.keep_alive) <= now;
        match self.ping_deadline {
            Some(deadline) if deadline > now => {}
            // What still comes, or waits here to be parsed, shows that the server is alive: the answer is behind it. The
            // beginning of a packet that goes no further shows nothing.
            Some(_) if self.heard || self.input_waits(now) => {
                if is_silent {
                    self.append_control(|out| Packet::Pingreq.encode(Version::V5, out));
                }
                self.await_pingresp(now);
            }
            // Keep Alive timeout (0x8D) is the server's word for the client's silence.
            Some(_) => self.fail(now, ReasonCode::UNSPECIFIED_ERROR, DisconnectReason::PingTimeout),
            None if is_silent => {
                if self
                    .last_sent
                    .max(self.last_received)
                    .after(self.server.keep_alive)
                    <= now
                {
                    self.release_memory();
                }
                self.append_control(|out| Packet::Pingreq.encode(Version::V5, out));
                self.await_pingresp(now);
            }
            None => {}
        }
    }

    /// Gives back what the traffic of busier times has needed, now that neither side has sent anything for a Keep Alive.
    /// Where it goes on, buffers grow again.
    fn release_memory(&mut self) {
        self.rx.release_memory();
        self.tx.release_memory();
        self.inbound.release_memory();
        self.outbound.release_memory();
        self.outputs.shrink_to_fit();
    }

    /// Since when one of the two sides has been silent. The server must hear from this side (MQTT 5.0 §3.1.2.10), and this
    /// side asks a server that it does not hear from: what it sends may end in a buffer of the network's.
    pub(super) fn quiet_since(&self) -> Instant {
        self.last_sent.min(self.last_received)
    }

    fn await_pingresp(&mut self, now: Instant) {
        self.heard = false;
        self.ping_deadline = Some(now.after(self.ping_timeout()));
    }

    pub(super) fn ping_timeout(&self) -> Duration {
        self.config.ping_timeout.min(self.server.keep_alive / 2)
    }

    pub(super) fn finish_draining(&mut self, now: Instant) {
        match self.link {
            Link::Established { .. } => {
                if let Some(Draining { farewell, .. }) = self.draining.take() {
                    self.tx.append_bytes(&farewell);
                }
                self.link = Link::Closing {
                    deadline: now.after(self.config.close_timeout),
                    reason: DisconnectReason::Requested,
                };
            }
            Link::Opening { .. } | Link::AwaitConnack { .. } => {
                self.close_transport(now, DisconnectReason::Requested);
            }
            Link::Waiting { .. } | Link::Idle => {
                self.link_down(now, DisconnectReason::Requested, Details::NONE);
            }
            Link::Closing { .. } => {}
        }
    }

    fn complete_written(&mut self) {
        while let Some(op) = self.tx.next_written() {
            self.complete(op, Completion::PUBLISHED);
        }
    }
}
