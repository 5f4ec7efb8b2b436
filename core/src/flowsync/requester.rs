//! The asking side: a table of open transactions, joined to their replies by id.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;
use hashbrown::HashMap;
use serde_json::value::RawValue;

use super::envelope::{Reply, ReplyBody, encode_value};
use super::node::{NodeConfig, NodeId};
use super::nodes::{ChangeError, Nodes};
use super::outcome::{Completion, Counters, Delivery, Ignored, Outcome, Refusal, Treq, Undeliverable};
use super::state::{Input, State};
use super::{JsonText, TransactionId};
use crate::limits::{ENDED_TRANSACTIONS_REMEMBERED, TRANSACTION_TIMEOUT_MIN};
use crate::rng::{Rng, SEED_LEN};
use crate::time::{Duration, Instant, UnixMillis};

/// The asking side of FlowSync for any number of nodes.
///
/// Getters: [`open`](Self::open), [`in_flight`](Self::in_flight), [`counters`](Self::counters). Commands:
/// [`add_node`](Self::add_node), [`remove_node`](Self::remove_node), [`change_nodes`](Self::change_nodes),
/// [`begin`](Self::begin), [`abort`](Self::abort), [`undeliverable`](Self::undeliverable), [`cancel_all`](Self::cancel_all). Inputs:
/// [`handle_message`](Self::handle_message), [`handle_correlated`](Self::handle_correlated), [`handle_timeout`](Self::handle_timeout). Outputs: [`poll`](Self::poll),
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Requester {
    rng: Rng,
    nodes: Nodes,
    transactions: HashMap<[u8; 16], Transaction, BuildHasherDefault<RandomIdHasher>>,
    open: usize,
    deadlines: BTreeSet<(Instant, [u8; 16])>,
    ended: VecDeque<[u8; 16]>,
    completions: VecDeque<Completion>,
    counters: Counters,
}

#[derive(Debug)]
struct Transaction {
    state: State,
    node: NodeId,
    token: u64,
    deadline: Instant,
}

impl Requester {
    /// A requester without nodes, whose transaction ids come from `seed`.
    #[must_use]
    pub fn new(seed: [u8; SEED_LEN]) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            nodes: Nodes::default(),
            transactions: HashMap::default(),
            open: 0,
            deadlines: BTreeSet::new(),
            ended: VecDeque::new(),
            completions: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Transactions that wait for a reply.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Transactions of one node that wait for a reply; zero for an unknown node.
    #[must_use]
    pub fn in_flight(&self, node: NodeId) -> usize {
        self.nodes.at(node).map_or(0, |node| node.open)
    }

    /// Totals since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Configuration of a node.
    #[must_use]
    pub fn node_config(&self, node: NodeId) -> Option<&NodeConfig> {
        self.nodes.at(node).map(|node| &node.config)
    }

    /// Configuration of the node that reads its replies from `topic`.
    pub(crate) fn reading(&self, topic: &str) -> Option<&NodeConfig> {
        self.nodes.reading(topic).map(|(_, node)| &node.config)
    }

    /// Adds a node. The caller subscribes to its tres and begins no transaction before that is confirmed.
    ///
    /// Returns `None` if another node reads the same tres, or [`crate::limits::MAX_NODES`] exist.
    pub fn add_node(&mut self, config: NodeConfig) -> Option<NodeId> {
        self.nodes.add(config)
    }

    /// Removes a node and cancels its open transactions; returns its configuration.
    pub fn remove_node(&mut self, node: NodeId) -> Option<NodeConfig> {
        self.nodes.at(node)?;
        self.cancel_where(|transaction| transaction.node == node);
        self.nodes.remove(node)
    }

    /// Removes some nodes and adds others in one step, and returns the handles of the new ones in their order. The open
    /// transactions of the removed ones are cancelled; a handle that names no node is passed over.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed.
    pub fn change_nodes(
        &mut self,
        removed: &[NodeId],
        added: Vec<NodeConfig>,
    ) -> Result<Vec<NodeId>, ChangeError> {
        let removed: BTreeSet<NodeId> = removed
            .iter()
            .copied()
            .filter(|node| self.nodes.at(*node).is_some())
            .collect();
        self.nodes.check(&removed, &added)?;
        self.cancel_where(|transaction| removed.contains(&transaction.node));
        for node in removed {
            self.nodes.remove(node);
        }
        let added = added.into_iter().filter_map(|config| self.nodes.add(config));
        Ok(added.collect())
    }

