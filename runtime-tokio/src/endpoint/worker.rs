//! An endpoint at work: messages become requests, answers become messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use syncline_core::codec::QoS;
use syncline_core::session::Publication;
use syncline_core::time::UnixMillis;
use syncline_core::topic::{TopicFilter, TopicName};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Answer, Body, Client, RequestError};
use super::message::{self, Asked};
use super::probe::Delays;
use crate::driver::{AgentHandle, Inbox, Outbox, Subscription, mailbox};
use crate::rules::{Arrival, Context, Counters, Departure, Evaluators, Json, Pipeline, at};
use crate::service::plan::{EndpointOperation, EndpointPlan, HttpRequest, RetryStrategy};

/// Requests of one endpoint that are under way; with so many, further messages wait.
const REQUESTS: usize = 64;

/// One endpoint.
pub(super) struct Worker {
    agent: AgentHandle,
    client: Arc<Client>,
    request: Arc<HttpRequest>,
    /// What is sent where no message says so.
    body: Option<Body>,
    /// Absent where the endpoint listens to nothing.
    inbox: Option<Inbox>,
    _subscription: Option<Subscription>,
    topic: TopicName,
    qos: QoS,
    retain: bool,
    pipeline: Pipeline,
    outbox: Outbox,
}

impl Worker {
    pub(super) fn new(
        agent: &AgentHandle,
        plan: &EndpointPlan,
        request: &HttpRequest,
        client: Arc<Client>,
        evaluators: Option<&Evaluators>,
    ) -> Self {
        let owner: Arc<str> = format!("endpoint {} of service {}", plan.resource, plan.service).into();
        let counters: Arc<Counters> = Arc::default();
        let listened = match &plan.operation {
            EndpointOperation::Subscribe { .. } => None,
            EndpointOperation::Read { request: topic, .. } | EndpointOperation::Write { set: topic, .. } => {
                // A Topic Name is a Topic Filter, unless it begins as a shared subscription does.
                TopicFilter::try_from(topic.as_str()).ok()
            }
        };
        let (mailbox, inbox) = mailbox(Arc::clone(&owner), Arc::clone(&counters));
        let subscription = listened.map(|filter| agent.subscribe(filter, plan.qos, mailbox.sink(0)));
        let body = request
            .body
            .as_ref()
            .and_then(|body| Json::new(body.to_string().into()));
        let evaluators = evaluators.filter(|_| plan.rules.has_expression()).cloned();
        Self {
            agent: agent.clone(),
            client,
            request: Arc::new(request.clone()),
            body: body.map(message::body),
            inbox: subscription.is_some().then_some(inbox),
            _subscription: subscription,
            topic: plan.operation.publishes_to().clone(),
            qos: plan.qos,
            retain: plan.retain,
            pipeline: Pipeline::new(
                plan.rules.clone(),
                evaluators,
                Arc::clone(&owner),
                Arc::clone(&counters),
            ),
            outbox: Outbox::new(agent.clone(), owner, counters),
        }
    }

    /// Runs until the driver ends.
    pub(super) fn start(mut self, strategy: RetryStrategy) {
        match self.inbox.take() {
            Some(inbox) => drop(tokio::spawn(self.serve(inbox))),
            None => {
                let agent = self.agent.clone();
                drop(tokio::spawn(self.poll(agent, strategy)));
            }
        }
    }

    /// Carries out what messages ask for.
    async fn serve(mut self, mut inbox: Inbox) {
        let mut requests: JoinSet<Json> = JoinSet::new();
        loop {
            let due = self.pipeline.due();
            let has_room = self.outbox.has_room();
            let takes_more = has_room && requests.len() < REQUESTS;
            tokio::select! {
                () = self.outbox.acknowledged() => {}
                Some(result) = requests.join_next(), if has_room => match result {
                    Ok(result) => self.pass(result).await,
                    Err(error) => self.outbox.fail(&format_args!("its request ended without a result: {error}")),
                },
                delivery = inbox.recv(), if takes_more => {
                    let Some(delivery) = delivery else { return };
                    match Asked::read(&delivery.payload) {
                        Some(asked) => {
                            let body = asked.body.or_else(|| self.body.clone());
                            let (client, request) = (Arc::clone(&self.client), Arc::clone(&self.request));
                            requests.spawn(async move {
                                let outcome = client.request(&request, body).await;
                                message::result(asked.id.as_ref(), wall(), outcome)
                            });
                        }
                        None => self.pass(message::rejected(wall())).await,
                    }
                }
                () = at(due), if has_room => self.pass_due().await,
            }
        }
    }

    /// Asks at the plan's interval, and never before the answer to the request before.
    async fn poll(mut self, agent: AgentHandle, strategy: RetryStrategy) {
        let mut delays = Delays::new(strategy);
        let asking = async {
            loop {
                let begun = Instant::now();
                let outcome = self.client.request(&self.request, self.body.clone()).await;
                let next = begun + self.request.interval;
                let next = match delays.after(self.polled(outcome).await) {
                    None => next,
                    Some(delay) => next.max(Instant::now() + delay),
                };
                self.wait_until(next).await;
            }
        };
        tokio::select! {
            () = agent.ended() => {}
            () = asking => {}
        }
    }

    /// Publishes what a request has brought; false if it has brought no value.
    async fn polled(&mut self, outcome: Result<Answer, RequestError>) -> bool {
        match outcome {
            Ok(answer) if answer.status.is_success() => {
                self.outbox.forget_troubles();
                self.pass(message::polled(wall(), &answer)).await;
                true
            }
            Ok(answer) => {
                self.outbox
                    .tell(format!("no value: the server has answered {answer}"));
                false
            }
            Err(error) => {
                self.outbox.tell(format!("no value: {error}"));
                false
            }
        }
    }

    /// Waits until `next`, and until the broker has taken enough of what was published; passes on what is due meanwhile.
    async fn wait_until(&mut self, next: Instant) {
        loop {
            let due = self.pipeline.due();
            let has_room = self.outbox.has_room();
            tokio::select! {
                () = at(Some(next)), if has_room => return,
                () = self.outbox.acknowledged() => {}
                () = at(due), if has_room => self.pass_due().await,
            }
        }
    }

    async fn pass(&mut self, message: Json) {
        let arrival = Arrival {
            payload: message.into_bytes(),
            context: Context {
                topic: self.topic.as_str().into(),
                label: None,
                vars: BTreeMap::new(),
            },
        };
        if let Some(departure) = self.pipeline.handle_message(arrival).await {
            self.publish(departure);
        }
    }

    async fn pass_due(&mut self) {
        if let Some(departure) = self.pipeline.handle_due().await {
            self.publish(departure);
        }
    }

    fn publish(&mut self, departure: Departure) {
        let Departure { payload, .. } = departure;
        let mut publication = Publication::new(self.topic.clone(), payload).qos(self.qos);
        publication.retain = self.retain;
        self.outbox.publish(publication);
    }
}

fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
