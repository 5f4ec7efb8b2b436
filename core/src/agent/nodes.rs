//! Nodes, their subscriptions and their transactions.

use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::{Agent, Output, Purpose, Readiness};
use crate::codec::{PropertyBuf, ReasonCode, RetainHandling, SubscribeOptions, Version};
use crate::flowsync::{
    Counters, NodeConfig, NodeId, Refusal, TraceParent, TransactionId, Undeliverable, treq_properties,
};
use crate::limits::RESUBSCRIBE_INTERVAL;
use crate::session::{self, Filter, Lifetime, Loss, Publication, Refused, SubmitError};
use crate::time::{Duration, Instant, UnixMillis};
use crate::topic::TopicFilter;

/// What one request has beside its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Shortens the node's timeout.
    pub timeout: Option<Duration>,
    /// Who asked; goes along as the User Property `traceparent` over MQTT 5.0.
    pub trace: Option<TraceParent>,
}

impl Agent {
    // Getters.

    /// Whether a node accepts requests; `None` for an unknown node.
    #[must_use]
    pub fn readiness(&self, node: NodeId) -> Option<Readiness> {
        self.nodes.get(&node).copied()
    }

    /// Transactions that wait for a reply.
    #[must_use]
    pub fn open_transactions(&self) -> usize {
        self.requester.open()
    }

    /// Transactions of one node that wait for a reply; zero for an unknown node.
    #[must_use]
    pub fn in_flight(&self, node: NodeId) -> usize {
        self.requester.in_flight(node)
    }

