//! The session with a server: kept up until its handle is gone, made anew when it is lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use opcua::client::{SessionActivity, SessionPollResult, SubscriptionActivity};
use opcua::types::StatusCode;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::connect::{self, Events, Settings};
use super::live::Live;
use crate::data::DataFolder;
use crate::endpoint::probe::Delays;
use crate::endpoint::state::LinkState;
use crate::endpoint::{ClientError, Means};
use crate::opcua::{OpcuaError, limits};
use crate::service::plan::{ConnectionPlan, OpcuaConnection, RetryStrategy, SecurityMode};

/// Time for the orderly end of a session.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// Looks that have failed one after the other until the connection is given up.
const FAILED_LOOKS: u32 = 2;
/// Time after which a connection counts as one that lasts: the next one is tried as soon as the first was.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// A connection that can be: nothing of it is there yet.
pub(crate) struct PreparedLink {
    settings: Settings,
    strategy: RetryStrategy,
    patience: Duration,
}

/// A connection to a server. Dropping it ends it, once nobody uses it any more.
#[derive(Debug)]
pub(crate) struct Link {
    other: Other,
    /// Shared with every [`Other`].
    users: Arc<()>,
    stop: watch::Sender<bool>,
    /// Absent until it was begun.
    upkeep: Option<JoinHandle<()>>,
}

/// What endpoints need of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    live: watch::Receiver<Option<Arc<Live>>>,
    /// What is known of it.
    pub(in crate::endpoint) state: Arc<LinkState>,
    /// As many as there are users.
    _user: Arc<()>,
}

/// Keeps a connection up.
#[derive(Debug)]
pub(crate) struct Upkeep {
    settings: Arc<Settings>,
    strategy: RetryStrategy,
    /// For what is under way when it ends.
    patience: Duration,
    /// What the log calls it.
    owner: String,
    state: Arc<LinkState>,
    live: watch::Sender<Option<Arc<Live>>>,
    stop: watch::Receiver<bool>,
}

/// How one connection has ended.
enum End {
    /// As it should.
    Stopped,
    /// For this reason; whether the server may still listen.
    Lost { reason: String, listens: bool },
}

impl PreparedLink {
    /// A connection to the server of `plan`, where all that may be wrong with its settings is right.
    pub(in crate::endpoint) fn new(
        means: &Means,
        service: &str,
        connection: &ConnectionPlan,
        plan: &OpcuaConnection,
    ) -> Result<Self, ClientError> {
        let folder: Option<Arc<DataFolder>> = means.folder.clone();
        if plan.mode != SecurityMode::None && folder.is_none() {
            return Err(OpcuaError::NoDataFolder.into());
        }
        Ok(Self {
            settings: Settings {
                plan: plan.clone(),
                name: format!("{service}-{}", connection.resource),
                agent: Arc::clone(&means.name),
                folder,
            },
            strategy: connection.strategy,
            patience: means.drain_time,
        })
    }

    /// The connection that the log calls `owner`, and what keeps it up.
    pub(in crate::endpoint) fn open(self, owner: &str) -> (Link, Upkeep) {
        let state = Arc::new(LinkState::new(self.settings.plan.origin()));
        let (live, other) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let users = Arc::new(());
        let link = Link {
            other: Other {
                live: other,
                state: Arc::clone(&state),
                _user: Arc::clone(&users),
            },
            users,
            stop,
            upkeep: None,
        };
        let upkeep = Upkeep {
            settings: Arc::new(self.settings),
            strategy: self.strategy,
            patience: self.patience,
            owner: owner.to_owned(),
            state,
            live,
            stop: stopped,
        };
        (link, upkeep)
    }
}

impl Link {
    /// Connects.
    pub(in crate::endpoint) fn begin(&mut self, upkeep: Upkeep) {
        self.upkeep = Some(tokio::spawn(upkeep.run()));
    }

    /// What endpoints need of it.
    pub(in crate::endpoint) fn other(&self) -> &Other {
        &self.other
    }

    /// Ends it, and waits for that until `deadline` at the latest. Where endpoints still use it, it goes on for them until they have
    /// ended as well, and nobody waits for that.
    pub(crate) async fn stop(self, deadline: Instant) {
        let Self {
            other,
            users,
            stop,
            upkeep,
        } = self;
        drop(other);
        let is_used = Arc::strong_count(&users) > 1;
        // It may have ended by itself.
        let _ = stop.send(true);
        if let Some(upkeep) = upkeep {
            let now = Instant::now();
            let until = if is_used {
                now
            } else {
                deadline.min(now + 2 * CLOSE_TIME)
            };
            // What does not end in time ends by itself, or with the process.
            let _ = timeout_at(until, upkeep).await;
        }
    }
}

impl Other {
    /// The session, where there is one.
    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.live.borrow().clone()
    }

    /// Waits for a session that is not the one with this number. Cancel safe.
    pub(super) async fn next_live(&mut self, than: Option<u64>) -> Arc<Live> {
        let is_next =
            |live: &Option<Arc<Live>>| live.as_ref().is_some_and(|live| Some(live.number()) != than);
        match self.live.wait_for(is_next).await.map(|live| live.clone()) {
            Ok(Some(live)) => live,
            // There will be none.
            _ => std::future::pending().await,
        }
    }

    /// Waits until the session with this number is not in use any more. Cancel safe.
    pub(super) async fn lost(&mut self, number: u64) {
        let is_lost = |live: &Option<Arc<Live>>| live.as_ref().is_none_or(|live| live.number() != number);
        // Where nobody keeps the connection up any more, it is lost as well.
        let _ = self.live.wait_for(is_lost).await;
    }
}

