//! An endpoint that messages tell what to do, at whatever system: one loop from its first message to its last result.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_core::topic::TopicFilter;

use super::ending::Ending;
use super::results::Results;
use super::tally::{Cause, Tally};
use super::under_way::{UnderWay, Unfinished};
use super::{Means, REQUESTS};
use crate::driver::{Delivery, Inbox, Source, Wanted, mailbox};
use crate::rules::{Json, at};
use crate::service::plan::EndpointPlan;

/// What is done with messages at one kind of system.
pub(crate) trait Work: Send + 'static {
    /// Requests that are under way at once; with so many, further messages wait.
    fn at_once(&self) -> usize {
        REQUESTS
    }

    /// Whether a message with this payload asks for anything.
    fn is_order(&self, _payload: &Bytes) -> bool {
        true
    }

    /// Begins what a message asks for. What is done before this returns is done in the order of the messages.
    fn begin(&self, delivery: Delivery) -> Request;

    /// What is told where there is no result.
    fn unfinished(&self, id: Option<&Json>, why: Unfinished) -> Json;
}

/// What a message has begun.
pub(crate) struct Request {
    /// What its result is to have as `id`.
    pub(super) id: Option<Json>,
    pub(super) end: Pin<Box<dyn Future<Output = Ended> + Send>>,
}

/// How it has ended.
pub(crate) struct Ended {
    /// The message that tells it.
    pub(super) told: Json,
    /// For who counts.
    pub(super) counted: Result<(), Cause>,
}

/// One endpoint.
pub(crate) struct Serving<W> {
    work: W,
    inbox: Inbox,
    results: Results,
    tally: Arc<Tally>,
    /// For what is under way when there are no more messages.
    patience: Duration,
}

impl Request {
    /// One that has ended by itself.
    pub(super) fn refused(id: Option<Json>, cause: Cause, told: Json) -> Self {
        let counted = Err(cause);
        Self {
            id,
            end: Box::pin(std::future::ready(Ended { told, counted })),
        }
    }
}

impl<W: Work> Serving<W> {
    /// The endpoint of `plan`, and its subscription in the place of the one `before`; `None` where it listens to nothing.
    pub(super) fn new(
        means: &Means,
        plan: &EndpointPlan,
        tally: &Arc<Tally>,
        before: Option<Source>,
        work: W,
    ) -> Option<(Self, Source)> {
        let owner: Arc<str> = plan.to_string().into();
        // A Topic Name is a Topic Filter, unless it begins as a shared subscription does.
        let listened = TopicFilter::try_from(plan.operation.listens_to()?.as_str()).ok()?;
        let (mailbox, mut inbox, closer) = mailbox(Arc::clone(&owner), Arc::clone(tally.messages()));
        let wanted = Wanted::new(closer, [(listened, plan.qos, mailbox.sink(0))]);
        let source = Source::succeeding(&means.agent, wanted, &mut inbox, before);
        let serving = Self {
            work,
            inbox,
            results: Results::new(means, plan, &owner, tally),
            tally: Arc::clone(tally),
            patience: means.drain_time,
        };
        Some((serving, source))
    }

    /// What it does.
    pub(super) fn work(&self) -> &W {
        &self.work
    }

    /// Runs until there will be no more messages, and until what they have begun has ended.
    pub(super) async fn run(mut self) {
        let mut under_way = UnderWay::default();
        let mut closings = self.inbox.closings();
        let mut ending: Option<Ending> = None;
        loop {
            let has_room = self.results.has_room();
            let takes_more = has_room && under_way.len() < self.work.at_once();
            tokio::select! {
                () = closings.begun(), if ending.is_none() => {
                    ending = Some(Ending::of(&mut self.inbox, self.patience).await);
                }
                () = at(ending.as_ref().map(Ending::begins_until)) => break,
                () = self.results.moved() => self.results.pass_due().await,
                Some(result) = under_way.next(), if has_room => self.results.tell(result, &self.work).await,
                delivery = self.inbox.recv(), if takes_more => {
                    let Some(delivery) = delivery else { break };
                    if !self.work.is_order(&delivery.payload) {
                        self.results.pass_over(&self.tally, delivery);
                        continue;
                    }
                    self.tally.count_request();
                    let Request { id, end } = self.work.begin(delivery);
                    let tally = Arc::clone(&self.tally);
                    under_way.begin(id, async move {
                        let Ended { told, counted } = end.await;
                        tally.count_end(counted);
                        told
                    });
                }
            }
        }
        let ending = match ending {
            Some(ending) => ending,
            None => Ending::of(&mut self.inbox, self.patience).await,
        };
        let Self {
            work,
            inbox,
            mut results,
            tally,
            ..
        } = self;
        ending.finish(inbox, under_way, &mut results, &tally, &work).await;
    }
}
