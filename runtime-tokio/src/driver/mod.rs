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
mod subscriptions;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use syncline_core::agent::{Agent, Output};
use syncline_core::flowsync::{ChangeError, NodeConfig, NodeId, Outcome, TransactionId};
use syncline_core::registration::version::Likeness;
use syncline_core::registration::{self, RequestId};
use syncline_core::session::store::{RestoreError, Restored};
use syncline_core::session::{AckMode, Config};
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
use publish::{Publications, SUBMISSION_QUEUE, Submission};
pub use receipt::Receipt;
use receipt::Unacknowledged;
pub(crate) use source::{Source, Wanted};
use subscriptions::Subscriptions;
pub use subscriptions::{Sink, Subscription};

use crate::data::{SessionStore, StoredSession};
use crate::registry::{Registry, Reply};
use crate::transport::{DialError, Dialer, text};

/// Requests that wait for the driver; one more is refused with [`RequestError::Busy`].
const REQUEST_QUEUE: usize = 16_384;
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
    /// A driver that will connect to the broker that `dialer` reaches; an [`Endpoint`](crate::transport::Endpoint) alone is plain TCP.
    ///
    /// # Errors
    /// [`StartError`] when the configuration is wrong or the system has no entropy.
    pub fn new(dialer: impl Into<Dialer>, mut config: Config) -> Result<Self, StartError> {
        config.acks = AckMode::Manual;
        let mut seed = [0; syncline_core::rng::SEED_LEN];
        getrandom::fill(&mut seed).map_err(StartError::Entropy)?;
        let agent = Agent::new(config, seed).map_err(StartError::Config)?;
        Ok(Self::compose(dialer.into(), agent, None))
    }

    /// As [`Driver::new`], with the session that `stored` holds, which is kept up to date. A session that cannot be taken
    /// up is moved aside, with an error in the log, and a new one begun.
    ///
    /// # Errors
    /// As [`Driver::new`], and when the system gives no thread.
    pub fn restore(
        dialer: impl Into<Dialer>,
        mut config: Config,
        mut stored: StoredSession,
    ) -> Result<Self, StartError> {
        config.acks = AckMode::Manual;
        let mut seed = [0; syncline_core::rng::SEED_LEN];
        getrandom::fill(&mut seed).map_err(StartError::Entropy)?;
        let restore =
            |records| Agent::restore(config.clone(), seed, Instant::from_micros(0), wall(), records);
        let restored = match restore(stored.records()) {
            Err(error) if !matches!(error, RestoreError::Config(_)) => {
                stored.set_aside(&error);
                restore(Vec::new())
            }
            restored => restored,
        };
        let (agent, restored) = restored.map_err(|error| match error {
            RestoreError::Config(error) => StartError::Config(error),
            other => StartError::Session(other),
        })?;
        if restored != Restored::default() {
            let Restored {
                queued,
                in_flight,
                received,
            } = restored;
            tracing::info!(
                queued,
                in_flight,
                received,
                "taking up the session of the run before"
            );
        }
        let store = stored.start().map_err(StartError::Thread)?;
        Ok(Self::compose(dialer.into(), agent, Some(store)))
    }

    fn compose(dialer: Dialer, agent: Agent, store: Option<SessionStore>) -> Self {
        let (requests, request_inbox) = mpsc::channel(REQUEST_QUEUE);
        let (submissions, submission_inbox) = mpsc::channel(SUBMISSION_QUEUE);
        let (aborts, abort_inbox) = mpsc::unbounded_channel();
        let (control, control_inbox) = mpsc::unbounded_channel();
        let tokens = AtomicU64::new(0);
        Self {
            agent,
            start: tokio::time::Instant::now(),
            now: Cell::default(),
            dialer,
            link: Link::Down,
            store,
            reactor: None,
            enrolment: None,
            central: None,
            waiters: HashMap::new(),
            nodes: HashMap::new(),
            publications: Publications::default(),
            subscriptions: Subscriptions::default(),
            unacknowledged: Unacknowledged::default(),
            senders: Arc::new(Senders {
                requests,
                submissions,
                aborts,
                control,
                tokens,
                online: AtomicBool::new(false),
            }),
            inboxes: Inboxes {
                requests: request_inbox,
                submissions: submission_inbox,
                aborts: abort_inbox,
                control: control_inbox,
            },
            naming: Naming::default(),
            outage: Outage::default(),
            received: false,
            pause: None,
            resumes_at: None,
            withdrawn: 0,
            cancels: false,
            phase: Phase::Running,
        }
    }

    /// Adds a transaction node.
    ///
    /// # Errors
    /// [`AddNodeError`] when the agent holds as many nodes as it may, or one that reads the same tres.
    pub fn add_node(&mut self, config: NodeConfig) -> Result<Node, AddNodeError> {
        let id = self.agent.add_node(self.now(), config).ok_or(AddNodeError)?;
        Ok(self.node(id))
    }

    /// Removes some nodes and adds others in one step, and returns the new ones in their order. Requests that the removed ones
    /// hold end with [`RequestError::Withdrawn`].
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed.
    pub fn change_nodes(
        &mut self,
        removed: &[NodeId],
        added: Vec<NodeConfig>,
    ) -> Result<Vec<Node>, ChangeError> {
        let ids = self.agent.change_nodes(self.now(), removed, added)?;
        for node in removed {
            self.nodes.remove(node);
        }
        Ok(ids.into_iter().map(|id| self.node(id)).collect())
    }

    /// What others hold of a new node.
    fn node(&mut self, id: NodeId) -> Node {
        let (is_ready, ready) = watch::channel(false);
        self.nodes.insert(id, is_ready);
        Node {
            id,
            ready,
            senders: Arc::clone(&self.senders),
        }
    }

    /// Has `reactor` see all further outputs but the completions of transactions.
    pub fn react_with(&mut self, reactor: Box<dyn Reactor>) {
        self.reactor = Some(reactor);
    }

    /// Has the log call the broker of this driver by `naming`: it is another than the agent's own.
    pub(crate) fn call(&mut self, naming: Naming) {
        self.naming = naming;
    }

    /// Has the session connect anew, after `pause`, where it would give up and the driver end.
    pub(crate) fn try_again_after(&mut self, pause: Duration) {
        self.pause = Some(pause);
    }

    /// Has this driver's agent register where it is not known. The credentials are those of `config`.
    ///
    /// # Errors
    /// [`registration::ConfigError`]; nothing has changed.
    pub fn register_with(
        &mut self,
        config: registration::Config,
        enrolment: Enrolment,
    ) -> Result<(), registration::ConfigError> {
        self.agent.register_with(config)?;
        self.enrolment = Some(enrolment);
        Ok(())
    }

    /// Has this driver's agent ask the central, which answers where `registry` does, for its version, and stay offline while
    /// the two do not go together.
    pub fn check_version_with(&mut self, registry: Registry, likeness: Likeness) {
        self.agent.check_version(env!("CARGO_PKG_VERSION"), likeness);
        self.central = Some(Central::new(registry));
    }

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
