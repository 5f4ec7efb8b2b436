//! Places for a bounded number of connections: those that only wait give way to those that come.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// Connections that are open; closed with this value.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    open: JoinSet<()>,
    taken: Vec<(AbortHandle, Arc<Standing>)>,
    /// A connection has nothing to answer any more.
    idle: Arc<Notify>,
}

/// Where a connection stands, as its own task tells.
#[derive(Debug)]
pub(super) struct Standing {
    /// `None` while a request is answered.
    idle_since: Mutex<Option<Instant>>,
    idle: Arc<Notify>,
}

/// A request is answered as long as there is this value.
#[derive(Debug)]
pub(super) struct Answering<'a>(&'a Standing);

impl Places {
    /// No more than `limit` connections.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            open: JoinSet::new(),
            taken: Vec::new(),
            idle: Arc::new(Notify::new()),
        }
    }

    /// Waits until there is a place. Where all are taken, the connection that has waited longest for its client's request is
    /// closed: whoever sends nothing keeps nobody out.
    pub(super) async fn vacancy(&mut self) {
        loop {
            while self.open.try_join_next().is_some() {}
            self.taken.retain(|(task, _)| !task.is_finished());
            if self.taken.len() < self.limit {
                return;
            }
            let waiting = |(task, standing): &(AbortHandle, Arc<Standing>)| {
                Some((standing.idle_since()?, task.clone()))
            };
            match self
                .taken
                .iter()
                .filter_map(waiting)
                .min_by_key(|(since, _)| *since)
            {
                Some((_, task)) => {
                    task.abort();
                    self.open.join_next().await;
                }
                None => tokio::select! {
                    _ = self.open.join_next() => {}
                    () = self.idle.notified() => {}
                },
            }
        }
    }

    /// Gives a place to the connection that `serve` makes.
    pub(super) fn give<F>(&mut self, serve: impl FnOnce(Arc<Standing>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let standing = Arc::new(Standing {
            idle_since: Mutex::new(Some(Instant::now())),
            idle: Arc::clone(&self.idle),
        });
        let task = self.open.spawn(serve(Arc::clone(&standing)));
        self.taken.push((task, standing));
    }
}

impl Standing {
    /// From here to the end of the value a request is answered.
    pub(super) fn answering(&self) -> Answering<'_> {
        self.set(None);
        Answering(self)
    }

    fn idle_since(&self) -> Option<Instant> {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Instant>) {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.set(Some(Instant::now()));
        self.0.idle.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::{sleep, timeout};

    use super::*;

    /// A connection for ever, which answers where told; its receiver hears of its end.
    fn open(places: &mut Places, answers: bool) -> oneshot::Receiver<()> {
        let (held, ended) = oneshot::channel::<()>();
        places.give(|standing| async move {
            let _held = held;
            let _answering = answers.then(|| standing.answering());
            pending::<()>().await;
        });
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_has_waited_longest_gives_way_and_one_that_is_answered_stays() {
        let mut places = Places::new(3);
        let mut opened = Vec::new();
        for answers in [true, false, false] {
            places.vacancy().await;
            opened.push(open(&mut places, answers));
            sleep(Duration::from_millis(1)).await;
        }
        places.vacancy().await;
        let mut has_ended =
            |index: usize| opened[index].try_recv() == Err(oneshot::error::TryRecvError::Closed);
        assert_eq!([0, 1, 2].map(&mut has_ended), [false, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_answered_the_first_that_is_done_gives_way() {
        let mut places = Places::new(1);
        places.vacancy().await;
        places.give(|standing| async move {
            {
                let _answering = standing.answering();
                sleep(Duration::from_secs(3)).await;
            }
            pending::<()>().await;
        });
        sleep(Duration::from_secs(1)).await;
        timeout(Duration::from_secs(1), places.vacancy())
            .await
            .expect_err("an answer was cut off");
        timeout(Duration::from_secs(2), places.vacancy())
            .await
            .expect("a place after the answer");
    }
}
