//! When the system is to acknowledge at once what the broker has sent.

use super::Driver;

/// With more transactions open than this, replies are many enough for the system's own acknowledgement.
const ACKNOWLEDGE_UP_TO: usize = 8;

/// What the core had to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing but completions of requests, one at least.
    Completions,
    /// Something else, or nothing.
    Other,
}

impl Driver {
    /// Has what was received acknowledged at once where the broker may be holding something back until then, which it does for
    /// as long as 40 ms where it leaves Nagle's algorithm on. What is about to be sent acknowledges it as well.
    pub(super) fn acknowledge(&self, drained: Drained) {
        let is_settled = drained == Drained::Completions
            && self.waiters.is_empty()
            && self.publications.is_empty()
            && self.subscriptions.is_empty();
        if !is_settled && self.waiters.len() <= ACKNOWLEDGE_UP_TO && !self.agent.has_transmit() {
            self.link.acknowledge_now();
        }
    }
}
