//! Nodes that are followed: endpoints with one publishing interval share a subscription, each with a monitored item of its own.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opcua::client::{MonitoredItem, OnSubscriptionNotification};
use opcua::types::{
    DataValue, ExtensionObject, MonitoredItemCreateRequest, MonitoringMode, MonitoringParameters, NodeId,
    ReadValueId, StatusChangeNotification, StatusCode, TimestampsToReturn,
};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};

use super::live::{Failure, Harm, Live};
use crate::rules::Counters;
use crate::service::plan::OpcuaItem;

/// Values of one node that wait at the server until it publishes; the oldest go then.
const QUEUE_THERE: u32 = 100;
/// Values of one node that wait here; a further one is dropped and counted.
const QUEUE_HERE: usize = 1_000;
/// Time after which a server that has nothing to publish says so.
const KEEP_ALIVE_TIME: Duration = Duration::from_secs(10);
/// A subscription of which the client asks nothing for so many of those times is deleted by the server.
const LIFETIMES: u32 = 6;

/// The subscriptions of one session, by their publishing interval.
pub(super) struct Subscriptions {
    by_interval: AsyncMutex<BTreeMap<Duration, Shared>>,
    /// Told where the server ends a subscription.
    broken: watch::Sender<Option<StatusCode>>,
}

/// One subscription.
struct Shared {
    id: u32,
    sinks: Sinks,
}

/// Where values go, by the client's number of the item.
type Sinks = Arc<Mutex<HashMap<u32, Sink>>>;

struct Sink {
    values: mpsc::Sender<DataValue>,
    counters: Arc<Counters>,
    owner: Arc<str>,
    /// For the log.
    node: String,
}

/// A node that is followed.
pub(super) struct Followed {
    pub(super) values: mpsc::Receiver<DataValue>,
    interval: Duration,
    item: u32,
    handle: u32,
}

/// What the library tells of one subscription.
struct Listener {
    sinks: Sinks,
    broken: watch::Sender<Option<StatusCode>>,
}

impl Subscriptions {
    pub(super) fn new(broken: watch::Sender<Option<StatusCode>>) -> Self {
        Self {
            by_interval: AsyncMutex::default(),
            broken,
        }
    }

    /// Follows `node` as `item` says, for the endpoint that the log calls `owner`; what it has no room for is counted in `counters`.
    pub(super) async fn follow(
        &self,
        live: &Live,
        node: NodeId,
        item: &OpcuaItem,
        owner: &Arc<str>,
        counters: &Arc<Counters>,
    ) -> Result<Followed, Failure> {
        let interval = item.publish_interval;
        let mut by_interval = self.by_interval.lock().await;
        let shared = match by_interval.get(&interval) {
            Some(shared) => shared,
            None => {
                let created = self.create(live, interval).await?;
                by_interval.entry(interval).or_insert(created)
            }
        };
        let (sender, values) = mpsc::channel(QUEUE_HERE);
        let sink = Sink {
            values: sender,
            counters: Arc::clone(counters),
            owner: Arc::clone(owner),
            node: item.node.text(),
        };
        let handle = free_handle(&shared.sinks, sink);
        let monitored = monitor(live, shared.id, node, item, handle).await;
        match monitored {
            Ok(id) => Ok(Followed {
                values,
                interval,
                item: id,
                handle,
            }),
            Err(failure) => {
                let id = shared.id;
                if leave(&shared.sinks, handle) {
                    by_interval.remove(&interval);
                    // What fails here ends with the session.
                    let _ = live.session().delete_subscription(id).await;
                }
                Err(failure)
            }
        }
    }

