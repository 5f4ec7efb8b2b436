//! How a driver comes to be, anew or from the session of the run before, and what it is told before it runs.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use syncline_core::agent::Agent;
use syncline_core::flowsync::{ChangeError, NodeConfig, NodeId};
use syncline_core::registration;
use syncline_core::registration::version::Likeness;
use syncline_core::session::store::{RestoreError, Restored};
use syncline_core::session::{AckMode, Config};
use syncline_core::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

use super::central::Central;
use super::clock::wall;
use super::handle::{Node, Senders};
use super::link::Link;
use super::outage::{Naming, Outage};
use super::publish::{Publications, SUBMISSION_QUEUE};
use super::receipt::Unacknowledged;
use super::subscriptions::Subscriptions;
use super::{AddNodeError, Driver, Enrolment, Inboxes, Phase, Reactor, StartError};
use crate::data::{SessionStore, StoredSession};
use crate::registry::Registry;
use crate::transport::Dialer;

/// Requests that wait for the driver; one more is refused with [`RequestError::Busy`](super::RequestError::Busy).
const REQUEST_QUEUE: usize = 16_384;

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
    /// hold end with [`RequestError::Withdrawn`](super::RequestError::Withdrawn).
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
}