    /// Totals of all transactions.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.requester.counters()
    }

    // Commands.

    /// Adds a node; with a connection its subscription starts at once.
    ///
    /// Returns `None` if another node reads the same tres, or [`crate::limits::MAX_NODES`] exist.
    pub fn add_node(&mut self, now: Instant, config: NodeConfig) -> Option<NodeId> {
        let node = self.requester.add_node(config)?;
        self.nodes.insert(node, Readiness::Waiting);
        if self.session.is_established() {
            self.subscribe_node(now, node);
        }
        Some(node)
    }

    /// Removes a node, cancels its open transactions and ends its subscription.
    pub fn remove_node(&mut self, node: NodeId) {
        let Some(config) = self.requester.remove_node(node) else {
            return;
        };
        self.nodes.remove(&node);
        if self.session.is_established()
            && let Ok(filter) = TopicFilter::try_from(config.tres().as_str())
        {
            // Where it cannot be sent the subscription stays until the Session ends; its messages are nobody's.
            if let Ok(op) = self.session.unsubscribe(&[filter], &PropertyBuf::new()) {
                self.purposes.insert(op, Purpose::Farewell);
            }
        }
    }

    /// Asks the other side of a node: registers the transaction, then hands its treq to the session.
    ///
    /// `value` is one JSON text, `token` the caller's own, `timeout` may shorten the node's timeout. The answer comes
    /// as [`Output::Completed`], exactly once, unless the request is [aborted](Self::abort).
    ///
    /// # Errors
    /// [`Refusal`]: nothing was registered or published.
    pub fn request(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        node: NodeId,
        value: &RawValue,
        token: u64,
        timeout: Option<Duration>,
    ) -> Result<TransactionId, Refusal> {
        let terms = Terms {
            timeout,
            ..Terms::default()
        };
        self.request_on(now, wall, node, value, token, &terms)
    }

    /// As [`request`](Self::request), on `terms`.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn request_on(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        node: NodeId,
        value: &RawValue,
        token: u64,
        terms: &Terms,
    ) -> Result<TransactionId, Refusal> {
        let readiness = self.readiness(node).ok_or(Refusal::NoSuchNode)?;
        if !self.session.is_established() {
            return Err(Refusal::LinkDown);
        }
        if readiness != Readiness::Ready {
            return Err(Refusal::NotReady);
        }
        let treq = self
            .requester
            .begin(now, wall, node, value, token, terms.timeout)?;
        let properties = match self.session.version() {
            Some(Version::V5) => treq_properties(treq.transaction, &treq.reply_to, terms.trace.as_ref()),
            _ => PropertyBuf::new(),
        };
        let publication = Publication {
            properties,
            expiry: Some(treq.deadline.since(now)),
            // Its client does not outlive this process.
            lifetime: Lifetime::Process,
            ..Publication::new(treq.topic, treq.payload).qos(treq.qos)
        };
        match self.session.publish(now, publication) {
            Ok(op) => {
                self.purposes.insert(op, Purpose::Treq(treq.transaction));
                Ok(treq.transaction)
            }
            Err(Refused { reason, .. }) => {
                self.requester.retract(treq.transaction);
                Err(match reason {
                    SubmitError::TooLarge { .. } => Refusal::TooLarge,
                    SubmitError::QosNotSupported(_) => Refusal::QosNotSupported,
                    SubmitError::QueueFull | SubmitError::NoPacketId => Refusal::QueueFull,
                    _ => Refusal::LinkDown,
                })
            }
        }
    }

    /// The client of a transaction went away: its slot is free at once and no completion follows.
    pub fn abort(&mut self, transaction: TransactionId) {
        self.requester.abort(transaction);
    }

    /// Cancels every open transaction, as at the end of a shutdown's drain time.
    pub fn cancel_all(&mut self) {
        self.requester.cancel_all();
    }

    /// With a connection every node's subscription begins.
    pub(super) fn nodes_connected(&mut self, now: Instant) {
        let nodes: Vec<_> = self.nodes.keys().copied().collect();
        for node in nodes {
            self.subscribe_node(now, node);
        }
    }

    /// Without a connection no node is ready.
    pub(super) fn nodes_disconnected(&mut self) {
        self.resubscribe_at = None;
        for (node, readiness) in &mut self.nodes {
            if core::mem::replace(readiness, Readiness::Waiting) == Readiness::Ready {
                self.outputs
                    .push_back(Output::NodeChanged(*node, Readiness::Waiting));
            }
        }
    }

    /// Repeats the subscriptions that the server has refused.
    pub(super) fn resubscribe(&mut self, now: Instant) {
        let refused: Vec<_> = self
            .nodes
            .iter()
            .filter(|(_, readiness)| matches!(readiness, Readiness::Refused(_)))
            .map(|(node, _)| *node)
            .collect();
        for node in refused {
            self.subscribe_node(now, node);
        }
    }

    fn subscribe_node(&mut self, now: Instant, node: NodeId) {
        let Some(config) = self.requester.node_config(node) else {
            return;
        };
        let Ok(filter) = TopicFilter::try_from(config.tres().as_str()) else {
            return;
        };
        let options = SubscribeOptions {
            qos: config.quality(),
            // A retained tres would be ignored anyway.
            retain_handling: RetainHandling::DoNotSend,
            ..SubscribeOptions::default()
        };
        match self
            .session
            .subscribe(&[Filter { filter, options }], &PropertyBuf::new())
        {
            Ok(op) => {
                self.purposes.insert(op, Purpose::Subscription(node));
            }
            Err(SubmitError::NotConnected | SubmitError::Closing) => {}
            Err(SubmitError::NoPacketId) => {
                self.resubscribe_at.get_or_insert(now.after(RESUBSCRIBE_INTERVAL));
                self.set_readiness(node, Readiness::Refused(ReasonCode::QUOTA_EXCEEDED));
            }
            Err(reason) => self.set_readiness(node, Readiness::NotSupported(reason)),
        }
    }

    pub(super) fn subscription_ended(
        &mut self,
        now: Instant,
        node: NodeId,
        completion: &session::Completion,
    ) -> Option<Output> {
        let session::Completion::Subscribed(reasons) = completion else {
            return None;
        };
        let readiness = match reasons.first_error() {
            None => Readiness::Ready,
            Some(reason) => {
                self.resubscribe_at.get_or_insert(now.after(RESUBSCRIBE_INTERVAL));
                Readiness::Refused(reason)
            }
        };
        self.set_readiness(node, readiness);
        None
    }

    fn set_readiness(&mut self, node: NodeId, readiness: Readiness) {
        if let Some(known) = self.nodes.get_mut(&node)
            && *known != readiness
        {
            *known = readiness;
            self.outputs.push_back(Output::NodeChanged(node, readiness));
        }
    }
}

/// Whether the end of a treq's operation means that nobody can have received it.
pub(super) fn undeliverable(completion: &session::Completion) -> Option<Undeliverable> {
    match completion {
        session::Completion::Published { reason, .. } if reason.is_error() => {
            Some(Undeliverable::Refused(*reason))
        }
        // An expired treq is past the transaction's deadline, which ends it anyway.
        session::Completion::Lost(Loss::Expired) => None,
        session::Completion::Lost(Loss::NotAccepted(SubmitError::TooLarge { .. })) => {
            Some(Undeliverable::Refused(ReasonCode::PACKET_TOO_LARGE))
        }
        session::Completion::Lost(Loss::NotAccepted(SubmitError::QosNotSupported(_))) => {
            Some(Undeliverable::Refused(ReasonCode::QOS_NOT_SUPPORTED))
        }
        session::Completion::Lost(_) => Some(Undeliverable::LinkLost),
        _ => None,
    }
}
