//! `Cybus::Connection` to an OPC UA server and its endpoints: their properties, checked one by one.

use std::time::Duration;

use super::connection::{host, strategy};
use super::endpoint::Operation;
use super::opcua::node_id_from;
use super::plan::{
    BrowseName, OpcuaConnection, OpcuaItem, OpcuaLogin, OpcuaNode, RetryStrategy, SecurityMode,
    SecurityPolicy,
};
use super::record::Record;
use super::value::{Reporter, Value};

/// The registered port of OPC UA.
const PORT: u16 = 4840;
/// Most names of a browse path.
const MAX_NAMES: usize = 32;
/// Longest interval that a file may name, in milliseconds.
const LONGEST: u64 = 24 * 60 * 60 * 1000;

const NODE_TYPES: [(&str, NodeType); 3] = [
    ("Variable", NodeType::Variable),
    ("Object", NodeType::Object),
    ("Method", NodeType::Method),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeType {
    Variable,
    Object,
    Method,
}

/// Where a server is.
struct Address {
    host: String,
    port: u16,
    path: String,
}

pub(super) fn read(
    reporter: &mut Reporter<'_>,
    value: &Value,
    retry: &mut Option<RetryStrategy>,
) -> Option<OpcuaConnection> {
    let mut record = Record::of("connection", value, reporter)?;
    let address = address(&mut record);
    let login = login(&mut record);
    let policy = record.choice("securityPolicy", SecurityPolicy::NAMES);
    let mode = record.choice("securityMode", SecurityMode::NAMES);
    let (policy, mode) = security(&mut record, policy, mode, login.is_some());
    let trust_all_certificates = record.boolean("trustAllCertificates").unwrap_or(false);
    if trust_all_certificates && mode == SecurityMode::None {
        let place = record.place("trustAllCertificates");
        let message =
            "`trustAllCertificates` has no effect with `securityMode: None`, which shows no certificate";
        record.reporter.warning(place, message);
    }
    *retry = record.optional("connectionStrategy", strategy);
    record.finish()?;
    let Address { host, port, path } = address?;
    Some(OpcuaConnection {
        host,
        port,
        path,
        policy,
        mode,
        login,
        trust_all_certificates,
    })
}

/// `endpointUrl`, which goes before `host` and `port`.
fn address(record: &mut Record<'_, '_, '_>) -> Option<Address> {
    let has_url = record.value("endpointUrl").is_some();
    let from_url = record.optional("endpointUrl", endpoint_url);
    let port: Option<u16> = record.integer("port", 1..=u16::MAX);
    if !has_url {
        return Some(Address {
            host: record.required("host", host)?,
            port: port.unwrap_or(PORT),
            path: String::new(),
        });
    }
    let own = record.optional("host", host);
    for (key, set) in [("host", own.is_some()), ("port", port.is_some())] {
        if set {
            let place = record.place(key);
            let message = format!("`{key}` has no effect beside `endpointUrl`");
            record.reporter.warning(place, message);
        }
    }
    from_url
}

fn endpoint_url(reporter: &mut Reporter<'_>, value: &Value) -> Option<Address> {
    let text = reporter.text("endpointUrl", value)?;
    let address = parse_url(text);
    if address.is_none() {
        // It may have a password in front of an `@`.
        reporter.error_about_secret(
            value.span,
            "`endpointUrl`: expected `opc.tcp://host:port`, maybe with a path; user name and password are properties of their own",
        );
    }
    address
}

/// Only OPC UA over TCP is spoken.
fn parse_url(text: &str) -> Option<Address> {
    let rest = text.strip_prefix(OpcuaConnection::SCHEME)?.strip_prefix("://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, behind) = bracketed.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            match behind {
                "" => (host, None),
                behind => (host, Some(behind.strip_prefix(':')?)),
            }
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if host.is_empty() || !host.chars().all(is_plain) {
                return None;
            }
            (host, port)
        }
    };
    if !path.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        return None;
    }
    let port = match port {
        Some(text) => text.parse().ok().filter(|port| *port != 0)?,
        None => PORT,
    };
    Some(Address {
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    })
}

fn login(record: &mut Record<'_, '_, '_>) -> Option<OpcuaLogin> {
    let username = record.text("username");
    let password = record.secret("password");
    match (username, password) {
        (Some(username), Some(password)) => Some(OpcuaLogin { username, password }),
        (None, None) => None,
        (Some(_), None) => {
            if record.value("password").is_none() {
                let place = record.place("username");
                record.error(
                    place,
                    "`username`: found it without `password`, expected both or neither",
                );
            }
            None
        }
        (None, Some(_)) => {
            if record.value("username").is_none() {
                let place = record.place("password");
                record.error_about_secret(
                    place,
                    "`password`: found it without `username`, expected both or neither",
                );
            }
            None
        }
    }
}

