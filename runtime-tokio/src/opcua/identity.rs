//! The agent's own certificate and key for OPC UA, made when they are first needed; and the folders of others' certificates.
//!
//! ```text
//! <data>/opcua/own/certificate.der   shown to the other side
//! <data>/opcua/own/key.pem           for this user alone
//! <data>/opcua/trusted/              certificates of clients that may come in, and of servers that are believed
//! <data>/opcua/rejected/             those that wanted to and may not
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use opcua::crypto::{KeySize as _, PrivateKey, X509, X509Data};
use x509_parser::extensions::GeneralName;

use super::certificates::MAX_FILE;
use super::server::OpcuaError;
use crate::data::{Disk, replace};
use crate::regular_file;
use crate::service::plan::OpcuaServerPlan;
use crate::tls::{CertificateFacts, EXPIRES_SOON, Moment, Validity};

pub(super) const FOLDER: &str = "opcua";
const OWN: &str = "own";
const CERTIFICATE: &str = "certificate.der";
const KEY: &str = "key.pem";

/// What every policy that is offered takes.
const KEY_BITS: u32 = 2048;
/// Twenty years: nobody renews it, and clients trust it by itself.
const VALID_DAYS: u32 = 20 * 365;
/// What helps against a certificate that clients refuse.
const RENEWAL: &str = "put another pair there, or remove both of its files and start anew to have one made, which clients then have to trust";
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

/// Largest file of a key in bytes.
const MAX_KEY: usize = 64 * 1024;

/// Held while the pair is looked at and made, for server and connections share one: what the log has been told of it.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Identity {
    /// The pair for a server, made where there is none yet. The log is told where it is one of another application.
    pub(super) fn prepare(
        data: &Path,
        uri: &str,
        plan: &OpcuaServerPlan,
        host: &str,
    ) -> Result<Self, OpcuaError> {
        let alternate = plan.alternate_hostname.as_deref();
        let hosts = [Some(host), alternate].into_iter().flatten().map(str::to_owned);
        let identity = Self::ensure(data, uri, hosts.collect())?;
        if let Some(difference) = identity.difference(uri) {
            tracing::warn!("{difference}");
        }
        Ok(identity)
    }

    /// The pair that there is, or a new one for the application `uri` on `hosts`: a moment's work.
    ///
    /// # Errors
    /// [`OpcuaError::Identity`] where what is there is no such pair; it stays as it is.
    pub(crate) fn ensure(data: &Path, uri: &str, hosts: Vec<String>) -> Result<Self, OpcuaError> {
        let folder = data.join(FOLDER);
        let own = folder.join(OWN);
        let identity = Self {
            certificate: own.join(CERTIFICATE),
            key: own.join(KEY),
            folder,
        };
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = identity
            .pair(&own, uri, hosts)
            .map_err(|cause| OpcuaError::Identity {
                folder: own.display().to_string(),
                cause,
            })?;
        let warning = ending(&facts, Moment::now()).map(|when| {
            let certificate = identity.certificate.display();
            format!("the certificate {certificate} {when}; {RENEWAL}")
        });
        if let Some(warning) = warning.filter(|warning| told.insert(warning.clone())) {
            tracing::warn!("{warning}");
        }
        Ok(identity)
    }

    /// Reads the pair, or makes what is not there of it: what its certificate says.
    fn pair(&self, own: &Path, uri: &str, hosts: Vec<String>) -> Result<CertificateFacts, String> {
        let certificate = read(&self.certificate, MAX_FILE)?;
        let key = read(&self.key, MAX_KEY)?;
        let certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => {
                check(&certificate, &key)?;
                certificate
            }
            (Some(_), None) => {
                return Err(format!(
                    "{CERTIFICATE} is there without its key: put that there as {KEY}, or remove {CERTIFICATE}"
                ));
            }
            (None, Some(key)) => {
                // The agent may have been stopped between the two.
                let certificate = make_certificate(own, &private_key(&key)?, uri, hosts)?;
                tracing::info!(
                    "made a certificate of the key for OPC UA that was there: {}",
                    self.certificate.display()
                );
                certificate
            }
            (None, None) => {
                let certificate = make(own, uri, hosts)?;
                tracing::info!("made a key pair for OPC UA: {}", self.certificate.display());
                certificate
            }
        };
        CertificateFacts::from_der(&certificate).map_err(|error| format!("{CERTIFICATE} is {error}"))
    }

    /// How the certificate is that of another application than `uri`, which clients may refuse (Part 4, §6.1.3).
    fn difference(&self, uri: &str) -> Option<String> {
        let has = match self.application_uri() {
            Ok(has) if has == uri => return None,
            Ok(has) => {
                format!("is for the application {has:?}; set the server's `applicationUri` to that, or")
            }
            Err(_) => "names no application;".to_owned(),
        };
        Some(format!(
            "the OPC UA server calls itself {uri:?}, and its certificate {} {has} {RENEWAL}",
            self.certificate.display()
        ))
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
        let der = fs::read(&self.certificate).map_err(|error| unusable(error.to_string()))?;
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

/// The content of a file; none where there is no such file.
fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // A link to nowhere is somebody's file as well.
        _ => {
            let content = regular_file::read(path, limit);
            content
                .map(Some)
                .map_err(|why| format!("{}: {why}", path.display()))
        }
    }
}

