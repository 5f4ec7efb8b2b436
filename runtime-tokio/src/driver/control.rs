//! What the holders of a handle have the driver do besides requests.

use syncline_core::session::{Disconnect, Unfinished, When};

use super::handle::{Control, Report};
use super::{Driver, FAREWELL_TIME, NodeId, Phase, wall};

impl Driver {
    pub(super) fn handle_control(&mut self, control: Control) {
        match control {
            Control::CancelAll => {
                self.cancels = true;
                for (node, ready) in self.nodes.drain() {
                    ready.send_replace(false);
                    self.agent.remove_node(node);
                }
            }
            Control::ChangeNodes {
                removed,
                added,
                reply,
            } => {
                // Whoever asked waits, or has gone with the agent.
                let _ = reply.send(self.change_nodes(&removed, added));
            }
            Control::Announce(services) => {
                let now = self.now();
                if let Some(reactor) = &mut self.reactor {
                    reactor.announce(now, services, &mut self.agent);
                }
            }
            Control::Subscribe { begun, ended } => {
                let now = self.now();
                for (id, entry) in begun {
                    self.subscriptions.add(now, id, entry, &mut self.agent);
                }
                for id in ended {
                    self.subscriptions.remove(id, &mut self.agent);
                }
            }
            Control::Unsubscribe(id) => self.subscriptions.remove(id, &mut self.agent),
            Control::HoldFarewells => self.agent.hold_farewells(),
            Control::ReleaseFarewells => self.agent.release_farewells(),
            Control::Handled(id) => self.unacknowledged.handled(id, &mut self.agent),
            Control::Left(id) => self.unacknowledged.left(id),
            Control::LeaveRest => self.unacknowledged.end(),
            Control::Report(asker) => drop(asker.send(self.report())),
            Control::Stop => {
                let now = self.now();
                if let Some(reactor) = &mut self.reactor {
                    reactor.stopping(now, wall(), &mut self.agent);
                }
                let farewell = Disconnect {
                    when: When::Settled(FAREWELL_TIME),
                    unfinished: match self.store {
                        Some(_) => Unfinished::Keep,
                        None => Unfinished::Close,
                    },
                    ..Disconnect::default()
                };
                // It has nothing in it that cannot be sent.
                let _ = self.agent.disconnect(now, farewell);
                self.phase = Phase::Disconnecting;
            }
        }
    }

    fn report(&self) -> Report {
        let in_flight = |node: &NodeId| (*node, self.agent.in_flight(*node));
        Report {
            counters: *self.agent.counters(),
            withdrawn: self.withdrawn,
            open: self.agent.open_transactions(),
            in_flight: self.nodes.keys().map(in_flight).collect(),
            waiting: self.subscriptions.waiting(&self.agent),
            filters: self.subscriptions.filters().cloned().collect(),
        }
    }
}
