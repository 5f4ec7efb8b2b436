//! A certificate that has yet to be issued: the key, made where there is none, and the request to sign it.

use std::io;
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use secrecy::ExposeSecret as _;

use super::files::{CERTIFICATE, IdentityFiles, KEY, read};
use super::{Client, ContentFault, LoadError, Moment, Settings};
use crate::data::replace_file;

impl IdentityFiles {
    /// Whether there is no certificate yet.
    #[must_use]
    pub fn lacks_certificate(&self) -> bool {
        matches!(self.certificate.try_exists(), Ok(false))
    }

    /// A request in PEM to sign the key for the login name. Where there is no key, one is made and stored, readable by this
    /// user alone, before anybody sees the request.
    ///
    /// # Errors
    /// [`LoadError`] when the key cannot be read, used or stored.
    pub fn certificate_request(&self) -> Result<String, LoadError> {
        let unusable = |_: rcgen::Error| LoadError::Content {
            variable: KEY,
            file: self.key.clone(),
            fault: ContentFault::UnusableKey,
        };
        let key = match read(KEY, &self.key) {
            Ok(text) => {
                let text = secrecy::SecretSlice::from(text);
                KeyPair::from_pem(&String::from_utf8_lossy(text.expose_secret())).map_err(unusable)?
            }
            Err(LoadError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(unusable)?;
                write(KEY, &self.key, key.serialize_pem().as_bytes())?;
                key
            }
            Err(error) => return Err(error),
        };
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, self.username.as_str());
        let request = params.serialize_request(&key).map_err(unusable)?;
        request.pem().map_err(unusable)
    }
}

impl Client {
    /// Stores a certificate that was issued for this agent, and uses it from the next connection on.
    ///
    /// # Errors
    /// [`LoadError`] when it does not fit or cannot be stored; what is in force stays so.
    pub fn install(&self, settings: &Settings, certificate: &str) -> Result<(), LoadError> {
        if let Some(files) = &settings.identity {
            write(CERTIFICATE, &files.certificate, certificate.as_bytes())?;
        }
        let issued = self.candidate(settings, &settings.read()?, Moment::now())?;
        self.adopt(&issued);
        Ok(())
    }
}

fn write(variable: &'static str, file: &Path, content: &[u8]) -> Result<(), LoadError> {
    replace_file(file, content).map_err(|source| LoadError::Write {
        variable,
        file: file.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Trust;
    use std::os::unix::fs::PermissionsExt as _;

    fn files(folder: &Path) -> IdentityFiles {
        IdentityFiles {
            certificate: folder.join("certs/agent.crt"),
            key: folder.join("certs/agent.key"),
            username: "line-1".into(),
        }
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        assert!(files.lacks_certificate());
        let first = files.certificate_request().unwrap();
        assert!(first.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
        let key = std::fs::read(&files.key).unwrap();
        let mode = std::fs::metadata(&files.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files.certificate_request().unwrap();
        assert_eq!(std::fs::read(&files.key).unwrap(), key);
        std::fs::write(&files.key, "garbage").unwrap();
        assert!(matches!(
            files.certificate_request(),
            Err(LoadError::Content { variable: KEY, .. })
        ));
    }

    #[test]
    fn an_issued_certificate_is_in_force_and_one_for_somebody_else_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let authority = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = folder.path().join("ca.crt");
        std::fs::write(&ca, params.self_signed(&authority).unwrap().pem()).unwrap();
        let issuer = rcgen::Issuer::new(params, authority);

        let settings = |identity| Settings {
            trust: Trust::Authorities(ca.clone()),
            identity,
        };
        let without = settings(None);
        let client = Client::new("hub", &without, &without.read().unwrap(), Moment::now()).unwrap();
        let with = settings(Some(files(folder.path())));
        let request = files(folder.path()).certificate_request().unwrap();
        let issue = |name: &str| {
            let mut request = rcgen::CertificateSigningRequestParams::from_pem(&request).unwrap();
            request.params.distinguished_name = DistinguishedName::new();
            request.params.distinguished_name.push(DnType::CommonName, name);
            request.signed_by(&issuer).unwrap().pem()
        };
        assert!(matches!(
            client.install(&with, &issue("line-2")),
            Err(LoadError::CommonName { .. })
        ));
        assert!(client.identity().is_none());
        client.install(&with, &issue("line-1")).unwrap();
        let identity = client.identity().unwrap();
        assert_eq!(identity.facts.common_name.as_deref(), Some("line-1"));
    }
}
