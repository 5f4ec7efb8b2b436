//! TLS towards a server: whom to believe, what this agent shows of itself, and what to do when it fails.
//!
//! [`Settings`] say where the files are; [`Settings::read`] takes them in as they are at one moment; what they hold is
//! checked by pure functions of those bytes and a [`Moment`], so that a new pair can be tried without harm.

mod client;
mod facts;
mod failure;
mod files;
mod identity;
mod reload;
mod request;
mod server;
mod texts;
mod trust;

use std::io;
use std::path::{Path, PathBuf};

pub use client::Client;
pub use facts::{CertificateFacts, Moment, NotACertificate, Validity};
pub(crate) use failure::lost;
pub use failure::{Failure, Fault, Peer};
pub use files::{IdentityFiles, Settings, Snapshot, Trust};
pub use identity::{EXPIRES_SOON, Identity};
pub use reload::{LOOK_INTERVAL, Looked, Reload, Trial, TrialError};
pub use server::{Listener, ServerFiles, ServerTls};
pub(crate) use texts::{Texts, certificate_text_fault, pair_text_fault};

use crate::regular_file;
use crate::transport::text;

/// Largest file of certificates that is shown.
const MAX_CERTIFICATES: usize = 1024 * 1024;

/// What the certificates in a PEM file say, in their order.
///
/// # Errors
/// What is wrong with the file, as part of a message that names it.
pub fn certificates_of(file: &Path) -> Result<Vec<CertificateFacts>, String> {
    let pem = regular_file::read(file, MAX_CERTIFICATES)?;
    let certificates = identity::certificates(&pem).map_err(|fault| fault.to_string())?;
    let facts = certificates.iter().map(|der| CertificateFacts::from_der(der));
    facts.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Files that cannot be used for TLS; each message names the variable that leads to the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be read.
    #[error("{variable}: cannot read {}: {}; give a file that this user may read", .file.display(), text(.source))]
    Read {
        /// Variable with the path.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{variable}: cannot write {}: {}; give a path that this user may write to", .file.display(), text(.source))]
    Write {
        /// Variable with the path.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what its variable asks for.
    #[error("{variable}: {}: {fault}", .file.display())]
    Content {
        /// Variable with the path.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and what was expected.
        fault: ContentFault,
    },
    /// A text of a commissioning file is not what its property asks for.
    #[error("`{property}` of the connection: {fault}")]
    Text {
        /// The property.
        property: &'static str,
        /// What is wrong with it, and what was expected.
        fault: ContentFault,
    },
    /// Certificate and key are not of one pair.
    #[error(
        "AGENT_KEY: the key in {} does not belong to the certificate in {}: give the key that this certificate was \
         requested with", .key.display(), .certificate.display()
    )]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate is for another login name.
    #[error(
        "AGENT_CERT: the certificate in {} is for {}, but this agent logs in as `{username}`: have one issued with \
         CN={username}, or set CYBUS_MQTT_USERNAME to the certificate's common name", .file.display(), named(.common_name)
    )]
    CommonName {
        /// The file.
        file: PathBuf,
        /// The certificate's common name.
        common_name: Option<String>,
        /// The login name.
        username: String,
    },
    /// The certificate's time is over.
    #[error("AGENT_CERT: the certificate in {} expired on {not_after}: have it renewed", .file.display())]
    Expired {
        /// The file.
        file: PathBuf,
        /// When it ended.
        not_after: Moment,
    },
    /// The certificate's time has not begun.
    #[error(
        "AGENT_CERT: the certificate in {} is not valid before {not_before}, and the clock of this machine shows {now}: \
         set the clock, or wait", .file.display()
    )]
    NotYetValid {
        /// The file.
        file: PathBuf,
        /// When it begins.
        not_before: Moment,
        /// What the clock shows.
        now: Moment,
    },
    /// The system has no certificates to verify servers against.
    #[error(
        "{} does not exist, and this system has no certificates to verify the broker against{}: set CA to the \
         certificate of the authority that issued the broker's, or install the package `ca-certificates`",
        .file.display(), because(.causes)
    )]
    NoSystemRoots {
        /// The file of the variable `CA`.
        file: PathBuf,
        /// What the system said.
        causes: Vec<String>,
    },
    /// No certificate can be for this host.
    #[error("CYBUS_MQTT_HOST: no certificate can be for `{0}`: give the broker's DNS name or IP address")]
    HostName(String),
    /// The TLS library refused what was checked before.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// What is wrong with the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentFault {
    /// It is longer than any such file.
    #[error("it is longer than {} MiB, expected certificates or a key in PEM", files::MAX_BYTES >> 20)]
    TooLong,
    /// A section of it is cut short or garbled.
    #[error("it is not complete PEM, it may have been cut short: copy it again")]
    BrokenPem,
    /// There is no certificate in it.
    #[error("there is no certificate in it, expected PEM with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// A section says certificate and holds something else.
    #[error(
        "what it holds as a certificate is none, or one of a kind that is not supported: have it issued again"
    )]
    BadCertificate,
    /// There is no private key in it.
    #[error("there is no private key in it, expected PEM with `-----BEGIN PRIVATE KEY-----`")]
    NoKey,
    /// The key can be read only with a passphrase.
    #[error(
        "the key is encrypted, and nobody is there to type the passphrase: decrypt it with `openssl pkey -in FILE -out \
         NEW` and protect the new file by its permissions"
    )]
    EncryptedKey,
    /// The key is of another pair than the certificate beside it.
    #[error(
        "the key does not belong to the certificate: give the key that this certificate was requested with"
    )]
    ForeignKey,
    /// The key is of a kind that TLS does not use here.
    #[error(
        "the key is broken or of a kind that is not supported, expected RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519"
    )]
    UnusableKey,
}

fn named(common_name: &Option<String>) -> String {
    match common_name {
        Some(name) => format!("`{name}`"),
        None => "nobody, it has no common name".to_owned(),
    }
}

fn because(causes: &[String]) -> String {
    match causes.first() {
        Some(cause) => format!(" ({cause})"),
        None => String::new(),
    }
}
