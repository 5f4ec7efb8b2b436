//! Whether the other system of a connection is there, noted by who sees it and read by who asks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct LinkState {
    address: String,
    known: Mutex<Known>,
}

/// What is known of it at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Whether the other system is there.
    pub(crate) connected: bool,
    /// Since when it is there, or is not.
    pub(crate) since: SystemTime,
    /// How often it came to be there.
    pub(crate) connections: u64,
    /// Why the last connection or attempt ended.
    pub(crate) last_end: Option<String>,
}

impl LinkState {
    /// Not connected yet to what is at `address`.
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            known: Mutex::new(Known {
                connected: false,
                since: SystemTime::now(),
                connections: 0,
                last_end: None,
            }),
        }
    }

    /// `scheme://host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// All that is known just now.
    pub(crate) fn known(&self) -> Known {
        self.lock().clone()
    }

    /// Why the last connection or attempt ended.
    pub(crate) fn last_end(&self) -> Option<String> {
        self.lock().last_end.clone()
    }

    /// The other system is there; true if it was not before.
    pub(super) fn connected(&self) -> bool {
        let mut known = self.lock();
        if known.connected {
            return false;
        }
        known.connected = true;
        known.since = SystemTime::now();
        known.connections += 1;
        true
    }

    /// The other system is not there, for the reason `why`.
    pub(super) fn disconnected(&self, why: String) {
        let mut known = self.lock();
        if known.connected {
            known.connected = false;
            known.since = SystemTime::now();
        }
        known.last_end = Some(why);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // No change of it can fail half-way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_when_it_comes_about_and_its_end_is_remembered() {
        let state = LinkState::new("mqtt://b:1".to_owned());
        assert!(!state.known().connected && state.last_end().is_none());
        state.disconnected("refused".to_owned());
        assert!(state.connected());
        assert!(!state.connected(), "it was there before");
        let known = state.known();
        assert_eq!((known.connected, known.connections), (true, 1));
        assert_eq!(known.last_end.as_deref(), Some("refused"));
    }

    #[test]
    fn a_connection_is_up_or_down_since_it_changed_and_not_since_the_last_attempt() {
        let state = LinkState::new("mqtt://b:1".to_owned());
        let begun = state.known().since;
        state.disconnected("refused".to_owned());
        assert_eq!(state.known().since, begun, "it was never there");
        state.connected();
        let up = state.known().since;
        assert_ne!(up, begun);
        state.connected();
        assert_eq!(state.known().since, up);
        state.disconnected("reset".to_owned());
        let down = state.known().since;
        assert_ne!(down, up);
        state.disconnected("refused".to_owned());
        assert_eq!(state.known().since, down);
    }
}
