//! Subscriptions over a stop: the broker keeps them in the Session, and those that no file asks for any more are ended by the next run.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::running::RunningAgent;

/// Filters that the log names; further ones are counted.
const TOLD: usize = 20;

impl RunningAgent {
    /// Ends what the run before had subscribed to and this one does not ask for, and keeps in mind what it does.
    pub(super) async fn end_left_subscriptions(&mut self) {
        let Some(folder) = self.folder.clone() else {
            return;
        };
        let Ok(before) = spawn_blocking(move || folder.subscribed()).await else {
            return;
        };
        self.subscribed.clone_from(&before);
        self.keep_subscribed().await;
        let left: Vec<_> = before.difference(&self.subscribed).cloned().collect();
        for filter in left.iter().take(TOLD) {
            let filter = filter.as_str();
            tracing::info!(
                "no file asks for messages of {filter} any more, to which the run before had subscribed: the broker is told"
            );
        }
        if let Some(more) = left.len().checked_sub(TOLD).filter(|more| *more > 0) {
            tracing::info!("nor for those of {more} other filters");
        }
        for filter in left {
            self.agent.end_left(filter);
        }
    }

    /// Has the data folder know what is subscribed to now.
    pub(super) async fn keep_subscribed(&mut self) {
        let (Some(folder), Some(report)) = (self.folder.clone(), self.agent.report().await) else {
            return;
        };
        if report.filters == self.subscribed {
            return;
        }
        let filters = Arc::new(report.filters);
        let stored = Arc::clone(&filters);
        // It waits for the disk.
        let _ = spawn_blocking(move || folder.store_subscribed(&stored)).await;
        self.subscribed = Arc::unwrap_or_clone(filters);
    }
}
