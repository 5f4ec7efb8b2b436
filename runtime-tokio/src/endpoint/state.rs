//! Whether the other system of a connection is there, noted by who sees it and read by who asks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct LinkState {
    address: String,
    connected: AtomicBool,
    connections: AtomicU64,
    last_end: Mutex<Option<String>>,
}

impl LinkState {
    /// Not connected yet to what is at `address`.
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            connected: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            last_end: Mutex::new(None),
        }
    }

    /// `scheme://host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether the other system is there.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// How often it came to be there.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Why the last connection or attempt ended.
    pub(crate) fn last_end(&self) -> Option<String> {
        self.end().clone()
    }

    /// The other system is there; true if it was not before.
    pub(super) fn connected(&self) -> bool {
        let is_new = !self.connected.swap(true, Ordering::Relaxed);
        if is_new {
            self.connections.fetch_add(1, Ordering::Relaxed);
        }
        is_new
    }

    /// The other system is not there, for the reason `why`.
    pub(super) fn disconnected(&self, why: String) {
        self.connected.store(false, Ordering::Relaxed);
        *self.end() = Some(why);
    }

    fn end(&self) -> MutexGuard<'_, Option<String>> {
        // It is replaced as a whole.
        self.last_end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_when_it_comes_about_and_its_end_is_remembered() {
        let state = LinkState::new("mqtt://b:1".to_owned());
        assert!(!state.is_connected() && state.last_end().is_none());
        state.disconnected("refused".to_owned());
        assert!(state.connected());
        assert!(!state.connected(), "it was there before");
        assert_eq!((state.is_connected(), state.connections()), (true, 1));
        assert_eq!(state.last_end().as_deref(), Some("refused"));
    }
}
