//! An endpoint of an HTTP server at work: messages become requests, answers become messages.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::Means;
use super::client::{Answer, Body, Client, RequestError};
use super::message::{self, Asked, Unread, Wanted, wall};
use super::probe::Delays;
use super::results::Results;
use super::serving::{Ended, Request, Work};
use super::tally::{Cause, Tally};
use super::under_way::Unfinished;
use crate::driver::{Delivery, Inbox, Source, mailbox};
use crate::rules::Json;
use crate::service::plan::{EndpointOperation, EndpointPlan, HttpRequest, RetryStrategy};

/// Makes the requests of one endpoint.
#[derive(Clone)]
pub(crate) struct Asking {
    client: Arc<Client>,
    request: Arc<HttpRequest>,
    /// What is sent where no message says so.
    body: Option<Body>,
    /// Whether it changes something there.
    writes: bool,
}

/// An endpoint that asks by itself.
pub(crate) struct Poller {
    asking: Asking,
    strategy: RetryStrategy,
    /// Has no messages, and ends with the endpoint.
    inbox: Inbox,
    results: Results,
    tally: Arc<Tally>,
}

impl Asking {
    pub(super) fn new(client: &Arc<Client>, plan: &EndpointPlan, request: &HttpRequest) -> Self {
        let body = request.body.as_ref();
        let body = body.and_then(|body| Json::new(body.to_string().into()));
        Self {
            client: Arc::clone(client),
            request: Arc::new(request.clone()),
            body: body.map(message::body),
            writes: matches!(plan.operation, EndpointOperation::Write { .. }),
        }
    }

    /// Asks with `body`, where there is none with the endpoint's own.
    async fn ask(&self, body: Option<Body>) -> Result<Answer, RequestError> {
        let body = body.or_else(|| self.body.clone());
        self.client.request(&self.request, body).await
    }
}

impl Work for Asking {
    fn is_order(&self, payload: &Bytes) -> bool {
        !self.writes || !payload.is_empty()
    }

    fn begin(&self, delivery: Delivery) -> Request {
        let Delivery { payload, receipt, .. } = delivery;
        // Whatever becomes of it, it is not asked for twice.
        drop(receipt);
        let Asked { id, body } = match Asked::read(&payload, Wanted::Body) {
            Ok(asked) => asked,
            Err(Unread { id, fault }) => {
                let told = message::failed(id.as_ref(), wall(), &fault.to_string());
                return Request::refused(id, Cause::Malformed, told);
            }
        };
        let (told, asking) = (id.clone(), self.clone());
        let end = async move {
            let outcome = asking.ask(body).await;
            Ended {
                counted: end(&outcome),
                told: message::result(told.as_ref(), wall(), outcome),
            }
        };
        Request {
            id,
            end: Box::pin(end),
        }
    }

    fn unfinished(&self, id: Option<&Json>, why: Unfinished) -> Json {
        message::failed(id, wall(), &why.text())
    }
}

impl Poller {
    pub(super) fn new(
        means: &Means,
        plan: &EndpointPlan,
        tally: &Arc<Tally>,
        (asking, strategy): (Asking, RetryStrategy),
    ) -> (Self, Source) {
        let owner: Arc<str> = plan.to_string().into();
        let (mailbox, inbox, closer) = mailbox(Arc::clone(&owner), Arc::clone(tally.messages()));
        let poller = Self {
            asking,
            strategy,
            inbox,
            results: Results::new(means, plan, &owner, tally),
            tally: Arc::clone(tally),
        };
        (poller, Source::silent(mailbox, closer))
    }

    /// Asks at the plan's interval, and never before the answer to the request before.
    pub(super) async fn run(mut self) {
        let mut delays = Delays::new(self.strategy);
        loop {
            let begun = Instant::now();
            self.tally.count_request();
            let outcome = tokio::select! {
                outcome = self.asking.ask(None) => outcome,
                // Nobody has asked for it.
                _ = self.inbox.recv() => break,
            };
            self.tally.count_end(end(&outcome));
            let next = begun + self.asking.request.interval;
            let next = match delays.after(self.polled(outcome).await) {
                None => next,
                Some(delay) => next.max(Instant::now() + delay),
            };
            if self.wait_until(next).await.is_none() {
                break;
            }
        }
        self.results.finish().await;
    }

    /// Publishes what a request has brought; false if it has brought no value.
    async fn polled(&mut self, outcome: Result<Answer, RequestError>) -> bool {
        match outcome {
            Ok(answer) if answer.status.is_success() => {
                self.results.outbox.forget_troubles();
                self.results.pass(message::polled(wall(), &answer)).await;
                true
            }
            Ok(answer) => {
                let trouble = format!("no value: the server has answered {answer}");
                self.results.outbox.tell(trouble);
                false
            }
            Err(error) => {
                self.results.outbox.tell(format!("no value: {error}"));
                false
            }
        }
    }

    /// Waits until `next`, and until the broker has taken enough of what was published; passes on what is due meanwhile. `None`: this
    /// is the end.
    async fn wait_until(&mut self, next: Instant) -> Option<()> {
        loop {
            let has_room = self.results.has_room();
            tokio::select! {
                () = sleep_until(next), if has_room => return Some(()),
                _ = self.inbox.recv() => return None,
                () = self.results.moved() => self.results.pass_due().await,
            }
        }
    }
}

/// How a request has ended.
fn end(outcome: &Result<Answer, RequestError>) -> Result<(), Cause> {
    match outcome {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(_) => Err(Cause::Refused),
        Err(RequestError::Invalid(_)) => Err(Cause::Malformed),
        Err(RequestError::Unreachable { .. }) => Err(Cause::Unreachable),
        Err(RequestError::Timeout { .. }) => Err(Cause::Timeout),
        Err(RequestError::TooLong { .. }) => Err(Cause::TooLong),
    }
}
