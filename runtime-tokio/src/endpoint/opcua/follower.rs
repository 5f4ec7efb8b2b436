//! An endpoint that follows a node: each value that the server tells becomes a message.

use std::sync::Arc;
use std::time::Duration;

use opcua::types::{DataValue, StatusCode};
use syncline_core::time::UnixMillis;
use tokio::time::{Instant, sleep_until, timeout};

use super::asked::json;
use super::link::Other;
use super::live::{Failure, Live};
use super::node_type::Target;
use super::subscriptions::Followed;
use crate::driver::{Closing, Inbox, Source, mailbox};
use crate::endpoint::Means;
use crate::endpoint::message::{self, wall};
use crate::endpoint::probe::Delays;
use crate::endpoint::results::Results;
use crate::endpoint::tally::{Cause, Tally};
use crate::service::plan::{EndpointPlan, OpcuaItem, RetryStrategy};

/// Time to tell the server that a node is followed no longer; less where the drain time is.
const LEAVE_TIME: Duration = Duration::from_secs(2);
/// Milliseconds from 1601, where OPC UA begins to count, to 1970.
const EPOCH: i64 = 11_644_473_600_000;
/// Counts of OPC UA in a millisecond.
const TICKS: i64 = 10_000;

/// One endpoint.
pub(crate) struct Follower {
    other: Other,
    target: Target,
    item: OpcuaItem,
    strategy: RetryStrategy,
    /// Has no messages, and ends with the endpoint.
    inbox: Inbox,
    /// For taking leave of the server.
    patience: Duration,
    results: Results,
    tally: Arc<Tally>,
    /// What the log calls it.
    owner: Arc<str>,
}

/// Why it does not follow a session's node any more.
enum End {
    /// The endpoint ends.
    Closed,
    /// There is another session, or none.
    Lost,
}

impl Follower {
    pub(super) fn new(
        means: &Means,
        other: &Other,
        strategy: RetryStrategy,
        plan: &EndpointPlan,
        item: &OpcuaItem,
        tally: &Arc<Tally>,
    ) -> (Self, Source) {
        let owner: Arc<str> = plan.to_string().into();
        let (mailbox, inbox, closer) = mailbox(Arc::clone(&owner), Arc::clone(tally.messages()));
        let follower = Self {
            other: other.clone(),
            target: Target::new(item.node.clone()),
            item: item.clone(),
            strategy,
            inbox,
            patience: means.drain_time.min(LEAVE_TIME),
            results: Results::new(means, plan, &owner, tally),
            tally: Arc::clone(tally),
            owner,
        };
        (follower, Source::silent(mailbox, closer))
    }

    /// Runs until the endpoint ends.
    pub(super) async fn run(mut self) {
        let mut session = None;
        let mut delays = Delays::new(self.strategy);
        while let Some(live) = self.next_live(session).await {
            let Some(followed) = self.follow(&live).await else {
                break;
            };
            self.tally
                .count_end(followed.as_ref().map(|_| ()).map_err(|failure| failure.cause));
            let delay = delays.after(followed.is_ok());
            match followed {
                Ok(followed) => {
                    session = Some(live.number());
                    if let End::Closed = self.tell(&live, followed).await {
                        break;
                    }
                }
                Err(failure) => {
                    self.target.forget();
                    self.results.outbox.tell(format!(
                        "no values of {}: {}; trying again",
                        self.item.node.text(),
                        failure.text
                    ));
                    let next = Instant::now() + delay.unwrap_or_default();
                    if self.wait_until(next).await.is_none() {
                        break;
                    }
                }
            }
        }
        self.results.finish().await;
    }