/// Whether the library can take this certificate and this key, and they belong together.
fn check(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    let public = X509::from_der(certificate)
        .map_err(|_| format!("{CERTIFICATE} is no certificate of X.509 in DER"))?
        .public_key()
        .map_err(|_| format!("{CERTIFICATE} is not for a key of RSA"))?;
    let private = private_key(key)?;
    let statement = b"one pair";
    let mut signature = vec![0; private.size()];
    let belongs = private
        .sign_sha256(statement, &mut signature)
        .and_then(|_| public.verify_sha256(statement, &signature));
    match belongs {
        Ok(true) => Ok(()),
        _ => Err(format!(
            "{CERTIFICATE} is for another key than {KEY}: put the two there that belong together, or remove both to have new ones made"
        )),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKey, String> {
    PrivateKey::from_pem(pem)
        .map_err(|_| format!("{KEY} is no private key of RSA in PEM that is readable without a password"))
}

/// What is to be told of how long a certificate holds.
fn ending(facts: &CertificateFacts, now: Moment) -> Option<String> {
    match facts.validity(now) {
        Validity::Expired => Some(format!("has expired on {}", facts.not_after)),
        Validity::NotYet => Some(format!("is not valid before {}", facts.not_before)),
        Validity::Current { days_left } if days_left < EXPIRES_SOON => {
            Some(format!("is valid until {} only", facts.not_after))
        }
        Validity::Current { .. } => None,
    }
}

/// A new pair: its certificate.
fn make(own: &Path, uri: &str, hosts: Vec<String>) -> Result<Vec<u8>, String> {
    let key = PrivateKey::new(KEY_BITS).map_err(|error| error.to_string())?;
    let der = key.to_der().map_err(|error| error.to_string())?;
    Disk::create_folder(own).map_err(|error| error.to_string())?;
    replace(&Disk::new(own), KEY, pem(der.as_bytes()).as_bytes()).map_err(|error| error.to_string())?;
    // Last: with it, the pair is complete.
    make_certificate(own, &key, uri, hosts)
}

fn make_certificate(own: &Path, key: &PrivateKey, uri: &str, hosts: Vec<String>) -> Result<Vec<u8>, String> {
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
    let certificate = X509::from_pkey(key, &data)?;
    let certificate = certificate.to_der().map_err(|error| error.to_string())?;
    replace(&Disk::new(own), CERTIFICATE, &certificate).map_err(|error| error.to_string())?;
    Ok(certificate)
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const URI: &str = "urn:syncline:press";

    fn ensured(data: &TempDir) -> Result<Identity, String> {
        Identity::ensure(data.path(), URI, vec!["press".to_owned()]).map_err(|error| error.to_string())
    }

    fn contents(identity: &Identity) -> [Vec<u8>; 2] {
        [&identity.certificate, &identity.key].map(|file| fs::read(file).unwrap())
    }

    #[test]
    fn a_pair_stays_as_it_is_and_its_half_is_never_written_over() {
        let data = tempfile::tempdir().unwrap();
        let identity = ensured(&data).unwrap();
        let [certificate, key] = contents(&identity);
        ensured(&data).unwrap();
        assert_eq!(contents(&identity), [certificate.clone(), key.clone()]);

        fs::remove_file(&identity.certificate).unwrap();
        ensured(&data).unwrap();
        let [made, kept] = contents(&identity);
        assert_eq!(kept, key);
        check(&made, &key).unwrap();

        fs::remove_file(&identity.key).unwrap();
        let error = ensured(&data).unwrap_err();
        assert!(error.contains("without its key"), "{error}");
        assert_eq!(fs::read(&identity.certificate).unwrap(), made);
        std::os::unix::fs::symlink("nowhere", &identity.key).unwrap();
        let error = ensured(&data).unwrap_err();
        assert!(error.contains("key.pem: cannot read the file"), "{error}");
    }

    #[test]
    fn what_is_no_pair_is_refused_and_says_what_is_wrong() {
        let [one, other] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let identity = ensured(&one).unwrap();
        let [certificate, key] = contents(&identity);
        let [_, foreign] = contents(&ensured(&other).unwrap());
        for (certificate, key, expected) in [
            (
                &certificate,
                &foreign,
                "certificate.der is for another key than key.pem",
            ),
            (
                &certificate,
                &certificate,
                "key.pem is no private key of RSA in PEM",
            ),
            (&key, &key, "certificate.der is no certificate of X.509 in DER"),
        ] {
            fs::write(&identity.certificate, certificate).unwrap();
            fs::write(&identity.key, key).unwrap();
            let error = ensured(&one).unwrap_err();
            assert!(error.contains(expected) && error.contains("opcua/own"), "{error}");
        }
    }

    #[test]
    fn a_certificate_of_another_application_or_near_its_end_is_told() {
        let data = tempfile::tempdir().unwrap();
        let identity = ensured(&data).unwrap();
        assert_eq!(identity.difference(URI), None);
        let told = identity.difference("urn:syncline:saw").unwrap();
        for part in [URI, "urn:syncline:saw", "`applicationUri`", "remove both"] {
            assert!(told.contains(part), "{told}");
        }

        let [certificate, _] = contents(&identity);
        let facts = CertificateFacts::from_der(&certificate).unwrap();
        let at = |end: i64| {
            let moment = Moment::from_unix_seconds(facts.not_after.unix_seconds() - end);
            ending(&facts, moment)
        };
        let day = 86_400;
        assert_eq!(at(EXPIRES_SOON * day), None);
        assert!(at(EXPIRES_SOON * day - 1).unwrap().contains("valid until"));
        assert!(at(-1).unwrap().contains("expired"));
        assert!(
            at(i64::from(VALID_DAYS) * day + 2 * day)
                .unwrap()
                .contains("not valid before")
        );
    }
}
