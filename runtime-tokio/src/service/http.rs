//! `Cybus::Server::Http` and `Cybus::Node::Http`: their properties, checked one by one.

use ::http::Method;
use syncline_core::codec::QoS;

use super::Context;
use super::plan::{RuleList, TransactionPlan};
use super::record::{Placed, Record};
use super::resource::{Placement, STATES};
use super::rule_list;
use super::scope::Scope;
use super::topic;
use super::transaction::{self, Codes};
use super::value::{Reference, Reporter, Value, one_of};

const METHODS: [(&str, &Method); 8] = [
    ("GET", &Method::GET),
    ("POST", &Method::POST),
    ("PUT", &Method::PUT),
    ("DELETE", &Method::DELETE),
    ("PATCH", &Method::PATCH),
    ("HEAD", &Method::HEAD),
    ("OPTIONS", &Method::OPTIONS),
    ("TRACE", &Method::TRACE),
];

const OPERATIONS: [(&str, Named); 3] = [
    ("transaction", Named::Transaction),
    ("serverReceives", Named::Receive),
    ("serverProvides", Named::Provide),
];

/// What a time-out may tell an HTTP client.
const CODES: Codes = Codes {
    range: 400..=599,
    names: None,
    default: 500,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Transaction,
    Receive,
    Provide,
}

/// `Cybus::Server::Http`.
#[derive(Debug)]
pub(super) struct HttpServer {
    /// Empty, or begins with `/` and does not end with it.
    pub(super) base_path: Placed<String>,
    pub(super) request_max_body_size: usize,
    pub(super) cors_origins: Vec<String>,
    pub(super) placement: Placement,
}

/// `Cybus::Node::Http`.
#[derive(Debug)]
pub(super) struct HttpNode {
    pub(super) parent: Placed<Reference>,
    pub(super) method: Method,
    pub(super) route: Placed<String>,
    pub(super) topic: Option<Placed<String>>,
    pub(super) qos: QoS,
    pub(super) operation: Operation,
    pub(super) rules: RuleList,
    pub(super) placement: Placement,
}

/// What a node does.
#[derive(Debug)]
pub(super) enum Operation {
    Transaction(TransactionPlan),
    Receive { retain: bool },
    Provide,
}

pub(super) fn read_server(mut record: Record<'_, '_, '_>, context: &Context) -> Option<HttpServer> {
    let base_path = record.optional("basePath", |reporter, value| {
        let path = path("basePath", value, reporter)?;
        Some(Placed {
            value: path.trim_end_matches('/').to_owned(),
            span: value.span,
        })
    });
    let server = HttpServer {
        base_path: base_path.unwrap_or_else(|| Placed {
            value: String::new(),
            span: record.span(),
        }),
        request_max_body_size: record
            .integer("requestMaxBodySize", 1..=512_000)
            .unwrap_or(100_000),
        cors_origins: record.optional("corsOrigins", origins).unwrap_or_default(),
        placement: record.placement(context, &STATES),
    };
    record.finish()?;
    Some(server)
}

/// Origins as browsers write them: scheme, host and port, no path; or `*`.
fn origins(reporter: &mut Reporter<'_>, value: &Value) -> Option<Vec<String>> {
    let items = reporter.list("corsOrigins", value)?;
    let read: Vec<_> = items
        .iter()
        .map(|item| {
            let text = reporter.text("corsOrigins", item)?;
            let host = text
                .strip_prefix("https://")
                .or_else(|| text.strip_prefix("http://"));
            let sound = host.is_some_and(|host| {
                !host.is_empty()
                    && host
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
            });
            if text != "*" && !sound {
                reporter.mismatch(
                    "corsOrigins",
                    item,
                    "an origin such as `https://plant.example:8443`, or `*`",
                );
                return None;
            }
            Some(text.to_owned())
        })
        .collect();
    read.into_iter().collect()
}

