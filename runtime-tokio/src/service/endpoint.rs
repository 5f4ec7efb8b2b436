//! `Cybus::Endpoint`: its properties, checked one by one.

use std::time::Duration;

use syncline_core::codec::QoS;

use super::connection::{self, ProtocolName, headers, secrets};
use super::http;
use super::opcua_client;
use super::plan::{EndpointTarget, HttpRequest, RuleList};
use super::record::{Placed, Record, texts};
use super::resource::STATES;
use super::rule_list;
use super::scope::Scope;
use super::topic;
use super::value::{Reference, Reporter, Value};

const OPERATIONS: [(&str, Operation); 3] = [
    ("subscribe", Operation::Subscribe),
    ("read", Operation::Read),
    ("write", Operation::Write),
];

/// What starts an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Subscribe,
    Read,
    Write,
}

/// `Cybus::Endpoint`.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) protocol: String,
    pub(super) connection: Placed<Reference>,
    pub(super) operation: Operation,
    /// Absent where this agent does not speak the protocol.
    pub(super) target: Option<EndpointTarget>,
    pub(super) topic: Option<Placed<String>>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) rules: RuleList,
    pub(super) enabled: bool,
}

pub(super) fn read(mut record: Record<'_, '_, '_>, scope: &mut Scope<'_>) -> Option<Endpoint> {
    let protocol = connection::protocol(&mut record);
    let connection = record.required("connection", |reporter, value| {
        reporter.reference("connection", value, "a `Cybus::Connection`")
    });
    let operation = operation(&mut record);
    let mut target = None;
    if let (Some((key, operation)), Some((protocol, _))) = (operation, &protocol) {
        target = record.optional(key, |reporter, value| {
            read_target(reporter, key, value, *protocol, operation, scope)
        });
    }
    let topic = topic::own(&mut record, scope);
    let qos = topic::quality(&mut record);
    let retain = record.boolean("retain").unwrap_or(false);
    let rules = rule_list::read(&mut record);
    let enabled = record.choice("targetState", &STATES).unwrap_or(true);
    record.finish()?;
    Some(Endpoint {
        protocol: protocol?.1,
        connection: connection?,
        operation: operation?.1,
        target: target?,
        topic,
        qos,
        retain,
        rules,
        enabled,
    })
}

/// The one of the three that is there.
fn operation(record: &mut Record<'_, '_, '_>) -> Option<(&'static str, Operation)> {
    let mut found: Vec<(&'static str, Operation)> = OPERATIONS
        .into_iter()
        .filter(|(key, _)| record.value(key).is_some())
        .collect();
    match found.as_slice() {
        [one] => Some(*one),
        [] => {
            let place = record.span();
            record.error(
                place,
                "expected one of `subscribe`, `read` and `write`, found none",
            );
            None
        }
        [_, second, ..] => {
            let place = record.place(second.0);
            record.error_with_help(
                place,
                "expected one of `subscribe`, `read` and `write`, found several",
                "make an endpoint of each",
            );
            found.clear();
            None
        }
    }
}

/// `Some(None)` for a protocol that is not spoken here.
#[allow(
    clippy::option_option,
    reason = "`None` is a mistake that has been reported, as everywhere here"
)]
fn read_target(
    reporter: &mut Reporter<'_>,
    key: &str,
    value: &Value,
    protocol: ProtocolName,
    operation: Operation,
    scope: &mut Scope<'_>,
) -> Option<Option<EndpointTarget>> {
    match protocol {
        ProtocolName::Http => read_http(reporter, key, value, operation).map(Some),
        ProtocolName::Mqtt => read_mqtt(reporter, key, value, operation, scope).map(Some),
        ProtocolName::Opcua => opcua_client::read_item(reporter, key, value, operation)
            .map(|item| Some(EndpointTarget::Opcua(Box::new(item)))),
        ProtocolName::Foreign => Some(None),
    }
}

fn read_http(
    reporter: &mut Reporter<'_>,
    key: &str,
    value: &Value,
    operation: Operation,
) -> Option<EndpointTarget> {
    let mut record = Record::of(key, value, reporter)?;
    let path = record.required("path", request_target);
    let method = record.optional("method", |reporter, value| {
        http::method("method", value, reporter)
    });
    let headers = headers(&mut record);
    let query = secrets(record.optional("query", |reporter, value| texts(reporter, "query", value)));
    let interval = record
        .milliseconds("interval", 10..=7 * 24 * 60 * 60 * 1000)
        .unwrap_or(Duration::from_secs(1));
    if operation != Operation::Subscribe && record.value("interval").is_some() {
        let place = record.place("interval");
        record.reporter.warning(
            place,
            "`interval` has no effect: only `subscribe` repeats its request",
        );
    }
    let body = record.optional("body", |reporter, value| reporter.json("body", value));
    if operation == Operation::Write && body.is_some() {
        let place = record.place("body");
        record.reporter.warning(
            place,
            "`body` is sent with messages alone that have no `body` of their own",
        );
    }
    record.finish()?;
    let default_method = match operation {
        Operation::Write => ::http::Method::POST,
        Operation::Subscribe | Operation::Read => ::http::Method::GET,
    };
    Some(EndpointTarget::Http(Box::new(HttpRequest {
        path: path?,
        method: method.unwrap_or(default_method),
        headers,
        query,
        interval,
        body,
    })))
}

/// A path, with a query if there is one.
fn request_target(reporter: &mut Reporter<'_>, value: &Value) -> Option<String> {
    let text = reporter.text("path", value)?;
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        let message =
            format!("`path`: found {wrong:?}, expected characters of a URL; percent-encode all others");
        reporter.error(value.span, message);
        return None;
    }
    Some(match text.starts_with('/') {
        true => text.to_owned(),
        false => format!("/{text}"),
    })
}

fn read_mqtt(
    reporter: &mut Reporter<'_>,
    key: &str,
    value: &Value,
    operation: Operation,
    scope: &mut Scope<'_>,
) -> Option<EndpointTarget> {
    if operation == Operation::Read {
        let message = "`read`: a broker cannot be asked for a value, expected `subscribe` or `write`";
        reporter.error(value.span, message);
        return None;
    }
    let mut record = Record::of(key, value, reporter)?;
    let qos = topic::quality(&mut record);
    let target = match operation {
        Operation::Write => {
            let retain = record.boolean("retain").unwrap_or(false);
            let topic = record.required("topic", |reporter, value| topic::name(reporter, value, scope));
            topic.map(|topic| EndpointTarget::MqttPublish { topic, qos, retain })
        }
        Operation::Subscribe | Operation::Read => {
            let filter = record.required("topic", |reporter, value| topic::filter(reporter, value, scope));
            filter.map(|named| EndpointTarget::MqttSubscribe {
                filter: named.filter,
                captures: named.captures,
                qos,
            })
        }
    };
    record.finish()?;
    target
}
