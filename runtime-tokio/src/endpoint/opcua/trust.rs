//! Which servers are believed: those whose certificates somebody has put among the trusted ones.
//!
//! The library's own store believes by the certificate's name in a folder, and puts a certificate that goes unchecked among those
//! of the clients that may come in. So it gets a folder for each connection with the one certificate that was believed here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use opcua::crypto::{CertificateStore, X509, X509Data};
use opcua::sync::RwLock;
use opcua::types::ByteString;

use crate::opcua::{Certificates, Identity, OpcuaError};

const TRUSTED: &str = "trusted";
const REJECTED: &str = "rejected";
/// One folder for each connection.
const CONNECTIONS: &str = "connections";
/// Certificates that are kept among the rejected ones; a server that shows more is refused without that.
const MOST_REJECTED: usize = 100;

/// The library's store of certificates.
pub(super) type Store = Arc<RwLock<CertificateStore>>;

/// Why a server is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    /// It shows what is no certificate.
    #[error("the server shows no certificate that can be read")]
    NoCertificate,
    /// Nobody has said that it may be believed.
    #[error(
        "the server's certificate {thumbprint} is not trusted: compare it with the server's own, then run `{command}` to believe it; it \
         is in {}",
        .file.display()
    )]
    Unknown {
        /// Of the certificate.
        thumbprint: String,
        /// Where it is.
        file: PathBuf,
        /// What believes it.
        command: String,
    },
    /// As [`TrustError::Unknown`], where it is kept nowhere.
    #[error("the server's certificate {thumbprint} is not trusted; put it into {} as DER to believe it", .folder.display())]
    Unkept {
        /// Of the certificate.
        thumbprint: String,
        /// Where it should be.
        folder: PathBuf,
    },
    /// The agent's own pair, or the folders.
    #[error(transparent)]
    Own(#[from] OpcuaError),
    /// A folder cannot be used.
    #[error("{} cannot be used: {cause}", .folder.display())]
    Folder {
        /// Which one.
        folder: PathBuf,
        /// What went wrong.
        cause: std::io::Error,
    },
}

/// The store for a channel without security: it holds nothing, and touches no disk.
pub(super) fn no_store() -> Store {
    Arc::new(RwLock::new(CertificateStore::new(Path::new(""))))
}

/// The store for a channel to the server that shows `certificate`; `name` is that of the connection.
pub(super) fn store(
    identity: &Identity,
    name: &str,
    certificate: &ByteString,
    trusts_all: bool,
) -> Result<Store, TrustError> {
    let certificate = X509::from_byte_string(certificate).map_err(|_| TrustError::NoCertificate)?;
    if !trusts_all && !is_trusted(&identity.folder.join(TRUSTED), &certificate) {
        return Err(reject(identity, &certificate));
    }
    let own = identity.folder.join(CONNECTIONS).join(name);
    // Of the certificates that this connection has believed before, none is left.
    let cleared = match std::fs::remove_dir_all(&own) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::create_dir_all(&own),
    };
    cleared.map_err(|cause| TrustError::Folder {
        folder: own.clone(),
        cause,
    })?;
    let (certificate_path, key_path) = (Some(&*identity.certificate), Some(&*identity.key));
    let (mut store, ..) =
        CertificateStore::new_with_x509_data(&own, false, certificate_path, key_path, None::<X509Data>);
    // Believed by itself: an address that changes, or a date, does not make it another server.
    store.set_trust_unknown_certs(true);
    store.set_skip_verify_certs(true);
    Ok(Arc::new(RwLock::new(store)))
}

/// Whether one of the files is this certificate.
fn is_trusted(folder: &Path, certificate: &X509) -> bool {
    let Ok(der) = certificate.to_der() else {
        return false;
    };
    let Ok(files) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut certificates = files
        .flatten()
        .filter_map(|file| CertificateStore::read_cert(&file.path()).ok());
    certificates.any(|trusted| trusted.to_der().is_ok_and(|trusted| trusted == der))
}

fn reject(identity: &Identity, certificate: &X509) -> TrustError {
    let thumbprint = certificate.thumbprint().as_hex_string();
    let trusted = identity.folder.join(TRUSTED);
    let rejected = identity.folder.join(REJECTED);
    let file = rejected.join(CertificateStore::cert_file_name(certificate));
    let is_full = || std::fs::read_dir(&rejected).is_ok_and(|files| files.count() >= MOST_REJECTED);
    let kept = file.exists() || (!is_full() && keep(identity, certificate, &trusted, &file));
    match kept {
        true => TrustError::Unknown {
            command: Certificates::of(identity.folder.parent().unwrap_or(&identity.folder))
                .command(&thumbprint),
            thumbprint,
            file,
        },
        false => TrustError::Unkept {
            thumbprint,
            folder: trusted,
        },
    }
}

/// Keeps a certificate to be looked at; both folders are there then.
fn keep(identity: &Identity, certificate: &X509, trusted: &Path, file: &Path) -> bool {
    let store = CertificateStore::new(&identity.folder);
    std::fs::create_dir_all(trusted).is_ok()
        && std::fs::create_dir_all(identity.folder.join(REJECTED)).is_ok()
        && store.store_rejected_cert(certificate).is_ok()
        && file.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate of somebody.
    fn certificate(name: &str) -> X509 {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        X509::from_der(certificate.der()).unwrap()
    }

    fn identity(folder: &Path) -> Identity {
        Identity {
            folder: folder.to_owned(),
            certificate: folder.join("certificate.der"),
            key: folder.join("key.pem"),
        }
    }

    #[test]
    fn a_server_is_believed_once_its_certificate_is_among_the_trusted_ones_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(folder.path());
        let (known, other) = (certificate("known"), certificate("other"));
        let judged = |certificate: &X509, trusts_all| {
            let shown = certificate.as_byte_string();
            store(&identity, "service-plc", &shown, trusts_all).map(|_| ())
        };
        let trusted = folder.path().join(TRUSTED);
        let Err(TrustError::Unknown { file, .. }) = judged(&known, false) else {
            panic!("it is not known yet");
        };
        std::fs::rename(file, trusted.join("of the machine.der")).unwrap();
        assert!(judged(&known, false).is_ok());
        assert!(matches!(judged(&other, false), Err(TrustError::Unknown { .. })));
        // Who is believed unseen is not among those who may come in.
        assert!(judged(&other, true).is_ok());
        assert_eq!(std::fs::read_dir(trusted).unwrap().count(), 1);
        let garbage = ByteString::from(vec![1, 2, 3]);
        assert!(matches!(
            store(&identity, "service-plc", &garbage, true),
            Err(TrustError::NoCertificate)
        ));
    }

    #[test]
    fn no_more_certificates_are_kept_to_be_looked_at_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(folder.path());
        let rejected = folder.path().join(REJECTED);
        std::fs::create_dir(&rejected).unwrap();
        for number in 1..MOST_REJECTED {
            std::fs::write(rejected.join(number.to_string()), "").unwrap();
        }
        let judged = |certificate: &X509| {
            store(&identity, "service-plc", &certificate.as_byte_string(), false).map(|_| ())
        };
        let last = certificate("last");
        assert!(matches!(judged(&last), Err(TrustError::Unknown { .. })));
        assert!(matches!(
            judged(&certificate("more")),
            Err(TrustError::Unkept { .. })
        ));
        // It is there already.
        assert!(matches!(judged(&last), Err(TrustError::Unknown { .. })));
        assert_eq!(std::fs::read_dir(&rejected).unwrap().count(), MOST_REJECTED);
    }
}
