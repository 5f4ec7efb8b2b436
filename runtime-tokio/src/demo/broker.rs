//! The embedded broker of the demo: on a free loopback port, keeping nothing, telling of each message that passes.

use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use mqtt5::broker::{
    BrokerConfig, BrokerEventHandler, BrokerShutdownHandle, ClientPublishEvent, MqttBroker, PublishAction,
    config::StorageConfig,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A message that a client has published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Topic Name.
    pub topic: Arc<str>,
    /// Application Message.
    pub payload: Bytes,
}

/// Why the embedded broker did not start.
#[derive(Debug, thiserror::Error)]
#[error("the embedded broker did not start: {0}")]
pub struct BrokerError(mqtt5::MqttError);

/// A running broker.
pub struct EmbeddedBroker {
    address: SocketAddr,
    shutdown: BrokerShutdownHandle,
    task: JoinHandle<()>,
}

impl EmbeddedBroker {
    /// Starts a broker on `address`; each message goes to `seen` before it goes to its subscribers.
    ///
    /// # Errors
    /// [`BrokerError`] when the address is taken.
    pub async fn start(address: SocketAddr, seen: mpsc::UnboundedSender<Seen>) -> Result<Self, BrokerError> {
        let config = BrokerConfig::default()
            .with_bind_address(address)
            .with_storage(StorageConfig::default().with_persistence(false))
            .with_sys_topics_enabled(false)
            .with_event_handler(Arc::new(Tap(seen)));
        let mut broker = MqttBroker::with_config(config).await.map_err(BrokerError)?;
        let address = broker.local_addr().unwrap_or(address);
        let shutdown = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let task = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                tracing::error!(%error, "the embedded broker has stopped");
            }
        });
        // Until then it takes clients, but not the request to stop. An error ends the wait too, and has been logged.
        let _ = ready.wait_for(|ready| *ready).await;
        Ok(Self {
            address,
            shutdown,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections and the listener.
    pub async fn stop(self) {
        self.shutdown.shutdown();
        // A panic of the broker has been logged by the runtime, and it has stopped either way.
        let _ = self.task.await;
    }
}

struct Tap(mpsc::UnboundedSender<Seen>);

impl BrokerEventHandler for Tap {
    fn on_client_publish<'a>(
        &'a self,
        event: ClientPublishEvent,
    ) -> Pin<Box<dyn Future<Output = PublishAction> + Send + 'a>> {
        // Nobody listens any more once the demo is stopping.
        let _ = self.0.send(Seen {
            topic: event.topic,
            payload: event.payload,
        });
        Box::pin(ready(PublishAction::Continue))
    }
}
