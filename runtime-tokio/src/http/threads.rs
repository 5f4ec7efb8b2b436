//! Threads for HTTP connections beside the listener's own, taken into use when that has little time left.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};
use std::{io, thread};

use tokio::runtime::{Builder, Handle, RuntimeFlavor, RuntimeMetrics};
use tokio::sync::oneshot;

/// How long the listener's thread is watched before it is known anew whether it is busy.
const LOOK: Duration = Duration::from_millis(100);
/// Most threads by default: with more, the one that owns the link to the broker could not keep up.
const MOST: usize = 4;

/// As many as there may be on this machine by default: broker and clients of an edge device are often on it as well.
pub(super) fn by_default() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (processors / 2).clamp(1, MOST)
}

/// Where connections are served: by the thread of the listener while that is idle for at least half of its time, for there
/// the driver of the link to the broker is; beyond that by others in turn.
#[derive(Debug)]
pub(super) struct Threads {
    own: RuntimeMetrics,
    watch: Watch,
    others: Vec<Other>,
    /// How many others there may be.
    most: usize,
    next: usize,
}

/// Tells whether a thread is busy by how long it has been so in all, looked at now and then.
#[derive(Debug)]
struct Watch {
    looked: Instant,
    busy: Duration,
    is_busy: bool,
}

/// A thread that serves connections; it ends, and they with it, when this is dropped.
#[derive(Debug)]
struct Other {
    handle: Handle,
    _end: oneshot::Sender<()>,
}

impl Watch {
    fn new(now: Instant, busy: Duration) -> Self {
        Self {
            looked: now,
            busy,
            is_busy: false,
        }
    }

    /// Whether it was busy for more than half of the time before the last look; `busy` is for how long by now.
    fn is_busy(&mut self, now: Instant, busy: Duration) -> bool {
        let time = now.saturating_duration_since(self.looked);
        if time >= LOOK {
            *self = Self {
                looked: now,
                busy,
                is_busy: busy.saturating_sub(self.busy) > time / 2,
            };
        }
        self.is_busy
    }
}

impl Threads {
    /// `most` threads, the caller's among them. A runtime that has several by itself is not given more.
    pub(super) fn new(most: usize) -> Self {
        let runtime = Handle::current();
        let has_one = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let own = runtime.metrics();
        Self {
            watch: Watch::new(Instant::now(), own.worker_total_busy_duration(0)),
            own,
            others: Vec::new(),
            most: if has_one { most.saturating_sub(1) } else { 0 },
            next: 0,
        }
    }

    /// The thread that serves the next connection; `None` for the caller's own.
    pub(super) fn next(&mut self) -> Option<&Handle> {
        if self.most == 0 {
            return None;
        }
        let busy = self.own.worker_total_busy_duration(0);
        if !self.watch.is_busy(Instant::now(), busy) {
            return None;
        }
        self.start();
        self.next = (self.next + 1).checked_rem(self.others.len())?;
        Some(&self.others[self.next].handle)
    }

    /// Starts all the others, the first time that they are needed.
    fn start(&mut self) {
        while self.others.len() < self.most {
            match Other::start() {
                Ok(other) => self.others.push(other),
                Err(error) => {
                    self.most = self.others.len();
                    tracing::warn!(%error, "the system gives no more threads for HTTP connections");
                }
            }
        }
    }
}

impl Other {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("http".to_owned()).spawn(move || {
            // Its sender is never used: that it is dropped is what is waited for.
            let _ = runtime.block_on(ended);
        })?;
        Ok(Self { handle, _end: end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_busy_after_more_than_half_of_the_time_between_two_looks() {
        let begin = Instant::now();
        let mut watch = Watch::new(begin, LOOK);
        assert!(!watch.is_busy(begin, LOOK));
        assert!(!watch.is_busy(begin + LOOK, LOOK + LOOK / 2), "half");
        assert!(watch.is_busy(begin + 3 * LOOK, 3 * LOOK), "three quarters");
        let soon = begin + 3 * LOOK + LOOK / 2;
        assert!(watch.is_busy(soon, 3 * LOOK), "not looked at again");
        assert!(!watch.is_busy(begin + 5 * LOOK, 3 * LOOK), "idle since");
    }

    #[tokio::test]
    async fn connections_stay_with_an_idle_thread_and_leave_a_busy_one_in_turn() {
        let mut threads = Threads::new(3);
        assert!(threads.next().is_none());
        let mut seen = Vec::new();
        for _ in 0..3 {
            // As after a look at a thread that was busy just now.
            threads.watch.looked = Instant::now();
            threads.watch.is_busy = true;
            let thread = threads.next().expect("another thread");
            seen.push(thread.spawn(async { thread::current().id() }).await.unwrap());
        }
        assert!(!seen.contains(&thread::current().id()));
        assert_ne!(seen[0], seen[1]);
        assert_eq!(seen[0], seen[2]);
    }

    #[tokio::test]
    async fn one_thread_remains_one() {
        let mut threads = Threads::new(1);
        threads.watch.is_busy = true;
        assert!(threads.next().is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_runtime_with_several_threads_is_given_no_more() {
        assert_eq!(Threads::new(4).most, 0);
    }
}
