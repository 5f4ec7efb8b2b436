//! The certificates of other OPC UA applications, one file each: those that are trusted, and those that are not yet.

use std::fmt;
use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use opcua::crypto::{CertificateStore, X509};

use super::identity::FOLDER;
use crate::regular_file;
use crate::tls::CertificateFacts;

const TRUSTED: &str = "trusted";
pub(super) const REJECTED: &str = "rejected";
/// Largest file of a certificate in bytes.
pub(super) const MAX_FILE: usize = 64 * 1024;
/// Digits of a thumbprint.
const DIGITS: usize = 40;
/// Fewest digits that stand for a thumbprint.
const MIN_DIGITS: usize = 8;

/// The folders of certificates in a data folder.
#[derive(Debug, Clone)]
pub struct Certificates {
    data: PathBuf,
}

/// Whether the application of a certificate may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It wanted to, and may not.
    Rejected,
    /// It may.
    Trusted,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "rejected",
            Self::Trusted => "trusted",
        })
    }
}

/// One certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// What becomes of its application.
    pub standing: Standing,
    /// SHA-1 of the certificate in hexadecimal, by which applications of OPC UA show it.
    pub thumbprint: String,
    /// What it says.
    pub facts: CertificateFacts,
    /// Where it is.
    pub file: PathBuf,
    /// Since when.
    pub since: SystemTime,
}

/// Why a certificate cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Nothing of that thumbprint wanted to come in.
    #[error(
        "no certificate has the thumbprint {0}: `syncline opcua certificates` lists them, or name a file"
    )]
    Unknown(String),
    /// Several have thumbprints that begin so.
    #[error("{count} certificates have thumbprints that begin with {digits}: give all {DIGITS} digits")]
    Ambiguous {
        /// What was given.
        digits: String,
        /// How many there are.
        count: usize,
    },
    /// The file cannot be read.
    #[error("{}: {why}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A folder of certificates cannot be used.
    #[error("{}: {source}; run this as the user of the agent, on its data folder", .path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Certificates {
    /// Those of the agent with that data folder.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
        }
    }

    /// All that can be read, the rejected ones first, the newest of each first.
    ///
    /// # Errors
    /// [`TrustError::Folder`].
    pub fn all(&self) -> Result<Vec<Certificate>, TrustError> {
        let mut all = Vec::new();
        for standing in [Standing::Rejected, Standing::Trusted] {
            let folder = self.folder(standing);
            let files = match files(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                files => files.map_err(|source| TrustError::Folder { path: folder, source })?,
            };
            all.extend(files.into_iter().filter_map(|file| certificate(&file, standing)));
        }
        all.sort_by(|one, other| (one.standing, other.since).cmp(&(other.standing, one.since)));
        Ok(all)
    }

    /// Lets in the application with this certificate from its next connection on: its thumbprint, or 8 digits of it at least,
    /// or a file in DER or PEM.
    ///
    /// # Errors
    /// [`TrustError`]; nothing has changed then.
    pub fn trust(&self, which: &str) -> Result<Certificate, TrustError> {
        let certificate = match digits(which) {
            Some(digits) => self.by_thumbprint(digits)?,
            None => certificate_of(Path::new(which), Standing::Rejected)?,
        };
        let x509 = x509(&certificate.file)?;
        let name = CertificateStore::cert_file_name(&x509);
        let folder = self.folder(Standing::Trusted);
        let file = folder.join(&name);
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| TrustError::Folder { path, source }
        };
        fs::metadata(&self.data).map_err(failed(&self.data))?;
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let der = x509.to_der().map_err(|error| TrustError::Read {
            file: certificate.file.clone(),
            why: error.to_string(),
        })?;
        // Certificates are no secret, and the agent may be another user: by the usual mode. Under another name until it is whole.
        let partial = folder.join(format!("{}.new", certificate.thumbprint));
        write(&partial, &der).map_err(failed(&partial))?;
        fs::rename(&partial, &file).map_err(failed(&file))?;
        // Last, for it counts from here on.
        let rejected = self.folder(Standing::Rejected).join(&name);
        match fs::remove_file(&rejected) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&rejected)(error)),
            _ => Ok(Certificate {
                standing: Standing::Trusted,
                file,
                since: SystemTime::now(),
                ..certificate
            }),
        }
    }

    fn by_thumbprint(&self, digits: String) -> Result<Certificate, TrustError> {
        let mut found: Vec<Certificate> = self
            .all()?
            .into_iter()
            .filter(|certificate| certificate.thumbprint.starts_with(&digits))
            .collect();
        // Rejected and trusted at once is one certificate.
        found.sort_by(|one, other| one.thumbprint.cmp(&other.thumbprint));
        found.dedup_by(|one, other| one.thumbprint == other.thumbprint);
        let count = found.len();
        match (found.pop(), count) {
            (Some(certificate), 1) => Ok(certificate),
            (Some(_), count) => Err(TrustError::Ambiguous { digits, count }),
            (None, _) => Err(TrustError::Unknown(digits)),
        }
    }

    pub(super) fn folder(&self, standing: Standing) -> PathBuf {
        self.data.join(FOLDER).join(match standing {
            Standing::Rejected => REJECTED,
            Standing::Trusted => TRUSTED,
        })
    }

    /// The command that lets a certificate in.
    pub(crate) fn command(&self, thumbprint: &str) -> String {
        let data = self.data.display().to_string();
        let is_plain = data.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
        let data = match is_plain {
            true => data,
            false => format!("'{}'", data.replace('\'', r"'\''")),
        };
        format!("syncline opcua trust {thumbprint} --data-dir {data}")
    }
}

