//! The driver's part in a registration: storing credentials, asking the registry, telling the operator.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;

use syncline_core::registration::{Credentials, Delay, Grant, Obstacle, PairingId, Request, RequestId};
use syncline_core::time::Instant;

use crate::data::{DataFolder, Keeping, RETRY_INTERVAL, StoredCredentials};
use crate::registry::{Registry, Reply};

/// Puts a certificate in force, or tells why it cannot be.
pub type Install = Box<dyn FnMut(&str) -> Result<(), String> + Send>;

/// What a driver needs to register.
pub struct Enrolment {
    registry: Registry,
    /// Where new credentials are kept; `None` to keep them in memory.
    folder: Option<Arc<DataFolder>>,
    username: String,
    install: Option<Install>,
    /// New credentials on their way to the folder.
    keeping: Option<Keeping>,
    under_way: Option<Pin<Box<dyn Future<Output = Event> + Send>>>,
    told: Told,
}

/// What has come of what was under way.
pub(super) enum Event {
    /// The credentials are stored, or cannot be for now.
    Stored,
    /// The registry has answered, or has not.
    Answered(RequestId, Reply),
}

/// What the log was last told.
#[derive(Debug, Default)]
struct Told {
    is_new: bool,
    asking: bool,
    obstacle: Option<Obstacle>,
}

impl Enrolment {
    /// Registers `username` at `registry`, and keeps new credentials in `folder`.
    #[must_use]
    pub fn new(registry: Registry, username: String, folder: Option<Arc<DataFolder>>) -> Self {
        Self {
            registry,
            folder,
            username,
            install: None,
            keeping: None,
            under_way: None,
            told: Told::default(),
        }
    }

    /// Has `install` put the certificate in force that comes with a grant, before the next connection to the broker. It is
    /// called on the driver's task, once in the life of a certificate.
    #[must_use]
    pub fn installing(mut self, install: Install) -> Self {
        self.install = Some(install);
        self
    }

    /// Waits for the end of what is under way; for ever where nothing is. Cancel safe.
    pub(super) async fn next(&mut self) -> Event {
        let Some(under_way) = &mut self.under_way else {
            return pending().await;
        };
        let event = under_way.as_mut().await;
        self.under_way = None;
        event
    }

    /// Stores new credentials: what is waited for is the first attempt, for nobody is held up by a full disk.
    pub(super) fn store(&mut self, credentials: &Credentials) {
        self.told.is_new = true;
        let Some(folder) = self.folder.clone() else {
            self.under_way = Some(Box::pin(std::future::ready(Event::Stored)));
            return;
        };
        let stored = StoredCredentials::new(credentials.username(), credentials.password().to_owned().into());
        let (keeping, tried) = Keeping::begin(folder, stored, RETRY_INTERVAL);
        self.keeping = Some(keeping);
        self.under_way = Some(Box::pin(async move {
            // Its sender is dropped only where the attempt has panicked, and is over as well.
            let _ = tried.await;
            Event::Stored
        }));
    }

    /// Stores what is not stored yet, if there is room at last.
    pub(super) async fn close(self) {
        if let Some(keeping) = self.keeping {
            keeping.close().await;
        }
    }

    /// Asks the registry; whatever was under way is not waited for any more.
    pub(super) fn ask(&mut self, request: Request, pairing_id: Option<PairingId>) {
        if !self.told.asking {
            self.told.asking = true;
            let credentials = if self.told.is_new {
                "newly generated"
            } else {
                "known"
            };
            tracing::info!(
                "asking for registration at {} with {credentials} credentials",
                self.registry.url()
            );
            self.tell_operator(pairing_id);
        }
        let registry = self.registry.clone();
        let id = request.id;
        self.under_way = Some(Box::pin(async move {
            Event::Answered(id, registry.ask(request).await)
        }));
    }

    /// Logs an obstacle when it is another than before.
    pub(super) fn delayed(&mut self, delay: &Delay, now: Instant) {
        let next = delay.retry_at.map_or_else(
            || "trying the broker".to_owned(),
            |at| format!("next try in {:.1} s", at.since(now).as_secs_f64()),
        );
        let obstacle = &delay.obstacle;
        if self.told.obstacle.as_ref() == Some(obstacle) {
            tracing::debug!("not registered yet: {obstacle}; {next}");
            return;
        }
        match obstacle {
            Obstacle::Locked | Obstacle::Pending | Obstacle::PendingAtBroker(_) => {
                tracing::info!("not registered yet: {obstacle}; {next}");
            }
            _ => tracing::warn!("not registered yet: {obstacle}; {next}"),
        }
        if matches!(obstacle, Obstacle::PendingAtBroker(_)) && !self.told.asking {
            self.told.asking = true;
            self.tell_operator(delay.pairing_id);
        }
        self.told.obstacle = Some(obstacle.clone());
    }

    pub(super) fn granted(&mut self, grant: &Grant) {
        let with_certificate = grant.certificate.is_some();
        tracing::info!(
            with_certificate,
            "the client registry has granted the registration"
        );
        if let (Some(certificate), Some(install)) = (&grant.certificate, &mut self.install) {
            match install(certificate) {
                Ok(()) => tracing::info!("the certificate that came with the grant is in force"),
                Err(why) => tracing::error!("the certificate that came with the grant cannot be used: {why}"),
            }
        }
        self.told = Told::default();
    }

    /// The broker has accepted the agent: what comes later is told anew.
    pub(super) fn connected(&mut self) {
        self.told = Told::default();
    }

    fn tell_operator(&self, pairing_id: Option<PairingId>) {
        let Some(pairing_id) = pairing_id else { return };
        tracing::info!(
            "finish in the web interface under \"User Management → Client Registry\", unlock and authorise"
        );
        tracing::info!("Username: {}, pairing ID: {pairing_id}", self.username);
    }
}
