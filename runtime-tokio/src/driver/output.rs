//! What the core hands out, carried out.

use std::sync::atomic::Ordering;

use syncline_core::agent::{Output, Readiness};
use syncline_core::flowsync::{NodeId, Outcome};
use syncline_core::registration::Registration;
use syncline_core::session::DisconnectReason;
use syncline_core::time::Instant;

use super::acknowledge::Drained;
use super::clock::wall;
use super::link::Link;
use super::outage::Outage;
use super::{Driver, GaveUp, Phase, RequestError};

impl Driver {
    /// Carries out all that the core has to hand out.
    pub(super) fn drain(&mut self) -> Drained {
        let now = self.now();
        let mut drained = None;
        while let Some(output) = self.agent.poll(now) {
            if !matches!(output, Output::Completed { .. }) {
                drained = Some(Drained::Other);
            }
            match output {
                Output::Completed { token, outcome, .. } => {
                    drained.get_or_insert(Drained::Completions);
                    if let Some(waiter) = self.waiters.remove(&token) {
                        if outcome == Outcome::Cancelled {
                            self.withdrawn += 1;
                        }
                        let stops = self.cancels || self.phase != Phase::Running;
                        let _ = waiter.reply.send(match outcome {
                            Outcome::Cancelled if !stops => Err(RequestError::Withdrawn),
                            outcome => Ok(outcome),
                        });
                    }
                }
                Output::Store(operation) => {
                    let seq = operation.seq;
                    let store = self.store.as_ref();
                    if !store.is_some_and(|store| store.carry_out(operation)) {
                        self.agent.handle_persisted(seq);
                    }
                }
                output => {
                    self.handle_output(now, &output);
                    if let Some(reactor) = &mut self.reactor {
                        reactor.handle(now, wall(), &output, &mut self.agent);
                    }
                }
            }
        }
        while let Some((filter, readiness)) = self.agent.poll_subscription() {
            self.subscriptions.changed(&self.naming, &filter, readiness);
        }
        if self.phase == Phase::Disconnecting && matches!(self.link, Link::Down) {
            self.phase = Phase::Ended(Ok(()));
        }
        drained.unwrap_or(Drained::Other)
    }

    fn handle_output(&mut self, now: Instant, output: &Output) {
        match output {
            Output::OpenTransport => {
                let dialer = self.dialer.clone();
                self.link = Link::Dialing(Box::pin(async move { dialer.dial().await }));
            }
            Output::CloseTransport => self.link.close(),
            Output::Connected(connected) => {
                self.outage = Outage::over();
                if let Some(enrolment) = &mut self.enrolment {
                    enrolment.connected();
                }
                self.senders.online.store(true, Ordering::Relaxed);
                let (version, session_present) = (connected.version, connected.session_present);
                let prefix = &self.naming.prefix;
                tracing::info!(broker = %self.dialer.endpoint, ?version, session_present, "{prefix}connected to the broker");
            }
            Output::Disconnected(disconnected) => {
                self.senders.online.store(false, Ordering::Relaxed);
                self.unacknowledged.link_lost();
                // Refused credentials are the registration's to tell of.
                let registers = self.enrolment.is_some()
                    && matches!(disconnected.reason, DisconnectReason::Refused(code) if Registration::is_about_credentials(code));
                if registers {
                    tracing::debug!(broker = %self.dialer.endpoint, reason = %disconnected.reason, "not let in");
                } else {
                    self.outage
                        .report(&self.naming, &self.dialer.endpoint, disconnected, now);
                }
            }
            Output::GaveUp(reason) => self.give_up(GaveUp::Link(*reason)),
            Output::StoreCredentials(_)
            | Output::AskRegistry(_)
            | Output::RegistrationDelayed(_)
            | Output::Granted(_)
            | Output::Denied(_) => self.handle_registration(now, output),
            Output::AskVersion(_) | Output::VersionDiffers(..) | Output::VersionAgrees(_) => {
                self.handle_version(now, output);
            }
            Output::NodeChanged(node, readiness) => self.handle_readiness(*node, *readiness),
            Output::Ignored(why) => tracing::debug!("ignoring a reply: {why}"),
            Output::Message(message) => {
                let receipt = self.unacknowledged.receipt(now, message, &self.senders.control);
                self.subscriptions.message(message, &receipt, &self.agent);
                self.unacknowledged.seen(message, receipt, &mut self.agent);
            }
            Output::OpCompleted(op, completion) => self.publications.completed(*op, completion),
            // No authentication method is configured here, and the store is seen to before.
            Output::AuthChallenge(_) | Output::Store(_) | Output::Completed { .. } => {}
        }
    }

    fn handle_registration(&mut self, now: Instant, output: &Output) {
        let pairing_id = self.agent.registration().and_then(Registration::pairing_id);
        let Some(enrolment) = &mut self.enrolment else {
            return;
        };
        match output {
            Output::StoreCredentials(credentials) => enrolment.store(credentials),
            Output::AskRegistry(request) => enrolment.ask(request.clone(), pairing_id),
            Output::RegistrationDelayed(delay) => enrolment.delayed(delay, now),
            Output::Granted(grant) => enrolment.granted(grant),
            Output::Denied(denial) => self.give_up(GaveUp::Denied(denial.clone())),
            _ => {}
        }
    }

    fn handle_version(&mut self, now: Instant, output: &Output) {
        let Some(central) = &mut self.central else {
            return;
        };
        match output {
            Output::AskVersion(request) => central.ask(request.clone()),
            Output::VersionDiffers(mismatch, retry_at) => central.differs(mismatch, *retry_at, now),
            Output::VersionAgrees(version) => central.agrees(version.as_deref()),
            _ => {}
        }
    }

    fn give_up(&mut self, why: GaveUp) {
        if self.phase != Phase::Running {
            return;
        }
        match self.pause {
            Some(pause) => {
                let prefix = &self.naming.prefix;
                tracing::error!("{prefix}{why}; trying again in {} s", pause.as_secs());
                self.resumes_at = Some(tokio::time::Instant::now() + pause);
            }
            None => self.phase = Phase::Ended(Err(why)),
        }
    }

    fn handle_readiness(&self, node: NodeId, readiness: Readiness) {
        if let Some(ready) = self.nodes.get(&node) {
            ready.send_replace(readiness == Readiness::Ready);
        }
        match readiness {
            Readiness::Ready | Readiness::Waiting => {}
            Readiness::Refused(reason) => tracing::warn!(
                "the broker refuses the subscription to a node's replies: {reason}; grant this agent read access to its \
                 tres topics"
            ),
            Readiness::NotSupported(reason) => {
                tracing::warn!("the broker cannot serve the subscription to a node's replies: {reason}");
            }
        }
    }
}
