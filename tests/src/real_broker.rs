//! The brokers that sessions are shown against: Debian's Mosquitto, and the crate that the agent's demo embeds.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mqtt5::broker::config::{StorageBackend, StorageConfig};
use mqtt5::broker::{AuthProvider, BrokerConfig, BrokerShutdownHandle, MqttBroker};
use syncline_core::codec::Version;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::challenging_auth::Challenging;
use crate::mosquitto::Mosquitto;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Debian's, in a process of its own.
    Mosquitto,
    /// The crate `mqtt5`, in this process; keeping Sessions, in memory, which that of the demo has no need of.
    Embedded,
}

/// A running broker on a free loopback port.
pub struct RealBroker {
    kind: Kind,
    address: SocketAddr,
    _running: Running,
}

enum Running {
    Mosquitto(#[expect(dead_code, reason = "held for its end")] Mosquitto),
    Embedded {
        shutdown: BrokerShutdownHandle,
        task: Option<JoinHandle<()>>,
        runtime: Runtime,
    },
}

impl RealBroker {
    /// Starts a broker and waits until it accepts connections.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        match kind {
            Kind::Mosquitto => Self::mosquitto(""),
            Kind::Embedded => Self::embedded(None),
        }
    }

    /// Mosquitto with further lines of configuration.
    ///
    /// # Panics
    /// As [`RealBroker::start`].
    #[must_use]
    pub fn mosquitto(configuration: &str) -> Self {
        let broker = Mosquitto::start_with(configuration);
        Self {
            kind: Kind::Mosquitto,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, broker.port())),
            _running: Running::Mosquitto(broker),
        }
    }

    /// The embedded broker, with the authentication of [`challenging_auth`](crate::challenging_auth).
    ///
    /// # Panics
    /// As [`RealBroker::start`].
    #[must_use]
    pub fn challenging() -> Self {
        Self::embedded(Some(Arc::new(Challenging)))
    }

    fn embedded(authentication: Option<Arc<dyn AuthProvider>>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let storage = StorageConfig::default()
            .with_persistence(true)
            .with_backend(StorageBackend::Memory);
        let config = BrokerConfig::default()
            .with_bind_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .with_storage(storage)
            .with_sys_topics_enabled(false);
        let mut broker = runtime
            .block_on(MqttBroker::with_config(config))
            .expect("the embedded broker starts");
        if let Some(provider) = authentication {
            broker = broker.with_auth_provider(provider);
        }
        let address = broker.local_addr().expect("the broker listens");
        let shutdown = broker.shutdown_handle();
        let mut ready = broker.ready_receiver();
        let task = runtime.spawn(async move { broker.run().await.expect("the embedded broker runs") });
        runtime
            .block_on(ready.wait_for(|ready| *ready))
            .expect("the embedded broker is ready");
        Self {
            kind: Kind::Embedded,
            address,
            _running: Running::Embedded {
                shutdown,
                task: Some(task),
                runtime,
            },
        }
    }

    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Embedded {
            shutdown,
            task,
            runtime,
        } = self
            && let Some(task) = task.take()
        {
            shutdown.shutdown();
            // A panic of the broker has been printed, and the scenario has failed by it.
            let _ = runtime.block_on(task);
        }
    }
}

/// Runs `scenario` with both versions against a new broker of each kind; the output of a failing test says which it was.
///
/// # Panics
/// When the scenario does.
pub fn with_every_broker(scenario: impl Fn(&RealBroker, Version)) {
    for kind in [Kind::Mosquitto, Kind::Embedded] {
        for version in [Version::V3_1_1, Version::V5] {
            println!("with {kind:?} and {version:?}");
            scenario(&RealBroker::start(kind), version);
        }
    }
}

/// Runs `scenario`, which is about 5.0, against a new broker of each kind.
///
/// # Panics
/// When the scenario does.
pub fn with_every_broker_in_5_0(scenario: impl Fn(&RealBroker)) {
    for kind in [Kind::Mosquitto, Kind::Embedded] {
        println!("with {kind:?}");
        scenario(&RealBroker::start(kind));
    }
}