/// Policy and mode that belong together: what the file leaves out follows from what it says, and a login is never sent in the clear.
fn security(
    record: &mut Record<'_, '_, '_>,
    policy: Option<SecurityPolicy>,
    mode: Option<SecurityMode>,
    has_login: bool,
) -> (SecurityPolicy, SecurityMode) {
    let mode = mode.unwrap_or(match policy {
        Some(SecurityPolicy::None) => SecurityMode::None,
        Some(_) => SecurityMode::SignAndEncrypt,
        None if has_login => SecurityMode::SignAndEncrypt,
        None => SecurityMode::None,
    });
    let policy = policy.unwrap_or(match mode {
        SecurityMode::None => SecurityPolicy::None,
        SecurityMode::Sign | SecurityMode::SignAndEncrypt => SecurityPolicy::Basic256Sha256,
    });
    match (policy, mode) {
        (SecurityPolicy::None, SecurityMode::None) if has_login => {
            let place = record.place("password");
            record.error_about_secret(
                place,
                "`password`: found it with `securityMode: None`, where everybody on the network could read it; write `securityMode: \
                 SignAndEncrypt`",
            );
        }
        (SecurityPolicy::None, SecurityMode::Sign | SecurityMode::SignAndEncrypt) => {
            let place = record.place("securityPolicy");
            record.error_with_help(
                place,
                format!(
                    "`securityPolicy`: found `None` with `securityMode: {}`",
                    mode.name()
                ),
                "write `Basic256Sha256`, or leave it out",
            );
        }
        (_, SecurityMode::None) if policy != SecurityPolicy::None => {
            let place = record.place("securityMode");
            record.error_with_help(
                place,
                format!(
                    "`securityMode`: found `None` with `securityPolicy: {}`",
                    policy.name()
                ),
                "write `SignAndEncrypt`, or leave it out",
            );
        }
        (SecurityPolicy::Basic128Rsa15 | SecurityPolicy::Basic256, _) => {
            let place = record.place("securityPolicy");
            let message = format!("the policy `{}` is deprecated: it can be broken", policy.name());
            record.reporter.warning(place, message);
        }
        _ => {}
    }
    (policy, mode)
}

/// What an endpoint does with a node.
pub(super) fn read_item(
    reporter: &mut Reporter<'_>,
    key: &str,
    value: &Value,
    operation: Operation,
) -> Option<OpcuaItem> {
    let mut record = Record::of(key, value, reporter)?;
    let node = node(&mut record);
    refuse_what_is_not_done(&mut record);
    let publish_interval = record.milliseconds("publishInterval", 1..=LONGEST);
    let sampling_interval = record.milliseconds("samplingInterval", 0..=LONGEST);
    // Published files have the key of other protocols.
    let interval = record.milliseconds("interval", 1..=LONGEST);
    for (key, set) in [
        ("publishInterval", publish_interval.is_some()),
        ("samplingInterval", sampling_interval.is_some()),
        ("interval", interval.is_some()),
    ] {
        let place = record.place(key);
        if set && operation != Operation::Subscribe {
            let message = format!("`{key}` has no effect: only `subscribe` is told of values");
            record.reporter.warning(place, message);
        } else if set && key == "interval" {
            let message = match publish_interval {
                Some(_) => "`interval` has no effect beside `publishInterval`",
                None => "`interval` is taken as `publishInterval`, which is its name for OPC UA",
            };
            record.reporter.warning(place, message);
        }
    }
    record.finish()?;
    Some(OpcuaItem {
        node: node?,
        publish_interval: publish_interval.or(interval).unwrap_or(Duration::from_secs(1)),
        sampling_interval,
    })
}

/// `nodeId` or `browsePath`, with what is put in front of that.
fn node(record: &mut Record<'_, '_, '_>) -> Option<OpcuaNode> {
    let has = |record: &mut Record<'_, '_, '_>, key| record.value(key).is_some();
    let (has_id, has_path) = (has(record, "nodeId"), has(record, "browsePath"));
    let id = record.optional("nodeId", |reporter, value| node_id_from(0, reporter, value));
    let mut names = record
        .optional("browsePathPrefix", |reporter, value| {
            browse_path("browsePathPrefix", reporter, value)
        })
        .unwrap_or_default();
    let path = record.optional("browsePath", |reporter, value| {
        browse_path("browsePath", reporter, value)
    });
    match (has_id, has_path) {
        (true, false) => Some(OpcuaNode::Id(id?.value)),
        (false, true) => {
            names.extend(path?);
            Some(OpcuaNode::BrowsePath(names))
        }
        (true, true) => {
            let place = record.place("browsePath");
            record.error(place, "expected one of `nodeId` and `browsePath`, found both");
            None
        }
        (false, false) => {
            let place = record.span();
            record.error(place, "expected one of `nodeId` and `browsePath`, found none");
            None
        }
    }
}

