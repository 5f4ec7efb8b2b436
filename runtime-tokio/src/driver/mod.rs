//! The one task that owns the agent's core and its socket to the broker.
//!
//! The core is touched only between awaits: an event (bytes, time, a request) goes in, all outputs are drained, and
//! whatever they have made ready leaves in one vectored write. Reading and writing do not wait for one another.

mod acknowledge;
mod central;
mod clock;
mod control;
mod enrolment;
mod error;
mod handle;
mod link;
mod mailbox;
mod outage;
mod outbox;
mod output;
mod probe;
mod publish;
mod receipt;
mod source;
mod start;
mod subscriptions;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use syncline_core::agent::{Agent, Output};
use syncline_core::flowsync::{NodeId, Outcome, TransactionId};
use syncline_core::registration::RequestId;
use syncline_core::time::{Duration, Instant, UnixMillis};
use tokio::sync::{mpsc, oneshot, watch};

use central::Central;
use clock::{Clock, Timer, wall};
pub use enrolment::{Enrolment, Install};
pub use error::{AddNodeError, GaveUp, StartError};
pub use handle::{AgentHandle, Node, Report, RequestError};
use handle::{Control, Request, Senders};
use link::{Link, LinkEvent};
pub(crate) use mailbox::{Closing, Delivery, Inbox, Mailbox, mailbox};
pub(crate) use outage::Naming;
use outage::Outage;
pub(crate) use outbox::Outbox;
pub(crate) use probe::{ProbeError, probe};
pub use publish::{Offline, PublishError, Submitted};
use publish::{Publications, Submission};
pub use receipt::Receipt;
use receipt::Unacknowledged;
pub(crate) use source::{Source, Wanted};
use subscriptions::Subscriptions;
pub use subscriptions::{Sink, Subscription};

use crate::data::SessionStore;
use crate::registry::Reply;
use crate::transport::{DialError, Dialer, text};

/// Requests and aborts taken in before what they have queued is written.
const BATCH: usize = 256;

/// Longest wait for the acknowledgements of what was submitted before the driver stops.
const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// Reacts to connections, messages and operations that are not FlowSync's own: between two awaits, with the core in
/// its hands.
pub trait Reactor: Send {
    /// Takes in `output`; what it has `agent` do leaves with the next write.
    fn handle(&mut self, now: Instant, wall: UnixMillis, output: &Output, agent: &mut Agent);

    /// No connection came about; [`Output::Disconnected`] follows.
    fn dial_failed(&mut self, _error: &DialError) {}

    /// The agent runs these services from now on.
    fn announce(&mut self, _now: Instant, _services: Vec<String>, _agent: &mut Agent) {}

    /// The last chance to publish: what is submitted now leaves before the DISCONNECT.
    fn stopping(&mut self, _now: Instant, _wall: UnixMillis, _agent: &mut Agent) {}
}

/// Owner of an [`Agent`], of the socket to its broker, and of those who wait for completions.
pub struct Driver {
    agent: Agent,
    start: tokio::time::Instant,
    /// What the clock showed when it was first looked at since the task woke.
    now: Cell<Option<Instant>>,
    dialer: Dialer,
    link: Link,
    store: Option<SessionStore>,
    reactor: Option<Box<dyn Reactor>>,
    enrolment: Option<Enrolment>,
    central: Option<Central>,
    waiters: HashMap<u64, Waiter>,
    nodes: HashMap<NodeId, watch::Sender<bool>>,
    publications: Publications,
    subscriptions: Subscriptions,
    unacknowledged: Unacknowledged,
    senders: Arc<Senders>,
    inboxes: Inboxes,
    naming: Naming,
    outage: Outage,
    /// Bytes came in whose acknowledgement is still to be decided on.
    received: bool,
    /// How long to wait with a session that has given up; `None` to end with it.
    pause: Option<Duration>,
    /// The end of that wait.
    resumes_at: Option<tokio::time::Instant>,
    /// Requests that were given up with their node, or with the agent.
    withdrawn: u64,
    /// All requests that are held are being given up.
    cancels: bool,
    phase: Phase,
}

/// A request that is held.
struct Waiter {
    transaction: TransactionId,
    reply: oneshot::Sender<Result<Outcome, RequestError>>,
}

struct Inboxes {
    requests: mpsc::Receiver<Request>,
    submissions: mpsc::Receiver<Submission>,
    aborts: mpsc::UnboundedReceiver<u64>,
    control: mpsc::UnboundedReceiver<Control>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Running,
    /// Waiting for the session to let go of the transport.
    Disconnecting,
    Ended(Result<(), GaveUp>),
}

impl Driver {
    /// A handle to stop this driver with.
    #[must_use]
    pub fn handle(&self) -> AgentHandle {
        AgentHandle {
            senders: Arc::clone(&self.senders),
        }
    }