    /// Follows a node no longer. Values that were told before wait in it still.
    pub(super) async fn end(&self, live: &Live, followed: &Followed) {
        let mut by_interval = self.by_interval.lock().await;
        let Some(shared) = by_interval.get(&followed.interval) else {
            return;
        };
        let id = shared.id;
        // What fails here ends with the session.
        match leave(&shared.sinks, followed.handle) {
            true => {
                by_interval.remove(&followed.interval);
                let _ = live.session().delete_subscription(id).await;
            }
            false => {
                let _ = live.session().delete_monitored_items(id, &[followed.item]).await;
            }
        }
    }

    async fn create(&self, live: &Live, interval: Duration) -> Result<Shared, Failure> {
        let sinks = Sinks::default();
        let listener = Listener {
            sinks: Arc::clone(&sinks),
            broken: self.broken.clone(),
        };
        let quiet = KEEP_ALIVE_TIME.as_millis() / interval.as_millis().max(1);
        let keep_alive = u32::try_from(quiet).unwrap_or(u32::MAX / LIFETIMES).max(1);
        let created = live
            .session()
            .create_subscription(interval, keep_alive * LIFETIMES, keep_alive, 0, 0, true, listener)
            .await;
        let id = created.map_err(|error| live.failed(&error, Harm::None))?;
        Ok(Shared { id, sinks })
    }
}

async fn monitor(
    live: &Live,
    subscription: u32,
    node: NodeId,
    item: &OpcuaItem,
    handle: u32,
) -> Result<u32, Failure> {
    let request = MonitoredItemCreateRequest {
        item_to_monitor: ReadValueId::new_value(node),
        monitoring_mode: MonitoringMode::Reporting,
        requested_parameters: MonitoringParameters {
            client_handle: handle,
            // Below zero: as often as it is published.
            sampling_interval: item
                .sampling_interval
                .map_or(-1.0, |interval| interval.as_secs_f64() * 1000.0),
            filter: ExtensionObject::null(),
            queue_size: QUEUE_THERE,
            discard_oldest: true,
        },
    };
    let created: Pin<Box<dyn Future<Output = _> + Send + '_>> = Box::pin(
        live.session()
            .create_monitored_items(subscription, TimestampsToReturn::Source, vec![request]),
    );
    let created = created.await.map_err(|error| live.failed(&error, Harm::None))?;
    match created.into_iter().next().map(|created| created.result) {
        Some(result) if result.status_code.is_bad() => Err(live.refused(result.status_code)),
        Some(result) => Ok(result.monitored_item_id),
        None => Err(live.refused(StatusCode::BadUnknownResponse)),
    }
}

/// Puts `sink` under a number that no other one has; the library gives one itself to who asks for 0.
fn free_handle(sinks: &Sinks, sink: Sink) -> u32 {
    let mut sinks = lock(sinks);
    let free = (1..)
        .find(|handle| !sinks.contains_key(handle))
        .unwrap_or(u32::MAX);
    sinks.insert(free, sink);
    free
}

impl OnSubscriptionNotification for Listener {
    fn on_subscription_status_change(&mut self, notification: StatusChangeNotification) {
        if notification.status.is_bad() {
            self.broken.send_replace(Some(notification.status));
        }
    }

    fn on_data_value(&mut self, value: DataValue, item: &MonitoredItem) {
        let sinks = lock(&self.sinks);
        let Some(sink) = sinks.get(&item.client_handle()) else {
            return;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = sink.values.try_send(value) {
            let count = sink.counters.count_overloaded();
            if count.is_power_of_two() {
                tracing::warn!(
                    "{}: values of {} come faster than they are handled, {count} dropped so far",
                    sink.owner,
                    sink.node
                );
            }
        }
    }
}

/// Removes the sink with this number, and says whether it was the last.
fn leave(sinks: &Sinks, handle: u32) -> bool {
    let mut sinks = lock(sinks);
    sinks.remove(&handle);
    sinks.is_empty()
}

fn lock(sinks: &Sinks) -> MutexGuard<'_, HashMap<u32, Sink>> {
    // Nobody panics between two steps of a change.
    sinks.lock().unwrap_or_else(PoisonError::into_inner)
}
