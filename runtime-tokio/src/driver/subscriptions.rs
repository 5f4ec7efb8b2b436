//! Subscriptions of other tasks: kept in force over connections, their messages handed to whom they are for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use syncline_core::agent::Agent;
use syncline_core::codec::{PropertyBuf, QoS, RetainHandling, SubscribeOptions};
use syncline_core::session::{Completion, Filter, Message, OpId, SubmitError};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::TopicFilter;
use tokio::sync::watch;

use super::handle::{AgentHandle, Control, Senders};

/// Time until a subscription that the broker has refused is asked for again.
const RETRY: Duration = Duration::from_secs(10);

/// Takes in the messages of a subscription: in the driver's task, so it must not take long.
pub type Sink = Box<dyn FnMut(&Message) + Send>;

/// A subscription that lasts until this is dropped.
pub struct Subscription {
    id: u64,
    ready: watch::Receiver<bool>,
    senders: Arc<Senders>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    /// Whether the broker has confirmed it on the present connection.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until [`Subscription::is_ready`]; for ever if the driver has ended.
    pub async fn ready(&self) {
        let mut ready = self.ready.clone();
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // A driver that has ended has no subscriptions.
        let _ = self.senders.control.send(Control::Unsubscribe(self.id));
    }
}

impl AgentHandle {
    /// Subscribes, now and with each new connection, and has `sink` take in the messages. A retained message comes first
    /// where there is one.
    #[must_use = "the subscription ends when this is dropped"]
    pub fn subscribe(&self, filter: TopicFilter, qos: QoS, sink: Sink) -> Subscription {
        let id = self.senders.tokens.fetch_add(1, Ordering::Relaxed);
        let (is_ready, ready) = watch::channel(false);
        let entry = Entry {
            filter,
            qos,
            sink,
            is_ready,
        };
        // Where the driver has ended nothing will ever come.
        let _ = self.senders.control.send(Control::Subscribe(id, entry));
        Subscription {
            id,
            ready,
            senders: Arc::clone(&self.senders),
        }
    }
}

/// What the driver keeps of one subscription.
pub(super) struct Entry {
    filter: TopicFilter,
    qos: QoS,
    sink: Sink,
    is_ready: watch::Sender<bool>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("filter", &self.filter)
            .field("qos", &self.qos)
            .finish_non_exhaustive()
    }
}

/// All subscriptions of a driver but those of its nodes.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    entries: BTreeMap<u64, Entry>,
    /// Those of one topic, by topic: most are.
    exact: HashMap<TopicFilter, BTreeSet<u64>>,
    wild: BTreeSet<u64>,
    /// Subscribe operations that have not ended.
    asked: HashMap<OpId, TopicFilter>,
    retry_at: Option<Instant>,
}

impl Subscriptions {
    /// When [`Subscriptions::handle_timeout`] next has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.retry_at
    }

    pub(super) fn add(&mut self, now: Instant, id: u64, entry: Entry, agent: &mut Agent) {
        let filter = entry.filter.clone();
        self.index(&entry).insert(id);
        self.entries.insert(id, entry);
        self.ask(now, &filter, agent);
    }

    pub(super) fn remove(&mut self, id: u64, agent: &mut Agent) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        let filter = entry.filter.clone();
        let index = self.index(&entry);
        index.remove(&id);
        let is_empty = index.is_empty();
        if is_empty {
            self.exact.remove(&filter);
        }
        if self.of(&filter).next().is_none() && agent.session().is_established() {
            // Where it cannot be sent the subscription stays until the Session ends; its messages are nobody's.
            let _ = agent.unsubscribe(&[filter], &PropertyBuf::new());
        }
    }

    pub(super) fn connected(&mut self, now: Instant, agent: &mut Agent) {
        let filters: BTreeSet<TopicFilter> =
            self.entries.values().map(|entry| entry.filter.clone()).collect();
        for filter in filters {
            self.ask(now, &filter, agent);
        }
    }

    pub(super) fn disconnected(&mut self) {
        self.asked.clear();
        self.retry_at = None;
        for entry in self.entries.values() {
            entry.is_ready.send_replace(false);
        }
    }

    /// Asks again for what the broker has refused.
    pub(super) fn handle_timeout(&mut self, now: Instant, agent: &mut Agent) {
        if self.retry_at.is_none_or(|at| now < at) {
            return;
        }
        self.retry_at = None;
        let waiting: BTreeSet<TopicFilter> = self
            .entries
            .values()
            .filter(|entry| !*entry.is_ready.borrow())
            .map(|entry| entry.filter.clone())
            .collect();
        for filter in waiting {
            if !self.asked.values().any(|asked| *asked == filter) {
                self.ask(now, &filter, agent);
            }
        }
    }

    pub(super) fn completed(&mut self, now: Instant, op: OpId, completion: &Completion) {
        let Some(filter) = self.asked.remove(&op) else {
            return;
        };
        let Completion::Subscribed(reasons) = completion else {
            return;
        };
        if let Some(reason) = reasons.first_error() {
            tracing::warn!(
                "the broker refuses the subscription to {}: {reason}; grant this agent read access to it",
                filter.as_str()
            );
            self.retry_at = Some(now.after(RETRY));
            return;
        }
        for entry in self.of(&filter) {
            entry.is_ready.send_replace(true);
        }
    }

    /// Hands a message to everyone it is for.
    pub(super) fn message(&mut self, message: &Message) {
        let topic = message.topic();
        let exact = TopicFilter::new(topic.to_owned())
            .ok()
            .and_then(|filter| self.exact.get(&filter))
            .into_iter()
            .flatten();
        let wild = self.wild.iter().filter(|id| {
            self.entries
                .get(id)
                .is_some_and(|entry| entry.filter.matches(topic))
        });
        let receivers: Vec<u64> = exact.chain(wild).copied().collect();
        for id in receivers {
            if let Some(entry) = self.entries.get_mut(&id) {
                (entry.sink)(message);
            }
        }
    }

    /// Subscribes to `filter` at the highest QoS that anyone wants of it: the broker keeps one subscription a filter.
    fn ask(&mut self, now: Instant, filter: &TopicFilter, agent: &mut Agent) {
        let Some(qos) = self.of(filter).map(|entry| entry.qos).max() else {
            return;
        };
        let options = SubscribeOptions {
            qos,
            retain_handling: RetainHandling::Send,
            ..SubscribeOptions::default()
        };
        let asked = Filter {
            filter: filter.clone(),
            options,
        };
        match agent.subscribe(&[asked], &PropertyBuf::new()) {
            Ok(op) => drop(self.asked.insert(op, filter.clone())),
            // It follows with the next connection.
            Err(SubmitError::NotConnected | SubmitError::Closing) => {}
            Err(SubmitError::NoPacketId) => self.retry_at = Some(now.after(RETRY)),
            Err(reason) => {
                tracing::warn!(
                    "the broker cannot serve the subscription to {}: {reason}",
                    filter.as_str()
                );
            }
        }
    }

    fn index(&mut self, entry: &Entry) -> &mut BTreeSet<u64> {
        // A shared subscription's messages have a topic without its prefix.
        if entry.filter.has_wildcard() || entry.filter.share_group().is_some() {
            &mut self.wild
        } else {
            self.exact.entry(entry.filter.clone()).or_default()
        }
    }

    fn of(&self, filter: &TopicFilter) -> impl Iterator<Item = &Entry> {
        let filter = filter.clone();
        self.entries.values().filter(move |entry| entry.filter == filter)
    }
}