pub(super) fn read_node(
    mut record: Record<'_, '_, '_>,
    scope: &mut Scope<'_>,
    context: &Context,
) -> Option<HttpNode> {
    let parent = record.required("parent", |reporter, value| {
        reporter.reference("parent", value, "a `Cybus::Server::Http`")
    });
    let method = record.required("method", |reporter, value| method("method", value, reporter));
    let route = record.required("route", |reporter, value| {
        let route = path("route", value, reporter)?;
        Some(Placed {
            value: route,
            span: value.span,
        })
    });
    let named = operation(&mut record, method.as_ref());
    let topic = topic::own(&mut record, scope);
    let qos = topic::quality(&mut record);
    let has_block = record.value("transaction").is_some();
    let transaction = transaction::read(&mut record, &CODES);
    if has_block && named.is_some_and(|named| named != Named::Transaction) {
        let place = record.place("transaction");
        record.error_with_help(
            place,
            "`transaction`: expected only with `operation: transaction`",
            "add `operation: transaction` or remove the block",
        );
    }
    let retain = record.boolean("retain").unwrap_or(false);
    if retain && matches!(named, Some(Named::Transaction | Named::Provide)) {
        let place = record.place("retain");
        let message = match named {
            Some(Named::Provide) => "`retain` has no effect: a node that provides publishes nothing",
            _ => "`retain` has no effect: a transaction's messages are never retained",
        };
        record.reporter.warning(place, message);
    }
    let rules = rule_list::read(&mut record);
    if named == Some(Named::Transaction)
        && let Some(joining) = rules.rules().iter().find(|rule| rule.joins())
    {
        let place = record.place("rules");
        let message = format!(
            "`rules`: found `{}`, which makes one message of several; each request of a transaction waits for an answer of its own",
            joining.name()
        );
        record.error_with_help(place, message, "put the rule into a `Cybus::Mapping`");
    }
    let placement = record.placement(context, &STATES);
    record.finish()?;
    let operation = match named? {
        Named::Transaction => Operation::Transaction(transaction),
        Named::Receive => Operation::Receive { retain },
        Named::Provide => Operation::Provide,
    };
    Some(HttpNode {
        parent: parent?,
        method: method?,
        route: route?,
        topic,
        qos,
        operation,
        rules,
        placement,
    })
}

/// `operation`; without it POST and PUT receive, and GET provides.
fn operation(record: &mut Record<'_, '_, '_>, method: Option<&Method>) -> Option<Named> {
    if record.value("operation").is_some() {
        return record.choice("operation", &OPERATIONS);
    }
    match *method? {
        Method::POST | Method::PUT => Some(Named::Receive),
        Method::GET => Some(Named::Provide),
        ref other => {
            let place = record.place("method");
            let names = one_of(OPERATIONS.iter().map(|(name, _)| *name));
            let message = format!("`operation`: expected {names} with the method `{other}`, found none");
            record.error(place, message);
            None
        }
    }
}

/// A request method, in any case.
pub(super) fn method(name: &str, value: &Value, reporter: &mut Reporter<'_>) -> Option<Method> {
    let text = reporter.text(name, value)?;
    let upper = text.to_ascii_uppercase();
    let method = METHODS
        .iter()
        .find(|(name, _)| *name == upper)
        .map(|(_, method)| (*method).clone());
    if method.is_none() {
        let found = reporter.describe(value);
        let names = one_of(METHODS.iter().map(|(name, _)| *name));
        reporter.error(value.span, format!("`{name}`: found {found}, expected {names}"));
    }
    method
}

/// A path of a URL: begins with `/` (added when missing), holds only what RFC 3986 §3.3 allows, and nothing that
/// clients rewrite on their way.
pub(super) fn path(name: &str, value: &Value, reporter: &mut Reporter<'_>) -> Option<String> {
    let text = reporter.text(name, value)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(c);
    if let Some(wrong) = text.chars().find(|c| !allowed(*c)) {
        let message = format!(
            "`{name}`: found {wrong:?}, expected characters of a URL path; percent-encode all others"
        );
        reporter.error(value.span, message);
        return None;
    }
    let path = if text.is_empty() || text.starts_with('/') {
        text.to_owned()
    } else {
        format!("/{text}")
    };
    let inner = path.strip_prefix('/').unwrap_or(&path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let odd = |segment: &str| matches!(segment, "" | "." | "..");
    if !inner.is_empty() && inner.split('/').any(odd) {
        let found = reporter.describe(value);
        let message = format!("`{name}`: found {found}, expected no empty, `.` or `..` segment");
        reporter.error(value.span, message);
        return None;
    }
    Some(path)
}
