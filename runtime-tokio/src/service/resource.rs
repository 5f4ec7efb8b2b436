//! Resources: which of them this agent runs, and what every one of them has in common.

use super::Context;
use super::diagnostic::quoted;
use super::http::{self, HttpNode, HttpServer};
use super::scope::Scope;
use super::source::Span;
use super::value::{Data, Fields, Reporter, Value, did_you_mean};
use super::yaml::Entry;

/// Types that this product runs or will run.
const OWN_TYPES: [&str; 7] = [
    "Cybus::Server::Http",
    "Cybus::Node::Http",
    "Cybus::Mapping",
    "Cybus::Connection",
    "Cybus::Endpoint",
    "Cybus::Server::Opcua",
    "Cybus::Node::Opcua",
];
/// Types that belong to a Connectware server and never to an agent.
const FOREIGN_TYPES: [&str; 8] = [
    "Cybus::Container",
    "Cybus::Dashboard",
    "Cybus::File",
    "Cybus::IngressRoute",
    "Cybus::Link",
    "Cybus::Role",
    "Cybus::User",
    "Cybus::Volume",
];

/// One resource of a file.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) id_span: Span,
    pub(super) kind: Kind,
}

/// What a resource is to this agent.
#[derive(Debug)]
pub(super) enum Kind {
    HttpServer(HttpServer),
    HttpNode(Box<HttpNode>),
    /// Left out, as the report says.
    NotRun,
    /// Meant to be run but wrong, as the report says.
    Invalid,
}

/// What decides whether a resource is run on this agent.
#[derive(Debug)]
pub(super) struct Placement {
    enabled: bool,
    other_agent: Option<String>,
}

impl Placement {
    /// Reads `targetState` and `agentName`.
    pub(super) fn read(fields: &mut Fields<'_>, context: &Context, reporter: &mut Reporter<'_>) -> Self {
        let enabled = fields
            .optional("targetState")
            .and_then(|value| {
                let choices = [("enabled", true), ("disabled", false)];
                reporter.choice("targetState", value, &choices)
            })
            .unwrap_or(true);
        let other_agent = fields
            .optional("agentName")
            .and_then(|value| reporter.text("agentName", value))
            .filter(|name| context.agent_name.as_deref().is_some_and(|own| own != *name))
            .map(str::to_owned);
        Self { enabled, other_agent }
    }

    /// Why the resource is not run, if so.
    pub(super) fn obstacle(&self) -> Option<String> {
        match (&self.other_agent, self.enabled) {
            (Some(agent), _) => Some(format!("it belongs to the agent {}", quoted(agent))),
            (None, false) => Some("its `targetState` is `disabled`".to_owned()),
            (None, true) => None,
        }
    }
}

/// Reads one resource.
pub(super) fn read(
    entry: &Entry,
    scope: &mut Scope<'_>,
    context: &Context,
    reporter: &mut Reporter<'_>,
) -> Resource {
    let value = scope.expand(&entry.value, reporter);
    let owner = format!("resource `{}`", entry.key);
    let id = entry.key.to_string();
    let Some(mut fields) = reporter.fields(&owner, &value) else {
        return Resource {
            id,
            id_span: entry.key_span,
            kind: Kind::Invalid,
        };
    };
    fields.span = entry.key_span;
    let kind = fields.required("type", reporter);
    let properties = fields.optional("properties");
    fields.finish(reporter);
    let kind = match kind {
        Some(kind) => read_kind(&id, entry.key_span, kind, properties, scope, context, reporter),
        None => Kind::Invalid,
    };
    Resource {
        id,
        id_span: entry.key_span,
        kind,
    }
}

fn read_kind(
    id: &str,
    id_span: Span,
    kind: &Value,
    properties: Option<&Value>,
    scope: &mut Scope<'_>,
    context: &Context,
    reporter: &mut Reporter<'_>,
) -> Kind {
    let Some(name) = reporter.text("type", kind) else {
        return Kind::Invalid;
    };
    let empty = Value {
        span: id_span,
        data: Data::Mapping(Vec::new()),
    };
    let properties = properties.unwrap_or(&empty);
    let Some(mut fields) = reporter.fields(&format!("properties of `{id}`"), properties) else {
        return Kind::Invalid;
    };
    fields.span = id_span;
    match name {
        "Cybus::Server::Http" => http::read_server(fields, context, reporter).map(Kind::HttpServer),
        "Cybus::Node::Http" => {
            http::read_node(fields, scope, context, reporter).map(|node| Kind::HttpNode(Box::new(node)))
        }
        name if OWN_TYPES.contains(&name) => {
            let message = format!("{} is not run here yet: {} is left out", quoted(name), quoted(id));
            reporter.warning(kind.span, message);
            return Kind::NotRun;
        }
        name if FOREIGN_TYPES.contains(&name) => {
            let message = format!("{} is not run here: {} is left out", quoted(name), quoted(id));
            reporter.warning(kind.span, message);
            return Kind::NotRun;
        }
        name => {
            let help = reporter
                .nearest(name, OWN_TYPES.into_iter().chain(FOREIGN_TYPES))
                .map(did_you_mean);
            let message = format!("`type`: found {}, expected a resource type", quoted(name));
            reporter.error_with_help(kind.span, message, help);
            None
        }
    }
    .unwrap_or(Kind::Invalid)
}
