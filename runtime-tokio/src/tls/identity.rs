//! The certificate that this agent shows, checked before a broker sees it.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use secrecy::ExposeSecret as _;

use super::files::{CERTIFICATE, IdentityFiles, KEY, Pair};
use super::{CertificateFacts, ContentFault, LoadError, Moment, Validity};

/// Days before the end of a certificate from which on each start warns of it.
pub const EXPIRES_SOON: i64 = 30;

/// A certificate with its key, fit to be shown.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What the certificate says.
    pub facts: CertificateFacts,
    pub(super) certified: Arc<CertifiedKey>,
}

/// What is wrong with a certificate and its key.
#[derive(Debug, Clone, Copy)]
pub(super) enum PairFault {
    Certificate(ContentFault),
    Key(ContentFault),
}

impl Identity {
    /// Checks that certificate and key are complete, belong together and to the login name, and hold at `now`.
    pub(super) fn check(
        files: &IdentityFiles,
        pair: &Pair,
        now: Moment,
        provider: &CryptoProvider,
    ) -> Result<Self, LoadError> {
        let in_certificate = |fault| LoadError::Content {
            variable: CERTIFICATE,
            file: files.certificate.clone(),
            fault,
        };
        let in_key = |fault| LoadError::Content {
            variable: KEY,
            file: files.key.clone(),
            fault,
        };
        let identity =
            Self::of(&pair.certificate, pair.key.expose_secret(), provider).map_err(|fault| match fault {
                PairFault::Certificate(fault) => in_certificate(fault),
                PairFault::Key(ContentFault::ForeignKey) => LoadError::KeyMismatch {
                    certificate: files.certificate.clone(),
                    key: files.key.clone(),
                },
                PairFault::Key(fault) => in_key(fault),
            })?;
        let facts = &identity.facts;
        if facts.common_name.as_deref() != Some(&files.username) {
            return Err(LoadError::CommonName {
                file: files.certificate.clone(),
                common_name: facts.common_name.clone(),
                username: files.username.clone(),
            });
        }
        match facts.validity(now) {
            Validity::Current { .. } => Ok(identity),
            Validity::Expired => Err(LoadError::Expired {
                file: files.certificate.clone(),
                not_after: facts.not_after,
            }),
            Validity::NotYet => Err(LoadError::NotYetValid {
                file: files.certificate.clone(),
                not_before: facts.not_before,
                now,
            }),
        }
    }

    /// Checks that certificate and key, both PEM, are complete and belong together.
    pub(super) fn of(certificate: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<Self, PairFault> {
        let chain = certificates(certificate).map_err(PairFault::Certificate)?;
        let own = chain
            .first()
            .ok_or(PairFault::Certificate(ContentFault::NoCertificate))?;
        let facts = CertificateFacts::from_der(own)
            .map_err(|_| PairFault::Certificate(ContentFault::BadCertificate))?;
        let key = private_key(key).map_err(PairFault::Key)?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                PairFault::Key(ContentFault::ForeignKey)
            }
            Error::InvalidCertificate(_) => PairFault::Certificate(ContentFault::BadCertificate),
            _ => PairFault::Key(ContentFault::UnusableKey),
        })?;
        Ok(Self {
            facts,
            certified: Arc::new(certified),
        })
    }

    /// What to tell the operator while there is time: `None` with [`EXPIRES_SOON`] days left or more.
    #[must_use]
    pub fn warning(&self, now: Moment) -> Option<String> {
        let validity = self.facts.validity(now);
        let soon = match validity {
            Validity::Current { days_left } => days_left < EXPIRES_SOON,
            Validity::Expired | Validity::NotYet => true,
        };
        soon.then(|| {
            let not_after = self.facts.not_after;
            format!("AGENT_CERT: the certificate is {validity}, until {not_after}: have it renewed")
        })
    }
}

/// All certificates of a PEM text, in order; other sections are passed over.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ContentFault> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(ContentFault::NoCertificate),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(ContentFault::BrokenPem),
    }
}

/// The first private key of a PEM text.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, ContentFault> {
    let has = |words: &str| pem.windows(words.len()).any(|window| window == words.as_bytes());
    // What the parser makes of it is not found or garbled.
    if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || has("\nProc-Type: 4,ENCRYPTED") {
        return Err(ContentFault::EncryptedKey);
    }
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(ContentFault::NoKey),
        Err(_) => Err(ContentFault::BrokenPem),
    }
}
