//! A connection to the broker beside the agent's own, for a command: the agent's credentials under another Client
//! Identifier, and nothing that stays.

use std::sync::Arc;

use bytes::Bytes;
use secrecy::ExposeSecret as _;
use syncline_core::session::{self, OnRefusal};

use crate::client_identifier;
use crate::config::RunConfig;
use crate::data::{self, CredentialsError};
use crate::run::Settings;
use crate::tls;
use crate::transport::Dialer;

/// How a command reaches the broker.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Where the broker is.
    pub dialer: Dialer,
    /// A session that is clean, short-lived and gives up when it is refused.
    pub session: session::Config,
}

/// Why a command cannot even try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisitError {
    /// The files for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::LoadError),
    /// The stored credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

impl Visit {
    /// A visit with the credentials that an agent of `config` has: the stored ones, else the given ones.
    ///
    /// # Errors
    /// [`VisitError`] when files are missing or wrong.
    pub fn new(config: &RunConfig) -> Result<Self, VisitError> {
        let Settings {
            broker,
            tls,
            mut session,
            ..
        } = Settings::from(config);
        if tls.as_ref().is_none_or(|tls| tls.identity.is_none())
            && let Some(stored) = data::stored_credentials(&config.data_dir)?
        {
            session.password = Some(Bytes::copy_from_slice(stored.password.expose_secret().as_bytes()));
            session.username = Some(stored.username);
        }
        session.client_id = client_identifier::of_command(config.agent_name.as_str());
        session.clean_start = true;
        session.session_expiry = 0;
        session.reconnect.on_refusal = OnRefusal::Stop;
        let tls = match &tls {
            Some(settings) => {
                let now = tls::Moment::now();
                let client = tls::Client::new(&broker.host, settings, &settings.read()?, now)?;
                Some(Arc::new(client))
            }
            None => None,
        };
        Ok(Self {
            dialer: Dialer {
                endpoint: broker,
                tls,
            },
            session,
        })
    }
}
