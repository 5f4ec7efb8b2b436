//! An endpoint that messages tell what to do: it reads the value of a node, or writes it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opcua::types::{StatusCode, Variant};
use serde_json::Value;
use syncline_core::topic::TopicFilter;

use super::link::Other;
use super::live::Failure;
use super::node_type::Target;
use crate::driver::{Delivery, Inbox, Source, Wanted, mailbox};
use crate::endpoint::Means;
use crate::endpoint::client::Body;
use crate::endpoint::ending::Ending;
use crate::endpoint::message::{self, Asked as Message, wall};
use crate::endpoint::results::Results;
use crate::endpoint::tally::{Cause, Tally};
use crate::endpoint::under_way::UnderWay;
use crate::opcua::own_json;
use crate::rules::{Json, at};
use crate::service::plan::{EndpointOperation, EndpointPlan, OpcuaItem};

/// One endpoint.
pub(crate) struct Asked {
    other: Other,
    target: Arc<Target>,
    /// Whether it writes: one message after the other, so that the last one counts in the end.
    writes: bool,
    inbox: Inbox,
    results: Results,
    tally: Arc<Tally>,
    /// For what is under way when there are no more messages.
    patience: Duration,
}

impl Asked {
    /// `None` where the endpoint listens to nothing.
    pub(super) fn new(
        means: &Means,
        other: &Other,
        plan: &EndpointPlan,
        item: &OpcuaItem,
        tally: &Arc<Tally>,
        before: Option<Source>,
    ) -> Option<(Self, Source)> {
        let owner: Arc<str> = plan.to_string().into();
        let listened = TopicFilter::try_from(plan.operation.listens_to()?.as_str()).ok()?;
        let (mailbox, mut inbox, closer) = mailbox(Arc::clone(&owner), Arc::clone(tally.messages()));
        let wanted = Wanted::new(closer, [(listened, plan.qos, mailbox.sink(0))]);
        let source = Source::succeeding(&means.agent, wanted, &mut inbox, before);
        let asked = Self {
            other: other.clone(),
            target: Arc::new(Target::new(item.node.clone())),
            writes: matches!(plan.operation, EndpointOperation::Write { .. }),
            inbox,
            results: Results::new(means, plan, &owner, tally),
            tally: Arc::clone(tally),
            patience: means.drain_time,
        };
        Some((asked, source))
    }

    /// Whether the order of its messages counts.
    pub(super) fn is_ordered(&self) -> bool {
        self.writes
    }

    /// Runs until there will be no more messages, and until what they have begun has ended.
    pub(super) async fn run(mut self) {
        let mut under_way = UnderWay::default();
        let mut closings = self.inbox.closings();
        let mut ending: Option<Ending> = None;
        loop {
            let has_room = self.results.has_room();
            let may_begin = match self.writes {
                true => under_way.is_empty(),
                false => under_way.has_room(),
            };
            tokio::select! {
                () = closings.begun(), if ending.is_none() => {
                    ending = Some(Ending::of(&mut self.inbox, self.patience).await);
                }
                () = at(ending.as_ref().map(Ending::begins_until)) => break,
                () = self.results.moved() => self.results.pass_due().await,
                Some(result) = under_way.next(), if has_room => self.results.tell(result).await,
                delivery = self.inbox.recv(), if has_room && may_begin => {
                    let Some(delivery) = delivery else { break };
                    let Delivery { payload, receipt, .. } = delivery;
                    // Whatever becomes of it, it is not done twice.
                    drop(receipt);
                    self.begin(&payload, &mut under_way).await;
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

    async fn begin(&mut self, payload: &Bytes, under_way: &mut UnderWay) {
        self.tally.count_request();
        let Some(asked) = Message::read(payload) else {
            self.tally.count_end(Err(Cause::Malformed));
            let told = message::failed_by(
                None,
                wall(),
                StatusCode::BadDecodingError.sub_code().name(),
                "the message is not JSON, expected an object with `id` and `value`",
            );
            self.results.pass(told).await;
            return;
        };
        let (other, target, tally) = (
            self.other.clone(),
            Arc::clone(&self.target),
            Arc::clone(&self.tally),
        );
        let (id, writes) = (asked.id.clone(), self.writes);
        under_way.begin(id, async move {
            let id = asked.id.as_ref();
            let end = match writes {
                true => write(&other, &target, asked.body)
                    .await
                    .map(|()| Json::boolean(true)),
                false => read(&other, &target).await,
            };
            tally.count_end(end.as_ref().map(|_| ()).map_err(|failure| failure.cause));
            match end {
                Ok(value) => message::read(id, wall(), &value),
                Err(failure) => message::failed_by(id, wall(), failure.code(), &failure.text),
            }
        });
    }
}

async fn write(other: &Other, target: &Target, body: Option<Body>) -> Result<(), Failure> {
    let value = body.and_then(|body| serde_json::from_slice::<Value>(&body.json).ok());
    let value = value.ok_or_else(|| {
        let text = "the message has no `value` to write";
        Failure::new(Cause::Malformed, StatusCode::BadNothingToDo, text)
    })?;
    let live = other.live().ok_or_else(|| Failure::not_connected(&other.state))?;
    target.write(&live, &value).await
}

async fn read(other: &Other, target: &Target) -> Result<Json, Failure> {
    let live = other.live().ok_or_else(|| Failure::not_connected(&other.state))?;
    json(&target.read(&live).await?)
}

/// The JSON of a value of the server.
pub(super) fn json(value: &Variant) -> Result<Json, Failure> {
    let json = own_json(value).and_then(|value| Json::new(value.to_string().into()));
    json.ok_or_else(|| {
        let text = "the value is a structure, which is not told as JSON";
        Failure::new(Cause::Refused, StatusCode::BadDataEncodingUnsupported, text)
    })
}
