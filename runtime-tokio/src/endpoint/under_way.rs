//! What an endpoint has begun at the other system and awaits the end of.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::results::Results;
use super::serving::Work;
use super::tally::{Cause, Tally};
use crate::rules::{Failure, Json};

/// Why there is no result to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// The message's turn has not come.
    Unbegun,
    /// The other system has not answered before the endpoint's end.
    Unanswered,
    /// The endpoint's rules have failed on the result.
    Unruled(Failure),
}

/// Requests of one endpoint that are under way, with the ids that their results are to have.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    requests: JoinSet<Json>,
    ids: HashMap<Id, Option<Json>>,
}

impl Unfinished {
    /// What is told.
    pub(super) fn text(&self) -> String {
        let ended = "the endpoint was changed, removed or stopped before this was";
        match self {
            Self::Unbegun => format!("{ended} begun: it was not carried out"),
            Self::Unanswered => format!("{ended} answered: it may have been carried out"),
            Self::Unruled(failure) => {
                format!("this has ended, but the endpoint's rules fail on what came of it: {failure}")
            }
        }
    }
}

impl UnderWay {
    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
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
    pub(super) async fn finish(
        mut self,
        results: &mut Results,
        tally: &Tally,
        deadline: Instant,
        work: &impl Work,
    ) {
        while !self.ids.is_empty() {
            let has_room = results.has_room();
            tokio::select! {
                () = sleep_until(deadline) => break,
                () = results.moved() => results.pass_due().await,
                Some(result) = self.next(), if has_room => results.tell(result, work).await,
            }
        }
        self.requests.abort_all();
        for (_, id) in self.ids.drain() {
            tally.count_end(Err(Cause::Timeout));
            results
                .pass(work.unfinished(id.as_ref(), Unfinished::Unanswered))
                .await;
        }
        results.finish().await;
    }
}
