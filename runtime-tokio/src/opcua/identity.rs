//! The agent's own certificate and key for OPC UA, made when they are first needed; and the folders of others' certificates.
//!
//! ```text
//! <data>/opcua/own/certificate.der   shown to the other side
//! <data>/opcua/own/key.pem           for this user alone
//! <data>/opcua/trusted/              certificates of clients that may come in, and of servers that are believed
//! <data>/opcua/rejected/             those that wanted to and may not
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use opcua::crypto::{X509, X509Data};
use x509_parser::extensions::GeneralName;

use super::server::OpcuaError;
use crate::data::{Disk, replace};
use crate::service::plan::OpcuaServerPlan;

pub(super) const FOLDER: &str = "opcua";
const OWN: &str = "own";
const CERTIFICATE: &str = "certificate.der";
const KEY: &str = "key.pem";

/// What every policy that is offered takes.
const KEY_BITS: u32 = 2048;
/// Twenty years: nobody renews it, and clients trust it by itself.
const VALID_DAYS: u32 = 20 * 365;
/// Characters in a line of PEM.
const PEM_LINE: usize = 64;

/// Where the library finds certificates and keys.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Of everything here.
    pub(crate) folder: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Held while a key pair is made: server and connections share one.
static MAKING: Mutex<()> = Mutex::new(());

impl Identity {
    /// Makes a key pair where there is none yet.
    pub(super) fn prepare(
        data: &Path,
        uri: &str,
        plan: &OpcuaServerPlan,
        host: &str,
    ) -> Result<Self, OpcuaError> {
        let alternate = plan.alternate_hostname.as_deref();
        let hosts = [Some(host), alternate].into_iter().flatten().map(str::to_owned);
        Self::ensure(data, uri, hosts.collect())
    }

    /// The pair that there is, or a new one for the application `uri` on `hosts`: a moment's work.
    pub(crate) fn ensure(data: &Path, uri: &str, hosts: Vec<String>) -> Result<Self, OpcuaError> {
        let folder = data.join(FOLDER);
        let own = folder.join(OWN);
        let identity = Self {
            certificate: own.join(CERTIFICATE),
            key: own.join(KEY),
            folder,
        };
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if !(identity.certificate.is_file() && identity.key.is_file()) {
            make(&own, uri, hosts).map_err(|cause| OpcuaError::Identity {
                folder: own.display().to_string(),
                cause,
            })?;
            tracing::info!("made a key pair for OPC UA: {}", identity.certificate.display());
        }
        Ok(identity)
    }

    /// Where the certificate is that the agent shows.
    pub(crate) fn certificate_in(data: &Path) -> PathBuf {
        data.join(FOLDER).join(OWN).join(CERTIFICATE)
    }

    /// The application URI that the certificate is for, which the application that shows it has to say of itself (Part 6, §6.2.2).
    pub(crate) fn application_uri(&self) -> Result<String, OpcuaError> {
        let unusable = |cause: String| OpcuaError::Identity {
            folder: self.folder.join(OWN).display().to_string(),
            cause,
        };
        let der = std::fs::read(&self.certificate).map_err(|error| unusable(error.to_string()))?;
        let uri = x509_parser::parse_x509_certificate(&der)
            .ok()
            .and_then(|(_, certificate)| {
                let names = certificate.subject_alternative_name().ok()??;
                names.value.general_names.iter().find_map(|name| match name {
                    GeneralName::URI(uri) => Some((*uri).to_owned()),
                    _ => None,
                })
            });
        uri.ok_or_else(|| unusable("the certificate names no application".to_owned()))
    }
}

fn make(own: &Path, uri: &str, hosts: Vec<String>) -> Result<(), String> {
    let data = X509Data {
        key_size: KEY_BITS,
        common_name: "Syncline".to_owned(),
        organization: "Syncline".to_owned(),
        organizational_unit: String::new(),
        country: String::new(),
        state: String::new(),
        alt_host_names: X509Data::alt_host_names(uri, Some(hosts), true, true, false),
        certificate_duration_days: VALID_DAYS,
    };
    let (certificate, key) = X509::cert_and_pkey(&data)?;
    let key = key.to_der().map_err(|error| error.to_string())?;
    let certificate = certificate.to_der().map_err(|error| error.to_string())?;
    Disk::create_folder(own).map_err(|error| error.to_string())?;
    let disk = Disk::new(own);
    // The certificate last: with it, the pair is complete.
    replace(&disk, KEY, pem(key.as_bytes()).as_bytes())
        .and_then(|()| replace(&disk, CERTIFICATE, &certificate))
        .map_err(|error| error.to_string())
}

fn pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, further) = rest.split_at(rest.len().min(PEM_LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = further;
    }
    pem + "-----END PRIVATE KEY-----\n"
}
