//! The hub's own certificate authority: made at the first start, signs the hub's certificate and those of its clients.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use super::store::{Store, StoreError};

const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
/// The hub's own certificate and key, for listeners that read files.
pub(super) const SERVER_CERTIFICATE: &str = "server.crt";
pub(super) const SERVER_KEY: &str = "server.key";

const CA_VALIDITY: Duration = Duration::days(20 * 365);
/// Made anew at each start, so this is how long a hub may run without one.
const SERVER_VALIDITY: Duration = Duration::days(5 * 365);
const CLIENT_VALIDITY: Duration = Duration::days(2 * 365);
/// Clocks of agents may be slow.
const BACKDATED: Duration = Duration::days(1);

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Its files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key or a certificate of its own.
    #[error(
        "the certificate authority of the hub: {0}: restore ca.crt and ca.key from a backup, or move them away to make new ones"
    )]
    Certificate(#[from] rcgen::Error),
    /// One of the two files is there and the other is not.
    #[error(
        "the certificate authority of the hub has only one of ca.crt and ca.key: restore the other from a backup"
    )]
    Incomplete,
}

/// A certificate authority with its key.
pub(super) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    /// The authority that the store holds; a new one before the first start.
    pub(super) fn open(store: &Store) -> Result<Self, AuthorityError> {
        match (store.read(CA_CERTIFICATE)?, store.read(CA_KEY)?) {
            (Some(certificate), Some(key)) => {
                let certificate = String::from_utf8_lossy(&certificate).into_owned();
                let key = KeyPair::from_pem(&String::from_utf8_lossy(&key))?;
                let issuer = Issuer::from_ca_cert_pem(&certificate, key)?;
                Ok(Self { certificate, issuer })
            }
            (None, None) => Self::create(store),
            // The key is written first and is of no use without the certificate.
            (None, Some(_)) => Self::create(store),
            (Some(_), None) => Err(AuthorityError::Incomplete),
        }
    }

    fn create(store: &Store) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // A name of its own, so that clients of two hubs can tell the two authorities apart.
        params.distinguished_name = name(&format!("Syncline hub {}", fingerprint(&key)));
        valid_for(&mut params, CA_VALIDITY);
        let certificate = params.self_signed(&key)?.pem();
        store.write(CA_KEY, key.serialize_pem().as_bytes())?;
        store.write(CA_CERTIFICATE, certificate.as_bytes())?;
        let issuer = Issuer::new(params, key);
        Ok(Self { certificate, issuer })
    }

    /// The authority's own certificate, PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A new certificate for a server of these names and addresses.
    pub(super) fn server(&self, names: &[String]) -> Result<Identity, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name = name(names.first().map_or("localhost", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, SERVER_VALIDITY);
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }

    /// Signs a client's request. Of what it asks for, the key and the name count; all else is the authority's to say.
    pub(super) fn sign(&self, username: &str, csr: &str) -> Result<String, String> {
        let mut request = checked(username, csr)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(username);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, CLIENT_VALIDITY);
        request.params = params;
        let certificate = request
            .signed_by(&self.issuer)
            .map_err(|error| format!("the certificate cannot be signed: {error}"))?;
        Ok(certificate.pem())
    }
}

/// Whether a signing request is sound and its Common Name is the user name.
pub(super) fn check_csr(username: &str, csr: &str) -> Result<(), String> {
    checked(username, csr).map(drop)
}

fn checked(username: &str, csr: &str) -> Result<CertificateSigningRequestParams, String> {
    let request = CertificateSigningRequestParams::from_pem(csr)
        .map_err(|error| format!("`csr` is no certificate signing request in PEM: {error}"))?;
    let common_name = match request.params.distinguished_name.get(&DnType::CommonName) {
        Some(DnValue::Utf8String(text)) => text.clone(),
        Some(DnValue::PrintableString(text)) => text.as_str().to_owned(),
        Some(DnValue::Ia5String(text)) => text.as_str().to_owned(),
        Some(_) => return Err("`csr` has a Common Name in an encoding other than UTF-8".to_owned()),
        None => String::new(),
    };
    if common_name == username {
        Ok(request)
    } else {
        Err(format!(
            "the Common Name of `csr` is {common_name:?}, expected the user name {username:?}"
        ))
    }
}

