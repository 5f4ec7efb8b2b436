//! TLS towards one server: the configuration in force, and the handshake.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::{Failure, Handshake, Peer};
use super::files::{Settings, Snapshot};
use super::texts::Texts;
use super::trust::{self, Roots};
use super::{Identity, LoadError, Looked, Moment};

/// TLS towards the server at one host.
#[derive(Debug)]
pub struct Client {
    server: ServerName<'static>,
    kind: Peer,
    in_force: RwLock<InForce>,
    looked: watch::Sender<Looked>,
}

/// What connections are made with from now on.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    config: Arc<ClientConfig>,
    roots: Roots,
    identity: Option<Identity>,
    digest: [u8; 32],
}

impl Client {
    /// Checks everything that can be checked without the server at `host`.
    ///
    /// # Errors
    /// [`LoadError`] when the files do not fit.
    pub fn new(host: &str, settings: &Settings, snapshot: &Snapshot, now: Moment) -> Result<Self, LoadError> {
        // A name may end with the dot of the root, a certificate's names never do.
        let name = host.strip_suffix('.').unwrap_or(host);
        let server =
            ServerName::try_from(name.to_owned()).map_err(|_| LoadError::HostName(host.to_owned()))?;
        Self::to(server, Peer::Broker, settings, snapshot, now)
    }

    /// A client of the server at `host` with what `texts` give, and of the rest what `own` says.
    ///
    /// # Errors
    /// [`LoadError`] when texts or files do not fit.
    pub(crate) fn with_texts(
        host: &str,
        texts: &Texts<'_>,
        own: &Settings,
        now: Moment,
    ) -> Result<Self, LoadError> {
        let name = host.strip_suffix('.').unwrap_or(host);
        let server =
            ServerName::try_from(name.to_owned()).map_err(|_| LoadError::HostName(host.to_owned()))?;
        Ok(Self::in_force_with(
            server,
            Peer::OtherBroker,
            texts.in_force(own, now)?,
        ))
    }

    /// The same for a client registry in place of a broker, as far as messages name it.
    #[must_use]
    pub fn of_registry(self) -> Self {
        self.of(Peer::Registry)
    }

    /// The same for another server in place of a broker, as far as messages name it.
    #[must_use]
    pub(crate) fn of(self, kind: Peer) -> Self {
        Self { kind, ..self }
    }

    /// Which server this is.
    #[must_use]
    pub fn kind(&self) -> Peer {
        self.kind
    }

    fn to(
        server: ServerName<'static>,
        kind: Peer,
        settings: &Settings,
        snapshot: &Snapshot,
        now: Moment,
    ) -> Result<Self, LoadError> {
        let in_force = InForce::new(settings, snapshot, now)?;
        Ok(Self::in_force_with(server, kind, in_force))
    }

    fn in_force_with(server: ServerName<'static>, kind: Peer, in_force: InForce) -> Self {
        let looked = Looked {
            digest: Some(in_force.digest),
            refused: None,
        };
        Self {
            server,
            kind,
            in_force: RwLock::new(in_force),
            looked: watch::Sender::new(looked),
        }
    }

    /// Another client of the same server, with what the files hold now.
    pub(super) fn candidate(
        &self,
        settings: &Settings,
        snapshot: &Snapshot,
        now: Moment,
    ) -> Result<Self, LoadError> {
        Self::to(self.server.clone(), self.kind, settings, snapshot, now)
    }

    /// Uses what `other` uses, from the next connection on.
    pub(super) fn adopt(&self, other: &Self) {
        let in_force = other.in_force();
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = in_force;
    }

    /// Notes what became of the files.
    pub(super) fn looked(&self, looked: Looked) {
        self.looked.send_if_modified(|last| {
            let changed = *last != looked;
            *last = looked;
            changed
        });
    }

    /// What became of the files when they were last looked at.
    #[must_use]
    pub fn last_look(&self) -> watch::Receiver<Looked> {
        self.looked.subscribe()
    }

    /// What the files held that are in force: see [`Snapshot::digest`].
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.in_force().digest
    }

    /// The certificate that this agent shows.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.in_force().identity
    }

    /// Does the handshake over `stream`.
    ///
    /// # Errors
    /// [`Failure`] with its cure.
    pub(crate) async fn connect(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let in_force = self.in_force();
        let handshake = TlsConnector::from(in_force.config).connect(self.server.clone(), stream);
        let (outcome, refused) = trust::watching(handshake).await;
        if let Ok(stream) = &outcome {
            let (_, connection) = stream.get_ref();
            let (version, suite) = (
                connection.protocol_version(),
                connection.negotiated_cipher_suite(),
            );
            tracing::debug!(?version, suite = ?suite.map(|suite| suite.suite()), "TLS established");
        }
        outcome.map_err(|error: io::Error| {
            let known = Handshake {
                server: self.kind,
                host: &self.server.to_str(),
                roots: &in_force.roots,
                shows_certificate: in_force.identity.is_some(),
                refused: refused.as_ref(),
            };
            Failure::of_handshake(&error, &known, Moment::now())
        })
    }

    fn in_force(&self) -> InForce {
        // The value is replaced as a whole: no panic can leave it half-made.
        self.in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl InForce {
    fn new(settings: &Settings, snapshot: &Snapshot, now: Moment) -> Result<Self, LoadError> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let (verifier, roots) = trust::verifier(&settings.trust, snapshot, &provider)?;
        let identity = match (&settings.identity, &snapshot.identity) {
            (Some(files), Some(pair)) => Some(Identity::check(files, pair, now, &provider)?),
            _ => None,
        };
        Self::compose(provider, verifier, roots, identity, snapshot.digest())
    }

    /// What believes as `verifier` does, by `roots`, and shows `identity`.
    pub(super) fn compose(
        provider: Arc<CryptoProvider>,
        verifier: Arc<dyn ServerCertVerifier>,
        roots: Roots,
        identity: Option<Identity>,
        digest: [u8; 32],
    ) -> Result<Self, LoadError> {
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(LoadError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &identity {
            Some(identity) => {
                let shown = SingleCertAndKey::from(Arc::clone(&identity.certified));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self {
            config: Arc::new(config),
            roots,
            identity,
            digest,
        })
    }
}