impl Upkeep {
    async fn run(self) {
        let upkeep = Arc::new(self);
        let mut delays = Delays::new(upkeep.strategy);
        let mut told = None;
        for number in 0.. {
            let one = tokio::spawn(Arc::clone(&upkeep).one(number));
            let end = one.await;
            upkeep.live.send_replace(None);
            let (reason, uptime) = match end {
                Ok(Some((End::Lost { reason, .. }, uptime))) => (reason, uptime),
                Ok(Some((End::Stopped, _)) | None) => return,
                // A panic costs its own connection.
                Err(error) => (format!("the connection has failed: {error}"), None),
            };
            // A value that is too large ends each connection as soon as it comes.
            if uptime.is_some_and(|uptime| uptime >= STABLE_AFTER) {
                delays.after(true);
            }
            if uptime.is_some() || told.as_ref() != Some(&reason) {
                tracing::warn!("{}: {} {reason}", upkeep.owner, upkeep.state.address());
                told = Some(reason.clone());
            }
            upkeep.state.disconnected(reason);
            let delay = delays.after(false).unwrap_or_default();
            let mut stop = upkeep.stop.clone();
            tokio::select! {
                () = sleep(delay) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One connection from its attempt to its end, and how long there was one, if at all; `None` where it shall not be.
    async fn one(self: Arc<Self>, number: u64) -> Option<(End, Option<Duration>)> {
        let mut stop = self.stop.clone();
        let connected = tokio::select! {
            connected = connect::connect(&self.settings) => connected,
            _ = stop.wait_for(|stop| *stop) => return None,
        };
        let (session, mut events) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                let reason = error.to_string();
                return Some((
                    End::Lost {
                        reason,
                        listens: false,
                    },
                    None,
                ));
            }
        };
        let since = Instant::now();
        let live = Arc::new(Live::new(session, number, Arc::clone(&self.state)));
        self.live.send_replace(Some(Arc::clone(&live)));
        if self.state.connected() {
            tracing::info!("{}: connected to {}", self.owner, self.state.address());
        }
        let end = self.keep_up(&live, &mut events).await;
        let uptime = since.elapsed();
        self.live.send_replace(None);
        if !matches!(end, End::Lost { listens: false, .. }) {
            self.close(&live, events).await;
        }
        Some((end, Some(uptime)))
    }

    /// Moves the session until it is lost, or nobody needs it.
    async fn keep_up(&self, live: &Live, events: &mut Events) -> End {
        let mut stop = self.stop.clone();
        let mut failed = 0;
        let mut deadline = None;
        loop {
            let at = deadline.unwrap_or_else(Instant::now);
            let event = tokio::select! {
                event = events.next() => event,
                status = live.broken() => {
                    let reason = format!("has ended the session: {status}");
                    return End::Lost { reason, listens: true };
                }
                _ = stop.wait_for(|stop| *stop), if deadline.is_none() => {
                    deadline = Some(Instant::now() + self.patience);
                    continue;
                }
                () = self.live.closed(), if deadline.is_some() => return End::Stopped,
                () = sleep_until(at), if deadline.is_some() => return End::Stopped,
            };
            let (status, listens) = match event {
                None => (StatusCode::BadConnectionClosed, false),
                Some(Err(status) | Ok(SessionPollResult::ConnectionLost(status))) => (status, false),
                Some(Ok(SessionPollResult::SessionActivity(SessionActivity::KeepAliveSucceeded))) => {
                    failed = 0;
                    continue;
                }
                Some(Ok(SessionPollResult::SessionActivity(SessionActivity::KeepAliveFailed(status)))) => {
                    failed += 1;
                    if failed < FAILED_LOOKS && !super::live::is_end(status) {
                        continue;
                    }
                    (status, true)
                }
                Some(Ok(SessionPollResult::Subscription(SubscriptionActivity::FatalFailure(status)))) => {
                    (status, true)
                }
                Some(Ok(_)) => continue,
            };
            return match deadline {
                Some(_) => End::Stopped,
                None => End::Lost {
                    reason: gone(status),
                    listens,
                },
            };
        }
    }

    /// Says goodbye, as far as the server listens.
    async fn close(&self, live: &Live, mut events: Events) {
        let goodbye = live.session().disconnect();
        let moved = async { while let Some(Ok(_)) = events.next().await {} };
        // The session ends at the server by itself, too.
        let _ = timeout(CLOSE_TIME, async { tokio::join!(goodbye, moved) }).await;
    }
}

/// How a connection has ended that nobody wanted to end, with the cure where what the server sent was too large.
fn gone(status: StatusCode) -> String {
    let is_size = matches!(
        status,
        StatusCode::BadDecodingError
            | StatusCode::BadEncodingLimitsExceeded
            | StatusCode::BadResponseTooLarge
            | StatusCode::BadTcpMessageTooLarge
    );
    if !is_size {
        return format!("is gone: {status}");
    }
    format!(
        "is gone: {status}: where this comes again, a value may be too large: messages of servers have up to {} MiB, arrays {} elements",
        limits::MESSAGE >> 20,
        limits::SERVERS_ARRAY
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_ended_by_what_was_too_large_is_told_with_the_bounds() {
        let told = gone(StatusCode::BadDecodingError);
        assert!(
            told.starts_with("is gone: BadDecodingError: where this comes again, a value may be too large")
                && told.ends_with("up to 4 MiB, arrays 1000000 elements"),
            "{told}"
        );
        assert_eq!(
            gone(StatusCode::BadConnectionClosed),
            "is gone: BadConnectionClosed"
        );
    }
}
