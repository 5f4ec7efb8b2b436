//! TLS towards the broker from start to stop: the first certificate, perhaps yet to be issued, and every later one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syncline_core::registration::Login;
use syncline_core::session;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Settings;
use super::login::unissued;
use crate::client_identifier;
use crate::driver::{Install, ProbeError, probe};
use crate::tls;
use crate::transport::{Dialer, Endpoint};

/// TLS towards the broker, where there is any.
pub(crate) struct BrokerTls {
    pub(crate) client: Option<Arc<tls::Client>>,
    /// The request to sign a certificate, where there is none yet.
    pub(crate) csr: Option<String>,
    settings: Option<tls::Settings>,
    /// What keeps the certificate up to date begins where there is one.
    issued: Arc<Notify>,
}

impl BrokerTls {
    /// Reads the files. A warning about the certificate is logged.
    pub(crate) fn new(settings: &Settings) -> Result<Self, tls::LoadError> {
        let csr = unissued(settings)
            .map(tls::IdentityFiles::certificate_request)
            .transpose()?;
        let client = match &settings.tls {
            // Until the certificate is issued there is none to show.
            Some(tls) if csr.is_some() => {
                let without = tls::Settings {
                    identity: None,
                    ..tls.clone()
                };
                Some(Arc::new(tls_client(&settings.broker, &without)?))
            }
            Some(tls) => Some(Arc::new(tls_client(&settings.broker, tls)?)),
            None => None,
        };
        let issued = Arc::new(Notify::new());
        if csr.is_none() {
            issued.notify_one();
        }
        Ok(Self {
            client,
            csr,
            settings: settings.tls.clone(),
            issued,
        })
    }

    /// What puts the certificate in force that comes with a grant; `None` where none was asked for.
    pub(super) fn install(&self) -> Option<Install> {
        let (Some(_), Some(client), Some(settings)) = (&self.csr, self.client.clone(), self.settings.clone())
        else {
            return None;
        };
        let issued = Arc::clone(&self.issued);
        Some(Box::new(move |certificate| {
            client
                .install(&settings, certificate)
                .map_err(|error| error.to_string())?;
            issued.notify_one();
            Ok(())
        }))
    }

    /// Begins to look after the files, once there is a certificate.
    pub(super) fn keep_up_to_date(
        self,
        trial: BrokerTrial,
        look_interval: Duration,
    ) -> Option<(Arc<tls::Client>, JoinHandle<()>)> {
        let Self {
            client,
            settings,
            issued,
            ..
        } = self;
        client.zip(settings).map(|(client, settings)| {
            let reload = tls::Reload::new(Arc::clone(&client), settings, trial, look_interval);
            let task = tokio::spawn(async move {
                issued.notified().await;
                reload.run().await;
            });
            (client, task)
        })
    }
}

fn tls_client(broker: &Endpoint, settings: &tls::Settings) -> Result<tls::Client, tls::LoadError> {
    let now = tls::Moment::now();
    let client = tls::Client::new(&broker.host, settings, &settings.read()?, now)?;
    if let Some(warning) = client.identity().and_then(|identity| identity.warning(now)) {
        tracing::warn!("{warning}");
    }
    Ok(client)
}

/// Certificates are tried on a connection beside the agent's own, which goes on meanwhile.
pub(super) struct BrokerTrial {
    endpoint: Endpoint,
    session: session::Config,
}

impl BrokerTrial {
    /// A trial with the credentials that are known by now.
    pub(super) fn new(settings: &Settings, login: Option<&Login>) -> Self {
        Self {
            endpoint: settings.broker.clone(),
            session: on_trial(&settings.session, login),
        }
    }
}

impl tls::Trial for BrokerTrial {
    async fn run(&self, candidate: Arc<tls::Client>) -> Result<(), tls::TrialError> {
        let dialer = Dialer {
            endpoint: self.endpoint.clone(),
            tls: Some(candidate),
        };
        probe(&dialer, self.session.clone())
            .await
            .map_err(|error| match error {
                ProbeError::Unreachable(why) => tls::TrialError::Unreachable(why),
                ProbeError::Login(why)
                | ProbeError::NotMqtt(why)
                | ProbeError::Unanswered(why)
                | ProbeError::Failed(why) => tls::TrialError::Refused(why),
            })
    }
}

/// `session` as one that may stand beside it and leaves no trace, with the credentials that are known by now.
fn on_trial(session: &session::Config, login: Option<&Login>) -> session::Config {
    let mut session = session.clone();
    if let Some(Login::Stored(known) | Login::Given(known)) = login {
        session.username = Some(known.username().to_owned());
        session.password = Some(Bytes::copy_from_slice(known.password().as_bytes()));
    }
    session.client_id = client_identifier::of_trial(&session.client_id);
    session.clean_start = true;
    session.session_expiry = 0;
    session.will = None;
    session
}
