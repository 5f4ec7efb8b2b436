//! An endpoint of an HTTP server at work: messages become requests, answers become messages.

use std::sync::Arc;

use syncline_core::topic::TopicFilter;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::client::{Answer, Body, Client, RequestError};
use super::message::{self, Asked, wall};
use super::probe::Delays;
use super::results::Results;
use super::tally::{Cause, Tally};
use super::{Means, REQUESTS};
use crate::driver::{Inbox, Subscription, mailbox};
use crate::rules::Json;
use crate::service::plan::{EndpointPlan, HttpRequest, RetryStrategy};

/// One endpoint.
pub(crate) struct Worker {
    client: Arc<Client>,
    request: Arc<HttpRequest>,
    /// What is sent where no message says so.
    body: Option<Body>,
    /// Absent where the endpoint listens to nothing.
    inbox: Option<Inbox>,
    _subscription: Option<Subscription>,
    results: Results,
    tally: Arc<Tally>,
}

impl Worker {
    pub(super) fn new(
        means: &Means,
        plan: &EndpointPlan,
        request: &HttpRequest,
        client: Arc<Client>,
        tally: &Arc<Tally>,
    ) -> Self {
        let owner: Arc<str> = plan.to_string().into();
        // A Topic Name is a Topic Filter, unless it begins as a shared subscription does.
        let listened = plan.operation.listens_to();
        let listened = listened.and_then(|topic| TopicFilter::try_from(topic.as_str()).ok());
        let (mailbox, inbox, _) = mailbox(Arc::clone(&owner), Arc::clone(tally.messages()));
        let subscription = listened.map(|filter| means.agent.subscribe(filter, plan.qos, mailbox.sink(0)));
        let body = request
            .body
            .as_ref()
            .and_then(|body| Json::new(body.to_string().into()));
        Self {
            client,
            request: Arc::new(request.clone()),
            body: body.map(message::body),
            inbox: subscription.is_some().then_some(inbox),
            _subscription: subscription,
            results: Results::new(means, plan, &owner, tally),
            tally: Arc::clone(tally),
        }
    }

    /// Runs until there will be no more messages; one that polls, for ever.
    pub(super) async fn run(mut self, strategy: RetryStrategy) {
        match self.inbox.take() {
            Some(inbox) => self.serve(inbox).await,
            None => self.poll(strategy).await,
        }
    }

    /// Carries out what messages ask for.
    async fn serve(mut self, mut inbox: Inbox) {
        let mut requests: JoinSet<Json> = JoinSet::new();
        loop {
            let has_room = self.results.has_room();
            let takes_more = has_room && requests.len() < REQUESTS;
            tokio::select! {
                () = self.results.moved() => self.results.pass_due().await,
                Some(result) = requests.join_next(), if has_room => match result {
                    Ok(result) => self.results.pass(result).await,
                    Err(error) => {
                        self.results.outbox.fail(&format_args!("its request ended without a result: {error}"));
                    }
                },
                delivery = inbox.recv(), if takes_more => {
                    let Some(delivery) = delivery else { return };
                    self.tally.count_request();
                    match Asked::read(&delivery.payload) {
                        Some(asked) => {
                            let body = asked.body.or_else(|| self.body.clone());
                            let (client, request) = (Arc::clone(&self.client), Arc::clone(&self.request));
                            let tally = Arc::clone(&self.tally);
                            requests.spawn(async move {
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
    }

    /// Asks at the plan's interval, and never before the answer to the request before.
    async fn poll(mut self, strategy: RetryStrategy) {
        let mut delays = Delays::new(strategy);
        loop {
            let begun = Instant::now();
            self.tally.count_request();
            let outcome = self.client.request(&self.request, self.body.clone()).await;
            self.tally.count_end(end(&outcome));
            let next = begun + self.request.interval;
            let next = match delays.after(self.polled(outcome).await) {
                None => next,
                Some(delay) => next.max(Instant::now() + delay),
            };
            self.wait_until(next).await;
        }
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

    /// Waits until `next`, and until the broker has taken enough of what was published; passes on what is due meanwhile.
    async fn wait_until(&mut self, next: Instant) {
        loop {
            let has_room = self.results.has_room();
            tokio::select! {
                () = sleep_until(next), if has_room => return,
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
