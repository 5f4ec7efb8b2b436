//! Why TLS failed, told with the cure: the library's words are for those who know TLS, these for those who run a plant.

use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error};

use super::trust::Roots;
use super::{CertificateFacts, Moment};
use crate::transport::text;

/// TLS with the server failed; the text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

/// What is known of a handshake beside its error.
#[derive(Debug)]
pub(super) struct Handshake<'a> {
    /// The name that the certificate must be for.
    pub(super) host: &'a str,
    pub(super) roots: &'a Roots,
    /// Whether this agent has a certificate to show.
    pub(super) shows_certificate: bool,
    /// The certificate that was refused.
    pub(super) refused: Option<&'a CertificateFacts>,
}

impl Failure {
    /// The server has not answered the handshake in `time`.
    pub(crate) fn silence(time: Duration) -> Self {
        Self(format!(
            "the server did not answer the TLS handshake within {} s, it may not speak TLS on this port: {OTHER_PORT}",
            time.as_secs()
        ))
    }

    pub(super) fn of_handshake(error: &io::Error, handshake: &Handshake<'_>, now: Moment) -> Self {
        Self(match tls_error(error) {
            Some(Error::InvalidCertificate(cause)) => refused(cause, handshake, now),
            Some(Error::AlertReceived(alert)) => alert_received(*alert, handshake.shows_certificate),
            Some(Error::InvalidMessage(_)) => {
                format!("the server does not speak TLS on this port: {OTHER_PORT}")
            }
            Some(Error::PeerIncompatible(why)) => {
                format!(
                    "the server and this agent have no TLS in common ({why:?}): have the server offer TLS 1.2 or 1.3"
                )
            }
            Some(other) => lower(&other.to_string()),
            None if is_end(error) => {
                format!(
                    "the server closed the connection instead of answering, it may not speak TLS on this port: {OTHER_PORT}"
                )
            }
            None => text(error),
        })
    }
}

const OTHER_PORT: &str =
    "set CYBUS_MQTT_PORT to its port for TLS, usually 8883, or CYBUS_MQTT_SCHEME=mqtt to do without TLS";

/// The error of an established connection, in plain words where it is one of TLS: with TLS 1.3 a server tells only
/// after the handshake that it refuses the client's certificate.
pub(crate) fn lost(error: io::Error, shows_certificate: bool) -> io::Error {
    let plain = match tls_error(&error) {
        Some(Error::AlertReceived(alert)) => alert_received(*alert, shows_certificate),
        Some(other) => lower(&other.to_string()),
        // The library tells at length that the end was not announced; nothing follows from that here.
        None if error.kind() == io::ErrorKind::UnexpectedEof => "closed by the broker".to_owned(),
        None => return error,
    };
    io::Error::new(error.kind(), Failure(plain))
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
    )
}

/// The server's certificate was refused here.
fn refused(cause: &CertificateError, handshake: &Handshake<'_>, now: Moment) -> String {
    let Some(facts) = handshake.refused else {
        return format!(
            "the server's certificate is refused: {}",
            lower(&cause.to_string())
        );
    };
    let host = handshake.host;
    match cause {
        CertificateError::BadSignature => format!(
            "the server's certificate ({}) was issued by {}, which has another key than {} knows under that name: it may have \
             been made anew, give in CA the new one's certificate",
            facts.subject, facts.issuer, handshake.roots
        ),
        CertificateError::UnknownIssuer => {
            let cure = match handshake.roots {
                Roots::File(file) => format!(
                    "not by an authority in {}: put the certificate of that authority into the file that CA names",
                    file.display()
                ),
                Roots::System | Roots::Unasked => {
                    "which is not an authority that this system knows: set CA to a file with the certificate of that \
                     authority"
                        .to_owned()
                }
            };
            format!(
                "the server's certificate ({}) was issued by {}, {cure}",
                facts.subject, facts.issuer
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
            "the server's certificate expired on {}, and the clock of this machine shows {now}: have it renewed, or set \
             the clock",
            facts.not_after
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
            "the server's certificate is not valid before {}, and the clock of this machine shows {now}: set the clock, \
             or wait",
            facts.not_before
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            match facts.names.is_empty() {
                true => format!(
                    "the server's certificate ({}) names no host: have it issued with `{host}` as subjectAltName",
                    facts.subject
                ),
                false => format!(
                    "the server's certificate is for {}, not for {host}: set CYBUS_MQTT_HOST to a name that it is for, or \
                     have it issued for {host}",
                    facts.names_listed()
                ),
            }
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => format!(
            "the server's certificate ({}) is not for servers: have it issued with the extended key usage serverAuth",
            facts.subject
        ),
        _ if facts.authority => format!(
            "the server shows the certificate of an authority ({}) as its own: have this authority issue one for the \
             server, and give that one to the server",
            facts.subject
        ),
        other => format!(
            "the server's certificate ({}) is refused: {}: have it issued again",
            facts.subject,
            lower(&other.to_string())
        ),
    }
}

/// The server has said why it ends the connection.
fn alert_received(alert: AlertDescription, shows_certificate: bool) -> String {
    use AlertDescription as Alert;
    const SHOW_ONE: &str = "set USE_MUTUAL_TLS=true, with AGENT_CERT and AGENT_KEY";
    match (alert, shows_certificate) {
        (Alert::CertificateRequired | Alert::NoCertificate, false) => {
            format!("the server wants a client certificate: {SHOW_ONE}")
        }
        (Alert::HandshakeFailure, false) => {
            format!("the server ended the TLS handshake, as it does where it wants a client certificate: {SHOW_ONE}")
        }
        (Alert::UnknownCA, true) => "the server does not know the authority that issued this agent's certificate: give \
             the server that authority's certificate, or in AGENT_CERT a certificate that it knows, with those between"
            .to_owned(),
        (Alert::CertificateExpired, true) => {
            "the server takes this agent's certificate for expired: have it renewed, or check the server's clock".to_owned()
        }
        (Alert::CertificateRevoked, true) => {
            "this agent's certificate has been revoked: have a new one issued, or the revocation undone".to_owned()
        }
        (
            Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::CertificateRequired,
            true,
        ) => format!(
            "the server refuses this agent's certificate ({alert:?}): its log says why"
        ),
        (Alert::ProtocolVersion, _) => {
            "the server speaks neither TLS 1.2 nor 1.3: have it updated or configured to".to_owned()
        }
        (Alert::UnrecognisedName, _) => {
            "the server has no certificate for this host name: check CYBUS_MQTT_HOST".to_owned()
        }
        _ => format!("the server ended TLS ({alert:?}): its log says why"),
    }
}

fn lower(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}
