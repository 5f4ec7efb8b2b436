//! What messages ask of an endpoint: it reads the value of a node, or writes it.

use std::sync::Arc;

use bytes::Bytes;
use opcua::types::{StatusCode, Variant};
use serde_json::Value;

use super::link::Other;
use super::live::Failure;
use super::node_type::Target;
use crate::driver::Delivery;
use crate::endpoint::REQUESTS;
use crate::endpoint::client::Body;
use crate::endpoint::message::{self, Asked as Message, Unread, Wanted, wall};
use crate::endpoint::serving::{Ended, Request, Work};
use crate::endpoint::tally::Cause;
use crate::endpoint::under_way::Unfinished;
use crate::opcua::own_json;
use crate::rules::Json;
use crate::service::plan::{EndpointOperation, EndpointPlan, OpcuaItem};

/// Reads or writes one node.
pub(crate) struct Asked {
    other: Other,
    target: Arc<Target>,
    /// Whether it writes: one message after the other, so that the last one counts in the end.
    writes: bool,
}

impl Asked {
    pub(super) fn new(other: &Other, plan: &EndpointPlan, item: &OpcuaItem) -> Self {
        Self {
            other: other.clone(),
            target: Arc::new(Target::new(item.node.clone())),
            writes: matches!(plan.operation, EndpointOperation::Write { .. }),
        }
    }

    /// Whether the order of its messages counts.
    pub(super) fn is_ordered(&self) -> bool {
        self.writes
    }
}

impl Work for Asked {
    fn at_once(&self) -> usize {
        if self.writes { 1 } else { REQUESTS }
    }

    fn is_order(&self, payload: &Bytes) -> bool {
        !self.writes || !payload.is_empty()
    }

    fn begin(&self, delivery: Delivery) -> Request {
        let Delivery { payload, receipt, .. } = delivery;
        // Whatever becomes of it, it is not done twice.
        drop(receipt);
        let Message { id, body } = match Message::read(&payload, Wanted::Value) {
            Ok(asked) => asked,
            Err(Unread { id, fault }) => {
                let told = failed(id.as_ref(), StatusCode::BadDecodingError, &fault.to_string());
                return Request::refused(id, Cause::Malformed, told);
            }
        };
        let (other, target) = (self.other.clone(), Arc::clone(&self.target));
        let (told, writes) = (id.clone(), self.writes);
        let end = async move {
            let end = match writes {
                true => write(&other, &target, body).await.map(|()| Json::boolean(true)),
                false => read(&other, &target).await,
            };
            Ended {
                counted: end.as_ref().map(|_| ()).map_err(|failure| failure.cause),
                told: match end {
                    Ok(value) => message::read(told.as_ref(), wall(), &value),
                    Err(failure) => failed(told.as_ref(), failure.status, &failure.text),
                },
            }
        };
        Request {
            id,
            end: Box::pin(end),
        }
    }

    fn unfinished(&self, id: Option<&Json>, why: Unfinished) -> Json {
        let status = match &why {
            Unfinished::Unbegun => StatusCode::BadRequestCancelledByClient,
            // As clients of the agent's own server are told.
            Unfinished::Unanswered => StatusCode::BadShutdown,
            Unfinished::Unruled(_) => StatusCode::BadInternalError,
        };
        failed(id, status, &why.text())
    }
}

/// What is told where something was not done: the name of the code, and `text`.
fn failed(id: Option<&Json>, status: StatusCode, text: &str) -> Json {
    message::failed_by(id, wall(), status.sub_code().name(), text)
}

async fn write(other: &Other, target: &Target, body: Option<Body>) -> Result<(), Failure> {
    let malformed = |status, text| Failure::new(Cause::Malformed, status, text);
    let body = body.ok_or_else(|| {
        let text = "the message has no `value` to write";
        malformed(StatusCode::BadNothingToDo, text)
    })?;
    // It is JSON: all else can be held.
    let value: Value = serde_json::from_slice(&body.json).map_err(|_| {
        let text = "the value has a number beyond those of 64-bit floats, or more than 127 levels, and no node takes that";
        malformed(StatusCode::BadOutOfRange, text)
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
