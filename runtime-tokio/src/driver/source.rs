//! Where the messages of a task come from, and how that ends.

use std::time::Duration;

use syncline_core::codec::QoS;
use syncline_core::topic::TopicFilter;
use tokio::time::Instant;

use super::handle::AgentHandle;
use super::mailbox::{Closer, Mailbox};
use super::subscriptions::{Sink, Subscription};
use crate::task::Task;

/// The subscriptions of one task. Its messages come for as long as this lasts; when they end, its inbox does, once it is empty.
#[derive(Debug)]
pub(crate) struct Source {
    subscriptions: Vec<Subscription>,
    closer: Closer,
    /// Keeps a mailbox open into which no subscription delivers.
    _mailbox: Option<Mailbox>,
}

impl Source {
    /// Subscribes to what is `wanted`, in the place of what another task took in `before`: that gets no more from then on.
    pub(crate) fn subscribed(
        agent: &AgentHandle,
        closer: Closer,
        wanted: impl Iterator<Item = (TopicFilter, QoS, Sink)>,
        before: Option<Self>,
    ) -> Self {
        let before = before.map_or_else(Vec::new, |before| before.subscriptions);
        Self {
            subscriptions: agent.subscribe_in_place_of(before, wanted),
            closer,
            _mailbox: None,
        }
    }

    /// Of a task that no message tells what to do: its inbox has nothing, and ends with this.
    pub(crate) fn silent(mailbox: Mailbox, closer: Closer) -> Self {
        Self {
            subscriptions: Vec::new(),
            closer,
            _mailbox: Some(mailbox),
        }
    }

    /// Has `task`, whose source this is, take no more, and end by `deadline`, or by force when `mercy` is over as well. What it has not
    /// handled then, and what comes meanwhile, stays with the broker, which keeps the subscriptions for as long as this lasts.
    pub(crate) async fn leave(self, task: Task, deadline: Instant, mercy: Duration) -> Self {
        self.closer.close(deadline);
        if let Some(task) = task.finish_until(deadline + mercy).await {
            for subscription in &self.subscriptions {
                subscription.leave_rest();
            }
            task.stop().await;
        }
        self
    }
}
