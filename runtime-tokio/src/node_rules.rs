//! The rules of a node at work: what its clients send goes through them one after the other, and each client learns what became
//! of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use syncline_core::codec::QoS;
use syncline_core::session::Publication;
use syncline_core::topic::TopicName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::driver::{Outbox, Receipt};
use crate::rules::{Arrival, Context, Departure, Dropped, Failure, Pipeline, Stop, at};

/// Messages that wait for the rules of one node; a further one is refused.
const MESSAGES: usize = 1_000;
/// Bytes of what waits for the rules of one node.
const BYTES: usize = 16 << 20;

/// The rules of one node. They end once this is dropped and what waits is past them; what `burst` has kept by then is published.
#[derive(Debug)]
pub(crate) struct NodeRules {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

/// Where batches go whose time is over: nobody waits for them.
#[derive(Debug)]
pub(crate) struct Batches {
    pub(crate) outbox: Outbox,
    pub(crate) topic: TopicName,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

/// Why a message goes no further.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A rule stopped it, as rules should.
    Stopped,
    /// `burst` keeps it for its batch.
    Batched,
    /// A rule failed.
    Failed(Failure),
    /// More messages wait than may.
    Busy,
    /// The rules have ended.
    Stopping,
}

#[derive(Debug)]
struct Job {
    payload: Bytes,
    /// Held until the message is past all rules.
    room: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<Bytes, Dropped>>,
}

impl NodeRules {
    /// Takes messages of `topic` through `pipeline`, in a task that ends with it. Without `batches` there is no rule that makes any.
    pub(crate) fn start(
        pipeline: Pipeline,
        topic: &TopicName,
        batches: Option<Batches>,
    ) -> (Self, JoinHandle<()>) {
        let (jobs, inbox) = mpsc::channel(MESSAGES);
        let worker = Worker {
            pipeline,
            topic: topic.as_str().into(),
            inbox,
        };
        let task = match batches {
            Some(batches) => tokio::spawn(worker.serve_with(batches)),
            None => tokio::spawn(worker.serve()),
        };
        let room = Arc::new(Semaphore::new(BYTES));
        (Self { jobs, room }, task)
    }

    /// What the rules make of a message, once those before it are past them. Dropping the future while the message waits takes it
    /// back.
    pub(crate) async fn pass(&self, payload: Bytes) -> Result<Bytes, Ended> {
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(len) else {
            return Err(Ended::Busy);
        };
        let (reply, outcome) = oneshot::channel();
        let job = Job { payload, room, reply };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Ended::Busy,
            mpsc::error::TrySendError::Closed(_) => Ended::Stopping,
        })?;
        outcome
            .await
            .map_err(|_| Ended::Stopping)?
            .map_err(|dropped| match dropped {
                Dropped::Stopped(Stop::Batched) => Ended::Batched,
                Dropped::Stopped(_) => Ended::Stopped,
                Dropped::Failed(failure) => Ended::Failed(failure),
            })
    }
}

impl Batches {
    fn publish(&mut self, Departure { payload, .. }: Departure) {
        let mut publication = Publication::new(self.topic.clone(), payload).qos(self.qos);
        publication.retain = self.retain;
        self.outbox.publish(publication, Receipt::default());
    }
}

struct Worker {
    pipeline: Pipeline,
    topic: Arc<str>,
    inbox: mpsc::Receiver<Job>,
}

impl Worker {
    async fn serve(mut self) {
        while let Some(job) = self.inbox.recv().await {
            self.judge(job).await;
        }
    }

    async fn serve_with(mut self, mut batches: Batches) {
        loop {
            let due = self.pipeline.due();
            let has_room = batches.outbox.has_room();
            tokio::select! {
                () = batches.outbox.acknowledged() => {}
                job = self.inbox.recv() => match job {
                    Some(job) => self.judge(job).await,
                    None => break,
                },
                () = at(due), if has_room => {
                    if let Some(batch) = self.pipeline.handle_due().await {
                        batches.publish(batch);
                    }
                }
            }
        }
        // Whose messages these are has been told that they will be published.
        while let Some(batch) = self.pipeline.handle_end().await {
            batches.publish(batch);
        }
        batches.outbox.settled().await;
    }

    async fn judge(&mut self, job: Job) {
        let Job { payload, room, reply } = job;
        // Its client went away, or has waited too long.
        if reply.is_closed() {
            return;
        }
        let arrival = Arrival {
            payload,
            context: Context {
                topic: Arc::clone(&self.topic),
                label: None,
                vars: BTreeMap::new(),
            },
        };
        let judged = self.pipeline.judge(arrival).await;
        if judged.is_ok() {
            self.pipeline.count_passed();
        }
        drop(room);
        let _ = reply.send(judged.map(|departure| departure.payload));
    }
}
