//! `Cybus::Connection`: its properties, checked one by one.

use std::time::Duration;

use super::Context;
use super::diagnostic::quoted;
use super::http::path;
use super::mqtt;
use super::opcua_client;
use super::plan::{
    BasicAuth, ConnectionProtocol, HttpConnection, HttpScheme, Probe, ProbeMethod, RetryStrategy, Secret,
};
use super::record::{Record, texts};
use super::resource::{CONNECTION_STATES, Placement};
use super::scope::Scope;
use super::value::{Data, Reporter, Value, did_you_mean, one_of};

/// Longest time that a file may name.
const LONGEST: u64 = 24 * 60 * 60 * 1000;

/// A protocol by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProtocolName {
    Http,
    Mqtt,
    Opcua,
    /// Spoken by others.
    Foreign,
}

/// The protocols of agents; those that this one does not speak are known by name, so that a mistyped one is found.
const PROTOCOLS: [(&str, ProtocolName); 22] = [
    ("Http", ProtocolName::Http),
    ("Mqtt", ProtocolName::Mqtt),
    ("Opcua", ProtocolName::Opcua),
    ("Ads", ProtocolName::Foreign),
    ("Bacnet", ProtocolName::Foreign),
    ("EthernetIp", ProtocolName::Foreign),
    ("Focas", ProtocolName::Foreign),
    ("Heidenhain", ProtocolName::Foreign),
    ("Hottinger", ProtocolName::Foreign),
    ("InfluxDb", ProtocolName::Foreign),
    ("Kafka", ProtocolName::Foreign),
    ("Modbus", ProtocolName::Foreign),
    ("Mssql", ProtocolName::Foreign),
    ("OpcDa", ProtocolName::Foreign),
    ("Openprotocol", ProtocolName::Foreign),
    ("Profinet", ProtocolName::Foreign),
    ("S7", ProtocolName::Foreign),
    ("Shdr", ProtocolName::Foreign),
    ("Sinumerik", ProtocolName::Foreign),
    ("Sopas", ProtocolName::Foreign),
    ("Sql", ProtocolName::Foreign),
    ("SystemState", ProtocolName::Foreign),
];

/// `Cybus::Connection`.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) protocol: Protocol,
    pub(super) strategy: RetryStrategy,
    pub(super) placement: Placement,
}

/// What is on the other side.
#[derive(Debug)]
pub(super) enum Protocol {
    Spoken(ConnectionProtocol),
    /// This name; what the file says of it is not read.
    Foreign(String),
}

impl Protocol {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Spoken(protocol) => protocol.name(),
            Self::Foreign(name) => name,
        }
    }
}

/// Reads `protocol`: which one, and its name as written. A name that nobody knows is that of an extension, unless it is
/// nearly one that is known.
pub(super) fn protocol(record: &mut Record<'_, '_, '_>) -> Option<(ProtocolName, String)> {
    record.required("protocol", |reporter, value| {
        let name = reporter.text("protocol", value)?;
        if let Some((_, known)) = PROTOCOLS.iter().find(|(known, _)| *known == name) {
            return Some((*known, name.to_owned()));
        }
        let names = PROTOCOLS.iter().map(|(known, _)| *known);
        match reporter.nearest(name, names) {
            None => Some((ProtocolName::Foreign, name.to_owned())),
            Some(nearest) => {
                let message = format!("`protocol`: found {}, expected a protocol", quoted(name));
                reporter.error_with_help(value.span, message, Some(did_you_mean(nearest)));
                None
            }
        }
    })
}

pub(super) fn read(
    mut record: Record<'_, '_, '_>,
    scope: &mut Scope<'_>,
    context: &Context,
) -> Option<Connection> {
    let protocol = protocol(&mut record);
    let outer = record.optional("connectionStrategy", strategy);
    let mut inner = None;
    let connection = record.required("connection", |reporter, value| match protocol {
        Some((ProtocolName::Http, _)) => http(reporter, value, &mut inner)
            .map(|http| Protocol::Spoken(ConnectionProtocol::Http(Box::new(http)))),
        Some((ProtocolName::Mqtt, _)) => mqtt::read(reporter, value, scope, &mut inner)
            .map(|mqtt| Protocol::Spoken(ConnectionProtocol::Mqtt(Box::new(mqtt)))),
        Some((ProtocolName::Opcua, _)) => opcua_client::read(reporter, value, &mut inner)
            .map(|opcua| Protocol::Spoken(ConnectionProtocol::Opcua(Box::new(opcua)))),
        Some((ProtocolName::Foreign, ref name)) => Some(Protocol::Foreign(name.clone())),
        None => None,
    });
    if outer.is_some() && inner.is_some() {
        let place = record.place("connectionStrategy");
        record.error(
            place,
            "`connectionStrategy`: found it here and in `connection`, expected it once",
        );
    }
    let placement = record.placement(context, &CONNECTION_STATES);
    record.finish()?;
    Some(Connection {
        protocol: connection?,
        strategy: inner.or(outer).unwrap_or(RetryStrategy {
            initial_delay: Duration::from_secs(1),
            increment_factor: 2.0,
            max_delay: Duration::from_secs(30),
        }),
        placement,
    })
}

