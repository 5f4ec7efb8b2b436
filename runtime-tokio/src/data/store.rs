//! The thread that writes the session log, so that no disk ever holds up the link to the broker.
//!
//! It takes what has come together since its last write, makes that durable with one sync, and tells up to which number.
//! A disk that fails does not stop the agent: the session then lives in memory, which the log says once, and the file is
//! removed, for an old session is worse than none. Every few seconds it is tried to write all of it again.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use syncline_core::session::StoreOperation;
use syncline_core::session::store::{RestoreError, StoreKey};
use tokio::sync::watch;

use super::log::{SessionLog, Unusable};
use crate::transport::text;

/// Wait before a disk that has failed is tried again.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// Bytes of records made durable together; more wait for the next write.
const BATCH_BYTES: usize = 4 << 20;

/// A session store, whose thread ends when this value is gone and all is written.
#[derive(Debug)]
pub struct SessionStore {
    /// Unbounded, yet holds no more than the session's queue does.
    operations: Sender<StoreOperation>,
    persisted: watch::Receiver<u64>,
}

/// A session log that was read, before the session is made of it.
#[derive(Debug)]
pub struct StoredSession {
    log: SessionLog,
    retry_interval: Duration,
}

impl StoredSession {
    /// The session that `log` holds; a disk that fails is tried again every `retry_interval`.
    #[must_use]
    pub fn new(log: SessionLog, retry_interval: Duration) -> Self {
        Self { log, retry_interval }
    }

    /// Its records.
    #[must_use]
    pub fn records(&self) -> Vec<(StoreKey, Bytes)> {
        self.log.records().collect()
    }

    /// Moves the file aside, since no session of this agent can be made of it, for the reason `why`.
    pub fn set_aside(&mut self, why: &RestoreError) {
        // A renamed agent is the operator's wish, and its file is whole.
        if matches!(why, RestoreError::OtherClient { .. }) {
            match self.log.set_aside(Unusable::Foreign) {
                Ok(whereto) => tracing::warn!("{why}: {whereto}, and a new session is begun"),
                Err(error) => tracing::warn!("{why}: {}, and a new session is begun", unmoved(&error)),
            }
            return;
        }
        match self.log.set_aside(Unusable::Broken) {
            Ok(whereto) => tracing::error!("{why}: {whereto}, and a new session is begun"),
            Err(error) => tracing::error!("{why}: {}, and a new session is begun", unmoved(&error)),
        }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says when it gives no thread.
    pub fn start(self) -> io::Result<SessionStore> {
        let (operations, inbox) = channel();
        let (tell, persisted) = watch::channel(0);
        let writer = Writer {
            log: self.log,
            inbox,
            tell,
            retry_interval: self.retry_interval,
            failing: None,
        };
        std::thread::Builder::new()
            .name("session store".to_owned())
            .spawn(move || writer.run())?;
        Ok(SessionStore {
            operations,
            persisted,
        })
    }
}

impl SessionStore {
    /// Has an operation carried out, after those before it. False where the thread has ended, which only a bug can do.
    #[must_use]
    pub fn carry_out(&self, operation: StoreOperation) -> bool {
        self.operations.send(operation).is_ok()
    }

    /// Waits until more operations are durable than were known to be, or count as such while the disk fails, and returns
    /// the number of the last one; `None` where the thread has ended. Cancel safe.
    pub async fn persisted(&mut self) -> Option<u64> {
        self.persisted.changed().await.ok()?;
        Some(*self.persisted.borrow_and_update())
    }

    /// Waits until all is written, or cannot be.
    pub async fn close(self) {
        let Self {
            operations,
            mut persisted,
        } = self;
        drop(operations);
        while persisted.changed().await.is_ok() {}
    }
}

fn unmoved(error: &io::Error) -> String {
    format!("it cannot be moved aside: {}", text(error))
}

struct Writer {
    log: SessionLog,
    inbox: Receiver<StoreOperation>,
    tell: watch::Sender<u64>,
    retry_interval: Duration,
    /// When the disk is tried again.
    failing: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let first = match self.failing {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self
                    .inbox
                    .recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match first {
                Ok(first) => self.write(first),
                Err(RecvTimeoutError::Timeout) => self.recover(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.failing.is_some() {
            self.recover();
        }
    }

    /// Writes `first` and all that is there behind it.
    fn write(&mut self, first: StoreOperation) {
        let size = |operation: &StoreOperation| super::log::size(&operation.change);
        let mut bytes = size(&first);
        let mut batch = vec![first];
        while bytes < BATCH_BYTES
            && let Ok(operation) = self.inbox.try_recv()
        {
            bytes += size(&operation);
            batch.push(operation);
        }
        let last = batch.last().map_or(0, |operation| operation.seq);
        if self.failing.is_some() {
            self.log.note(&batch);
            if self.failing.is_some_and(|at| at <= Instant::now()) {
                self.recover();
            }
        } else if let Err(error) = self.log.commit(&batch).or_else(|_| self.log.rewrite()) {
            self.degrade(&error);
        }
        self.tell.send_replace(last);
    }

    fn degrade(&mut self, error: &io::Error) {
        let removed = self.log.remove();
        let stale = match removed {
            Ok(()) => "",
            Err(_) => ", and the old one cannot be removed, which may then be taken up",
        };
        tracing::warn!(
            "the session cannot be stored: {}; it is kept in memory: QoS 1 and 2 messages are lost if this agent ends{stale}; \
             make room or make the data folder writable, it is tried again every {} s",
            text(error),
            self.retry_interval.as_secs_f32()
        );
        self.failing = Some(Instant::now() + self.retry_interval);
    }

    fn recover(&mut self) {
        match self.log.rewrite() {
            Ok(()) => {
                tracing::info!("the session is stored again");
                self.failing = None;
            }
            Err(error) => {
                tracing::debug!("the session still cannot be stored: {}", text(&error));
                self.failing = Some(Instant::now() + self.retry_interval);
            }
        }
    }
}
