//! `Cybus::Connection` to another broker: its properties, checked one by one.

use std::time::Duration;

use bytes::Bytes;
use syncline_core::codec::QoS;

use super::connection::{host, strategy};
use super::diagnostic::quoted;
use super::plan::{ClientCertificate, MqttConnection, MqttScheme, MqttWill, RetryStrategy, TlsMaterial};
use super::record::Record;
use super::scope::Scope;
use super::topic;
use super::value::{Reporter, Value, one_of};
use crate::tls::{ContentFault, certificate_text_fault, pair_text_fault};

/// The port of MQTT where a file names none, with TLS as without: as it is documented for Connectware.
const PORT: u16 = 1883;
/// Longest Will Payload (MQTT 5.0 §3.1.3.4).
const LONGEST_WILL: usize = 65_535;

const SCHEMES: [(&str, MqttScheme); 4] = [
    ("mqtt", MqttScheme::Mqtt),
    ("mqtts", MqttScheme::Mqtts),
    ("tcp", MqttScheme::Mqtt),
    ("tls", MqttScheme::Mqtts),
];

/// Where a broker is.
struct Address {
    scheme: MqttScheme,
    host: String,
    /// Absent where the file names none.
    port: Option<u16>,
}

pub(super) fn read(
    reporter: &mut Reporter<'_>,
    value: &Value,
    scope: &mut Scope<'_>,
    retry: &mut Option<RetryStrategy>,
) -> Option<MqttConnection> {
    let mut record = Record::of("connection", value, reporter)?;
    let address = address(&mut record);
    let client_id = record.optional("clientId", client_id);
    let username = record.text("username");
    let password = record.secret("password");
    if password.is_some() && username.is_none() {
        let place = record.place("password");
        let message =
            "`password`: found it without `username`, which MQTT 3.1.1 does not allow; add `username`";
        record.error_about_secret(place, message);
    }
    let keep_alive = Duration::from_secs(record.integer("keepalive", 0..=u64::from(u16::MAX)).unwrap_or(60));
    let clean_session = record.boolean("cleanSession").unwrap_or(true);
    let tls = tls(&mut record);
    let will = record.optional("will", |reporter, value| will(reporter, value, scope));
    *retry = record.optional("connectionStrategy", strategy);
    if let Some(address) = &address {
        warn_of_scheme(&mut record, address);
    }
    record.finish()?;
    let Address { scheme, host, port } = address?;
    Some(MqttConnection {
        scheme,
        host,
        port: port.unwrap_or(PORT),
        client_id,
        username,
        password,
        keep_alive,
        clean_session,
        tls: tls?,
        will,
    })
}

/// `url`, which goes before `scheme`, `host` and `port`.
fn address(record: &mut Record<'_, '_, '_>) -> Option<Address> {
    let url = record.value("url").is_some();
    let from_url = record.optional("url", read_url);
    let scheme = record.choice("scheme", &SCHEMES);
    let port = record.integer("port", 1..=u16::MAX);
    if !url {
        return Some(Address {
            scheme: scheme.unwrap_or(MqttScheme::Mqtt),
            host: record.required("host", host)?,
            port,
        });
    }
    let own = record.optional("host", host);
    for (key, set) in [
        ("scheme", scheme.is_some()),
        ("host", own.is_some()),
        ("port", port.is_some()),
    ] {
        if set {
            let place = record.place(key);
            record
                .reporter
                .warning(place, format!("`{key}` has no effect beside `url`"));
        }
    }
    from_url
}

fn read_url(reporter: &mut Reporter<'_>, value: &Value) -> Option<Address> {
    let text = reporter.text("url", value)?;
    let parsed = parse_url(text);
    if parsed.is_none() {
        let schemes = one_of(SCHEMES.map(|(name, _)| name));
        let message = format!(
            "`url`: expected `scheme://host` or `scheme://host:port` with the scheme {schemes}; user name and password are \
             properties of their own"
        );
        // It may have a password in front of an `@`.
        reporter.error_about_secret(value.span, message);
    }
    parsed
}

