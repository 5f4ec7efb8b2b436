//! The loop that a runtime runs, for everybody on the virtual clock.

use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions};
use syncline_core::session::{AckMode, Filter, Output};
use syncline_core::topic::TopicFilter;

use super::{CLIENT_ID, ROUND_BOUND, Simulation, Transport, Wire, tag};
use crate::session_model::Asked;
use crate::virtual_link::{End, VirtualLink};

impl Simulation {
    /// Runs everybody, without a step of the clock, until nobody has anything to do.
    pub(super) fn exchange(&mut self) {
        for _ in 0..ROUND_BOUND {
            let busy = self.step_client() | self.step_broker();
            self.notice_session();
            if !busy {
                return;
            }
        }
        panic!("still busy after {ROUND_BOUND} rounds without a step of the clock");
    }

    fn step_client(&mut self) -> bool {
        let mut busy = self.finish_dialling();
        busy |= self.drain() | self.finish_writes();
        let Transport::Open(wire) = self.transport else {
            return busy;
        };
        let received = self.wires[wire].link.readable(self.now, End::Client).to_vec();
        let n = self.session.rx_extend(&received);
        if n > 0 {
            busy = true;
            self.note("read", &received[..n]);
            self.read[End::Client as usize] += n as u64;
            self.wires[wire].link.consume(End::Client, n);
            self.drain();
        }
        if self.session.has_transmit() {
            let bytes = self.session.transmit().runs().collect::<Vec<_>>().concat();
            let n = self.wires[wire].link.write(self.now, End::Client, &bytes);
            if n > 0 {
                busy = true;
                self.note("wrote", &bytes[..n]);
                self.session.tx_advance(self.now, n);
                self.drain();
            }
        }
        if self.transport == Transport::Open(wire) && self.wires[wire].link.has_ended(self.now, End::Client) {
            busy = true;
            self.wires[wire].link.close(End::Client);
            self.transport_closed();
        }
        busy
    }

    /// Tells the session what has become durable.
    fn finish_writes(&mut self) -> bool {
        let now = self.now;
        let Some(seq) = self.disk.as_mut().and_then(|disk| disk.persist(now)) else {
            return false;
        };
        self.note("durable", &seq);
        self.session.handle_persisted(seq);
        self.drain();
        true
    }

    fn finish_dialling(&mut self) -> bool {
        let Transport::Dialling(at) = self.transport else {
            return false;
        };
        if at > self.now {
            return false;
        }
        if self.now < self.unreachable_until {
            self.transport_closed();
            return true;
        }
        let mut link = VirtualLink::new(self.link, self.rng.derive_seed());
        if let Some((end, bytes)) = self.first_cut.take() {
            link.cut_after(end, bytes);
        }
        self.wires.push(Wire {
            link,
            connection: self.broker.accept(),
            unwritten: Vec::new(),
        });
        self.transport = Transport::Open(self.wires.len() - 1);
        self.session.handle_transport_open(self.now);
        true
    }

    fn transport_closed(&mut self) {
        self.transport = Transport::None;
        self.model.link_ended();
        self.session.handle_transport_closed(self.now);
        self.drain();
    }

    fn drain(&mut self) -> bool {
        let mut busy = false;
        while let Some(output) = self.session.poll(self.now) {
            busy = true;
            self.note("output", &output);
            self.handle_output(output);
        }
        busy
    }

