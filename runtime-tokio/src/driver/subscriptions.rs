//! Subscriptions of other tasks: the core keeps them in force, here their messages are handed to whom they are for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use syncline_core::agent::{Agent, Readiness};
use syncline_core::codec::QoS;
use syncline_core::limits::MAX_SUBSCRIPTIONS;
use syncline_core::session::Message;
use syncline_core::time::Instant;
use syncline_core::topic::TopicFilter;
use tokio::sync::watch;

use super::handle::{AgentHandle, Control, Senders};
use super::outage::Naming;
use super::receipt::Receipt;

/// Takes in the messages of a subscription: in the driver's task, so it must not take long. Who has not handled a message by then
/// keeps a clone of its receipt until that is done.
pub type Sink = Box<dyn FnMut(&Message, &Receipt) + Send>;

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

    /// Whether it is of the driver of `agent`.
    pub(super) fn is_of(&self, agent: &AgentHandle) -> bool {
        Arc::ptr_eq(&self.senders, &agent.senders)
    }

    /// Has all that comes by this driver's subscriptions, and was not handled by now, stay with the broker.
    pub(super) fn leave_rest(&self) {
        // A driver that has ended acknowledges nothing.
        let _ = self.senders.control.send(Control::LeaveRest);
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

/// While this lasts the broker hears of no subscription that has ended.
#[must_use = "subscriptions that have ended are ended at the broker when this is dropped"]
pub(crate) struct HeldFarewells(Arc<Senders>);

impl Drop for HeldFarewells {
    fn drop(&mut self) {
        // A driver that has ended has no subscriptions.
        let _ = self.0.control.send(Control::ReleaseFarewells);
    }
}

impl AgentHandle {
    /// For a change in which one who needs a topic goes before another comes who needs it: the broker is not told of what ends in
    /// between.
    pub(crate) fn hold_farewells(&self) -> HeldFarewells {
        let _ = self.senders.control.send(Control::HoldFarewells);
        HeldFarewells(Arc::clone(&self.senders))
    }

    /// Subscribes, now and with each new connection, and has `sink` take in the messages. A retained message comes first
    /// where there is one.
    #[must_use = "the subscription ends when this is dropped"]
    pub fn subscribe(&self, filter: TopicFilter, qos: QoS, sink: Sink) -> Subscription {
        let (subscription, entry) = self.subscription(filter, qos, sink);
        let begin = Control::Subscribe {
            begun: vec![(subscription.id, entry)],
            ended: Vec::new(),
        };
        // Where the driver has ended nothing will ever come.
        let _ = self.senders.control.send(begin);
        subscription
    }

    /// Ends a subscription that an earlier process has left in the Session.
    pub(crate) fn end_left(&self, filter: TopicFilter) {
        drop(self.subscribe(filter, QoS::AtMostOnce, Box::new(|_, _| ())));
    }

    /// Subscribes in the place of the subscriptions `before`, in one step: each message goes to these or to those, and of a filter that
    /// both have, none is lost.
    pub(crate) fn subscribe_in_place_of(
        &self,
        before: Vec<Subscription>,
        wanted: Vec<(TopicFilter, QoS, Sink)>,
    ) -> Vec<Subscription> {
        let (subscriptions, begun) = wanted
            .into_iter()
            .map(|(filter, qos, sink)| {
                let (subscription, entry) = self.subscription(filter, qos, sink);
                let id = subscription.id;
                (subscription, (id, entry))
            })
            .unzip();
        // Those of another driver end as they are dropped.
        let of_this_driver = before.iter().filter(|subscription| subscription.is_of(self));
        let ended = of_this_driver.map(|subscription| subscription.id).collect();
        let _ = self.senders.control.send(Control::Subscribe { begun, ended });
        subscriptions
    }

    fn subscription(&self, filter: TopicFilter, qos: QoS, sink: Sink) -> (Subscription, Entry) {
        let id = self.senders.tokens.fetch_add(1, Ordering::Relaxed);
        let (is_ready, ready) = watch::channel(false);
        let entry = Entry {
            filter,
            qos,
            sink,
            is_ready,
        };
        let subscription = Subscription {
            id,
            ready,
            senders: Arc::clone(&self.senders),
        };
        (subscription, entry)
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
    by_filter: HashMap<TopicFilter, BTreeMap<u64, Entry>>,
    filters: HashMap<u64, TopicFilter>,
    /// What the log has been told.
    told: HashSet<String>,
}

impl Subscriptions {
    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    pub(super) fn add(&mut self, now: Instant, id: u64, entry: Entry, agent: &mut Agent) {
        let filter = entry.filter.clone();
        if !agent.stay_subscribed(now, filter.clone(), entry.qos) {
            tracing::error!(
                "no subscription to {}: there are {MAX_SUBSCRIPTIONS} already, which is the most",
                filter.as_str()
            );
        }
        entry
            .is_ready
            .send_replace(agent.subscription(&filter) == Some(Readiness::Ready));
        self.filters.insert(id, filter.clone());
        self.by_filter.entry(filter).or_default().insert(id, entry);
    }

    pub(super) fn remove(&mut self, id: u64, agent: &mut Agent) {
        let Some(filter) = self.filters.remove(&id) else {
            return;
        };
        if let Some(entries) = self.by_filter.get_mut(&filter) {
            entries.remove(&id);
            if entries.is_empty() {
                self.by_filter.remove(&filter);
                agent.end_subscription(&filter);
            }
        }
    }

    /// A subscription was confirmed, refused or lost with the connection.
    pub(super) fn changed(&mut self, naming: &Naming, filter: &TopicFilter, readiness: Readiness) {
        for entry in self.by_filter.get(filter).into_iter().flat_map(BTreeMap::values) {
            entry.is_ready.send_replace(readiness == Readiness::Ready);
        }
        let filter = filter.as_str();
        let trouble = match readiness {
            Readiness::Ready | Readiness::Waiting => return,
            Readiness::Refused(reason) => format!(
                "the broker refuses the subscription to {filter}: {reason}; grant this agent read access to it"
            ),
            Readiness::NotSupported(reason) => {
                format!("the broker cannot serve the subscription to {filter}: {reason}")
            }
        };
        if !self.told.contains(&trouble) {
            tracing::warn!("{}{trouble}", naming.prefix);
            self.told.insert(trouble);
        }
    }

    /// Hands a message to everyone it is for.
    pub(super) fn message(&mut self, message: &Message, receipt: &Receipt, agent: &Agent) {
        for filter in agent.subscriptions_of(message) {
            let entries = self.by_filter.get_mut(filter);
            for entry in entries.into_iter().flat_map(BTreeMap::values_mut) {
                (entry.sink)(message, receipt);
            }
        }
    }

    /// All filters.
    pub(super) fn filters(&self) -> impl Iterator<Item = &TopicFilter> {
        self.by_filter.keys()
    }

    /// The filters that bring no messages just now, in their order.
    pub(super) fn waiting(&self, agent: &Agent) -> Vec<String> {
        let mut waiting: Vec<String> = self
            .by_filter
            .keys()
            .filter(|filter| agent.subscription(filter) != Some(Readiness::Ready))
            .map(|filter| filter.as_str().to_owned())
            .collect();
        waiting.sort();
        waiting
    }
}
