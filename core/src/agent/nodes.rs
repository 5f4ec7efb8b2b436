//! Nodes, their subscriptions and their transactions.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::{Agent, Output, Purpose, Readiness};
use crate::codec::{PropertyBuf, QoS, ReasonCode, RetainHandling, SubscribeOptions, Version};
use crate::flowsync::{
    ChangeError, Counters, NodeConfig, NodeId, Refusal, TraceParent, TransactionId, Undeliverable,
    treq_properties,
};
use crate::limits::RESUBSCRIBE_INTERVAL;
use crate::session::{self, Filter, Lifetime, Loss, Publication, Refused, SubmitError};
use crate::time::{Duration, Instant, UnixMillis};
use crate::topic::{TopicFilter, TopicName};

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
        self.begin_node(now, node);
        Some(node)
    }

    /// Removes a node, cancels its open transactions, and ends its subscription unless a standing one has the same filter.
    pub fn remove_node(&mut self, node: NodeId) {
        let Some(config) = self.requester.remove_node(node) else {
            return;
        };
        self.nodes.remove(&node);
        if let Ok(filter) = TopicFilter::try_from(config.tres().as_str()) {
            self.take_leave(filter);
        }
    }

    /// Removes some nodes and adds others in one step, and returns the handles of the new ones in their order.
    ///
    /// The transactions of the removed ones are cancelled; a handle that names no node is passed over. A new node that
    /// reads the tres of a removed one takes its subscription over, and is ready at once where that one was.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed.
    pub fn change_nodes(
        &mut self,
        now: Instant,
        removed: &[NodeId],
        added: Vec<NodeConfig>,
    ) -> Result<Vec<NodeId>, ChangeError> {
        let left: Vec<(NodeId, NodeConfig)> = removed
            .iter()
            .filter_map(|node| Some((*node, self.requester.node_config(*node)?.clone())))
            .collect();
        let nodes = self.requester.change_nodes(removed, added)?;
        let mut left: BTreeMap<TopicName, (QoS, Option<Readiness>)> = left
            .into_iter()
            .map(|(node, config)| {
                let readiness = self.nodes.remove(&node);
                (config.tres().clone(), (config.quality(), readiness))
            })
            .collect();
        for node in &nodes {
            let Some(config) = self.requester.node_config(*node) else {
                continue;
            };
            let quality = config.quality();
            match left.remove(config.tres().as_str()) {
                Some((subscribed, Some(Readiness::Ready))) => {
                    self.nodes.insert(*node, Readiness::Waiting);
                    self.set_readiness(*node, Readiness::Ready);
                    // What is in force brings replies until the other quality is confirmed.
                    if subscribed != quality {
                        self.subscribe_node(now, *node);
                    }
                }
                _ => self.begin_node(now, *node),
            }
        }
        for tres in left.into_keys() {
            if let Ok(filter) = TopicFilter::try_from(tres.as_str()) {
                self.take_leave(filter);
            }
        }
        Ok(nodes)
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

    fn begin_node(&mut self, now: Instant, node: NodeId) {
        self.nodes.insert(node, Readiness::Waiting);
        if self.session.is_established() {
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
        self.farewells.recall(&filter);
        // A standing subscription to the same filter is replaced by this one, which therefore has to serve both.
        let standing = self.standing_at(&filter);
        let options = SubscribeOptions {
            qos: config.quality().max(standing.qos),
            // A retained tres would be ignored anyway.
            retain_handling: RetainHandling::DoNotSend,
            ..SubscribeOptions::default()
        };
        match self
            .session
            .subscribe(&[Filter { filter, options }], &standing.properties)
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
        // An expired treq is past the transaction's deadline, which ends it anyway. One of which the server had heard may have been
        // handed on: its reply may still come, until that deadline.
        session::Completion::Lost(Loss::Expired | Loss::SessionLost | Loss::Closed) => None,
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