    fn handle_output(&mut self, output: Output) {
        match output {
            Output::OpenTransport => {
                assert_eq!(self.transport, Transport::None, "one transport at a time");
                assert!(self.now >= self.retry_at, "dialled before {:?}", self.retry_at);
                self.is_idle = false;
                self.transport = Transport::Dialling(self.now.after(self.rng.jitter(self.link.delay)));
            }
            Output::CloseTransport => {
                assert_ne!(self.transport, Transport::None, "nothing to close");
                if let Transport::Open(wire) = self.transport {
                    self.wires[wire].link.close(End::Client);
                }
                self.transport = Transport::None;
                self.model.link_ended();
            }
            Output::Connected(connected) => {
                if !connected.session_present {
                    if self.was_connected {
                        self.model.session_lost();
                    }
                    self.subscribe_from_output();
                }
                self.was_connected = true;
            }
            Output::Disconnected(disconnected) => {
                self.is_idle = disconnected.retry_at.is_none();
                // This broker never turns a client away: only a requested disconnect ends the attempts.
                let was_disconnecting = std::mem::take(&mut self.is_disconnecting);
                if (self.is_idle || was_disconnecting) && self.closes_session {
                    self.model.closed();
                }
                if let Some(retry_at) = disconnected.retry_at
                    && !was_disconnecting
                {
                    let wait = retry_at.since(self.now);
                    let (shortest, longest) = self.back_off;
                    assert!((shortest..=longest).contains(&wait), "back-off of {wait:?}");
                    self.retry_at = retry_at;
                }
            }
            Output::Message(message) => {
                let tag = tag(message.payload());
                // Automatic acknowledgement is at hand, and whether it was is asked after a crash.
                let acknowledged = (self.acks == AckMode::Automatic).then(|| self.last_stored());
                self.model.handed_out(tag, message.qos(), acknowledged);
                self.tokens.extend(message.ack_token().map(|token| (token, tag)));
            }
            Output::Completed(op, completion) => self.model.completed(op, &completion),
            Output::AuthChallenge(_) => panic!("a challenge without an authentication method"),
            Output::Store(operation) => {
                let delay = self.rng.derive_seed()[0];
                let disk = self.disk.as_mut().expect("operations come with a store");
                disk.write(self.now, operation, delay);
            }
        }
    }

    /// Number of the last store operation there is; zero without a store.
    pub(super) fn last_stored(&self) -> u64 {
        self.session.awaits_persisted().unwrap_or(0)
    }

    /// Subscribes in the middle of draining, as callers do when they hear that the Session is new.
    fn subscribe_from_output(&mut self) {
        let filter = Filter {
            filter: TopicFilter::from_static("in/+").expect("a valid filter"),
            options: SubscribeOptions::at_qos(QoS::ExactlyOnce),
        };
        if let Ok(op) = self.session.subscribe(&[filter], &PropertyBuf::new()) {
            self.model.submitted(op, Asked::Subscription);
        }
    }

    fn step_broker(&mut self) -> bool {
        let mut busy = false;
        for wire in &mut self.wires {
            loop {
                let received = wire.link.readable(self.now, End::Server).to_vec();
                if received.is_empty() {
                    break;
                }
                busy = true;
                self.read[End::Server as usize] += received.len() as u64;
                self.broker.receive(self.now, wire.connection, &received);
                wire.link.consume(End::Server, received.len());
            }
            if wire.link.has_ended(self.now, End::Server) && !self.broker.is_over(wire.connection) {
                busy = true;
                self.broker.close(self.now, wire.connection);
            }
        }
        for wire in &mut self.wires {
            wire.unwritten
                .append(&mut self.broker.take_output(wire.connection));
            let n = wire.link.write(self.now, End::Server, &wire.unwritten);
            busy |= n > 0;
            wire.unwritten.drain(..n);
            if self.broker.is_over(wire.connection) && wire.unwritten.is_empty() {
                wire.link.close(End::Server);
            }
        }
        for message in &self.broker.arrivals()[self.arrivals_seen..] {
            self.model.arrived(tag(&message.payload));
        }
        self.arrivals_seen = self.broker.arrivals().len();
        busy
    }

    /// Tells the model when the server's Session is not the one of before.
    pub(super) fn notice_session(&mut self) {
        let number = self.broker.session_number(CLIENT_ID);
        if number != self.session_number {
            if self.session_number.is_some() {
                self.model.session_lost();
            }
            self.session_number = number;
        }
    }
}
