//! An agent whose tasks are running, and how they are stopped in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::{RunError, ServedNode};
use crate::admin::ServedSocket;
use crate::data::DataFolder;
use crate::driver::{AgentHandle, GaveUp};
use crate::endpoint::StartedConnection;
use crate::status::Status;
use crate::tls;

/// Time for the answers to requests that are cancelled when the drain time is over.
const CANCEL_TIME: Duration = Duration::from_secs(1);
/// Time for the link to the broker to tell how many requests are held.
const REPORT_TIME: Duration = Duration::from_secs(1);
/// Time for the orderly end of the link to the broker. The session has its own bound below this.
const DISCONNECT_TIME: Duration = Duration::from_secs(5);

/// An agent whose tasks are running.
#[derive(Debug)]
pub struct RunningAgent {
    pub(super) served: Vec<ServedNode>,
    pub(super) agent: AgentHandle,
    pub(super) driver: JoinHandle<Result<(), GaveUp>>,
    pub(super) status: Status,
    /// Connections to other systems, with their endpoints.
    pub(super) connections: Vec<StartedConnection>,
    /// Absent where the plan has no HTTP server.
    pub(super) http: Option<JoinHandle<()>>,
    /// Keeps the certificate of the HTTP listener up to date, where it has one.
    pub(super) http_tls: Option<JoinHandle<()>>,
    /// Absent where nobody asked for it.
    pub(super) admin: Option<JoinHandle<()>>,
    /// Absent where the data folder cannot hold it.
    pub(super) socket: Option<ServedSocket>,
    pub(super) stop_http: watch::Sender<bool>,
    pub(super) drain_time: Duration,
    /// TLS towards the broker, and what keeps it up to date.
    pub(super) tls: Option<(Arc<tls::Client>, JoinHandle<()>)>,
    /// Held until all tasks have ended.
    pub(super) folder: Option<Arc<DataFolder>>,
}

impl RunningAgent {
    /// The URLs that are served, in the order of the plan.
    #[must_use]
    pub fn served(&self) -> &[ServedNode] {
        &self.served
    }

    /// TLS towards the broker, where there is any.
    #[must_use]
    pub fn tls(&self) -> Option<&tls::Client> {
        self.tls.as_ref().map(|(client, _)| &**client)
    }

    /// Waits for a task that ends although nobody has stopped the agent, and tells why.
    pub async fn ended(&mut self) -> RunError {
        let http = async {
            match &mut self.http {
                Some(http) => drop(http.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut self.driver => match ended {
                Ok(Err(gave_up)) => gave_up.into(),
                _ => RunError::Ended { task: "link to the broker" },
            },
            () = http => RunError::Ended { task: "HTTP listener" },
        }
    }

    /// Stops: is not ready any more, takes no more connections, lets held requests end for the drain time, answers the rest with 503,
    /// publishes `offline` and disconnects from the broker.
    pub async fn stop(self) {
        let Self {
            agent,
            driver,
            status,
            connections,
            http,
            http_tls,
            admin,
            socket,
            stop_http,
            drain_time,
            tls,
            folder,
            ..
        } = self;
        status.stopping();
        let held = timeout(REPORT_TIME, agent.report()).await.ok().flatten();
        tracing::info!("{}", farewell(held.map_or(0, |report| report.open), drain_time));
        if let Some((_, reload)) = tls {
            reload.abort();
        }
        if let Some(look) = http_tls {
            look.abort();
        }
        stop_http.send_replace(true);
        if let Some(mut http) = http.filter(|http| !http.is_finished())
            && timeout(drain_time, &mut http).await.is_err()
        {
            tracing::info!("cancelling the requests that are still held");
            agent.cancel_all();
            if timeout(CANCEL_TIME, &mut http).await.is_err() {
                http.abort();
            }
        }
        // Held requests may have needed them until now.
        let ends: JoinSet<()> = connections.into_iter().map(StartedConnection::stop).collect();
        ends.join_all().await;
        agent.stop();
        if !driver.is_finished() {
            let abort = driver.abort_handle();
            if timeout(DISCONNECT_TIME, driver).await.is_err() {
                abort.abort();
            }
        }
        if let Some(admin) = admin {
            admin.abort();
        }
        drop(socket);
        // From here on the next agent may have it.
        drop(folder);
    }
}

/// What the log is told when the agent begins to stop.
fn farewell(held: usize, drain_time: Duration) -> String {
    let time = drain_time.as_secs_f32();
    match held {
        0 => "stopping: no requests are held".to_owned(),
        1 => format!("stopping: 1 request is held, it has up to {time} s to finish"),
        held => format!("stopping: {held} requests are held, they have up to {time} s to finish"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farewell_tells_how_many_requests_are_held_and_how_long_they_have() {
        let told = |held| farewell(held, Duration::from_millis(2500));
        assert_eq!(told(0), "stopping: no requests are held");
        assert_eq!(
            told(1),
            "stopping: 1 request is held, it has up to 2.5 s to finish"
        );
        assert_eq!(
            told(2),
            "stopping: 2 requests are held, they have up to 2.5 s to finish"
        );
    }
}
