//! Certificates as a plant would have them, made anew for each test: an authority, its servers and its clients.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::secrets;

/// Who issues certificates.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A pair as files.
#[derive(Debug, Clone)]
pub struct PairFiles {
    /// File with the certificate.
    pub certificate: PathBuf,
    /// File with the key.
    pub key: PathBuf,
}

/// When a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// From years ago to years ahead.
    Now,
    /// It ended in 2020.
    Past,
    /// It begins in the year 2100.
    Future,
    /// From years ago to that many days ahead.
    Days(u32),
}

impl Authority {
    /// An authority of that name with a key of its own.
    ///
    /// # Panics
    /// When the system gives no randomness.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = parameters(name, Lifetime::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// The authority's own certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server with these names and addresses.
    ///
    /// # Panics
    /// When a name is none.
    #[must_use]
    pub fn server(&self, names: &[&str], lifetime: Lifetime) -> Pair {
        let mut params = parameters("broker", lifetime);
        params.subject_alt_names =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
                .expect("names")
                .subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    /// A certificate for a client with this common name.
    ///
    /// # Panics
    /// When the system gives no randomness.
    #[must_use]
    pub fn client(&self, common_name: &str, lifetime: Lifetime) -> Pair {
        let mut params = parameters(common_name, lifetime);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = key.serialize_pem();
        secrets::keep_key("the key of a certificate", &key);
        Pair {
            certificate: certificate.pem(),
            key,
        }
    }
}

impl Pair {
    /// Writes `<name>.crt` and `<name>.key` into `folder`.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    #[must_use]
    pub fn write(&self, folder: &Path, name: &str) -> PairFiles {
        let files = PairFiles {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        };
        std::fs::write(&files.certificate, &self.certificate).expect("a writable folder");
        std::fs::write(&files.key, &self.key).expect("a writable folder");
        files
    }
}

fn parameters(common_name: &str, lifetime: Lifetime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = match lifetime {
        Lifetime::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 12, 31)),
        Lifetime::Past => (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1)),
        Lifetime::Future => (date_time_ymd(2100, 1, 1), date_time_ymd(2101, 1, 1)),
        Lifetime::Days(days) => {
            let now = std::time::SystemTime::now();
            let ahead = std::time::Duration::from_secs(u64::from(days) * 86_400);
            (date_time_ymd(2020, 1, 1), (now + ahead).into())
        }
    };
    params
}
