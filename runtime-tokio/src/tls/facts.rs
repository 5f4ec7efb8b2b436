//! What a certificate says: whose it is, who issued it, for which names and for how long.

use std::fmt;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::ContentFault;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A moment in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The moment that the system's clock shows.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The moment as in RFC 3339, for files.
    #[must_use]
    pub fn rfc3339(self) -> String {
        // 2026-11-22 02:00:00 UTC
        self.to_string().replacen(' ', "T", 1).replace(" UTC", "Z")
    }

    /// Seconds since 1970, before it below zero.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970, before it below zero.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => seconds(since),
            Err(before) => -seconds(before.duration()),
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = ASN1Time::from_timestamp(self.0) else {
            return write!(f, "{} s after 1970", self.0);
        };
        let time = time.to_datetime();
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        let (hour, minute, second) = time.to_hms();
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

/// Whether a certificate holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Its time has not begun.
    NotYet,
    /// It holds for that many more whole days.
    Current {
        /// Whole days until it ends.
        days_left: i64,
    },
    /// Its time is over.
    Expired,
}

/// What a certificate says. Its texts are fit for a terminal: whoever made the certificate chose them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whose certificate it is, as a distinguished name.
    pub subject: String,
    /// The first common name of the subject: the login name, where a broker takes it from there.
    pub common_name: Option<String>,
    /// Who issued it, as a distinguished name.
    pub issuer: String,
    /// Host names and IP addresses that it is for.
    pub names: Vec<String>,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// First moment at which it holds.
    pub not_before: Moment,
    /// Last moment at which it holds.
    pub not_after: Moment,
    /// Whether it may issue others.
    pub authority: bool,
    /// SHA-256 of the whole certificate.
    pub fingerprint: [u8; 32],
}

/// The bytes are not a certificate of X.509.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate of X.509")]
pub struct NotACertificate;

impl CertificateFacts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`NotACertificate`] when it is none.
    pub fn from_der(der: &[u8]) -> Result<Self, NotACertificate> {
        let (rest, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| NotACertificate)?;
        if !rest.is_empty() {
            return Err(NotACertificate);
        }
        let common_name = certificate.subject().iter_common_name().next();
        let validity = certificate.validity();
        Ok(Self {
            subject: name(certificate.subject()),
            common_name: common_name.and_then(|name| Some(printable(name.as_str().ok()?))),
            issuer: name(certificate.issuer()),
            names: names(&certificate),
            serial: certificate.raw_serial_as_string(),
            not_before: Moment(validity.not_before.timestamp()),
            not_after: Moment(validity.not_after.timestamp()),
            authority: certificate.is_ca(),
            fingerprint: Sha256::digest(der).into(),
        })
    }

    /// Reads all certificates of a PEM text, in order; other sections are passed over.
    ///
    /// # Errors
    /// [`ContentFault`] when there is none, or one that cannot be read.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, ContentFault> {
        let certificates = super::identity::certificates(pem)?;
        let facts = certificates.iter().map(|certificate| Self::from_der(certificate));
        facts
            .map(|facts| facts.map_err(|_| ContentFault::BadCertificate))
            .collect()
    }

    /// Whether the certificate holds at `now`.
    #[must_use]
    pub fn validity(&self, now: Moment) -> Validity {
        if now < self.not_before {
            Validity::NotYet
        } else if now > self.not_after {
            Validity::Expired
        } else {
            Validity::Current {
                days_left: self.days_left(now),
            }
        }
    }

    /// Whole days until it ends, below zero after that.
    #[must_use]
    pub fn days_left(&self, now: Moment) -> i64 {
        (self.not_after.0 - now.0).div_euclid(DAY)
    }

    /// The names that it is for, as part of a sentence.
    pub(super) fn names_listed(&self) -> String {
        /// More names than a sentence holds.
        const SHOWN: usize = 8;
        let mut list = self
            .names
            .iter()
            .take(SHOWN)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if self.names.len() > SHOWN {
            list.push_str(&format!(" and {} more", self.names.len() - SHOWN));
        }
        list
    }
}

/// One fact a line, as `syncline cert show` prints it.
impl fmt::Display for CertificateFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "subject      {}", self.subject)?;
        if !self.names.is_empty() {
            writeln!(f, "names        {}", self.names.join(", "))?;
        }
        writeln!(f, "issuer       {}", self.issuer)?;
        writeln!(f, "serial       {}", self.serial)?;
        writeln!(f, "valid from   {}", self.not_before)?;
        writeln!(f, "valid until  {}", self.not_after)?;
        if self.authority {
            writeln!(f, "authority    may issue certificates")?;
        }
        let fingerprint: Vec<String> = self
            .fingerprint
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        write!(f, "SHA-256      {}", fingerprint.join(":"))
    }
}

/// How long it holds, as part of a sentence.
impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet => f.write_str("not valid yet"),
            Self::Current { days_left: 0 } => f.write_str("valid for less than a day"),
            Self::Current { days_left: 1 } => f.write_str("valid for 1 more day"),
            Self::Current { days_left } => write!(f, "valid for {days_left} more days"),
            Self::Expired => f.write_str("expired"),
        }
    }
}