    /// Has the server tell the node's values; `None` where the endpoint ends before that has come about.
    async fn follow(&self, live: &Live) -> Option<Result<Followed, Failure>> {
        self.tally.count_request();
        let followed = async {
            let node = self.target.find(live).await?;
            let counters = self.tally.messages();
            live.subscriptions
                .follow(live, node, &self.item, &self.owner, counters)
                .await
        };
        tokio::pin!(followed);
        let mut closings = self.inbox.closings();
        tokio::select! {
            followed = &mut followed => return Some(followed),
            () = closings.begun() => {}
        }
        // What the server has begun for it, others of the session would keep.
        let followed = timeout(self.leave_time(), followed).await;
        if let Ok(Ok(followed)) = &followed {
            self.end(live, followed).await;
        }
        let end = followed.map(|followed| followed.map(drop));
        let end = end.map_or(Err(Cause::Timeout), |end| end.map_err(|failure| failure.cause));
        self.tally.count_end(end);
        None
    }

    /// Tells the server that the node is followed no longer.
    async fn end(&self, live: &Live, followed: &Followed) {
        // Without an answer it ends with the session.
        let _ = timeout(self.leave_time(), live.subscriptions.end(live, followed)).await;
    }

    /// How long the server may take for that: no time where the agent stops, for the session ends then, and all with it.
    fn leave_time(&self) -> Duration {
        match self.inbox.closing() {
            Some(Closing::Leaving(_)) => Duration::ZERO,
            _ => self.patience,
        }
    }

    /// Tells values until there are none any more.
    async fn tell(&mut self, live: &Live, mut followed: Followed) -> End {
        let end = loop {
            let has_room = self.results.has_room();
            tokio::select! {
                () = self.results.moved() => self.results.pass_due().await,
                Some(value) = followed.values.recv(), if has_room => self.pass(live, value).await,
                _ = self.inbox.recv() => break End::Closed,
                () = self.other.lost(live.number()) => break End::Lost,
            }
        };
        if let End::Closed = end {
            self.end(live, &followed).await;
        }
        // What was told before is told on.
        followed.values.close();
        while let Some(value) = followed.values.recv().await {
            self.pass(live, value).await;
        }
        end
    }

    async fn pass(&mut self, live: &Live, value: DataValue) {
        // The node has none yet, and the server tells of its first one.
        if value.status == Some(StatusCode::BadWaitingForInitialData) {
            return;
        }
        let time = value
            .source_timestamp
            .as_ref()
            .map_or_else(wall, |time| unix(time.ticks()));
        match live.sound(value).and_then(|value| json(&value)) {
            Ok(value) => {
                self.results.outbox.forget_troubles();
                self.results.pass(message::followed(time, &value)).await;
            }
            Err(failure) => {
                let trouble = format!("{}: {}", self.item.node.text(), failure.text);
                self.results.outbox.fail(&trouble);
            }
        }
    }

    /// Waits for a session other than the last; `None` at the end of the endpoint.
    async fn next_live(&mut self, last: Option<u64>) -> Option<Arc<Live>> {
        loop {
            tokio::select! {
                live = self.other.next_live(last) => return Some(live),
                _ = self.inbox.recv() => return None,
                () = self.results.moved() => self.results.pass_due().await,
            }
        }
    }

    /// Waits until `next`; `None` at the end of the endpoint.
    async fn wait_until(&mut self, next: Instant) -> Option<()> {
        loop {
            tokio::select! {
                () = sleep_until(next) => return Some(()),
                _ = self.inbox.recv() => return None,
                () = self.results.moved() => self.results.pass_due().await,
            }
        }
    }
}

/// A time of OPC UA; none before 1970 is told.
fn unix(ticks: i64) -> UnixMillis {
    let millis = (ticks / TICKS).saturating_sub(EPOCH);
    UnixMillis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use opcua::types::DateTime;

    use super::*;

    #[test]
    fn times_are_told_in_milliseconds_since_1970() {
        let time = DateTime::parse_from_rfc3339("2026-11-22T02:00:00.1239Z").unwrap();
        assert_eq!(unix(time.ticks()), UnixMillis(1_795_312_800_123));
        assert_eq!(unix(DateTime::null().ticks()), UnixMillis(0));
        assert_eq!(unix(i64::MAX).0, 910_692_730_085_477);
    }
}