    /// Begins a transaction: registers its waiter, then hands out the message to publish.
    ///
    /// `token` is the caller's own and comes back with the [`Completion`]. `timeout` shortens the node's timeout for
    /// this one request; a longer one, or none, leaves the node's.
    ///
    /// # Errors
    /// [`Refusal`], with nothing registered.
    pub fn begin(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        node: NodeId,
        value: &RawValue,
        token: u64,
        timeout: Option<Duration>,
    ) -> Result<Treq, Refusal> {
        let transaction = TransactionId::from(self.rng.uuid());
        let owner = self.nodes.at_mut(node).ok_or(Refusal::NoSuchNode)?;
        if owner.open >= owner.config.max_in_flight {
            return Err(Refusal::TooManyInFlight {
                limit: owner.config.max_in_flight,
            });
        }
        let patience = owner.config.timeout;
        let patience = timeout.map_or(patience, |asked| asked.clamp(TRANSACTION_TIMEOUT_MIN, patience));
        let deadline = now.after(patience);
        owner.open += 1;
        let treq = Treq {
            transaction,
            topic: owner.config.treq.clone(),
            reply_to: owner.config.tres.clone(),
            qos: owner.config.qos,
            payload: encode_value(transaction, wall, value),
            deadline,
        };
        let key = *transaction.as_bytes();
        self.transactions.insert(
            key,
            Transaction {
                state: State::Open,
                node,
                token,
                deadline,
            },
        );
        self.deadlines.insert((deadline, key));
        self.open += 1;
        self.counters.begun += 1;
        Ok(treq)
    }

    /// Takes a transaction back whose treq could not even be queued: as if [`begin`](Self::begin) had refused it.
    pub(crate) fn retract(&mut self, transaction: TransactionId) {
        let key = *transaction.as_bytes();
        if let Some(Transaction {
            state: State::Open,
            node,
            deadline,
            ..
        }) = self.transactions.remove(&key)
        {
            self.deadlines.remove(&(deadline, key));
            self.open -= 1;
            self.counters.begun -= 1;
            if let Some(node) = self.nodes.at_mut(node) {
                node.open -= 1;
            }
        }
    }

    /// The client of a transaction went away. No completion follows, the slot is free at once.
    pub fn abort(&mut self, transaction: TransactionId) {
        self.end(transaction, Input::ClientGone);
    }

    /// The treq of a transaction could not be delivered.
    pub fn undeliverable(&mut self, transaction: TransactionId, why: Undeliverable) {
        if let Some((token, _)) = self.end(transaction, Input::DeliveryFailed) {
            self.complete(token, transaction, Outcome::Undeliverable(why));
        }
    }

    /// Cancels every open transaction, as at the end of a shutdown's drain time.
    pub fn cancel_all(&mut self) {
        self.cancel_where(|_| true);
    }

    /// Takes in a message that was received on `topic`.
    pub fn handle_message(&mut self, topic: &str, payload: &Bytes, retained: bool) -> Delivery {
        self.handle_correlated(topic, payload, retained, None)
    }

    /// As [`handle_message`](Self::handle_message), of a message whose Correlation Data may name a transaction: see
    /// [`correlated`](super::correlated). It counts where the message has no `id` of its own.
    pub fn handle_correlated(
        &mut self,
        topic: &str,
        payload: &Bytes,
        retained: bool,
        correlated: Option<TransactionId>,
    ) -> Delivery {
        let Some((node, _)) = self.nodes.reading(topic) else {
            return Delivery::NotMine;
        };
        match self.correlate(node, payload, retained, correlated) {
            Ok(transaction) => Delivery::Completed(transaction),
            Err(why) => {
                *match why {
                    Ignored::Retained => &mut self.counters.retained,
                    Ignored::Malformed(_) => &mut self.counters.malformed,
                    Ignored::Duplicate => &mut self.counters.duplicate,
                    Ignored::Late => &mut self.counters.late,
                    Ignored::Unknown => &mut self.counters.unknown,
                } += 1;
                Delivery::Ignored(why)
            }
        }
    }

