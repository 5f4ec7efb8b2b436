//! The task of a responder: requests become calls of the function, what comes of them answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use syncline_core::codec::QoS;
use syncline_core::flowsync::{self, Answer, Asked, Incoming, TransactionId};
use syncline_core::session::Publication;
use syncline_core::session::store::Lifetime;
use syncline_core::time::{Instant as CoreInstant, UnixMillis};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, error::Elapsed, timeout_at};

use super::counters::Counting;
use super::inbox::{Arrival, Inbox};
use super::{Error, Options, Request};
use crate::driver::{AgentHandle, Offline, PublishError};
use crate::rules::at;

/// Answers that the broker has not acknowledged; with so many, no further request is begun.
const UNACKNOWLEDGED: usize = 256;

/// What came of a call: nothing where its time was over.
type End = Result<Result<Box<RawValue>, Error>, Elapsed>;

pub(super) struct Worker {
    link: AgentHandle,
    inbox: Inbox,
    concurrency: usize,
    counting: Arc<Counting>,
    start: Instant,
    responder: flowsync::Responder,
    calls: JoinSet<End>,
    held: HashMap<Id, Held>,
    answers: JoinSet<Result<(), PublishError>>,
}

/// A request whose function runs.
struct Held {
    transaction: TransactionId,
    reply: Reply,
}

/// Where an answer goes, and how.
struct Reply {
    asked: Asked,
    qos: QoS,
    deadline: Instant,
}

impl Worker {
    pub(super) fn new(link: AgentHandle, inbox: Inbox, options: &Options, counting: Arc<Counting>) -> Self {
        Self {
            link,
            inbox,
            concurrency: options.concurrency.max(1),
            counting,
            start: Instant::now(),
            responder: flowsync::Responder::new(options.remembered),
            calls: JoinSet::new(),
            held: HashMap::new(),
            answers: JoinSet::new(),
        }
    }

    /// Runs until there will be no more requests, and all are answered that came.
    pub(super) async fn run<H, F, V>(mut self, function: Arc<H>)
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<V, Error>> + Send + 'static,
        V: Serialize + 'static,
    {
        let mut is_open = true;
        while is_open || !self.calls.is_empty() || !self.answers.is_empty() {
            let takes_more =
                is_open && self.calls.len() < self.concurrency && self.answers.len() < UNACKNOWLEDGED;
            let forgets = self.responder.poll_timeout().map(|due| self.moment(due));
            tokio::select! {
                Some(ended) = self.calls.join_next_with_id() => self.ended(ended),
                Some(sent) = self.answers.join_next() => self.sent(&sent),
                arrival = self.inbox.recv(), if takes_more => match arrival {
                    Some(arrival) => self.begin(arrival, &function),
                    None => is_open = false,
                },
                () = at(forgets) => {
                    let now = self.now();
                    self.responder.handle_timeout(now);
                }
            }
        }
    }

    fn begin<H, F, V>(&mut self, arrival: Arrival, function: &Arc<H>)
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<V, Error>> + Send + 'static,
        V: Serialize + 'static,
    {
        let Arrival {
            topic,
            payload,
            qos,
            asked,
            deadline,
        } = arrival;
        if deadline <= Instant::now() {
            self.counting.late.one();
            return;
        }
        let reply = Reply { asked, qos, deadline };
        let now = self.now();
        match self.responder.handle_request(now, &payload, None) {
            Incoming::Fresh {
                transaction,
                timestamp,
                value,
                ..
            } => {
                self.counting.fresh.one();
                // It is a part of what was parsed.
                let Ok(value) = serde_json::from_slice::<Box<RawValue>>(&value) else {
                    return;
                };
                let request = Request {
                    id: transaction,
                    topic,
                    value,
                    timestamp,
                    deadline,
                    trace: reply.asked.trace,
                };
                let function = Arc::clone(function);
                let call = self.calls.spawn(async move {
                    let answer = timeout_at(deadline, async move { function(request).await }).await?;
                    Ok(answer.and_then(|value| to_raw_value(&value).map_err(|_| unwritable())))
                });
                self.held.insert(call.id(), Held { transaction, reply });
            }
            Incoming::Repeated(tres) => {
                self.counting.repeated.one();
                self.publish(reply, tres);
            }
            Incoming::InProgress => drop(self.counting.in_progress.one()),
            Incoming::Overloaded => drop(self.counting.overloaded.one()),
            Incoming::Malformed(why) => {
                self.counting.ignored.one();
                tracing::debug!("a message is no request: {why}");
            }
        }
    }

    fn ended(&mut self, ended: Result<(Id, End), JoinError>) {
        let (id, end) = match ended {
            Ok((id, Ok(end))) => (id, Ok(end)),
            Ok((id, Err(_))) => {
                // The id stays remembered: should the request come again, the function does not run again.
                self.counting.expired.one();
                self.held.remove(&id);
                return;
            }
            Err(error) => (error.id(), Err(error)),
        };
        let Some(Held { transaction, reply }) = self.held.remove(&id) else {
            return;
        };
        let failed;
        let answer = match &end {
            Ok(Ok(value)) => {
                self.counting.answered.one();
                Answer::Value(value)
            }
            Ok(Err(error)) => {
                self.counting.refused.one();
                Answer::Error {
                    code: error.code,
                    message: &error.message,
                }
            }
            Err(_) => {
                self.counting.panicked.one();
                tracing::error!(%transaction, "the responder's function panicked, the request is answered with 500");
                failed = "the responder failed at this request, its log says more";
                Answer::Error {
                    code: 500,
                    message: failed,
                }
            }
        };
        // It is refused only where the id was forgotten meanwhile; then nobody waits either.
        if let Ok(tres) = self.responder.respond(wall(), transaction, &answer) {
            self.publish(reply, tres);
        }
    }

    fn publish(&mut self, reply: Reply, tres: bytes::Bytes) {
        let left = reply.deadline.saturating_duration_since(Instant::now());
        let publication = Publication {
            properties: reply.asked.tres_properties(),
            expiry: Some(left),
            // Its requester does not wait for the next process.
            lifetime: Lifetime::Process,
            ..Publication::new(reply.asked.reply_to, tres).qos(reply.qos)
        };
        match self.link.submit(publication, Offline::Queue) {
            Ok(submitted) => drop(self.answers.spawn(submitted)),
            Err(error) => self.undelivered(&error),
        }
    }

    fn sent(&self, sent: &Result<Result<(), PublishError>, JoinError>) {
        if let Ok(Err(error)) = sent {
            self.undelivered(error);
        }
    }

    fn undelivered(&self, error: &PublishError) {
        let count = self.counting.undelivered.one();
        if count.is_power_of_two() {
            tracing::warn!("an answer has not reached the broker, {count} so far: {error}");
        }
    }

    fn now(&self) -> CoreInstant {
        CoreInstant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn moment(&self, due: CoreInstant) -> Instant {
        self.start + std::time::Duration::from_micros(due.as_micros())
    }
}

fn unwritable() -> Error {
    Error::new(500, "the responder's answer cannot be written as JSON")
}

fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
