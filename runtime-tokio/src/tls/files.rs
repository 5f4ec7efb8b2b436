//! The files of TLS: where they are, and what they held at one moment.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::{Digest as _, Sha256};

use super::{ContentFault, LoadError};

/// Longest file that is read: twenty times what a system's bundle of authorities takes.
pub(super) const MAX_BYTES: u64 = 4 << 20;

/// Variable with the path of the client certificate.
pub(super) const CERTIFICATE: &str = "AGENT_CERT";
/// Variable with the path of its key.
pub(super) const KEY: &str = "AGENT_KEY";
/// Variable with the path of the authorities.
pub(super) const AUTHORITY: &str = "CA";

/// Whom to believe, and which certificate to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which servers are believed.
    pub trust: Trust,
    /// The client certificate; `None` for TLS that only the server proves itself in.
    pub identity: Option<IdentityFiles>,
}

/// Which servers are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those with a certificate from an authority in this file; where it does not exist, from one that the system knows.
    Authorities(PathBuf),
    /// Everyone: the link is encrypted, and nobody knows to whom.
    Anyone,
}

/// A client certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate and those between it and its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The login name, which the certificate's common name must equal.
    pub username: String,
}

/// What the files held at one moment.
pub struct Snapshot {
    /// `None` where the file does not exist, or servers are not verified.
    pub(super) authorities: Option<Vec<u8>>,
    pub(super) identity: Option<Pair>,
}

/// Certificate and key as they were read.
pub(super) struct Pair {
    pub(super) certificate: Vec<u8>,
    pub(super) key: SecretSlice<u8>,
}

impl Settings {
    /// Reads the files.
    ///
    /// # Errors
    /// [`LoadError::Read`], or [`ContentFault::TooLong`] in a [`LoadError::Content`].
    pub fn read(&self) -> Result<Snapshot, LoadError> {
        let authorities = match &self.trust {
            Trust::Anyone => None,
            Trust::Authorities(file) => match read(AUTHORITY, file) {
                Err(LoadError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
                read => Some(read?),
            },
        };
        let pair = |files: &IdentityFiles| {
            Ok(Pair {
                certificate: read(CERTIFICATE, &files.certificate)?,
                key: read(KEY, &files.key)?.into(),
            })
        };
        Ok(Snapshot {
            authorities,
            identity: self.identity.as_ref().map(pair).transpose()?,
        })
    }
}

impl Snapshot {
    /// SHA-256 of all that was read: another value means that a file has changed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let pair = self.identity.as_ref();
        for part in [
            self.authorities.as_deref(),
            pair.map(|pair| pair.certificate.as_slice()),
            pair.map(|pair| pair.key.expose_secret()),
        ] {
            // Whether it is there and how long it is: no two different sets of files give the same bytes.
            hasher.update([u8::from(part.is_some())]);
            let part = part.unwrap_or_default();
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

pub(super) fn read(variable: &'static str, file: &Path) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| LoadError::Read {
            variable,
            file: file.to_owned(),
            source,
        })?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= MAX_BYTES => Ok(bytes),
        _ => Err(LoadError::Content {
            variable,
            file: file.to_owned(),
            fault: ContentFault::TooLong,
        }),
    }
}
