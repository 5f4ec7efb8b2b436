//! Text forms of identifiers, names and times (OPC UA Part 6, §5.1 and §5.4), written so that they can be read again.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use opcua::types::{
    ByteString, DateTime, ExpandedNodeId, Guid, Identifier, NodeId, QualifiedName, StatusCode, SubStatusCode,
    UAString,
};

/// The first code of the severity Bad.
const BAD: u32 = 0x8000_0000;

/// `ns=1;s=name`; the namespace 0 is left out.
pub(super) fn node_id(id: &NodeId) -> String {
    match id.namespace {
        0 => identifier(&id.identifier),
        namespace => format!("ns={namespace};{}", identifier(&id.identifier)),
    }
}

/// Reads what [`node_id`] writes.
pub(crate) fn parse_node_id(text: &str) -> Option<NodeId> {
    let (namespace, rest) = match text.strip_prefix("ns=") {
        Some(rest) => {
            let (namespace, rest) = rest.split_once(';')?;
            (namespace.parse().ok()?, rest)
        }
        None => (0, text),
    };
    Some(NodeId::new(namespace, parse_identifier(rest)?))
}

/// `svr=2;nsu=urn:plant;i=7`: a node of another server, or of a namespace by its name.
pub(super) fn expanded_node_id(id: &ExpandedNodeId) -> String {
    let mut text = String::new();
    if id.server_index != 0 {
        text = format!("svr={};", id.server_index);
    }
    match id.namespace_uri.value() {
        Some(uri) => {
            let uri = uri.replace('%', "%25").replace(';', "%3B");
            format!("{text}nsu={uri};{}", identifier(&id.node_id.identifier))
        }
        None => text + &node_id(&id.node_id),
    }
}

/// Reads what [`expanded_node_id`] writes.
pub(super) fn parse_expanded_node_id(text: &str) -> Option<ExpandedNodeId> {
    let (server_index, rest) = match text.strip_prefix("svr=") {
        Some(rest) => {
            let (server, rest) = rest.split_once(';')?;
            (server.parse().ok()?, rest)
        }
        None => (0, text),
    };
    let (namespace_uri, node_id) = match rest.strip_prefix("nsu=") {
        Some(rest) => {
            let (uri, rest) = rest.split_once(';')?;
            let uri = uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%");
            (UAString::from(uri), NodeId::new(0, parse_identifier(rest)?))
        }
        None => (UAString::null(), parse_node_id(rest)?),
    };
    Some(ExpandedNodeId {
        node_id,
        namespace_uri,
        server_index,
    })
}

fn identifier(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Numeric(number) => format!("i={number}"),
        Identifier::String(text) => format!("s={}", text.value().as_deref().unwrap_or_default()),
        Identifier::Guid(guid) => format!("g={guid}"),
        Identifier::ByteString(bytes) => format!("b={}", BASE64.encode(bytes.as_ref())),
    }
}

fn parse_identifier(text: &str) -> Option<Identifier> {
    let (kind, text) = text.split_once('=')?;
    Some(match kind {
        "i" => Identifier::Numeric(text.parse().ok()?),
        "s" => Identifier::String(text.into()),
        "g" => Identifier::Guid(parse_guid(text)?),
        "b" => Identifier::ByteString(ByteString::from(BASE64.decode(text).ok()?)),
        _ => return None,
    })
}

/// Reads a GUID in any of its usual forms.
pub(super) fn parse_guid(text: &str) -> Option<Guid> {
    Guid::from_str(text).ok()
}

/// `1:name`. The namespace 0 is left out, unless the name would be read as one with a namespace.
pub(super) fn qualified_name(name: &QualifiedName) -> Option<String> {
    let text = name.name.value().as_deref()?;
    let is_plain = name.namespace_index == 0 && split_namespace(text).is_none();
    Some(match is_plain {
        true => text.to_owned(),
        false => format!("{}:{text}", name.namespace_index),
    })
}

/// Reads what [`qualified_name`] writes.
pub(super) fn parse_qualified_name(text: &str) -> QualifiedName {
    let (namespace, name) = split_namespace(text).unwrap_or((0, text));
    QualifiedName::new(namespace, name)
}

