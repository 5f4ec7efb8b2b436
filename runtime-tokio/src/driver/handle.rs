//! What other tasks hold of the driver: nodes to make requests of, and the switch that stops it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use syncline_core::agent::Terms;
use syncline_core::flowsync::{ChangeError, Counters, NodeConfig, NodeId, Outcome, Refusal};
use syncline_core::topic::TopicFilter;
use tokio::sync::{mpsc, oneshot, watch};

use super::publish::Submission;
use super::subscriptions::Entry;

/// Why a request was not taken. Nothing has been published for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The broker cannot be reached or has not confirmed the node's subscription.
    #[error(
        "there is no connection to the broker, or it has not confirmed this node's subscription: try again"
    )]
    NotReady,
    /// More requests wait for the driver than its queue holds.
    #[error("this agent is at its limit, try again")]
    Busy,
    /// The driver had ended before.
    #[error("this agent is stopping, try again")]
    Stopped,
    /// The node was changed or removed while the request was held. What it asked for may have been done.
    #[error(
        "this node was changed or removed while the request was held, which may have been carried out: find out before sending it again"
    )]
    Withdrawn,
    /// The node was changed or removed before the request was taken.
    #[error("this node was changed or removed just now, try again")]
    Gone,
    /// The agent refused it.
    #[error("{0}")]
    Refused(Refusal),
}

impl From<Refusal> for RequestError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchNode => Self::Gone,
            refusal => Self::Refused(refusal),
        }
    }
}

/// A request on its way to the driver.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) node: NodeId,
    pub(super) value: Box<RawValue>,
    pub(super) terms: Terms,
    pub(super) token: u64,
    pub(super) reply: oneshot::Sender<Result<Outcome, RequestError>>,
}

/// What a handle asks for besides requests.
#[derive(Debug)]
pub(super) enum Control {
    /// End all open transactions as cancelled, and take no more.
    CancelAll,
    /// Remove these nodes and add those in one step.
    ChangeNodes {
        removed: Vec<NodeId>,
        added: Vec<NodeConfig>,
        reply: oneshot::Sender<Result<Vec<Node>, ChangeError>>,
    },
    /// Tell others that the agent runs these services.
    Announce(Vec<String>),
    /// Keep those subscriptions in force, and end these, in one step.
    Subscribe {
        begun: Vec<(u64, Entry)>,
        ended: Vec<u64>,
    },
    /// End it.
    Unsubscribe(u64),
    /// End no subscription at the broker for now.
    HoldFarewells,
    /// End there what nobody needs by now.
    ReleaseFarewells,
    /// The message of this receipt was handled.
    Handled(u64),
    /// The message of this receipt stays with the broker.
    Left(u64),
    /// Whatever was not handled by now stays with the broker.
    LeaveRest,
    /// Tell how the transactions stand.
    Report(oneshot::Sender<Report>),
    /// Disconnect from the broker and end the driver.
    Stop,
}

/// How the transactions of a driver stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Totals since the start.
    pub counters: Counters,
    /// How many of those that were cancelled were given up with their node, or with the agent, while somebody waited.
    pub withdrawn: u64,
    /// Transactions that wait for a reply.
    pub open: usize,
    /// The same of each node.
    pub in_flight: HashMap<NodeId, usize>,
    /// Topic Filters, besides those of transaction nodes, that the broker has not confirmed.
    pub waiting: Vec<String>,
    /// Topic Filters, besides those of transaction nodes, that are subscribed to or are to be.
    pub filters: BTreeSet<TopicFilter>,
}

/// The sending ends that nodes and handles share.
#[derive(Debug)]
pub(super) struct Senders {
    /// Bounded: a full queue refuses.
    pub(super) requests: mpsc::Sender<Request>,
    /// Bounded as well.
    pub(super) submissions: mpsc::Sender<Submission>,
    /// Tokens of requests that nobody waits for any more. Unbounded, yet never longer than the requests in flight.
    pub(super) aborts: mpsc::UnboundedSender<u64>,
    pub(super) control: mpsc::UnboundedSender<Control>,
    pub(super) tokens: AtomicU64,
    /// Whether there is a connection to the broker.
    pub(super) online: AtomicBool,
}

/// Switches a driver off.
#[derive(Debug, Clone)]
pub struct AgentHandle {
    pub(super) senders: Arc<Senders>,
}

