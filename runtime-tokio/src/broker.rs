//! The embedded broker of demo and hub, and its life from start to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mqtt5::broker::auth::AuthProvider;
use mqtt5::broker::config::StorageConfig;
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::{BrokerConfig, BrokerShutdownHandle, MqttBroker};
use tokio::task::JoinHandle;

/// Why the embedded broker did not start.
#[derive(Debug, thiserror::Error)]
#[error("the embedded broker did not start: {0}")]
pub struct BrokerError(mqtt5::MqttError);

/// A running broker.
pub struct EmbeddedBroker {
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    router: Arc<MessageRouter>,
    shutdown: BrokerShutdownHandle,
    task: JoinHandle<()>,
}

/// A broker that keeps nothing on disk and publishes nothing of its own.
pub(crate) fn config() -> BrokerConfig {
    BrokerConfig::default()
        .with_storage(StorageConfig::default().with_persistence(false))
        .with_sys_topics_enabled(false)
}

impl EmbeddedBroker {
    /// Starts a broker; without `authority` everybody may do everything.
    pub(crate) async fn start_with(
        config: BrokerConfig,
        authority: Option<Arc<dyn AuthProvider>>,
    ) -> Result<Self, BrokerError> {
        let mut broker = MqttBroker::with_config(config).await.map_err(BrokerError)?;
        if let Some(authority) = authority {
            broker = broker.with_auth_provider(authority);
        }
        let address = broker
            .local_addr()
            .unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into());
        let tls_address = broker.tls_local_addr();
        let router = broker.router();
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
            tls_address,
            router,
            shutdown,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for TLS, if it does.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// What routes its messages, and holds its connections.
    pub(crate) fn router(&self) -> Arc<MessageRouter> {
        Arc::clone(&self.router)
    }

    /// Closes all connections and the listener.
    pub async fn stop(self) {
        self.shutdown.shutdown();
        // A panic of the broker has been logged by the runtime, and it has stopped either way.
        let _ = self.task.await;
    }
}