fn split_namespace(text: &str) -> Option<(u16, &str)> {
    let (namespace, name) = text.split_once(':')?;
    namespace
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| namespace.parse().ok())?
        .map(|namespace| (namespace, name))
}

/// RFC 3339 in UTC, with as many digits as there are: a tick is 100 ns.
pub(super) fn date_time(time: &DateTime) -> String {
    let text = time.to_string();
    let text = text.strip_suffix("+00:00").unwrap_or(&text);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0'),
        false => text,
    };
    format!("{text}Z")
}

/// Reads RFC 3339; a time without a zone is one of UTC.
pub(super) fn parse_date_time(text: &str) -> Option<DateTime> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")))
        .ok()
}

/// The code that specification and clients call `name`.
pub(crate) fn status_by_name(name: &str) -> Option<StatusCode> {
    let code = SubStatusCode::from_str(name).ok()?;
    Some(StatusCode::from_category(code))
}

/// The number of the code of the severity Bad that specification and clients call `name`.
pub(crate) fn bad_status_by_name(name: &str) -> Option<u32> {
    let status = status_by_name(name).filter(StatusCode::is_bad)?;
    Some(status.bits())
}

/// All names that [`bad_status_by_name`] knows.
pub(crate) fn bad_status_names() -> Vec<String> {
    // The library has no list of them: a code is one of these numbers with nothing below.
    let codes = (BAD..=u32::MAX).step_by(1 << 16);
    codes.filter_map(status_name).collect()
}

/// What specification and clients call this code.
#[must_use]
pub fn status_name(code: u32) -> Option<String> {
    let known = SubStatusCode::from_value(code)?;
    Some(known.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_node_id_is_read_as_it_was_written() {
        let forms = [
            "i=85",
            "ns=1;s=root",
            "ns=2;s=with;semicolon=and\nline",
            "ns=65535;g=30b9a356-0000-4000-8000-000000000000",
            "ns=3;b=AAEC",
        ];
        for form in forms {
            let id = parse_node_id(form).unwrap_or_else(|| panic!("{form}"));
            assert_eq!(node_id(&id), form);
            let id = parse_expanded_node_id(form).unwrap();
            assert_eq!(expanded_node_id(&id), form);
        }
        for form in [
            "svr=3;i=1",
            "nsu=urn:a%3Bb%25;s=x",
            "svr=4294967295;nsu=urn:x;i=1",
        ] {
            let id = parse_expanded_node_id(form).unwrap_or_else(|| panic!("{form}"));
            assert_eq!(expanded_node_id(&id), form);
        }
        for wrong in ["", "85", "ns=1", "ns=65536;i=1", "i=-1", "x=1", "b=#", "svr=;i=1"] {
            assert_eq!(parse_expanded_node_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_that_looks_as_if_it_had_a_namespace_keeps_its_own() {
        for (namespace, name, text) in [
            (0, "a", "a"),
            (1, "a", "1:a"),
            (0, "1:a", "0:1:a"),
            (0, "x:a", "x:a"),
        ] {
            let name = QualifiedName::new(namespace, name);
            assert_eq!(qualified_name(&name).as_deref(), Some(text));
            assert_eq!(parse_qualified_name(text), name);
        }
    }

    #[test]
    fn times_keep_their_ticks() {
        for text in [
            "2026-11-22T02:00:00.1234567Z",
            "1601-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(
                parse_date_time(text).map(|time| date_time(&time)).as_deref(),
                Some(text)
            );
        }
        assert_eq!(
            parse_date_time("2026-11-22T02:00:00"),
            parse_date_time("2026-11-22T03:00:00+01:00")
        );
        assert_eq!(parse_date_time("yesterday"), None);
    }

    #[test]
    fn status_codes_are_known_by_their_names() {
        assert_eq!(status_by_name("BadOutOfRange"), Some(StatusCode::BadOutOfRange));
        assert_eq!(status_by_name("BadOutofRange"), None);
        assert_eq!(bad_status_by_name("BadTimeout"), Some(0x800A_0000));
        assert_eq!(bad_status_by_name("UncertainInitialValue"), None);
        let names = bad_status_names();
        assert!(names.len() > 200 && names.contains(&"BadTimeout".to_owned()));
        for name in names {
            let code = bad_status_by_name(&name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(status_name(code), Some(name));
        }
        assert_eq!(status_name(500), None);
    }
}