/// The names by which a server on these addresses is reached.
pub(super) fn server_names(given: &[String], addresses: &[IpAddr]) -> Vec<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut names: Vec<String> = given.to_vec();
    names.extend(Some(host.trim().to_owned()).filter(|host| !host.is_empty()));
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names.extend(
        addresses
            .iter()
            .filter(|address| !address.is_unspecified())
            .map(ToString::to_string),
    );
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn valid_for(params: &mut CertificateParams, validity: Duration) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATED;
    params.not_after = now + validity;
}

fn fingerprint(key: &KeyPair) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(key.public_key_raw());
    digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::crypto::ring;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, UnixTime};
    use rustls::server::WebPkiClientVerifier;

    fn csr(common_name: &str, adjust: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(common_name);
        adjust(&mut params);
        let key = KeyPair::generate().unwrap();
        params.serialize_request(&key).unwrap().pem().unwrap()
    }

    fn authority(folder: &std::path::Path) -> Authority {
        Authority::open(&Store::open(folder).unwrap()).unwrap()
    }

    #[test]
    fn an_authority_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = authority(folder.path());
        assert_eq!(first.certificate(), authority(folder.path()).certificate());
        std::fs::remove_file(folder.path().join(CA_KEY)).unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(matches!(Authority::open(&store), Err(AuthorityError::Incomplete)));
        drop(store);
        // A crash between the two files: nobody has seen the certificate.
        std::fs::remove_file(folder.path().join(CA_CERTIFICATE)).unwrap();
        let second = authority(folder.path());
        assert_ne!(first.certificate(), second.certificate());
    }

    #[test]
    fn a_request_is_signed_for_its_user_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let request = csr("line-1", |_| {});
        assert_eq!(check_csr("line-1", &request), Ok(()));
        let signed = authority.sign("line-1", &request).unwrap();
        assert!(signed.starts_with("-----BEGIN CERTIFICATE-----"));
        for (username, request) in [
            ("line-2", request.as_str()),
            ("line-1", &csr("", |_| {})),
            ("line-1", ""),
            (
                "line-1",
                "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            ),
            ("line-1", &signed),
        ] {
            assert!(check_csr(username, request).is_err(), "{username}: {request}");
            assert!(
                authority.sign(username, request).is_err(),
                "{username}: {request}"
            );
        }
    }

    #[test]
    fn a_request_to_become_a_server_is_signed_as_a_client() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let request = csr("line-1", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.subject_alt_names = vec![rcgen::SanType::DnsName("hub".try_into().unwrap())];
        });
        let signed = authority.sign("line-1", &request).unwrap();
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate(authority.certificate())).unwrap();
        let (roots, provider) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let signed = certificate(&signed);

        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let clients = clients.build().unwrap();
        assert!(clients.verify_client_cert(&signed, &[], UnixTime::now()).is_ok());

        let servers = WebPkiServerVerifier::builder_with_provider(roots, provider);
        let (servers, host) = (servers.build().unwrap(), "hub".try_into().unwrap());
        assert!(
            servers
                .verify_server_cert(&signed, &[], &host, &[], UnixTime::now())
                .is_err()
        );
    }

    #[test]
    fn a_server_is_reached_by_the_names_it_is_given_and_on_this_host() {
        let names = server_names(
            &["hub.example".into(), "localhost".into()],
            &["10.0.0.7".parse().unwrap()],
        );
        assert_eq!(names[0], "hub.example");
        for name in ["localhost", "127.0.0.1", "::1", "10.0.0.7"] {
            assert_eq!(
                names.iter().filter(|found| *found == name).count(),
                1,
                "{names:?}"
            );
        }
    }
}
