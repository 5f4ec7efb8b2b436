//! How an endpoint ends that messages tell what to do: what it has not begun goes to the one in its place, stays with the broker, or is
//! begun while there is time for its answer.

use std::time::Duration;

use tokio::time::Instant;

use super::message;
use super::results::Results;
use super::serving::Work;
use super::tally::{Cause, Tally};
use super::under_way::{UnderWay, Unfinished};
use crate::driver::{Closing, Inbox};

/// The end of an endpoint, from the moment on when it is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    /// When it begins no more.
    begins_until: Instant,
    /// When it should be over.
    deadline: Instant,
}

impl Ending {
    /// The end of an endpoint whose `inbox` was closed just now; without another bound `patience` is the time for it.
    pub(super) async fn of(inbox: &mut Inbox, patience: Duration) -> Self {
        let now = Instant::now();
        let deadline = inbox.deadline().unwrap_or(now + patience);
        let begins_until = match inbox.closing() {
            Some(Closing::HandingOver) => now,
            Some(Closing::Leaving(_)) => {
                inbox.leave().await;
                now + deadline.saturating_duration_since(now) / 2
            }
            None => now + patience / 2,
        };
        Self {
            begins_until,
            deadline,
        }
    }

    /// When nothing is begun any more.
    pub(super) fn begins_until(&self) -> Instant {
        self.begins_until
    }

    /// Sees to what was not begun, then tells how all that is `under_way` ends.
    pub(super) async fn finish(
        self,
        mut inbox: Inbox,
        under_way: UnderWay,
        results: &mut Results,
        tally: &Tally,
        work: &impl Work,
    ) {
        let closing = inbox.closing();
        if closing == Some(Closing::HandingOver) {
            inbox.hand_over().await;
        } else {
            for delivery in inbox.take_waiting().await {
                if matches!(closing, Some(Closing::Leaving(_))) && delivery.receipt.leave() {
                    continue;
                }
                if !work.is_order(&delivery.payload) {
                    results.pass_over(tally, delivery);
                    continue;
                }
                tally.count_request();
                tally.count_end(Err(Cause::Timeout));
                results.room(self.deadline).await;
                let id = message::id(&delivery.payload);
                results
                    .pass(work.unfinished(id.as_ref(), Unfinished::Unbegun))
                    .await;
            }
        }
        under_way.finish(results, tally, self.deadline, work).await;
    }
}
