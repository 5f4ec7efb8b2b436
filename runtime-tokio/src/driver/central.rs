//! The driver's part in the version check: asking the central, telling the operator.

use std::future::pending;
use std::pin::Pin;

use syncline_core::registration::version::Mismatch;
use syncline_core::registration::{Request, RequestId};
use syncline_core::time::Instant;

use crate::registry::{Registry, Reply};

/// What the central was asked, and what came of it.
type Answered = (RequestId, Reply);

/// The central, as far as its version is concerned.
pub(super) struct Central {
    registry: Registry,
    under_way: Option<Pin<Box<dyn Future<Output = Answered> + Send>>>,
    /// The mismatch that the log was last told.
    told: Option<Mismatch>,
}

impl Central {
    /// The central that answers where `registry` does.
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            under_way: None,
            told: None,
        }
    }

    /// Waits for the answer to what was asked; for ever where nothing was. Cancel safe.
    pub(super) async fn next(&mut self) -> Answered {
        let Some(under_way) = &mut self.under_way else {
            return pending().await;
        };
        let answered = under_way.as_mut().await;
        self.under_way = None;
        answered
    }

    /// Asks; whatever was under way is not waited for any more.
    pub(super) fn ask(&mut self, request: Request) {
        let registry = self.registry.clone();
        let id = request.id;
        self.under_way = Some(Box::pin(async move { (id, registry.ask(request).await) }));
    }

    /// Logs a mismatch when it is another than before.
    pub(super) fn differs(&mut self, mismatch: &Mismatch, retry_at: Instant, now: Instant) {
        let next = format!("next look in {:.0} s", retry_at.since(now).as_secs_f64());
        if self.told.as_ref() == Some(mismatch) {
            tracing::debug!("offline: {mismatch}; {next}");
        } else {
            tracing::error!("offline: {mismatch}; {next}");
            self.told = Some(mismatch.clone());
        }
    }

    /// Logs the end of a mismatch.
    pub(super) fn agrees(&mut self, version: Option<&str>) {
        match (self.told.take(), version) {
            (Some(_), Some(version)) => {
                tracing::info!("the central has version {version} now, which goes with this agent's");
            }
            (Some(_), None) => tracing::info!("the central tells no version any more that could be compared"),
            (None, Some(version)) => tracing::debug!("the central has version {version}"),
            (None, None) => {
                let central = self.registry.url();
                tracing::debug!(%central, "the central tells no version that could be compared");
            }
        }
    }
}