fn parse_url(text: &str) -> Option<Address> {
    let (scheme, rest) = text.split_once("://")?;
    let (_, scheme) = SCHEMES.into_iter().find(|(name, _)| *name == scheme)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (address, behind) = bracketed.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, behind.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(is_plain) {
        return None;
    }
    let port = match port {
        Some(text) => Some(text.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    Some(Address {
        scheme,
        host: host.to_owned(),
        port,
    })
}

fn client_id(reporter: &mut Reporter<'_>, value: &Value) -> Option<String> {
    let text = reporter.text("clientId", value)?;
    match !text.is_empty() && text.len() <= usize::from(u16::MAX) && !text.contains('\0') {
        true => Some(text.to_owned()),
        false => {
            reporter.mismatch("clientId", value, "a text of 1 to 65535 bytes");
            None
        }
    }
}

/// What TLS is done with; `None` after a report.
fn tls(record: &mut Record<'_, '_, '_>) -> Option<TlsMaterial> {
    let mutual_authentication = record.boolean("mutualAuthentication").unwrap_or(false);
    let trust_all_certificates = record.boolean("trustAllCertificates").unwrap_or(false);
    let authorities = record.optional("caCert", |reporter, value| {
        let text = reporter.text("caCert", value)?;
        sound(reporter, "caCert", value, certificate_text_fault(text)).then(|| text.to_owned())
    });
    let certificate = record.optional("clientCert", |reporter, value| {
        let text = reporter.text("clientCert", value)?;
        sound(reporter, "clientCert", value, certificate_text_fault(text)).then(|| text.to_owned())
    });
    let key = record.secret("clientPrivateKey");
    let has = |record: &mut Record<'_, '_, '_>, key| record.value(key).is_some();
    let (has_certificate, has_key) = (has(record, "clientCert"), has(record, "clientPrivateKey"));
    for (has, lacks, key, other) in [
        (has_certificate, !has_key, "clientCert", "clientPrivateKey"),
        (has_key, !has_certificate, "clientPrivateKey", "clientCert"),
    ] {
        if has && lacks {
            let place = record.place(key);
            let message = format!("`{key}`: found it without `{other}`, expected both or neither");
            record.error_about_secret(place, message);
        }
    }
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let place = record.place("clientPrivateKey");
            match pair_text_fault(&certificate, key.expose()) {
                None => Some(ClientCertificate { certificate, key }),
                Some(fault) => {
                    record.error_about_secret(place, format!("`clientPrivateKey`: {fault}"));
                    None
                }
            }
        }
        _ => None,
    };
    if has_certificate && !mutual_authentication {
        let place = record.place("clientCert");
        let message = "`clientCert` has no effect without `mutualAuthentication: true`";
        record.reporter.warning(place, message);
    }
    if trust_all_certificates && authorities.is_some() {
        let place = record.place("caCert");
        let message = "`caCert` has no effect beside `trustAllCertificates: true`, which believes everybody";
        record.reporter.warning(place, message);
    }
    Some(TlsMaterial {
        mutual_authentication,
        trust_all_certificates,
        authorities,
        identity,
    })
}

/// Reports what is wrong with a text in PEM, without a word of it.
fn sound(reporter: &mut Reporter<'_>, key: &str, value: &Value, fault: Option<ContentFault>) -> bool {
    if let Some(fault) = fault {
        reporter.error(value.span, format!("`{key}`: {fault}"));
    }
    fault.is_none()
}

fn warn_of_scheme(record: &mut Record<'_, '_, '_>, address: &Address) {
    match address.scheme {
        MqttScheme::Mqtts if address.port.is_none() => {
            let place = record.span();
            let message = format!(
                "no port is named, so TLS is tried on port {PORT}, which mostly goes without; add `port: 8883`"
            );
            record.reporter.warning(place, message);
        }
        MqttScheme::Mqtts => {}
        MqttScheme::Mqtt => {
            for key in [
                "mutualAuthentication",
                "trustAllCertificates",
                "caCert",
                "clientCert",
            ] {
                if record.value(key).is_some() {
                    let place = record.place(key);
                    let message = format!("{} has no effect without `scheme: mqtts`", quoted(key));
                    record.reporter.warning(place, message);
                }
            }
        }
    }
}

/// `will`: the message that the other broker publishes when this agent disappears.
fn will(reporter: &mut Reporter<'_>, value: &Value, scope: &mut Scope<'_>) -> Option<MqttWill> {
    let mut record = Record::of("will", value, reporter)?;
    let topic = record.required("topic", |reporter, value| topic::name(reporter, value, scope));
    let payload = record.optional("payload", |reporter, value| {
        let text = reporter.text("payload", value)?;
        if text.len() > LONGEST_WILL {
            let message = format!("`payload`: found more than {LONGEST_WILL} bytes, which no will may have");
            reporter.error(value.span, message);
            return None;
        }
        Some(Bytes::copy_from_slice(text.as_bytes()))
    });
    let qos: QoS = topic::quality(&mut record);
    let retain = record.boolean("retain").unwrap_or(false);
    record.finish()?;
    Some(MqttWill {
        topic: topic?,
        payload: payload.unwrap_or_default(),
        qos,
        retain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_host_and_maybe_a_port() {
        for (text, expected) in [
            ("mqtt://b", Some((MqttScheme::Mqtt, "b", None))),
            (
                "mqtts://b.example:8883/",
                Some((MqttScheme::Mqtts, "b.example", Some(8883))),
            ),
            ("tcp://10.0.0.1:1", Some((MqttScheme::Mqtt, "10.0.0.1", Some(1)))),
            ("tls://[::1]:8883", Some((MqttScheme::Mqtts, "::1", Some(8883)))),
            ("ws://b", None),
            ("b:1883", None),
            ("mqtt://", None),
            ("mqtt://u:p@b", None),
            ("mqtt://b:0", None),
            ("mqtt://b:65536", None),
            ("mqtt://b/path", None),
            ("mqtt://[b]:1", None),
        ] {
            let parsed = parse_url(text);
            let found = parsed
                .as_ref()
                .map(|address| (address.scheme, address.host.as_str(), address.port));
            assert_eq!(found, expected, "{text}");
        }
    }
}
