//! `Cybus::Server::Http` and `Cybus::Node::Http`: their properties, checked one by one.

use std::time::Duration;

use ::http::Method;
use syncline_core::codec::QoS;

use super::Context;
use super::document::present;
use super::plan::TransactionPlan;
use super::resource::Placement;
use super::scope::Scope;
use super::source::Span;
use super::value::{Data, Fields, Reference, Reporter, Value, one_of};

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

const OPERATIONS: [(&str, Operation); 5] = [
    ("transaction", Operation::Transaction),
    ("serverProvides", Operation::Other),
    ("serverReceives", Operation::Other),
    ("serverProvidesReceives", Operation::Other),
    ("serverProvidesAndReceives", Operation::Other),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Transaction,
    Other,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Option<Span>,
}

/// `Cybus::Server::Http`.
#[derive(Debug)]
pub(super) struct HttpServer {
    /// Empty, or begins with `/` and does not end with it.
    pub(super) base_path: Placed<String>,
    pub(super) request_max_body_size: usize,
    pub(super) placement: Placement,
}

/// `Cybus::Node::Http`.
#[derive(Debug)]
pub(super) struct HttpNode {
    pub(super) parent: Placed<String>,
    pub(super) method: Method,
    pub(super) route: Placed<String>,
    pub(super) topic: Option<Placed<String>>,
    pub(super) qos: QoS,
    pub(super) transaction: TransactionPlan,
    pub(super) placement: Placement,
    /// What the node asks for that this version does not do.
    pub(super) missing: Option<Placed<&'static str>>,
}

pub(super) fn read_server(
    mut fields: Fields<'_>,
    context: &Context,
    reporter: &mut Reporter<'_>,
) -> Option<HttpServer> {
    let base_path = match fields.optional("basePath") {
        None => Some(Placed {
            value: String::new(),
            span: None,
        }),
        Some(value) => path("basePath", value, reporter).map(|path| Placed {
            value: path.trim_end_matches('/').to_owned(),
            span: Some(value.span),
        }),
    };
    let request_max_body_size = match fields.optional("requestMaxBodySize") {
        None => Some(100_000),
        Some(value) => reporter.integer("requestMaxBodySize", value, 1..=512_000),
    };
    let placement = Placement::read(&mut fields, context, reporter);
    fields.finish(reporter);
    Some(HttpServer {
        base_path: base_path?,
        request_max_body_size: request_max_body_size?,
        placement,
    })
}

pub(super) fn read_node(
    mut fields: Fields<'_>,
    scope: &mut Scope<'_>,
    context: &Context,
    reporter: &mut Reporter<'_>,
) -> Option<HttpNode> {
    let parent = fields
        .required("parent", reporter)
        .and_then(|value| parent(value, reporter));
    let method = fields
        .required("method", reporter)
        .and_then(|value| method(value, reporter));
    let route = fields.required("route", reporter).and_then(|value| {
        path("route", value, reporter).map(|route| Placed {
            value: route,
            span: Some(value.span),
        })
    });
    let operation = match fields.optional("operation") {
        None => Some(Operation::Other),
        Some(value) => reporter.choice("operation", value, &OPERATIONS),
    };
    let block = fields.optional("transaction");
    if let (Some(block), Some(Operation::Other)) = (block, operation) {
        let span = fields.key_span("transaction").unwrap_or(block.span);
        let help = Some("add `operation: transaction` or remove the block".to_owned());
        reporter.error_with_help(
            span,
            "`transaction`: expected only with `operation: transaction`",
            help,
        );
    }
    let transaction = transaction(block, reporter);
    let topic = match fields.optional("topic") {
        None => Some(None),
        Some(value) => topic(value, scope, reporter).map(Some),
    };
    let qos = match fields.optional("qos") {
        None => Some(QoS::AtMostOnce),
        Some(value) => reporter.integer("qos", value, 0..=2).map(|qos: u8| match qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }),
    };
    if let Some(value) = fields.optional("retain")
        && reporter.boolean("retain", value) == Some(true)
        && operation == Some(Operation::Transaction)
    {
        reporter.warning(
            value.span,
            "`retain` has no effect: a transaction's messages are never retained",
        );
    }
    let rules = fields.optional("rules").filter(|rules| present(&rules.data));
    let rules = rules.filter(|rules| {
        reporter
            .list("rules", rules)
            .is_some_and(|rules| !rules.is_empty())
    });
    let rules_span = rules.and_then(|_| fields.key_span("rules"));
    let operation_span = fields.key_span("operation");
    let placement = Placement::read(&mut fields, context, reporter);
    fields.finish(reporter);
    let missing = match operation? {
        Operation::Other => Some(Placed {
            value: "only `operation: transaction` is",
            span: operation_span,
        }),
        Operation::Transaction if rules.is_some() => Some(Placed {
            value: "`rules` of a node are not",
            span: rules_span,
        }),
        Operation::Transaction => None,
    };
    Some(HttpNode {
        parent: parent?,
        method: method?,
        route: route?,
        topic: topic?,
        qos: qos?,
        transaction: transaction?,
        placement,
        missing,
    })
}

