//! Certificates that do not open a session even where they are trusted: the library refuses those whose time is not now, and those with
//! a key that their policy does not take, and tells the client alone.

use std::fmt;

use opcua::crypto::{SecurityPolicy as Policy, X509};

use crate::tls::{CertificateFacts, Moment, Validity};

/// A certificate that its client is refused with.
#[derive(Debug)]
pub(super) struct Unfit {
    facts: CertificateFacts,
    /// SHA-1 in hexadecimal.
    thumbprint: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Expired,
    NotYet,
    Key { bits: usize, policy: Policy },
}

impl Unfit {
    /// Whether `chain`, the certificate of a client before those that vouch for it, is one by this policy at `now`. What is no certificate, or
    /// none for a key of RSA, is not judged here.
    pub(super) fn find(chain: &[u8], policy: &[u8], now: Moment) -> Option<Self> {
        let (rest, _) = x509_parser::parse_x509_certificate(chain).ok()?;
        let (der, _) = chain.split_at(chain.len() - rest.len());
        let facts = CertificateFacts::from_der(der).ok()?;
        let certificate = X509::from_der(der).ok()?;
        let policy = Policy::from_uri(std::str::from_utf8(policy).ok()?);
        let bits = certificate.key_length().ok()?;
        let why = match facts.validity(now) {
            Validity::Expired => Why::Expired,
            Validity::NotYet => Why::NotYet,
            Validity::Current { .. } if policy.is_valid_keylength(bits) => return None,
            Validity::Current { .. } => Why::Key { bits, policy },
        };
        Some(Self {
            thumbprint: certificate.thumbprint().as_hex_string(),
            facts,
            why,
        })
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            facts, thumbprint, ..
        } = self;
        write!(f, "{}, thumbprint {thumbprint}, ", facts.subject)?;
        match &self.why {
            Why::Expired => write!(
                f,
                "has expired on {}: give the client another one, and trust that",
                facts.not_after
            ),
            Why::NotYet => write!(
                f,
                "is not valid before {}: compare the clocks of both machines",
                facts.not_before
            ),
            Why::Key { bits, policy } => write!(
                f,
                "has a key of {bits} bits, which {policy} does not take: give the client one with a key of 2048, and trust that"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use opcua::crypto::{PrivateKey, X509Data};

    use super::*;

    fn certificate(bits: u32) -> Vec<u8> {
        let key = PrivateKey::new(bits).unwrap();
        let data = X509Data {
            common_name: "saw".to_owned(),
            certificate_duration_days: 10,
            ..X509Data::sample_cert()
        };
        X509::from_pkey(&key, &data).unwrap().to_der().unwrap()
    }

    #[test]
    fn whoever_is_refused_for_dates_or_key_is_told_with_name_reason_and_cure() {
        let policy = Policy::Basic256Sha256.to_uri().as_bytes();
        let [weak, strong] = [1024, 2048].map(certificate);
        let facts = CertificateFacts::from_der(&strong).unwrap();
        let now = Moment::now();
        let [before, after] = [
            facts.not_before.unix_seconds() - 1,
            facts.not_after.unix_seconds() + 1,
        ]
        .map(Moment::from_unix_seconds);
        let told = |chain: &[u8], now| Unfit::find(chain, policy, now).map(|unfit| unfit.to_string());
        for (chain, now, reason) in [
            (&weak, now, "has a key of 1024 bits"),
            (&strong, before, "is not valid before"),
            (&strong, after, "has expired on"),
        ] {
            let told = told(chain, now).unwrap();
            assert!(told.contains("saw") && told.contains(reason), "{told}");
        }
        assert_eq!(told(&strong, now), None);
        assert_eq!(told(b"me", now), None);
        let chain = [strong, weak].concat();
        assert_eq!(told(&chain, now), None);
        assert!(told(&chain, after).is_some());
    }
}
