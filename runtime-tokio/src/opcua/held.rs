//! How many Writes and Calls are held: bounds for the server and for each session, and who waits for the last to end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::failure::Failure;
use super::limits::{HELD, HELD_BY_SESSION};

/// The requests that are held.
#[derive(Debug, Default)]
pub(super) struct Held {
    sessions: Mutex<HashMap<u32, usize>>,
    total: watch::Sender<usize>,
    /// Requests since the start that were one too many.
    refused: AtomicU64,
}

/// One request that is held, until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    held: Arc<Held>,
    session: u32,
}

impl Held {
    /// Takes in one more request of a session.
    ///
    /// # Errors
    /// [`Failure::busy`] where the server or the session holds as many as it may.
    pub(super) fn take(self: &Arc<Self>, session: u32) -> Result<Slot, Failure> {
        let mut sessions = self.sessions();
        let of_session = sessions.get(&session).copied().unwrap_or_default();
        if *self.total.borrow() >= HELD || of_session >= HELD_BY_SESSION {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Failure::busy());
        }
        sessions.insert(session, of_session + 1);
        self.total.send_modify(|total| *total += 1);
        drop(sessions);
        let held = Arc::clone(self);
        Ok(Slot { held, session })
    }

    /// How many are held, and how many were refused since the start.
    pub(super) fn counts(&self) -> (usize, u64) {
        (*self.total.borrow(), self.refused.load(Ordering::Relaxed))
    }

    /// Waits until none is held.
    pub(super) async fn none(&self) {
        let mut total = self.total.subscribe();
        // The sender is this one's own.
        let _ = total.wait_for(|total| *total == 0).await;
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut sessions = self.held.sessions();
        if let Entry::Occupied(mut count) = sessions.entry(self.session) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.held.total.send_modify(|total| *total -= 1);
    }
}

#[cfg(test)]
mod tests {
    use opcua::types::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_session_at_its_bound_is_refused_until_one_of_its_requests_ends() {
        let held = Arc::new(Held::default());
        held.none().await;
        let mut slots: Vec<Slot> = (0..HELD_BY_SESSION).map(|_| held.take(1).unwrap()).collect();
        assert_eq!(held.take(1).unwrap_err().status, StatusCode::BadServerTooBusy);
        drop(held.take(2).unwrap());
        slots.pop();
        drop(held.take(1).unwrap());
        assert_eq!(held.counts(), (slots.len(), 1));
        slots.clear();
        assert!(held.sessions().is_empty());
        held.none().await;
    }

    #[test]
    fn the_server_has_a_bound_over_all_sessions() {
        let held = Arc::new(Held::default());
        let slots: Vec<Slot> = (0..HELD)
            .map(|number| {
                held.take(u32::try_from(number / HELD_BY_SESSION).unwrap())
                    .unwrap()
            })
            .collect();
        assert_eq!(
            held.take(u32::MAX).unwrap_err().status,
            StatusCode::BadServerTooBusy
        );
        drop(slots);
        assert!(held.take(u32::MAX).is_ok());
    }
}
