//! What the two ends of one connection tell each other: the wire, which sees requests come, and the service, which answers them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::violation::Violation;

/// What hyper is given in place of a request that is not handled: the service then finds out why.
pub(super) const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";

/// How the requests of one connection stand.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    answered: AtomicU64,
    /// The last request, counted from 1, which is not handled.
    refused: OnceLock<(u64, Violation)>,
}

impl Exchange {
    /// How many requests have been answered.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Has request `number` answered with what is wrong with it.
    pub(super) fn refuse(&self, number: u64, violation: Violation) {
        // There is none after the first.
        let _ = self.refused.set((number, violation));
    }

    /// What is wrong with the request whose turn it is; `None` for one that is to be handled.
    pub(super) fn refusal(&self) -> Option<Violation> {
        let (number, violation) = self.refused.get()?;
        (*number == self.answered() + 1).then_some(*violation)
    }

    /// Whether the connection has a request that is not handled.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.get().is_some()
    }

    /// The same, while that has yet to be answered.
    pub(super) fn is_refusing(&self) -> bool {
        self.refused
            .get()
            .is_some_and(|(number, _)| *number > self.answered())
    }

    /// The request whose turn it was is answered.
    pub(super) fn end(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}
