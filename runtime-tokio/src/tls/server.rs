//! TLS of the listeners: the certificate that clients are shown, replaced while the agent runs when its files change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use super::files::read;
use super::identity::{certificates, private_key};
use super::{CertificateFacts, ContentFault, EXPIRES_SOON, LoadError, Moment, Validity};

/// The files of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// Whose certificate it is.
    pub listener: Listener,
    /// The certificate and those between it and its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// A listener with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// The HTTP servers.
    Http,
    /// The admin listener.
    Admin,
}

impl Listener {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP servers",
            Self::Admin => "admin listener",
        }
    }

    /// Variable with the path of the certificate.
    const fn certificate(self) -> &'static str {
        match self {
            Self::Http => "SYNCLINE_HTTP_TLS_CERT",
            Self::Admin => "SYNCLINE_ADMIN_TLS_CERT",
        }
    }

    /// Variable with the path of its key.
    const fn key(self) -> &'static str {
        match self {
            Self::Http => "SYNCLINE_HTTP_TLS_KEY",
            Self::Admin => "SYNCLINE_ADMIN_TLS_KEY",
        }
    }
}

/// TLS as a listener of this agent speaks it: 1.3 and 1.2, HTTP/1.1, no client certificate.
#[derive(Debug)]
pub struct ServerTls {
    files: ServerFiles,
    shown: Arc<Shown>,
    looked: Mutex<Looked>,
    config: Arc<ServerConfig>,
}

/// What the looks at the files have found.
#[derive(Debug)]
struct Looked {
    /// Of the certificate that is shown.
    facts: CertificateFacts,
    /// Of its files.
    digest: [u8; 32],
    /// What is wrong with the files since the last look or the one before.
    trouble: Option<Trouble>,
}

/// What is wrong with files that have changed.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    why: String,
    /// Whether the log has it: in the middle of a replacement a file may be absent, which is nobody's business.
    is_told: bool,
}

/// A certificate that can be shown.
struct Loaded {
    key: CertifiedKey,
    facts: CertificateFacts,
    digest: [u8; 32],
}

/// The certificate of new connections.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl ServerTls {
    /// Reads the files. A certificate whose time is over is shown all the same, with a warning in the log.
    ///
    /// # Errors
    /// [`LoadError`] for files that cannot be read or do not belong together.
    pub fn new(files: ServerFiles) -> Result<Self, LoadError> {
        let Loaded { key, facts, digest } = load(&files)?;
        warn(&facts, &files);
        let shown = Arc::new(Shown(RwLock::new(Arc::new(key))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(LoadError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            files,
            shown,
            looked: Mutex::new(Looked {
                facts,
                digest,
                trouble: None,
            }),
            config: Arc::new(config),
        })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Looks at the files every `interval`, and shows what they hold from the next connection on. What does not fit, is not valid in
    /// place of what is, or cannot be read, is logged once, and the certificate before it stays.
    pub async fn keep_up_to_date(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            self.look();
        }
    }

    fn look(&self) {
        let found = self.found();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        match found.and_then(|found| looked.judge(found, &self.files)) {
            Ok(None) => looked.trouble = None,
            Ok(Some(Loaded { key, facts, digest })) => {
                warn(&facts, &self.files);
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                *looked = Looked {
                    facts,
                    digest,
                    trouble: None,
                };
                tracing::info!(file = %self.files.certificate.display(), "showing another certificate to clients of the {}", self.files.listener.name());
            }
            Err(why) => looked.complain(why, self.files.listener),
        }
    }

    /// What the files hold.
    fn found(&self) -> Result<Loaded, String> {
        load(&self.files).map_err(|error| error.to_string())
    }
}

impl Looked {
    /// What of the files is to be shown from now on, if it is another certificate.
    fn judge(&self, found: Loaded, files: &ServerFiles) -> Result<Option<Loaded>, String> {
        if found.digest == self.digest {
            return Ok(None);
        }
        let now = Moment::now();
        let is_valid = |facts: &CertificateFacts| matches!(facts.validity(now), Validity::Current { .. });
        if is_valid(&self.facts) && !is_valid(&found.facts) {
            return Err(not_valid(&found.facts, files));
        }
        Ok(Some(found))
    }

    /// Tells a trouble once, when a second look has found it as well.
    fn complain(&mut self, why: String, listener: Listener) {
        let last = self.trouble.take().filter(|trouble| trouble.why == why);
        let is_told = last.is_some();
        if last.is_some_and(|trouble| !trouble.is_told) {
            tracing::error!("the certificate of the {} stays as it is: {why}", listener.name());
        }
        self.trouble = Some(Trouble { why, is_told });
    }
}

fn load(files: &ServerFiles) -> Result<Loaded, LoadError> {
    let in_certificate = |fault| LoadError::Content {
        variable: files.listener.certificate(),
        file: files.certificate.clone(),
        fault,
    };
    let in_key = |fault| LoadError::Content {
        variable: files.listener.key(),
        file: files.key.clone(),
        fault,
    };
    let certificate = read(files.listener.certificate(), &files.certificate)?;
    let key = read(files.listener.key(), &files.key)?;
    let digest = digest_of(&certificate, &key);
    let chain = certificates(&certificate).map_err(in_certificate)?;
    let own = chain
        .first()
        .ok_or_else(|| in_certificate(ContentFault::NoCertificate))?;
    let facts = CertificateFacts::from_der(own).map_err(|_| in_certificate(ContentFault::BadCertificate))?;
    let key = private_key(&key).map_err(in_key)?;
    let certified =
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => in_key(ContentFault::ForeignKey),
            Error::InvalidCertificate(_) => in_certificate(ContentFault::BadCertificate),
            _ => in_key(ContentFault::UnusableKey),
        })?;
    Ok(Loaded {
        key: certified,
        facts,
        digest,
    })
}

fn warn(facts: &CertificateFacts, files: &ServerFiles) {
    let validity = facts.validity(Moment::now());
    if !matches!(validity, Validity::Current { days_left } if days_left >= EXPIRES_SOON) {
        tracing::warn!("{}", not_valid(facts, files));
    }
}

fn not_valid(facts: &CertificateFacts, files: &ServerFiles) -> String {
    let (file, not_after) = (files.certificate.display(), facts.not_after);
    let (variable, validity) = (files.listener.certificate(), facts.validity(Moment::now()));
    format!("{variable}: the certificate in {file} is {validity}, until {not_after}: have it renewed")
}

fn digest_of(certificate: &[u8], key: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [certificate, key] {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
