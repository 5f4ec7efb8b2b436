//! What a running agent knows about itself: kept by an observer in its driver, read by admin listener and commands.

mod observer;
mod reloads;
mod short_connections;
mod snapshot;
mod text;
mod view;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

pub(crate) use observer::Observer;
pub(crate) use reloads::Reloads;
pub(crate) use short_connections::ShortConnections;
pub use snapshot::{
    BrokerStatus, CentralStatus, CertificateStatus, ConnectionStatus, EndpointStatus, ExchangeStatus,
    LastReload, MappingStatus, NodeStatus, OpcuaStatus, RegistrationStatus, ReloadStatus, RuleStatus,
    Snapshot, TransactionTotals,
};
pub(crate) use text::InBatches;
pub(crate) use view::View;

/// What the observer has seen, shared with those who ask.
#[derive(Debug, Clone)]
pub(crate) struct Status(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    agent: String,
    broker: String,
    started: SystemTime,
    stopping: AtomicBool,
    reloads: Reloads,
    link: Mutex<Link>,
}

/// The link to the broker, and how the agent came to have it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link {
    /// Version and beginning of the connection, while there is one.
    pub(crate) connected: Option<(String, SystemTime)>,
    /// Connections since the start.
    pub(crate) connections: u64,
    /// Why the last connection or attempt ended.
    pub(crate) last_end: Option<String>,
    /// The version that the central has told last, and why it keeps the agent offline, where it does.
    pub(crate) central: Option<(String, Option<String>)>,
    /// What stands in the way of the registration, and what both sides show of the credentials.
    pub(crate) obstacle: Option<(String, Option<String>)>,
}

impl Status {
    pub(crate) fn new(agent: String, broker: String) -> Self {
        Self(Arc::new(Inner {
            agent,
            broker,
            started: SystemTime::now(),
            stopping: AtomicBool::new(false),
            reloads: Reloads::default(),
            link: Mutex::default(),
        }))
    }

    /// From now on the agent is not ready, whatever else it is.
    pub(crate) fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// What came of reloads.
    pub(crate) fn reloads(&self) -> &Reloads {
        &self.0.reloads
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.0.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
