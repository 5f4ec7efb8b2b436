//! An endpoint of an HTTP server at work: messages become requests, answers become messages.

use std::sync::Arc;
use std::time::Duration;

use syncline_core::topic::TopicFilter;
use tokio::time::{Instant, sleep_until};

use super::Means;
use super::client::{Answer, Body, Client, RequestError};
use super::ending::Ending;
use super::message::{self, Asked, wall};
use super::probe::Delays;
use super::results::Results;
use super::tally::{Cause, Tally};
use super::under_way::UnderWay;
use crate::driver::{Delivery, Inbox, Source, Wanted, mailbox};
use crate::rules::{Json, at};
use crate::service::plan::{EndpointPlan, HttpRequest, RetryStrategy};

/// One endpoint.
pub(crate) struct Worker {
    client: Arc<Client>,
    request: Arc<HttpRequest>,
    /// What is sent where no message says so.
    body: Option<Body>,
    inbox: Inbox,
    /// Whether messages say what to do, in place of the time.
    listens: bool,
    results: Results,
    tally: Arc<Tally>,
    /// For what is under way when there are no more messages.
    patience: Duration,
}

impl Worker {
    pub(super) fn new(
        means: &Means,
        plan: &EndpointPlan,
        request: &HttpRequest,
        client: Arc<Client>,
        tally: &Arc<Tally>,
        before: Option<Source>,
    ) -> (Self, Source) {
        let owner: Arc<str> = plan.to_string().into();
        // A Topic Name is a Topic Filter, unless it begins as a shared subscription does.
        let listened = plan.operation.listens_to();
        let listened = listened.and_then(|topic| TopicFilter::try_from(topic.as_str()).ok());
        let (mailbox, mut inbox, closer) = mailbox(Arc::clone(&owner), Arc::clone(tally.messages()));
        let listens = listened.is_some();
        let source = match listened {
            Some(filter) => {
                let wanted = Wanted::new(closer, [(filter, plan.qos, mailbox.sink(0))]);
                Source::succeeding(&means.agent, wanted, &mut inbox, before)
            }
            None => Source::silent(mailbox, closer),
        };
        let body = request
            .body
            .as_ref()
            .and_then(|body| Json::new(body.to_string().into()));
        let worker = Self {
            client,
            request: Arc::new(request.clone()),
            body: body.map(message::body),
            inbox,
            listens,
            results: Results::new(means, plan, &owner, tally),
            tally: Arc::clone(tally),
            patience: means.drain_time,
        };
        (worker, source)
    }

    /// Whether messages say what to do.
    pub(super) fn listens(&self) -> bool {
        self.listens
    }

    /// Runs until there will be no more messages, and until what they have begun has ended.
    pub(super) async fn run(self, strategy: RetryStrategy) {
        match self.listens {
            true => self.serve().await,
            false => self.poll(strategy).await,
        }
    }

    /// Carries out what messages ask for.
    async fn serve(mut self) {
        let mut requests = UnderWay::default();
        let mut closings = self.inbox.closings();
        let mut ending: Option<Ending> = None;
        loop {
            let has_room = self.results.has_room();
            let takes_more = has_room && requests.has_room();
            tokio::select! {
                () = closings.begun(), if ending.is_none() => {
                    ending = Some(Ending::of(&mut self.inbox, self.patience).await);
                }
                () = at(ending.as_ref().map(Ending::begins_until)) => break,
                () = self.results.moved() => self.results.pass_due().await,
                Some(result) = requests.next(), if has_room => self.results.tell(result).await,
                delivery = self.inbox.recv(), if takes_more => {
                    let Some(delivery) = delivery else { break };
                    self.tally.count_request();
                    let Delivery { payload, receipt, .. } = delivery;
                    // Whatever becomes of it, it is not asked for twice.
                    drop(receipt);
                    match Asked::read(&payload) {
                        Some(asked) => {
                            let body = asked.body.or_else(|| self.body.clone());
                            let (client, request) = (Arc::clone(&self.client), Arc::clone(&self.request));
                            let tally = Arc::clone(&self.tally);
                            let id = asked.id.clone();
                            requests.begin(id, async move {
                                let outcome = client.request(&request, body).await;
                                tally.count_end(end(&outcome));
                                message::result(asked.id.as_ref(), wall(), outcome)
                            });
                        }
                        None => {
                            self.tally.count_end(Err(Cause::Malformed));
                            self.results.pass(message::rejected(wall())).await;
                        }
                    }
                }
            }
        }
        let ending = match ending {
            Some(ending) => ending,
            None => Ending::of(&mut self.inbox, self.patience).await,
        };
        ending
            .finish(self.inbox, requests, &mut self.results, &self.tally)
            .await;
    }

    /// Asks at the plan's interval, and never before the answer to the request before.
    async fn poll(mut self, strategy: RetryStrategy) {
        let mut delays = Delays::new(strategy);
        loop {
            let begun = Instant::now();
            self.tally.count_request();
            let outcome = tokio::select! {
                outcome = self.client.request(&self.request, self.body.clone()) => outcome,
                // Nobody has asked for it.
                _ = self.inbox.recv() => break,
            };
            self.tally.count_end(end(&outcome));
            let next = begun + self.request.interval;
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