pub(super) fn strategy(reporter: &mut Reporter<'_>, value: &Value) -> Option<RetryStrategy> {
    let mut record = Record::of("connectionStrategy", value, reporter)?;
    let initial_delay = record
        .milliseconds("initialDelay", 1..=LONGEST)
        .unwrap_or(Duration::from_secs(1));
    let increment_factor = record
        .optional("incrementFactor", |reporter, value| match value.data {
            Data::Integer(number @ 1..=1000) => i32::try_from(number).ok().map(f64::from),
            Data::Float(number) if (1.0..=1000.0).contains(&number) => Some(number),
            _ => {
                reporter.mismatch("incrementFactor", value, "a number from 1 to 1000");
                None
            }
        })
        .unwrap_or(2.0);
    let max_delay = record
        .milliseconds("maxDelay", 1..=LONGEST)
        .unwrap_or(Duration::from_secs(30).max(initial_delay));
    if max_delay < initial_delay {
        let place = record.place("maxDelay");
        record.error_with_help(
            place,
            "`maxDelay`: found a time that is shorter than `initialDelay`",
            "make it as long at least",
        );
    }
    record.finish()?;
    Some(RetryStrategy {
        initial_delay,
        increment_factor,
        max_delay,
    })
}

fn http(
    reporter: &mut Reporter<'_>,
    value: &Value,
    retry: &mut Option<RetryStrategy>,
) -> Option<HttpConnection> {
    let mut record = Record::of("connection", value, reporter)?;
    let schemes = [("http", HttpScheme::Http), ("https", HttpScheme::Https)];
    let scheme = record.choice("scheme", &schemes);
    let host = record.required("host", host);
    let port: Option<u16> = record.integer("port", 1..=u16::MAX);
    let scheme = scheme.unwrap_or(match port {
        None | Some(443) => HttpScheme::Https,
        Some(_) => HttpScheme::Http,
    });
    let port = port.unwrap_or(match scheme {
        HttpScheme::Http => 80,
        HttpScheme::Https => 443,
    });
    let prefix = record
        .optional("prefix", |reporter, value| path("prefix", value, reporter))
        .unwrap_or_default();
    let headers = headers(&mut record);
    let query = secrets(record.optional("query", |reporter, value| texts(reporter, "query", value)));
    let auth = record.optional("auth", basic_auth);
    let probe = probe(&mut record);
    let mutual_authentication = record.boolean("mutualAuthentication").unwrap_or(false);
    let trust_all_certificates = record.boolean("trustAllCertificates").unwrap_or(false);
    if scheme == HttpScheme::Http {
        for (key, set) in [
            ("mutualAuthentication", mutual_authentication),
            ("trustAllCertificates", trust_all_certificates),
        ] {
            if set {
                let place = record.place(key);
                let message = format!("`{key}` has no effect without `scheme: https`");
                record.reporter.warning(place, message);
            }
        }
    }
    *retry = record.optional("connectionStrategy", strategy);
    record.finish()?;
    Some(HttpConnection {
        scheme,
        host: host?,
        port,
        prefix: prefix.trim_end_matches('/').to_owned(),
        headers,
        query,
        auth,
        probe,
        mutual_authentication,
        trust_all_certificates,
    })
}

/// `headers`: names are tokens, values have no control characters (RFC 9110 §5).
pub(super) fn headers(record: &mut Record<'_, '_, '_>) -> Vec<(String, Secret)> {
    let read = |reporter: &mut Reporter<'_>, value: &Value| {
        let pairs = texts(reporter, "headers", value)?;
        for (name, text) in &pairs {
            let sound = ::http::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && ::http::HeaderValue::from_str(text).is_ok();
            if !sound {
                let message = format!("`headers`: {} is no header field that HTTP has", quoted(name));
                reporter.error(value.span, message);
                return None;
            }
        }
        Some(pairs)
    };
    let pairs = record.optional("headers", read);
    secrets(pairs)
}

pub(super) fn secrets(pairs: Option<Vec<(String, String)>>) -> Vec<(String, Secret)> {
    let pairs = pairs.unwrap_or_default().into_iter();
    pairs.map(|(name, text)| (name, Secret::new(text))).collect()
}

fn basic_auth(reporter: &mut Reporter<'_>, value: &Value) -> Option<BasicAuth> {
    let mut record = Record::of("auth", value, reporter)?;
    let username = record.required_text("username");
    let password = record.required_secret("password");
    record.finish()?;
    Some(BasicAuth {
        username: username?,
        password: password?,
    })
}

fn probe(record: &mut Record<'_, '_, '_>) -> Probe {
    let methods = [("HEAD", ProbeMethod::Head), ("GET", ProbeMethod::Get)];
    Probe {
        interval: record
            .milliseconds("probeInterval", 1..=LONGEST)
            .unwrap_or(Duration::from_secs(10)),
        // 0 is the documented word for none.
        timeout: record
            .milliseconds("probeTimeout", 0..=LONGEST)
            .filter(|timeout| !timeout.is_zero()),
        path: record
            .optional("probePath", |reporter, value| path("probePath", value, reporter))
            .unwrap_or_else(|| "/".to_owned()),
        method: record
            .choice("probeMethod", &methods)
            .unwrap_or(ProbeMethod::Head),
    }
}

pub(super) fn host(reporter: &mut Reporter<'_>, value: &Value) -> Option<String> {
    let text = reporter.text("host", value)?;
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let name = |text: &str| {
        !text.is_empty()
            && text.len() <= 253
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    if bare.parse::<std::net::IpAddr>().is_ok() || name(text) {
        return Some(bare.to_owned());
    }
    reporter.mismatch(
        "host",
        value,
        "a host name or an IP address, without scheme and port",
    );
    None
}

/// The protocols that this agent speaks, for messages.
pub(super) fn spoken() -> String {
    let spoken = PROTOCOLS
        .iter()
        .filter(|(_, name)| *name != ProtocolName::Foreign);
    one_of(spoken.map(|(name, _)| *name))
}
