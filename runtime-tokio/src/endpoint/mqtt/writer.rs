//! An endpoint that writes: what comes to `<topic>/set` is published at the other broker, and what came of it told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_core::codec::QoS;
use syncline_core::session::Publication;
use syncline_core::topic::TopicName;
use tokio::time::timeout;

use super::link::Other;
use crate::driver::{AgentHandle, Delivery, Offline, PublishError, Submitted};
use crate::endpoint::message::{self, wall};
use crate::endpoint::serving::{Ended, Request, Work};
use crate::endpoint::state::LinkState;
use crate::endpoint::tally::Cause;
use crate::endpoint::under_way::Unfinished;
use crate::rules::Json;

/// Longest wait for the other broker's acknowledgement.
const ACKNOWLEDGEMENT_TIME: Duration = Duration::from_secs(30);

/// Where and how an endpoint publishes at the other broker.
pub(super) struct Target {
    pub(super) topic: TopicName,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

/// Publishes at another broker what comes to an endpoint.
pub(crate) struct Writing {
    other: AgentHandle,
    state: Arc<LinkState>,
    target: Target,
}

/// A message that was not written, and why.
struct Unwritten {
    cause: Cause,
    text: String,
}

impl Writing {
    pub(super) fn new(other: &Other, target: Target) -> Self {
        Self {
            other: other.agent.clone(),
            state: Arc::clone(&other.state),
            target,
        }
    }

    fn submit(&self, payload: Bytes) -> Result<Submitted, PublishError> {
        let Target { topic, qos, retain } = &self.target;
        let mut publication = Publication::new(topic.clone(), payload).qos(*qos);
        publication.retain = *retain;
        self.other.submit(publication, Offline::Refuse)
    }
}

impl Work for Writing {
    fn begin(&self, delivery: Delivery) -> Request {
        let Delivery { payload, receipt, .. } = delivery;
        let id = message::id(&payload);
        // On its way before the next message is looked at: they keep their order.
        let submitted = self.submit(payload);
        let (told, state) = (id.clone(), Arc::clone(&self.state));
        let end = async move {
            let end = match submitted {
                Ok(submitted) => written(submitted, &state).await,
                Err(error) => Err(unwritten(&error, &state)),
            };
            drop(receipt);
            ended(told.as_ref(), end)
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

fn ended(id: Option<&Json>, end: Result<(), Unwritten>) -> Ended {
    match end {
        Ok(()) => Ended {
            told: message::written(id, wall()),
            counted: Ok(()),
        },
        Err(Unwritten { cause, text }) => Ended {
            told: message::failed(id, wall(), &text),
            counted: Err(cause),
        },
    }
}