/// The files of a folder, without folders and links in it.
pub(super) fn files(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    Ok(fs::read_dir(folder)?.flatten().filter(is_file).collect())
}

/// The certificate in a file of one of the folders, unless it is none.
pub(super) fn certificate(file: &DirEntry, standing: Standing) -> Option<Certificate> {
    certificate_of(&file.path(), standing).ok()
}

fn certificate_of(file: &Path, standing: Standing) -> Result<Certificate, TrustError> {
    let x509 = x509(file)?;
    let wrong = |why: String| TrustError::Read {
        file: file.to_owned(),
        why,
    };
    let der = x509.to_der().map_err(|error| wrong(error.to_string()))?;
    let facts = CertificateFacts::from_der(&der).map_err(|error| wrong(error.to_string()))?;
    let since = fs::metadata(file).and_then(|metadata| metadata.modified());
    Ok(Certificate {
        standing,
        thumbprint: x509.thumbprint().as_hex_string(),
        facts,
        file: file.to_owned(),
        since: since.unwrap_or(SystemTime::UNIX_EPOCH),
    })
}

fn x509(file: &Path) -> Result<X509, TrustError> {
    let wrong = |why: String| TrustError::Read {
        file: file.to_owned(),
        why,
    };
    let bytes = regular_file::read(file, MAX_FILE).map_err(wrong)?;
    let parsed = match bytes.starts_with(b"-----BEGIN") {
        true => X509::from_pem(&bytes),
        false => X509::from_der(&bytes),
    };
    parsed.map_err(|_| wrong("found no certificate of X.509, expected one in DER or PEM".to_owned()))
}

/// Writes a file of its own, whatever had that name, that is on the disk afterwards.
fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(file)?;
    file.write_all(content)?;
    file.sync_all()
}

