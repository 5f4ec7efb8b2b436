//! Messages that other tasks publish, each with its one answer.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use syncline_core::agent::Agent;
use syncline_core::codec::ReasonCode;
use syncline_core::session::{Completion, Loss, OpId, Publication, SubmitError};
use syncline_core::time::Instant;
use tokio::sync::{mpsc, oneshot};

use super::handle::AgentHandle;

/// Messages that wait for the driver; one more is refused with [`PublishError::Busy`].
pub(super) const SUBMISSION_QUEUE: usize = 16_384;

/// What becomes of a message while there is no connection to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offline {
    /// It is refused at once.
    Refuse,
    /// It waits in the session's queue, within its bounds.
    Queue,
}

/// Why a message was not published, or not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There is no connection to the broker, and the message may not wait for one.
    #[error("the broker cannot be reached, try again")]
    Offline,
    /// More messages wait for the driver than its queue holds.
    #[error("this agent is at its limit, try again")]
    Busy,
    /// The driver has ended.
    #[error("this agent is stopping, try again")]
    Stopped,
    /// The session did not take it.
    #[error("{0}")]
    Refused(SubmitError),
    /// The broker did not take it.
    #[error("the broker refuses the message: {0}")]
    Rejected(ReasonCode),
    /// It is not known whether the broker has it.
    #[error("{0}")]
    Lost(Loss),
}

/// A message on its way to the driver.
#[derive(Debug)]
pub(super) struct Submission {
    publication: Publication,
    offline: Offline,
    reply: oneshot::Sender<Result<(), PublishError>>,
}

/// A message on its way, and how that ends.
#[derive(Debug)]
pub struct Submitted(oneshot::Receiver<Result<(), PublishError>>);

/// Those who wait for the end of a publication.
#[derive(Debug, Default)]
pub(super) struct Publications {
    waiting: HashMap<OpId, oneshot::Sender<Result<(), PublishError>>>,
}

impl Publications {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands a message to the session.
    pub(super) fn submit(&mut self, now: Instant, submission: Submission, agent: &mut Agent) {
        let Submission {
            publication,
            offline,
            reply,
        } = submission;
        if offline == Offline::Refuse && !agent.session().is_established() {
            // Whoever asked may be gone by now, here and below.
            let _ = reply.send(Err(PublishError::Offline));
            return;
        }
        match agent.publish(now, publication) {
            Ok(op) => drop(self.waiting.insert(op, reply)),
            Err(refused) => {
                let _ = reply.send(Err(PublishError::Refused(refused.reason)));
            }
        }
    }

    /// Answers whoever waits for `op`.
    pub(super) fn completed(&mut self, op: OpId, completion: &Completion) {
        let Some(reply) = self.waiting.remove(&op) else {
            return;
        };
        let result = match completion {
            Completion::Published { reason, .. } if reason.is_error() => Err(PublishError::Rejected(*reason)),
            Completion::Lost(loss) => Err(PublishError::Lost(*loss)),
            _ => Ok(()),
        };
        let _ = reply.send(result);
    }
}

impl AgentHandle {
    /// Whether there is a connection to the broker.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.senders.online.load(Ordering::Relaxed)
    }

    /// Publishes a message, and waits until it is written at QoS 0, and acknowledged at QoS 1 and 2.
    ///
    /// Dropping the future does not call the message back.
    ///
    /// # Errors
    /// [`PublishError`]: at once when it was not taken, later when the broker did not take it.
    pub async fn publish(&self, publication: Publication, offline: Offline) -> Result<(), PublishError> {
        self.submit(publication, offline)?.await
    }

    /// As [`publish`](Self::publish), in two steps: the message is on its way when this returns, and the future has its end.
    ///
    /// # Errors
    /// [`PublishError`] when it was not taken.
    pub fn submit(&self, publication: Publication, offline: Offline) -> Result<Submitted, PublishError> {
        let (reply, result) = oneshot::channel();
        let submission = Submission {
            publication,
            offline,
            reply,
        };
        self.senders
            .submissions
            .try_send(submission)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => PublishError::Busy,
                mpsc::error::TrySendError::Closed(_) => PublishError::Stopped,
            })?;
        Ok(Submitted(result))
    }
}

impl Future for Submitted {
    type Output = Result<(), PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let end = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(end.unwrap_or(Err(PublishError::Stopped)))
    }
}
