//! An endpoint that writes: what comes to `<topic>/set` is published at the other broker, and what came of it told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_core::codec::QoS;
use syncline_core::session::Publication;
use syncline_core::topic::{TopicFilter, TopicName};
use tokio::time::timeout;

use super::link::Other;
use crate::driver::{
    AgentHandle, Delivery, Inbox, Offline, PublishError, Source, Submitted, Wanted, mailbox,
};
use crate::endpoint::Means;
use crate::endpoint::ending::Ending;
use crate::endpoint::message::{self, wall};
use crate::endpoint::results::Results;
use crate::endpoint::state::LinkState;
use crate::endpoint::tally::{Cause, Tally};
use crate::endpoint::under_way::UnderWay;
use crate::rules::{Json, at};
use crate::service::plan::EndpointPlan;

/// Longest wait for the other broker's acknowledgement.
const ACKNOWLEDGEMENT_TIME: Duration = Duration::from_secs(30);

/// Where and how an endpoint publishes at the other broker.
pub(super) struct Target {
    pub(super) topic: TopicName,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

/// One endpoint.
pub(crate) struct Writer {
    other: AgentHandle,
    state: Arc<LinkState>,
    target: Target,
    inbox: Inbox,
    results: Results,
    tally: Arc<Tally>,
    /// For what is under way when there are no more messages.
    patience: Duration,
}

/// A message that was not written, and why.
struct Unwritten {
    cause: Cause,
    text: String,
}

impl Writer {
    /// `None` where the endpoint listens to nothing: a plan says otherwise.
    pub(super) fn new(
        means: &Means,
        other: &Other,
        plan: &EndpointPlan,
        target: Target,
        owner: &Arc<str>,
        tally: &Arc<Tally>,
        before: Option<Source>,
    ) -> Option<(Self, Source)> {
        let listened = TopicFilter::try_from(plan.operation.listens_to()?.as_str()).ok()?;
        let (mailbox, mut inbox, closer) = mailbox(Arc::clone(owner), Arc::clone(tally.messages()));
        let wanted = Wanted::new(closer, [(listened, plan.qos, mailbox.sink(0))]);
        let source = Source::succeeding(&means.agent, wanted, &mut inbox, before);
        let writer = Self {
            other: other.agent.clone(),
            state: Arc::clone(&other.state),
            target,
            inbox,
            results: Results::new(means, plan, owner, tally),
            tally: Arc::clone(tally),
            patience: means.drain_time,
        };
        Some((writer, source))
    }

    /// Runs until there will be no more messages, and until what they have begun has ended.
    pub(super) async fn run(mut self) {
        let mut under_way = UnderWay::default();
        let mut closings = self.inbox.closings();
        let mut ending: Option<Ending> = None;
        loop {
            let has_room = self.results.has_room();
            let takes_more = has_room && under_way.has_room();
            tokio::select! {
                () = closings.begun(), if ending.is_none() => {
                    ending = Some(Ending::of(&mut self.inbox, self.patience).await);
                }
                () = at(ending.as_ref().map(Ending::begins_until)) => break,
                () = self.results.moved() => self.results.pass_due().await,
                Some(result) = under_way.next(), if has_room => self.results.tell(result).await,
                delivery = self.inbox.recv(), if takes_more => {
                    let Some(delivery) = delivery else { break };
                    self.tally.count_request();
                    let Delivery { payload, receipt, .. } = delivery;
                    let id = message::id(&payload);
                    // On its way before the next message is looked at: they keep their order.
                    match self.submit(payload) {
                        Ok(submitted) => {
                            let (state, tally) = (Arc::clone(&self.state), Arc::clone(&self.tally));
                            under_way.begin(id.clone(), async move {
                                let end = written(submitted, &state).await;
                                drop(receipt);
                                told(id.as_ref(), end, &tally)
                            });
                        }
                        Err(error) => {
                            let unwritten = unwritten(&error, &self.state);
                            let result = told(id.as_ref(), Err(unwritten), &self.tally);
                            self.results.pass(result).await;
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
            .finish(self.inbox, under_way, &mut self.results, &self.tally)
            .await;
    }

    fn submit(&self, payload: Bytes) -> Result<Submitted, PublishError> {
        let Target { topic, qos, retain } = &self.target;
        let mut publication = Publication::new(topic.clone(), payload).qos(*qos);
        publication.retain = *retain;
        self.other.submit(publication, Offline::Refuse)
    }
}

/// Waits until the other broker has the message: until it is written at QoS 0, and acknowledged at QoS 1 and 2.
async fn written(submitted: Submitted, state: &LinkState) -> Result<(), Unwritten> {
    match timeout(ACKNOWLEDGEMENT_TIME, submitted).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(PublishError::Stopped)) => Err(Unwritten {
            cause: Cause::Unreachable,
            text: format!(
                "the connection to {} was ended before it had acknowledged the message, which it may have",
                state.address()
            ),
        }),
        Ok(Err(error)) => Err(unwritten(&error, state)),
        Err(_) => Err(Unwritten {
            cause: Cause::Timeout,
            text: format!(
                "{} has not acknowledged the message within {} s, and may still get it",
                state.address(),
                ACKNOWLEDGEMENT_TIME.as_secs()
            ),
        }),
    }
}

fn unwritten(error: &PublishError, state: &LinkState) -> Unwritten {
    let address = state.address();
    let (cause, text) = match error {
        PublishError::Offline | PublishError::Stopped => (
            Cause::Unreachable,
            match state.last_end() {
                Some(why) => format!("{address} is not connected: {why}"),
                None => format!("{address} is not connected yet"),
            },
        ),
        PublishError::Lost(loss) => (Cause::Unreachable, format!("{address}: {loss}")),
        PublishError::Busy | PublishError::Refused(_) | PublishError::Rejected(_) => {
            (Cause::Refused, format!("{address}: {error}"))
        }
    };
    Unwritten { cause, text }
}

fn told(id: Option<&Json>, end: Result<(), Unwritten>, tally: &Tally) -> Json {
    match end {
        Ok(()) => {
            tally.count_end(Ok(()));
            message::written(id, wall())
        }
        Err(Unwritten { cause, text }) => {
            tally.count_end(Err(cause));
            message::failed(id, wall(), &text)
        }
    }
}
