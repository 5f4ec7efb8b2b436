//! Certificates and keys that a commissioning file holds as texts.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

use super::client::InForce;
use super::files::{Settings, Trust};
use super::identity::{Identity, PairFault};
use super::trust::{authorities, verifier, verifier_of_text};
use super::{ContentFault, LoadError, Moment};

/// What a connection of a commissioning file says of TLS.
#[derive(Debug, Default)]
pub(crate) struct Texts<'a> {
    /// Whether everybody is believed.
    pub(crate) trust_all: bool,
    /// Certificates of the authorities that are believed, PEM.
    pub(crate) authorities: Option<&'a str>,
    /// Whether a certificate is shown.
    pub(crate) shows_identity: bool,
    /// The certificate and its key, both PEM.
    pub(crate) identity: Option<(&'a str, &'a str)>,
}

impl Texts<'_> {
    /// What this gives, and of the rest what `own` says.
    pub(super) fn in_force(&self, own: &Settings, now: Moment) -> Result<InForce, LoadError> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let from_files = Settings {
            trust: match self.trust_all || self.authorities.is_some() {
                true => Trust::Anyone,
                false => own.trust.clone(),
            },
            identity: own
                .identity
                .clone()
                .filter(|_| self.shows_identity && self.identity.is_none()),
        };
        let snapshot = from_files.read()?;
        let (believes, roots) = match self.authorities.filter(|_| !self.trust_all) {
            Some(pem) => verifier_of_text(pem, &provider)?,
            None => verifier(&from_files.trust, &snapshot, &provider)?,
        };
        let identity = match (
            self.identity.filter(|_| self.shows_identity),
            &from_files.identity,
        ) {
            (Some((certificate, key)), _) => {
                let identity = Identity::of(certificate.as_bytes(), key.as_bytes(), &provider);
                Some(identity.map_err(|fault| match fault {
                    PairFault::Certificate(fault) => LoadError::Text {
                        property: "clientCert",
                        fault,
                    },
                    PairFault::Key(fault) => LoadError::Text {
                        property: "clientPrivateKey",
                        fault,
                    },
                })?)
            }
            (None, Some(files)) => match &snapshot.identity {
                Some(pair) => Some(Identity::check(files, pair, now, &provider)?),
                None => None,
            },
            (None, None) => None,
        };
        InForce::compose(provider, believes, roots, identity, snapshot.digest())
    }
}

/// What is wrong with a text of certificates, if anything.
pub(crate) fn certificate_text_fault(pem: &str) -> Option<ContentFault> {
    authorities(pem.as_bytes()).err()
}

/// What is wrong with the private key of a certificate that is sound, if anything.
pub(crate) fn pair_text_fault(certificate: &str, key: &str) -> Option<ContentFault> {
    match Identity::of(certificate.as_bytes(), key.as_bytes(), &ring::default_provider()) {
        Ok(_) => None,
        Err(PairFault::Certificate(fault) | PairFault::Key(fault)) => Some(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["b".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn texts_are_sound_or_told_why_not() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        let broken = &certificate[..certificate.len() / 2];
        for (pem, fault) in [
            (certificate.as_str(), None),
            ("", Some(ContentFault::NoCertificate)),
            (
                "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
                Some(ContentFault::BadCertificate),
            ),
            (broken, Some(ContentFault::BrokenPem)),
            (key.as_str(), Some(ContentFault::NoCertificate)),
        ] {
            assert_eq!(certificate_text_fault(pem), fault, "{pem}");
        }
        for (key, fault) in [
            (key.as_str(), None),
            (other.as_str(), Some(ContentFault::ForeignKey)),
            (certificate.as_str(), Some(ContentFault::NoKey)),
        ] {
            assert_eq!(pair_text_fault(&certificate, key), fault);
        }
    }

    #[test]
    fn what_the_texts_leave_open_comes_from_the_agents_own_files() {
        let (certificate, key) = pair();
        let own = Settings {
            trust: Trust::Authorities("/nonexistent/ca.pem".into()),
            identity: None,
        };
        let texts = Texts {
            authorities: Some(&certificate),
            shows_identity: true,
            identity: Some((&certificate, &key)),
            ..Texts::default()
        };
        assert!(texts.in_force(&own, Moment::now()).is_ok());
        let hidden = Texts {
            authorities: Some(&certificate),
            identity: Some((&certificate, "no key")),
            ..Texts::default()
        };
        assert!(hidden.in_force(&own, Moment::now()).is_ok(), "it is not shown");
        let wrong = Texts {
            shows_identity: true,
            ..hidden
        };
        let error = wrong.in_force(&own, Moment::now()).unwrap_err();
        assert!(error.to_string().starts_with("`clientPrivateKey`"), "{error}");
    }
}
