//! What an endpoint has begun at the other system and awaits the end of.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::REQUESTS;
use super::message::{self, wall};
use super::results::Results;
use super::tally::{Cause, Tally};
use crate::rules::Json;

/// What is told where an endpoint has to end before the other system has answered.
const UNANSWERED: &str =
    "the endpoint was changed, removed or stopped before this was answered: it may have been carried out";

/// Requests of one endpoint that are under way, with the ids that their results are to have.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    requests: JoinSet<Json>,
    ids: HashMap<Id, Option<Json>>,
}

impl UnderWay {
    /// Whether one more may begin.
    pub(super) fn has_room(&self) -> bool {
        self.requests.len() < REQUESTS
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Begins `request`, which ends with the message that tells its result.
    pub(super) fn begin(&mut self, id: Option<Json>, request: impl Future<Output = Json> + Send + 'static) {
        let task = self.requests.spawn(request).id();
        self.ids.insert(task, id);
    }

    /// The next message that tells a result, or why there is none; `None` while nothing is under way. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Result<Json, String>> {
        Some(match self.requests.join_next_with_id().await? {
            Ok((task, result)) => {
                self.ids.remove(&task);
                Ok(result)
            }
            Err(error) => {
                self.ids.remove(&error.id());
                Err(format!("its request ended without a result: {error}"))
            }
        })
    }

    /// Tells through `results` how all that is under way ends; what has not ended by `deadline` may have been carried out.
    pub(super) async fn finish(mut self, results: &mut Results, tally: &Tally, deadline: Instant) {
        while !self.ids.is_empty() {
            let has_room = results.has_room();
            tokio::select! {
                () = sleep_until(deadline) => break,
                () = results.moved() => results.pass_due().await,
                Some(result) = self.next(), if has_room => results.tell(result).await,
            }
        }
        self.requests.abort_all();
        for (_, id) in self.ids.drain() {
            tally.count_end(Err(Cause::Timeout));
            results
                .pass(message::failed(id.as_ref(), wall(), UNANSWERED))
                .await;
        }
        results.finish().await;
    }
}
