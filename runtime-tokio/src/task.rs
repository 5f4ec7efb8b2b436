//! A task that ends with the value that stands for it.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// A task; it is aborted when this is dropped.
#[derive(Debug)]
#[must_use = "the task ends when this is dropped"]
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    /// Starts `future`.
    pub(crate) fn start(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }

    /// Ends the task, and waits until all that it held is gone.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        // It was aborted, or has ended before.
        let _ = (&mut self.0).await;
    }

    /// Waits until the task has ended by itself, and ends it where it takes longer than `time`.
    pub(crate) async fn finish(self, time: Duration) {
        if let Some(task) = self.finish_until(Instant::now() + time).await {
            task.stop().await;
        }
    }

    /// Waits until the task has ended by itself; `Some` if it has not by `deadline`.
    pub(crate) async fn finish_until(mut self, deadline: Instant) -> Option<Self> {
        timeout_at(deadline, &mut self.0).await.is_err().then_some(self)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_a_task_holds_is_gone_once_it_is_stopped() {
        let held = Arc::new(());
        let holding = Arc::clone(&held);
        let task = Task::start(async move {
            let _holding = holding;
            std::future::pending::<()>().await;
        });
        task.stop().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_task_ends_with_its_value() {
        let held = Arc::new(());
        let holding = Arc::clone(&held);
        drop(Task::start(async move {
            let _holding = holding;
            std::future::pending::<()>().await;
        }));
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