impl AgentHandle {
    /// Ends all open transactions as cancelled; their requests complete with [`Outcome::Cancelled`].
    pub fn cancel_all(&self) {
        // A driver that has ended has no transactions.
        let _ = self.senders.control.send(Control::CancelAll);
    }

    /// Removes some nodes and adds others in one step, and returns the new ones in their order. Requests that the removed ones
    /// hold end with [`RequestError::Withdrawn`]; `None` when the driver has ended.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed.
    pub(crate) async fn change_nodes(
        &self,
        removed: Vec<NodeId>,
        added: Vec<NodeConfig>,
    ) -> Option<Result<Vec<Node>, ChangeError>> {
        let (reply, answer) = oneshot::channel();
        let change = Control::ChangeNodes {
            removed,
            added,
            reply,
        };
        self.senders.control.send(change).ok()?;
        answer.await.ok()
    }

    /// Has the reactor tell others that the agent runs these services.
    pub(crate) fn announce(&self, services: Vec<String>) {
        // A driver that has ended has told that it is gone.
        let _ = self.senders.control.send(Control::Announce(services));
    }

    /// Asks the driver how its transactions stand; `None` when it has ended. That it answers at all shows that it turns.
    pub async fn report(&self) -> Option<Report> {
        let (asker, answer) = oneshot::channel();
        self.senders.control.send(Control::Report(asker)).ok()?;
        answer.await.ok()
    }

    /// Has the reactor publish its last words, waits a moment for their acknowledgement, disconnects from the broker and
    /// ends the driver.
    pub fn stop(&self) {
        let _ = self.senders.control.send(Control::Stop);
    }
}

/// A transaction node. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) id: NodeId,
    pub(super) ready: watch::Receiver<bool>,
    pub(super) senders: Arc<Senders>,
}

impl Node {
    /// The node's identity in its driver.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Whether a request made now would be published: the broker has confirmed the subscription to this node's tres.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Whether there is a connection to the broker, without which there is no [`Node::is_ready`].
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.senders.online.load(Ordering::Relaxed)
    }

    /// Waits until [`Node::is_ready`].
    ///
    /// # Errors
    /// [`RequestError::Stopped`] when that will never be: the driver has ended.
    pub async fn ready(&self) -> Result<(), RequestError> {
        let mut ready = self.ready.clone();
        ready
            .wait_for(|ready| *ready)
            .await
            .map_err(|_| RequestError::Stopped)?;
        Ok(())
    }

    /// Waits until not [`Node::is_ready`], for example because the broker has gone; the driver's end is one such time.
    pub async fn not_ready(&self) {
        let mut ready = self.ready.clone();
        let _ = ready.wait_for(|ready| !ready).await;
    }

    /// Publishes `value` and waits for what becomes of it, at most `timeout` where that is shorter than the node's own.
    ///
    /// Dropping the future aborts the transaction.
    ///
    /// # Errors
    /// [`RequestError`] at once when the request cannot be taken.
    pub async fn request(
        &self,
        value: Box<RawValue>,
        timeout: Option<Duration>,
    ) -> Result<Outcome, RequestError> {
        let terms = Terms {
            timeout,
            ..Terms::default()
        };
        self.request_on(value, terms).await
    }

    /// As [`request`](Self::request), on `terms`.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn request_on(&self, value: Box<RawValue>, terms: Terms) -> Result<Outcome, RequestError> {
        if !self.is_ready() {
            return Err(RequestError::NotReady);
        }
        let (reply, outcome) = oneshot::channel();
        let token = self.senders.tokens.fetch_add(1, Ordering::Relaxed);
        let request = Request {
            node: self.id,
            value,
            terms,
            token,
            reply,
        };
        self.senders
            .requests
            .try_send(request)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => RequestError::Busy,
                mpsc::error::TrySendError::Closed(_) => RequestError::Stopped,
            })?;
        // Dropped after the receiver, so that a driver that sees the abort first sees the request as closed.
        let mut abort = AbortOnDrop {
            senders: Some(&self.senders),
            token,
        };
        let outcome = outcome.await;
        abort.senders = None;
        // The driver has ended meanwhile, with the request.
        outcome.unwrap_or(Ok(Outcome::Cancelled))
    }
}

/// Tells the driver that nobody waits any more, unless disarmed.
struct AbortOnDrop<'a> {
    senders: Option<&'a Senders>,
    token: u64,
}

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(senders) = self.senders {
            let _ = senders.aborts.send(self.token);
        }
    }
}