    /// Ends every transaction whose deadline has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(deadline, key)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            let transaction = TransactionId::from_bytes(key);
            let Some((token, node)) = self.end(transaction, Input::Deadline) else {
                self.deadlines.pop_first();
                continue;
            };
            let Some(node) = self.nodes.at(node) else {
                continue;
            };
            let (code, message) = (
                node.config.timeout_error_code,
                node.config.timeout_error_message.clone(),
            );
            self.complete(token, transaction, Outcome::TimedOut { code, message });
        }
    }

    /// The next completion, in the order in which the transactions ended.
    pub fn poll(&mut self) -> Option<Completion> {
        self.completions.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn correlate(
        &mut self,
        node: NodeId,
        payload: &Bytes,
        retained: bool,
        correlated: Option<TransactionId>,
    ) -> Result<TransactionId, Ignored> {
        if retained {
            return Err(Ignored::Retained);
        }
        let reply = Reply::parse_correlated(payload, correlated).map_err(Ignored::Malformed)?;
        let known = self
            .transactions
            .get(reply.id.as_bytes())
            // One of a removed node that had this place before has ended: the reply is late.
            .filter(|known| known.node.index == node.index);
        match known.map(|known| known.state) {
            None => return Err(Ignored::Unknown),
            Some(State::Open) => {}
            Some(State::Replied | State::Failed) => return Err(Ignored::Duplicate),
            Some(_) => return Err(Ignored::Late),
        }
        let (input, outcome) = match reply.body {
            ReplyBody::Value(value) => {
                let value = match value {
                    "null" => JsonText::from_static(b"null"),
                    value => payload.slice_ref(value.as_bytes()),
                };
                (Input::ReplyValue, Outcome::Replied { value })
            }
            ReplyBody::Error { code, message } => (
                Input::ReplyError,
                Outcome::Failed {
                    code,
                    message: message.into_owned(),
                },
            ),
        };
        let (token, _) = self.end(reply.id, input).ok_or(Ignored::Unknown)?;
        self.complete(token, reply.id, outcome);
        Ok(reply.id)
    }

    fn cancel_where(&mut self, matches: impl Fn(&Transaction) -> bool) {
        let transactions = &self.transactions;
        // By deadline, not by hash: the order of completions must not depend on the table's layout.
        let chosen: Vec<_> = self
            .deadlines
            .iter()
            .filter(|(_, key)| transactions.get(key).is_some_and(&matches))
            .map(|(_, key)| TransactionId::from_bytes(*key))
            .collect();
        for transaction in chosen {
            if let Some((token, _)) = self.end(transaction, Input::Cancel) {
                self.complete(token, transaction, Outcome::Cancelled);
            }
        }
    }

    /// The only way out of [`State::Open`]: frees the slot, counts the end and remembers it for later replies.
    fn end(&mut self, transaction: TransactionId, input: Input) -> Option<(u64, NodeId)> {
        let key = *transaction.as_bytes();
        let entry = self.transactions.get_mut(&key)?;
        entry.state = entry.state.next(input)?;
        let (state, token, node, deadline) = (entry.state, entry.token, entry.node, entry.deadline);
        self.deadlines.remove(&(deadline, key));
        self.open -= 1;
        if let Some(node) = self.nodes.at_mut(node) {
            node.open -= 1;
        }
        match state {
            State::Replied => self.counters.replied += 1,
            State::Failed => self.counters.failed += 1,
            State::TimedOut => self.counters.timed_out += 1,
            State::Aborted => self.counters.aborted += 1,
            State::Cancelled => self.counters.cancelled += 1,
            State::Undeliverable => self.counters.undeliverable += 1,
            State::Open => {}
        }
        if self.ended.len() >= ENDED_TRANSACTIONS_REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.transactions.remove(&oldest);
        }
        self.ended.push_back(key);
        Some((token, node))
    }

    fn complete(&mut self, token: u64, transaction: TransactionId, outcome: Outcome) {
        self.completions.push_back(Completion {
            token,
            transaction,
            outcome,
        });
    }
}

/// Takes the last eight bytes of an id as its hash. The ids in the table are our own random ones, so they spread
/// evenly; a peer that invents ids only looks up, it never inserts.
#[derive(Default)]
struct RandomIdHasher(u64);

impl Hasher for RandomIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*tail);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

#[cfg(test)]
#[path = "requester_tests.rs"]
mod tests;