    /// Connects, and keeps the connection and the held requests going until [`AgentHandle::stop`].
    ///
    /// # Errors
    /// [`GaveUp`] when the session gave up.
    pub async fn run(mut self) -> Result<(), GaveUp> {
        self.now.set(None);
        self.agent.connect(self.now());
        let mut timer = Timer::default();
        loop {
            let drained = self.drain();
            if std::mem::take(&mut self.received) {
                self.acknowledge(drained);
            }
            if let Phase::Ended(how) = &mut self.phase {
                let how = std::mem::replace(how, Ok(()));
                if let Some(store) = self.store.take() {
                    store.close().await;
                }
                if let Some(enrolment) = self.enrolment.take() {
                    enrolment.close().await;
                }
                return how;
            }
            timer.set(self.deadline(), self.start);
            let clock = Clock(self.start);
            self.now.set(None);
            tokio::select! {
                biased;
                event = self.link.next(&mut self.agent, clock) => self.handle_link(event),
                () = timer.elapsed() => self.handle_timeout(),
                () = resumed(self.resumes_at) => {
                    self.resumes_at = None;
                    self.agent.connect(self.now());
                }
                persisted = persisted(&mut self.store) => self.handle_persisted(persisted),
                event = next(&mut self.enrolment) => self.handle_enrolment(&event),
                (id, reply) = told(&mut self.central) => {
                    self.agent.handle_version_answer(self.now(), id, &reply.answer());
                }
                Some(control) = self.inboxes.control.recv() => self.handle_control(control),
                Some(request) = self.inboxes.requests.recv() => self.begin(request),
                Some(submission) = self.inboxes.submissions.recv() => self.submit(submission),
                Some(token) = self.inboxes.aborts.recv() => self.abort(token),
            }
            self.catch_up();
        }
    }

    /// Gives every source its turn, so that none starves the others, and takes in together what is written together.
    fn catch_up(&mut self) {
        let now = self.now();
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.handle_timeout();
        }
        while let Ok(control) = self.inboxes.control.try_recv() {
            self.handle_control(control);
        }
        for _ in 0..BATCH {
            let Ok(request) = self.inboxes.requests.try_recv() else {
                break;
            };
            self.begin(request);
        }
        for _ in 0..BATCH {
            let Ok(submission) = self.inboxes.submissions.try_recv() else {
                break;
            };
            self.submit(submission);
        }
        for _ in 0..BATCH {
            let Ok(token) = self.inboxes.aborts.try_recv() else {
                break;
            };
            self.abort(token);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.agent.poll_timeout(), self.unacknowledged.poll_timeout()];
        deadlines.into_iter().flatten().min()
    }

    fn handle_timeout(&mut self) {
        let now = self.now();
        self.agent.handle_timeout(now);
        self.unacknowledged.handle_timeout(now, &mut self.agent);
    }

    fn now(&self) -> Instant {
        let now = self.now.get().unwrap_or_else(|| Clock(self.start).now());
        self.now.set(Some(now));
        now
    }

    fn submit(&mut self, submission: Submission) {
        let now = self.now();
        self.publications.submit(now, submission, &mut self.agent);
    }

    /// `None`: the store's thread has ended.
    fn handle_persisted(&mut self, seq: Option<u64>) {
        if seq.is_none() {
            tracing::error!(
                "the session store has ended, which is a bug in syncline: the session is kept in memory"
            );
            self.store = None;
        }
        // Without a store, what is handed out counts as stored.
        self.agent.handle_persisted(seq.unwrap_or(u64::MAX));
    }

    fn begin(&mut self, request: Request) {
        let Request {
            node,
            value,
            terms,
            token,
            reply,
        } = request;
        // Its abort has been seen already, or will find nothing to abort.
        if reply.is_closed() {
            return;
        }
        match self
            .agent
            .request_on(self.now(), wall(), node, &value, token, &terms)
        {
            Ok(transaction) => {
                self.waiters.insert(token, Waiter { transaction, reply });
            }
            // Whoever asked may be gone by now, here and below.
            Err(refusal) => drop(reply.send(Err(refusal.into()))),
        }
    }

    fn abort(&mut self, token: u64) {
        if let Some(waiter) = self.waiters.remove(&token) {
            self.agent.abort(waiter.transaction);
        }
    }

    fn handle_link(&mut self, event: LinkEvent) {
        let now = self.now();
        match event {
            LinkEvent::Moved { received } => self.received |= received,
            LinkEvent::Dialed(Ok(transport)) => {
                self.link = Link::Up(transport);
                self.agent.handle_transport_open(now);
            }
            LinkEvent::Dialed(Err(error)) => {
                if let Some(reactor) = &mut self.reactor {
                    reactor.dial_failed(&error);
                }
                self.outage.cause = Some(error.at(&self.dialer.endpoint));
                self.link = Link::Down;
                self.agent.handle_transport_closed(now);
            }
            LinkEvent::Lost(error) => {
                let cause = error.map_or_else(|| "closed by the broker".to_owned(), |error| text(&error));
                self.outage.cause = Some(format!("{}: connection lost: {cause}", self.dialer.endpoint));
                self.link = Link::Down;
                self.agent.handle_transport_closed(now);
            }
        }
    }

    fn handle_enrolment(&mut self, event: &enrolment::Event) {
        let now = self.now();
        match event {
            enrolment::Event::Stored => self.agent.handle_credentials_stored(now),
            enrolment::Event::Answered(id, reply) => {
                self.agent
                    .handle_registry_answer(now, wall(), *id, &reply.answer());
            }
        }
    }
}

/// Pending for ever where nothing has given up.
async fn resumed(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The next event of an enrolment; none where there is no enrolment.
async fn next(enrolment: &mut Option<Enrolment>) -> enrolment::Event {
    match enrolment {
        Some(enrolment) => enrolment.next().await,
        None => std::future::pending().await,
    }
}

/// Pending for ever where the central's version is of no concern.
async fn told(central: &mut Option<Central>) -> (RequestId, Reply) {
    match central {
        Some(central) => central.next().await,
        None => std::future::pending().await,
    }
}

/// Pending for ever where there is no store.
async fn persisted(store: &mut Option<SessionStore>) -> Option<u64> {
    match store {
        Some(store) => store.persisted().await,
        None => std::future::pending().await,
    }
}