/// `2:Devices/PLC1`: names with or without their namespace; `&` takes the meaning from the character behind it.
fn browse_path(key: &str, reporter: &mut Reporter<'_>, value: &Value) -> Option<Vec<BrowseName>> {
    let text = reporter.text(key, value)?;
    let names = parse_browse_path(text).filter(|names| (1..=MAX_NAMES).contains(&names.len()));
    if names.is_none() {
        let expected =
            format!("at most {MAX_NAMES} names with their namespaces, such as `2:Devices/2:Press/2:Speed`");
        reporter.mismatch(key, value, expected);
    }
    names
}

fn parse_browse_path(text: &str) -> Option<Vec<BrowseName>> {
    let mut names = Vec::new();
    let mut name = BrowseName {
        namespace: None,
        name: String::new(),
    };
    let mut characters = text.strip_prefix('/').unwrap_or(text).chars();
    loop {
        match characters.next() {
            Some('&') => name.name.push(characters.next()?),
            Some(':') if name.namespace.is_none() && name.name.parse::<u16>().is_ok() => {
                name.namespace = name.name.parse().ok();
                name.name.clear();
            }
            Some(other) if other != '/' => name.name.push(other),
            end => {
                if name.name.is_empty() {
                    return None;
                }
                let next = BrowseName {
                    namespace: None,
                    name: String::new(),
                };
                names.push(std::mem::replace(&mut name, next));
                if end.is_none() {
                    return Some(names);
                }
            }
        }
    }
}

/// What Connectware's endpoints can do beyond values.
fn refuse_what_is_not_done(record: &mut Record<'_, '_, '_>) {
    let node_type = record.choice("nodeType", &NODE_TYPES);
    if let Some(node_type @ (NodeType::Object | NodeType::Method)) = node_type {
        let place = record.place("nodeType");
        let message = match node_type {
            NodeType::Method => "`nodeType`: found `Method`, but endpoints of this version call no methods",
            _ => "`nodeType`: found `Object`, which has no value",
        };
        record.error_with_help(place, message, "name a `Variable`");
    }
    for key in ["fields", "eventTypes"] {
        if record.value(key).is_some() {
            let place = record.place(key);
            let message = format!("`{key}`: endpoints of this version are told of values, not of events");
            record.error_with_help(place, message, "leave it out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gets_the_port_that_it_leaves_out_and_keeps_its_path() {
        for (text, expected) in [
            ("opc.tcp://a", Some(("a", 4840, ""))),
            ("opc.tcp://a.b-c_d:1/UA/x", Some(("a.b-c_d", 1, "/UA/x"))),
            ("opc.tcp://a/", Some(("a", 4840, "/"))),
            ("opc.tcp://[::1]:4841", Some(("::1", 4841, ""))),
            ("opc.tcp://[::1]", Some(("::1", 4840, ""))),
            ("opc.https://a", None),
            ("a:4840", None),
            ("opc.tcp://", None),
            ("opc.tcp://u:p@a:1", None),
            ("opc.tcp://a:0", None),
            ("opc.tcp://a:65536", None),
            ("opc.tcp://a/b c", None),
            ("opc.tcp://[a]:1", None),
            ("opc.tcp://[::1]1", None),
        ] {
            let parsed = parse_url(text);
            let found = parsed
                .as_ref()
                .map(|address| (address.host.as_str(), address.port, address.path.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_browse_path_is_names_with_namespaces_where_it_says_them() {
        for (text, expected) in [
            ("0:CurrentTime", Some(vec![(Some(0), "CurrentTime")])),
            (
                "/2:A/B/3:C",
                Some(vec![(Some(2), "A"), (None, "B"), (Some(3), "C")]),
            ),
            ("2:a:b", Some(vec![(Some(2), "a:b")])),
            ("x:y", Some(vec![(None, "x:y")])),
            ("2:a&/b&&c.d", Some(vec![(Some(2), "a/b&c.d")])),
            ("70000:a", Some(vec![(None, "70000:a")])),
            ("", None),
            ("a//b", None),
            ("a/", None),
            ("2:", None),
            ("a&", None),
        ] {
            let parsed = parse_browse_path(text);
            let found = parsed.as_ref().map(|names| {
                names
                    .iter()
                    .map(|name| (name.namespace, name.name.as_str()))
                    .collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{text}");
            let written = parsed.map(|names| OpcuaNode::BrowsePath(names).text());
            if let Some(written) = written {
                assert_eq!(written, text.trim_start_matches('/'));
            }
        }
    }
}