/// The digits of what is a thumbprint, or the beginning of one, however it is written.
fn digits(text: &str) -> Option<String> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let is_thumbprint =
        (MIN_DIGITS..=DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_thumbprint.then_some(digits)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    struct Bench {
        data: tempfile::TempDir,
        certificates: Certificates,
    }

    impl Bench {
        fn new() -> Self {
            let data = tempfile::tempdir().unwrap();
            let certificates = Certificates::of(data.path());
            fs::create_dir_all(certificates.folder(Standing::Rejected)).unwrap();
            Self { data, certificates }
        }

        /// Puts a certificate where the library puts those that it rejects.
        fn reject(&self, common_name: &str) -> Certificate {
            let pem = self.file(common_name);
            let x509 = x509(&pem).unwrap();
            let folder = self.certificates.folder(Standing::Rejected);
            let file = folder.join(CertificateStore::cert_file_name(&x509));
            fs::write(&file, x509.to_der().unwrap()).unwrap();
            certificate_of(&file, Standing::Rejected).unwrap()
        }

        fn file(&self, common_name: &str) -> PathBuf {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, common_name);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let file = self.data.path().join("client.pem");
            fs::write(&file, certificate.pem()).unwrap();
            file
        }

        fn standings(&self) -> Vec<(Standing, String)> {
            let all = self.certificates.all().unwrap();
            all.into_iter()
                .map(|one| (one.standing, one.thumbprint))
                .collect()
        }
    }

    #[test]
    fn a_rejected_certificate_is_trusted_by_its_thumbprint() {
        let bench = Bench::new();
        let (one, other) = (bench.reject("one"), bench.reject("two"));
        let grouped: Vec<String> = one
            .thumbprint
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
            .collect();
        let trusted = bench.certificates.trust(&grouped.join(":")).unwrap();
        assert_eq!(
            (trusted.thumbprint.as_str(), trusted.standing),
            (one.thumbprint.as_str(), Standing::Trusted)
        );
        assert_eq!(
            bench.standings(),
            [
                (Standing::Rejected, other.thumbprint.clone()),
                (Standing::Trusted, one.thumbprint.clone())
            ]
        );
        // Twice is once.
        bench.certificates.trust(&one.thumbprint[..8]).unwrap();
        assert_eq!(bench.standings().len(), 2);
    }

    #[test]
    fn a_file_is_trusted_before_its_client_ever_came() {
        let bench = Bench::new();
        let pem = bench.file("early");
        let trusted = bench.certificates.trust(pem.to_str().unwrap()).unwrap();
        let name = format!("CN=early [{}].der", trusted.thumbprint);
        assert_eq!(
            trusted.file.file_name().unwrap(),
            name.as_str(),
            "by this name the library finds it"
        );
        assert_eq!(bench.standings(), [(Standing::Trusted, trusted.thumbprint)]);
    }

    #[test]
    fn what_cannot_be_trusted_is_told_with_the_cure() {
        let bench = Bench::new();
        let certificate = bench.reject("one");
        fs::write(bench.data.path().join("text"), "no certificate").unwrap();
        let text = bench.data.path().join("text");
        for (which, expected) in [
            ("00112233", "no certificate has the thumbprint 00112233"),
            ("0011223", "cannot read the file"),
            (text.to_str().unwrap(), "found no certificate of X.509"),
        ] {
            let message = bench.certificates.trust(which).unwrap_err().to_string();
            assert!(message.contains(expected), "{which}: {message}");
        }
        let nowhere = Certificates::of(&bench.data.path().join("nowhere"));
        let message = nowhere
            .trust(certificate.file.to_str().unwrap())
            .unwrap_err()
            .to_string();
        assert!(message.contains("on its data folder"), "{message}");
        assert_eq!(bench.standings(), [(Standing::Rejected, certificate.thumbprint)]);
    }

    #[test]
    fn a_path_that_a_shell_would_take_apart_is_quoted() {
        let command = |data: &str| Certificates::of(Path::new(data)).command("ab");
        assert_eq!(
            command("/var/lib/syncline"),
            "syncline opcua trust ab --data-dir /var/lib/syncline"
        );
        assert_eq!(
            command("/a b'c"),
            r"syncline opcua trust ab --data-dir '/a b'\''c'"
        );
    }
}
