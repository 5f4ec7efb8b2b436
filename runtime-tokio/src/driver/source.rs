//! Where the messages of a task come from, and how that ends.

use std::sync::Arc;
use std::time::Duration;

use syncline_core::codec::QoS;
use syncline_core::topic::TopicFilter;
use tokio::time::Instant;

use super::handle::AgentHandle;
use super::mailbox::{Closer, Inbox, Mailbox, mailbox};
use super::subscriptions::{Sink, Subscription};
use crate::log_name::LogName;
use crate::rules::Counters;
use crate::task::Task;

/// The subscriptions of one task. Its messages come for as long as this lasts; when they end, its inbox does, once it is empty.
#[derive(Debug)]
pub(crate) struct Source {
    subscriptions: Vec<Subscription>,
    filters: Vec<TopicFilter>,
    closer: Closer,
    /// Keeps a mailbox open into which no subscription delivers.
    _mailbox: Option<Mailbox>,
}

/// What a task is to take in, and is not subscribed to yet.
pub(crate) struct Wanted {
    closer: Closer,
    subscriptions: Vec<(TopicFilter, QoS, Sink)>,
}

impl Wanted {
    /// These, with what closes the mailbox that they deliver into.
    pub(crate) fn new(
        closer: Closer,
        subscriptions: impl IntoIterator<Item = (TopicFilter, QoS, Sink)>,
    ) -> Self {
        Self {
            closer,
            subscriptions: subscriptions.into_iter().collect(),
        }
    }

    /// A source that is not subscribed to this, and what it is to be subscribed to.
    fn unsubscribed(self) -> (Source, Vec<(TopicFilter, QoS, Sink)>) {
        let Self {
            closer,
            subscriptions,
        } = self;
        let filters = subscriptions.iter().map(|(filter, ..)| filter.clone());
        let source = Source {
            subscriptions: Vec::new(),
            filters: filters.collect(),
            closer,
            _mailbox: None,
        };
        (source, subscriptions)
    }
}

impl Source {
    /// Subscribes to what is `wanted`, in the place of what another task took in `before`: that gets no more from then on.
    pub(crate) fn subscribed(agent: &AgentHandle, wanted: Wanted, before: Option<Self>) -> Self {
        let before = before.map_or_else(Vec::new, |before| before.subscriptions);
        let (mut source, wanted) = wanted.unsubscribed();
        source.subscriptions = agent.subscribe_in_place_of(before, wanted);
        source
    }

    /// The same for many tasks in one step, in the place of many: of a filter that one of those `before` had and one of these wants, no
    /// message is lost.
    pub(crate) fn all_subscribed(
        agent: &AgentHandle,
        wanted: Vec<Wanted>,
        before: impl IntoIterator<Item = Self>,
    ) -> Vec<Self> {
        let before = before.into_iter().flat_map(|before| before.subscriptions);
        let (mut sources, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().map(Wanted::unsubscribed).unzip();
        let wanted = wanted.into_iter().flatten().collect();
        let mut subscriptions = agent.subscribe_in_place_of(before.collect(), wanted).into_iter();
        for source in &mut sources {
            let count = source.filters.len();
            source.subscriptions = subscriptions.by_ref().take(count).collect();
        }
        sources
    }

    /// As [`subscribed`](Self::subscribed), for a task that `inbox` is of: where the task before listened to the same, this one begins
    /// with what that has not begun.
    pub(crate) fn succeeding(
        agent: &AgentHandle,
        wanted: Wanted,
        inbox: &mut Inbox,
        before: Option<Self>,
    ) -> Self {
        let (mut source, wanted) = wanted.unsubscribed();
        let before = before.map_or_else(Vec::new, |before| {
            if before.filters == source.filters && before.is_of(agent) {
                before.closer.hand_over_to(inbox);
            }
            before.subscriptions
        });
        source.subscriptions = agent.subscribe_in_place_of(before, wanted);
        source
    }

    /// Subscribes to `filter` for a task that is yet to come, which takes over what waits by [`succeeding`](Self::succeeding).
    pub(crate) fn expecting(
        agent: &AgentHandle,
        filter: TopicFilter,
        qos: QoS,
        name: impl Into<LogName>,
        counters: &Arc<Counters>,
    ) -> Self {
        let (mailbox, inbox, closer) = mailbox(name, Arc::clone(counters));
        let wanted = Wanted::new(closer, [(filter, qos, mailbox.sink(0))]);
        // It waits in the mailbox until then, for that has a bound. Where nobody comes, the closer is gone and so is what waits.
        let mut closings = inbox.closings();
        tokio::spawn(async move {
            closings.begun().await;
            inbox.hand_over().await;
        });
        Self::subscribed(agent, wanted, None)
    }

    fn is_of(&self, agent: &AgentHandle) -> bool {
        self.subscriptions
            .iter()
            .all(|subscription| subscription.is_of(agent))
    }

    /// What is subscribed to.
    pub(crate) fn filters(&self) -> &[TopicFilter] {
        &self.filters
    }

    /// Of a task that no message tells what to do: its inbox has nothing, and ends with this.
    pub(crate) fn silent(mailbox: Mailbox, closer: Closer) -> Self {
        Self {
            subscriptions: Vec::new(),
            filters: Vec::new(),
            closer,
            _mailbox: Some(mailbox),
        }
    }

    /// Has `task`, whose source this is, take no more from the call on, and end by `deadline`, or by force when `mercy` is over as well. What it has not
    /// handled then, and what comes meanwhile, stays with the broker, which keeps the subscriptions for as long as this lasts.
    pub(crate) fn leave(
        self,
        task: Task,
        deadline: Instant,
        mercy: Duration,
    ) -> impl Future<Output = Self> + Send + 'static {
        self.closer.close(deadline);
        async move {
            if let Some(task) = task.finish_until(deadline + mercy).await {
                for subscription in &self.subscriptions {
                    subscription.leave_rest();
                }
                task.stop().await;
            }
            self
        }
    }
}
