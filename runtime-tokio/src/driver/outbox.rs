//! Messages of a task on their way to the broker, counted when they end.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use syncline_core::session::Publication;

use super::handle::AgentHandle;
use super::publish::{Offline, PublishError, Submitted};
use super::receipt::Receipt;
use crate::log_name::LogName;
use crate::rules::Counters;

/// Messages of one task that the broker has not acknowledged.
const UNACKNOWLEDGED: usize = 256;
/// Different troubles that the log tells of one task.
const TROUBLES_TOLD: usize = 100;

/// What a task publishes through, and tells its troubles with.
#[derive(Debug)]
pub(crate) struct Outbox {
    agent: AgentHandle,
    /// In the order in which they were submitted, which is that of their acknowledgements.
    unacknowledged: VecDeque<(Submitted, Receipt)>,
    counters: Arc<Counters>,
    /// What the log calls the task.
    owner: LogName,
    told: HashSet<String>,
}

impl Outbox {
    pub(crate) fn new(agent: AgentHandle, owner: impl Into<LogName>, counters: Arc<Counters>) -> Self {
        Self {
            agent,
            unacknowledged: VecDeque::new(),
            counters,
            owner: owner.into(),
            told: HashSet::new(),
        }
    }

    /// Whether the task should take in more: with [`UNACKNOWLEDGED`] messages under way it waits for one of them.
    pub(crate) fn has_room(&self) -> bool {
        self.unacknowledged.len() < UNACKNOWLEDGED
    }

    /// What the log calls the task.
    pub(crate) fn owner(&self) -> &LogName {
        &self.owner
    }

    /// Publishes; without a connection the message waits for one, within the session's bounds. What it was made of has been handled
    /// when it has ended.
    pub(crate) fn publish(&mut self, publication: Publication, made_of: Receipt) {
        match self.agent.submit(publication, Offline::Queue) {
            Ok(submitted) => self.unacknowledged.push_back((submitted, made_of)),
            Err(error) => self.ended(Err(error)),
        }
    }

    /// Waits for the end of the message that has waited longest; for ever where none does.
    pub(crate) async fn acknowledged(&mut self) {
        let Some((submitted, _)) = self.unacknowledged.front_mut() else {
            return std::future::pending().await;
        };
        let result = submitted.await;
        self.unacknowledged.pop_front();
        self.ended(result);
    }

    /// Waits until all that was published has ended; without a connection it is the session's to keep.
    pub(crate) async fn settled(&mut self) {
        while !self.unacknowledged.is_empty() && self.agent.is_online() {
            self.acknowledged().await;
        }
    }

    /// Counts a message as failed and says why.
    pub(crate) fn fail(&mut self, trouble: &impl ToString) {
        self.counters.count_failed();
        self.tell(format!(
            "a message is dropped, further ones are only counted: {}",
            trouble.to_string()
        ));
    }

    /// Logs a trouble, each once.
    pub(crate) fn tell(&mut self, trouble: String) {
        if self.told.len() < TROUBLES_TOLD && !self.told.contains(&trouble) {
            tracing::warn!("{}: {trouble}", self.owner);
            self.told.insert(trouble);
        }
    }

    /// Has troubles that come again be told again.
    pub(crate) fn forget_troubles(&mut self) {
        self.told.clear();
    }

    fn ended(&mut self, result: Result<(), PublishError>) {
        match result {
            Ok(()) => self.counters.count_passed(),
            // Nobody is left to tell.
            Err(PublishError::Stopped) => {}
            Err(error) => self.fail(&error),
        }
    }
}
