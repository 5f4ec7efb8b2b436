//! Whom this agent believes: verification of a server's certificate.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::files::{AUTHORITY, Snapshot, Trust};
use super::identity::certificates;
use super::{CertificateFacts, ContentFault, LoadError};

tokio::task_local! {
    /// What the server of this task's handshake has shown. The error of a refused certificate does not hold it, and the
    /// operator needs its names and its issuer.
    static SHOWN: RefCell<Option<CertificateFacts>>;
}

/// Where the authorities come from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    File(PathBuf),
    /// The text of a commissioning file.
    Given,
    System,
    /// Servers are not verified.
    Unasked,
}

impl fmt::Display for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Given => f.write_str("`caCert`"),
            Self::System | Self::Unasked => f.write_str("this system"),
        }
    }
}

/// Runs `handshake`; when it has ended, the certificate that was refused in it is known.
pub(super) async fn watching<T>(handshake: impl Future<Output = T>) -> (T, Option<CertificateFacts>) {
    SHOWN
        .scope(RefCell::new(None), async {
            let outcome = handshake.await;
            (outcome, SHOWN.with(RefCell::take))
        })
        .await
}

/// What verifies servers as `trust` says, with the authorities of `snapshot`.
pub(super) fn verifier(
    trust: &Trust,
    snapshot: &Snapshot,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ServerCertVerifier>, Roots), LoadError> {
    let (store, roots) = match (trust, &snapshot.authorities) {
        (Trust::Anyone, _) => {
            let schemes = provider.signature_verification_algorithms.supported_schemes();
            return Ok((Arc::new(BelieveAnyone { schemes }), Roots::Unasked));
        }
        (Trust::Authorities(file), Some(pem)) => (from_file(file, pem)?, Roots::File(file.clone())),
        (Trust::Authorities(file), None) => (from_system(file)?, Roots::System),
    };
    Ok((verify(store, provider)?, roots))
}

/// What verifies servers by the authorities in the text `pem`.
pub(super) fn verifier_of_text(
    pem: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ServerCertVerifier>, Roots), LoadError> {
    let store = authorities(pem.as_bytes()).map_err(|fault| LoadError::Text {
        property: "caCert",
        fault,
    })?;
    Ok((verify(store, provider)?, Roots::Given))
}

fn verify(
    store: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, LoadError> {
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| LoadError::Setup(Error::General(error.to_string())))?;
    Ok(Arc::new(Verify { inner }))
}

fn from_file(file: &Path, pem: &[u8]) -> Result<RootCertStore, LoadError> {
    authorities(pem).map_err(|fault| LoadError::Content {
        variable: AUTHORITY,
        file: file.to_owned(),
        fault,
    })
}

/// The certificates of a PEM text as authorities.
pub(super) fn authorities(pem: &[u8]) -> Result<RootCertStore, ContentFault> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate).map_err(|_| ContentFault::BadCertificate)?;
    }
    Ok(store)
}

fn from_system(file: &Path) -> Result<RootCertStore, LoadError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // Systems carry authorities of kinds that nobody uses any more; the others are enough.
    store.add_parsable_certificates(found.certs);
    match store.is_empty() {
        true => Err(LoadError::NoSystemRoots {
            file: file.to_owned(),
            causes: found.errors.iter().map(ToString::to_string).collect(),
        }),
        false => Ok(store),
    }
}

/// The usual verification, which keeps what it refuses for the message.
#[derive(Debug)]
struct Verify {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Verify {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if verified.is_err() {
            // Outside of `watching` nobody asks for it.
            let _ = SHOWN.try_with(|shown| shown.replace(CertificateFacts::from_der(end_entity).ok()));
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// `TRUST_ALL_CERTS`: no question is asked. A signature proves nothing where any key will do.
#[derive(Debug)]
struct BelieveAnyone {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for BelieveAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