fn name(name: &X509Name<'_>) -> String {
    match printable(&name.to_string()) {
        name if name.is_empty() => "nobody".to_owned(),
        name => name,
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        GeneralName::IPAddress(bytes) => match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
            (Ok(bytes), _) => Some(IpAddr::from(bytes).to_string()),
            (_, Ok(bytes)) => Some(IpAddr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

/// `text` with what would steer a terminal escaped.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> CertificateFacts {
        let mut params = CertificateParams::new(vec!["broker.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2026, 3, 4);
        change(&mut params);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        CertificateFacts::from_der(certificate.der()).unwrap()
    }

    fn moment(text: &str) -> Moment {
        let seconds = match text {
            "2026-01-01 23:59:59 UTC" => 1_767_311_999,
            "2026-01-02 00:00:00 UTC" => 1_767_312_000,
            "2026-03-04 00:00:00 UTC" => 1_772_582_400,
            "2026-03-04 00:00:01 UTC" => 1_772_582_401,
            _ => panic!("no such moment in this test"),
        };
        let moment = Moment::from_unix_seconds(seconds);
        assert_eq!(moment.to_string(), text);
        moment
    }

    #[test]
    fn a_certificate_holds_from_its_first_second_to_its_last() {
        let facts = certificate(|_| {});
        let validity = |text| facts.validity(moment(text));
        assert_eq!(validity("2026-01-01 23:59:59 UTC"), Validity::NotYet);
        assert_eq!(
            validity("2026-01-02 00:00:00 UTC"),
            Validity::Current { days_left: 61 }
        );
        assert_eq!(
            validity("2026-03-04 00:00:00 UTC"),
            Validity::Current { days_left: 0 }
        );
        assert_eq!(validity("2026-03-04 00:00:01 UTC"), Validity::Expired);
    }

    #[test]
    fn names_and_addresses_are_listed_and_the_first_common_name_counts() {
        let facts = certificate(|params| {
            params.distinguished_name.push(DnType::CommonName, "line-1");
            params.distinguished_name.push(DnType::OrganizationName, "Plant");
            params
                .subject_alt_names
                .push(SanType::IpAddress("10.0.0.1".parse().unwrap()));
            params
                .subject_alt_names
                .push(SanType::IpAddress("::1".parse().unwrap()));
        });
        assert_eq!(facts.common_name.as_deref(), Some("line-1"));
        assert_eq!(facts.names, ["broker.example", "10.0.0.1", "::1"]);
        let shown = facts.to_string();
        for part in [
            "CN=line-1",
            "O=Plant",
            "names        broker.example, 10.0.0.1, ::1",
            "valid until  2026-03-04 00:00:00 UTC",
        ] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
    }

    #[test]
    fn a_name_cannot_steer_the_terminal_that_shows_it() {
        let facts = certificate(|params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "line\u{1b}[2J\n\u{202e}1");
        });
        assert_eq!(
            facts.common_name.as_deref(),
            Some("line\\u{1b}[2J\\u{a}\\u{202e}1")
        );
        let is_plain = |c: char| !c.is_control() || c == '\n';
        assert!(facts.to_string().chars().all(is_plain));
        assert!(!facts.to_string().contains('\u{202e}'));
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        let whole = CertificateParams::new(vec![])
            .unwrap()
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap();
        let der = whole.der();
        assert!(CertificateFacts::from_der(der).is_ok());
        for length in 0..der.len() {
            assert_eq!(
                CertificateFacts::from_der(&der[..length]),
                Err(NotACertificate),
                "{length} bytes"
            );
        }
        assert_eq!(
            CertificateFacts::from_der(&[der, &[0][..]].concat()),
            Err(NotACertificate)
        );
    }

    #[test]
    fn a_file_is_read_with_all_its_certificates_and_no_other_section() {
        let pem = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            [params.self_signed(&key).unwrap().pem(), key.serialize_pem()].concat()
        };
        let chain =
            CertificateFacts::all_from_pem((pem("a.example") + &pem("b.example")).as_bytes()).unwrap();
        let names: Vec<_> = chain.iter().flat_map(|facts| &facts.names).collect();
        assert_eq!(names, ["a.example", "b.example"]);
        assert_eq!(
            CertificateFacts::all_from_pem(b"no PEM"),
            Err(ContentFault::NoCertificate)
        );
        let other = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert_eq!(
            CertificateFacts::all_from_pem(other),
            Err(ContentFault::BadCertificate)
        );
    }

    #[test]
    fn a_moment_before_1970_is_shown_as_a_date() {
        assert_eq!(
            Moment::from_unix_seconds(-1).to_string(),
            "1969-12-31 23:59:59 UTC"
        );
        assert_eq!(Moment::from(UNIX_EPOCH), Moment(0));
        assert_eq!(Moment(0).rfc3339(), "1970-01-01T00:00:00Z");
    }
}