fn transaction(block: Option<&Value>, reporter: &mut Reporter<'_>) -> Option<TransactionPlan> {
    let mut plan = TransactionPlan {
        timeout: Duration::from_millis(2000),
        timeout_error_code: 500,
        timeout_error_message: "Request timed out while waiting for response".to_owned(),
        max_in_flight: 10_000,
    };
    let Some(block) = block else { return Some(plan) };
    let mut fields = reporter.fields("transaction", block)?;
    let mut complete = true;
    if let Some(value) = fields.optional("timeout") {
        match reporter.integer("timeout", value, 1..=600_000) {
            Some(timeout) => plan.timeout = Duration::from_millis(timeout),
            None => complete = false,
        }
    }
    if let Some(value) = fields.optional("timeoutErrorCode") {
        match reporter.integer("timeoutErrorCode", value, 400..=599) {
            Some(code) => plan.timeout_error_code = code,
            None => complete = false,
        }
    }
    if let Some(value) = fields.optional("timeoutErrorMessage") {
        match reporter.text("timeoutErrorMessage", value) {
            Some(message) => message.clone_into(&mut plan.timeout_error_message),
            None => complete = false,
        }
    }
    if let Some(value) = fields.optional("maxInFlight") {
        match reporter.integer("maxInFlight", value, 1..=1_000_000) {
            Some(most) => plan.max_in_flight = most,
            None => complete = false,
        }
    }
    fields.finish(reporter);
    complete.then_some(plan)
}

fn parent(value: &Value, reporter: &mut Reporter<'_>) -> Option<Placed<String>> {
    match &value.data {
        Data::Reference(Reference::Own(name)) => {
            return Some(Placed {
                value: name.clone(),
                span: Some(value.span),
            });
        }
        Data::String(text) => {
            let found = reporter.describe(value);
            let help = Some(format!("write `parent: !ref {text}`")).filter(|_| text.len() <= 80);
            let message = format!("`parent`: found {found}, expected a reference to a `Cybus::Server::Http`");
            reporter.error_with_help(value.span, message, help);
        }
        _ => reporter.mismatch(
            "parent",
            value,
            "a reference to a `Cybus::Server::Http` of this file",
        ),
    }
    None
}

fn method(value: &Value, reporter: &mut Reporter<'_>) -> Option<Method> {
    let text = reporter.text("method", value)?;
    let upper = text.to_ascii_uppercase();
    let method = METHODS
        .iter()
        .find(|(name, _)| *name == upper)
        .map(|(_, method)| (*method).clone());
    if method.is_none() {
        let found = reporter.describe(value);
        let names = one_of(METHODS.iter().map(|(name, _)| *name));
        reporter.error(value.span, format!("`method`: found {found}, expected {names}"));
    }
    method
}

/// A path of a URL: begins with `/` (added when missing), holds only what RFC 3986 §3.3 allows, and nothing that
/// clients rewrite on their way.
fn path(name: &str, value: &Value, reporter: &mut Reporter<'_>) -> Option<String> {
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

fn topic(value: &Value, scope: &mut Scope<'_>, reporter: &mut Reporter<'_>) -> Option<Placed<String>> {
    let text = reporter.text("topic", value)?;
    let topic = scope.substitute_root(text, value.span, reporter)?;
    let wrong = topic.chars().find(|c| matches!(c, '+' | '#' | '\0'));
    if let Some(wrong) = wrong {
        reporter.error(
            value.span,
            format!("`topic`: found {wrong:?}, expected a topic without wildcards"),
        );
        return None;
    }
    if topic.is_empty() {
        reporter.error(value.span, "`topic`: found an empty text, expected a topic");
        return None;
    }
    if scope
        .mqtt_root(reporter)
        .is_some_and(|root| topic.starts_with(&root))
    {
        let message = "`topic` begins with the topic root, which is put in front of it once more";
        reporter.warning(value.span, message);
    }
    Some(Placed {
        value: topic,
        span: Some(value.span),
    })
}
