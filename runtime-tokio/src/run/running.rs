//! An agent whose tasks are running, and how they are stopped in order.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use syncline_core::topic::TopicFilter;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::front::Front;
use super::opcua::OpcuaFront;
use super::resources::Resources;
use super::{Inventory, RunError, ServedNode};
use crate::admin::ServedSocket;
use crate::current::Current;
use crate::data::DataFolder;
use crate::driver::{AgentHandle, GaveUp};
use crate::http::Admission;
use crate::service::plan::Plan;
use crate::status::Status;
use crate::task::Task;
use crate::tls;

/// Time for the answers to requests that are cancelled when the drain time is over.
const CANCEL_TIME: Duration = Duration::from_secs(1);
/// Least time for messages that are on their way through mappings and endpoints, when held requests have taken all of the drain time.
const LAST_TIME: Duration = Duration::from_secs(1);
/// Time for the link to the broker to tell how many requests are held.
const REPORT_TIME: Duration = Duration::from_secs(1);
/// Time for the orderly end of the link to the broker. The session has its own bound below this.
const DISCONNECT_TIME: Duration = Duration::from_secs(5);

/// An agent whose tasks are running.
pub struct RunningAgent {
    pub(super) resources: Resources,
    pub(super) front: Front,
    pub(super) opcua: OpcuaFront,
    /// What those see who look at the agent.
    pub(super) inventory: Current<Inventory>,
    /// The same, as it was shown last.
    pub(super) shown: Arc<Inventory>,
    pub(super) agent: AgentHandle,
    pub(super) driver: JoinHandle<Result<(), GaveUp>>,
    pub(super) status: Status,
    /// Why the last reload has failed, where it may succeed another time.
    pub(super) failure: Option<String>,
    /// Absent where nobody asked for it.
    pub(super) admin: Option<Task>,
    /// Who may look there.
    pub(super) admin_access: Option<Arc<Admission>>,
    /// Absent where the data folder cannot hold it.
    pub(super) socket: Option<ServedSocket>,
    pub(super) drain_time: Duration,
    /// TLS towards the broker, and what keeps it up to date.
    pub(super) tls: Option<(Arc<tls::Client>, JoinHandle<()>)>,
    /// Held until all tasks have ended.
    pub(super) folder: Option<Arc<DataFolder>>,
    /// The filters that the data folder has as subscribed to.
    pub(super) subscribed: BTreeSet<TopicFilter>,
}

impl RunningAgent {
    /// The URLs that are served, in the order of the plan.
    #[must_use]
    pub fn served(&self) -> &[ServedNode] {
        &self.shown.nodes
    }

    /// TLS towards the broker, where there is any.
    #[must_use]
    pub fn tls(&self) -> Option<&tls::Client> {
        self.tls.as_ref().map(|(client, _)| &**client)
    }

    /// Shows `plan`, which runs, to everyone who looks.
    pub(super) fn show(&mut self, plan: &Plan) {
        let inventory = self
            .resources
            .inventory(plan, &self.front.base(), self.opcua.content());
        self.inventory.replace(inventory);
        self.shown = self.inventory.load();
        self.agent.announce(plan.service_ids());
    }

    /// Waits for a task that ends although nobody has stopped the agent, and tells why.
    pub async fn ended(&mut self) -> RunError {
        tokio::select! {
            ended = &mut self.driver => match ended {
                Ok(Err(gave_up)) => gave_up.into(),
                _ => RunError::Ended { task: "link to the broker" },
            },
            () = self.front.ended() => RunError::Ended { task: "HTTP listener" },
            () = self.opcua.ended() => RunError::Ended { task: "OPC UA server" },
        }
    }

    /// Stops: is not ready any more, takes no more connections, lets held requests end for the drain time, answers the rest with 503,
    /// publishes `offline` and disconnects from the broker.
    pub async fn stop(self) {
        let Self {
            resources,
            mut front,
            opcua,
            agent,
            driver,
            status,
            admin,
            socket,
            drain_time,
            tls,
            folder,
            shown,
            ..
        } = self;
        status.stopping();
        let held = timeout(REPORT_TIME, agent.report()).await.ok().flatten();
        let held = held.map_or(0, |report| report.open) + front.publishing() + opcua.publishing();
        tracing::info!("{}", farewell(held, shown.requests_under_way(), drain_time));
        if let Some((_, reload)) = tls {
            reload.abort();
        }
        opcua.stop_taking();
        let deadline = Instant::now() + drain_time;
        if timeout_at(deadline, drained(&mut front, &opcua)).await.is_err() {
            tracing::info!("cancelling the requests that are still held");
            agent.cancel_all();
            front.give_up();
            opcua.give_up();
            if timeout(CANCEL_TIME, drained(&mut front, &opcua)).await.is_err() {
                front.abort();
            }
        }
        opcua.close().await;
        // Held requests may have needed them until now.
        let sources = resources.stop(deadline.max(Instant::now() + LAST_TIME)).await;
        agent.stop();
        if !driver.is_finished() {
            let abort = driver.abort_handle();
            if timeout(DISCONNECT_TIME, driver).await.is_err() {
                abort.abort();
            }
        }
        drop(sources);
        drop(admin);
        drop(socket);
        // From here on the next agent may have it.
        drop(folder);
    }
}

impl fmt::Debug for RunningAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningAgent")
            .field("served", &self.shown.nodes)
            .finish_non_exhaustive()
    }
}

/// Waits until all requests are answered. Cancel safe.
async fn drained(front: &mut Front, opcua: &OpcuaFront) {
    front.close().await;
    opcua.drained().await;
}

/// What the log is told when the agent begins to stop: of requests that it holds, and of those that its endpoints have `under_way`.
fn farewell(held: usize, under_way: u64, drain_time: Duration) -> String {
    let mut told = match held {
        0 => "stopping: no requests are held".to_owned(),
        1 => "stopping: 1 request is held".to_owned(),
        held => format!("stopping: {held} requests are held"),
    };
    told += &match under_way {
        0 => String::new(),
        1 => ", 1 of an endpoint is under way".to_owned(),
        under_way => format!(", {under_way} of endpoints are under way"),
    };
    let time = drain_time.as_secs_f32();
    told + &match (held, under_way) {
        (0, 0) => String::new(),
        (1, 0) | (0, 1) => format!(", it has up to {time} s to finish"),
        _ => format!(", they have up to {time} s to finish"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farewell_tells_how_many_requests_are_left_and_how_long_they_have() {
        for (held, under_way, expected) in [
            (0, 0, "no requests are held"),
            (1, 0, "1 request is held, it has up to 2.5 s to finish"),
            (2, 0, "2 requests are held, they have up to 2.5 s to finish"),
            (
                0,
                1,
                "no requests are held, 1 of an endpoint is under way, it has up to 2.5 s to finish",
            ),
            (
                1,
                3,
                "1 request is held, 3 of endpoints are under way, they have up to 2.5 s to finish",
            ),
        ] {
            let told = farewell(held, under_way, Duration::from_millis(2500));
            assert_eq!(told, format!("stopping: {expected}"));
        }
    }
}
