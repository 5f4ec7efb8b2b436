//! The sessions that wait for an answer: whoever holds a request of one learns that it was closed, on a connection that goes on.
//!
//! The library marks a closed session and tells nobody, so the marks are looked at.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opcua::server::node_manager::RequestContext;
use tokio::sync::watch;

/// Time between two looks, and so the longest that a closed session still holds something.
const INTERVAL: Duration = Duration::from_secs(1);

/// What knows whether its session is open.
pub(super) trait OfSession: Clone {
    /// Whether neither its client has closed it, nor its time is up.
    fn is_open(&self) -> bool;
}

impl OfSession for RequestContext {
    fn is_open(&self) -> bool {
        self.session().read().is_activated()
    }
}

/// The sessions with requests under way, by their numbers.
pub(super) struct Sessions<S>(Mutex<HashMap<u32, Session<S>>>);

/// One of them, there until the last of its requests has ended.
struct Session<S> {
    known_by: S,
    requests: usize,
    /// None once it is closed.
    open: Option<watch::Sender<()>>,
}

/// A request of a session, under way until this is dropped.
pub(super) struct Asking<S: OfSession> {
    sessions: Arc<Sessions<S>>,
    id: u32,
    end: watch::Receiver<()>,
}

impl<S> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl<S> Default for Sessions<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: OfSession> Sessions<S> {
    /// Takes in one more request of the session `id`, which `known_by` tells of.
    pub(super) fn ask(self: &Arc<Self>, id: u32, known_by: &S) -> Asking<S> {
        let mut sessions = self.lock();
        let session = sessions.entry(id).or_insert_with(|| Session {
            known_by: known_by.clone(),
            requests: 0,
            open: Some(watch::Sender::default()),
        });
        session.requests += 1;
        let end = match &session.open {
            Some(open) => open.subscribe(),
            // Its sender is gone at once.
            None => watch::Sender::default().subscribe(),
        };
        let sessions = Arc::clone(self);
        Asking { sessions, id, end }
    }

    /// Looks at the sessions again and again.
    pub(super) async fn look_after(self: Arc<Self>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self.look();
        }
    }

    /// Has the requests of closed sessions end.
    fn look(&self) {
        for session in self.lock().values_mut() {
            if !session.known_by.is_open() {
                session.open = None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Session<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: OfSession> Asking<S> {
    /// Waits until the session is closed.
    pub(super) async fn closed(&mut self) {
        // Nothing is ever sent: what comes is the end of the sender.
        while self.end.changed().await.is_ok() {}
    }
}

impl<S: OfSession> Drop for Asking<S> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut session) = self.sessions.lock().entry(self.id) {
            session.get_mut().requests -= 1;
            if session.get().requests == 0 {
                session.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt as _;

    use super::*;

    impl OfSession for Arc<AtomicBool> {
        fn is_open(&self) -> bool {
            self.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn all_requests_of_a_closed_session_end_and_those_of_others_go_on() {
        let sessions = Arc::new(Sessions::default());
        let [one, other] = [0, 1].map(|_| Arc::new(AtomicBool::new(true)));
        let mut first = sessions.ask(1, &one);
        let mut second = sessions.ask(1, &one);
        let mut of_other = sessions.ask(2, &other);
        sessions.look();
        assert!(first.closed().now_or_never().is_none());
        one.store(false, Ordering::Relaxed);
        sessions.look();
        // One that was under way to its handler already.
        let mut late = sessions.ask(1, &one);
        for request in [&mut first, &mut second, &mut late] {
            assert!(request.closed().now_or_never().is_some());
        }
        assert!(of_other.closed().now_or_never().is_none());
        drop((first, second, late, of_other));
        assert!(sessions.lock().is_empty());
    }
}
