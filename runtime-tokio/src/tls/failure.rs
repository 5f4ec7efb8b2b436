//! Why TLS failed, told with the cure: the library's words are for those who know TLS, these for those who run a plant.

use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error};

use super::trust::Roots;
use super::{CertificateFacts, Moment};
use crate::transport::text;

/// TLS with the server failed; the text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    text: String,
    fault: Fault,
}

/// Where to mend a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// In what this side was told of the server, or in the server's own certificate.
    Configuration,
    /// At the server, which does not take this agent as it is.
    Refusal,
    /// On the way.
    Network,
}

/// Which server is spoken to: its name in messages, and the variables that lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The broker.
    Broker,
    /// The client registry.
    Registry,
    /// The server of an HTTP connection in a commissioning file.
    Connected,
    /// The broker of an MQTT connection in a commissioning file.
    OtherBroker,
}

impl Peer {
    /// The variable, or the property, that says where it is.
    const fn variable(self) -> &'static str {
        match self {
            Self::Broker => "CYBUS_MQTT_HOST",
            Self::Registry => "SYNCLINE_REGISTRY_URL",
            Self::Connected | Self::OtherBroker => "`host` of the connection",
        }
    }

    /// What to do where no TLS is spoken.
    const fn other_port(self) -> &'static str {
        match self {
            Self::Broker => {
                "set CYBUS_MQTT_PORT to its port for TLS, usually 8883, or CYBUS_MQTT_SCHEME=mqtt to do without TLS"
            }
            Self::Registry => "set SYNCLINE_REGISTRY_URL with the registry's port for TLS",
            Self::Connected => {
                "set `port` of the connection to the server's port for TLS, or `scheme: http` to do without"
            }
            Self::OtherBroker => {
                "set `port` of the connection to the broker's port for TLS, usually 8883, or `scheme: mqtt` to do without"
            }
        }
    }

    /// How to show it a certificate.
    const fn show_one(self) -> &'static str {
        match self {
            Self::OtherBroker => "set `mutualAuthentication: true`, with `clientCert` and `clientPrivateKey`",
            _ => "set USE_MUTUAL_TLS=true, with AGENT_CERT and AGENT_KEY",
        }
    }

    /// What says which authorities it is believed by.
    const fn authorities(self) -> &'static str {
        match self {
            Self::OtherBroker => "`caCert` of the connection",
            _ => "CA",
        }
    }
}

/// What is known of a handshake beside its error.
#[derive(Debug)]
pub(super) struct Handshake<'a> {
    pub(super) server: Peer,
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
    pub(crate) fn silence(time: Duration, server: Peer) -> Self {
        Self {
            text: format!(
                "the server did not answer the TLS handshake within {} s, it may not speak TLS on this port: {}",
                time.as_secs(),
                server.other_port()
            ),
            fault: Fault::Configuration,
        }
    }

    /// Where to mend it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.fault
    }

    pub(super) fn of_handshake(error: &io::Error, handshake: &Handshake<'_>, now: Moment) -> Self {
        let other_port = handshake.server.other_port();
        let (fault, text) = match tls_error(error) {
            Some(Error::InvalidCertificate(cause)) => (Fault::Configuration, refused(cause, handshake, now)),
            Some(Error::AlertReceived(alert)) => {
                alert_received(*alert, handshake.shows_certificate, handshake.server)
            }
            Some(Error::InvalidMessage(_)) => (
                Fault::Configuration,
                format!("the server does not speak TLS on this port: {other_port}"),
            ),
            Some(Error::PeerIncompatible(why)) => (
                Fault::Configuration,
                format!(
                    "the server and this agent have no TLS in common ({why:?}): have the server offer TLS 1.2 or 1.3"
                ),
            ),
            Some(other) => (Fault::Configuration, lower(&other.to_string())),
            None if is_end(error) => (
                Fault::Configuration,
                format!(
                    "the server closed the connection instead of answering, it may not speak TLS on this port: {other_port}"
                ),
            ),
            None => (Fault::Network, text(error)),
        };
        Self { text, fault }
    }
}

/// The error of an established connection, in plain words where it is one of TLS: with TLS 1.3 a server tells only
/// after the handshake that it refuses the client's certificate.
pub(crate) fn lost(error: io::Error, shows_certificate: bool, server: Peer) -> io::Error {
    let (fault, text) = match tls_error(&error) {
        Some(Error::AlertReceived(alert)) => alert_received(*alert, shows_certificate, server),
        Some(other) => (Fault::Network, lower(&other.to_string())),
        // The library tells at length that the end was not announced; nothing follows from that here.
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            (Fault::Network, "closed by the broker".to_owned())
        }
        None => return error,
    };
    io::Error::new(error.kind(), Failure { text, fault })
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
             been made anew, give in {} the new one's certificate",
            facts.subject,
            facts.issuer,
            handshake.roots,
            handshake.server.authorities()
        ),
        CertificateError::UnknownIssuer => {
            let cure = match handshake.roots {
                Roots::File(file) => format!(
                    "not by an authority in {}: put the certificate of that authority into the file that CA names",
                    file.display()
                ),
                Roots::Given => "not by an authority in `caCert`: add the certificate of that authority".to_owned(),
                Roots::System | Roots::Unasked => match handshake.server {
                    Peer::OtherBroker => "which is not an authority that this system knows: give the certificate of that \
                                          authority as `caCert`",
                    _ => "which is not an authority that this system knows: set CA to a file with the certificate of that \
                          authority",
                }
                .to_owned(),
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
                    "the server's certificate is for {}, not for {host}: set {} to a name that it is for, or have it \
                     issued for {host}",
                    facts.names_listed(),
                    handshake.server.variable()
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
fn alert_received(alert: AlertDescription, shows_certificate: bool, server: Peer) -> (Fault, String) {
    use AlertDescription as Alert;
    let show_one = server.show_one();
    let fault = match alert {
        Alert::ProtocolVersion | Alert::UnrecognisedName => Fault::Configuration,
        _ => Fault::Refusal,
    };
    let text = match (alert, shows_certificate) {
        (Alert::CertificateRequired | Alert::NoCertificate, false) => {
            format!("the server wants a client certificate: {show_one}")
        }
        (Alert::HandshakeFailure, false) => {
            format!("the server ended the TLS handshake, as it does where it wants a client certificate: {show_one}")
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
            format!("the server has no certificate for this host name: check {}", server.variable())
        }
        _ => format!("the server ended TLS ({alert:?}): its log says why"),
    };
    (fault, text)
}

fn lower(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}
