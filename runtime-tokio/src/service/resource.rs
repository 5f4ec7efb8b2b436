//! Resources: which of them this agent runs, and what every one of them has in common.

use super::Context;
use super::connection::{self, Connection};
use super::diagnostic::quoted;
use super::endpoint::{self, Endpoint};
use super::http::{self, HttpNode, HttpServer};
use super::mapping::{self, Mapping};
use super::opcua::{self, OpcuaNode, OpcuaServer};
use super::record::{Placed, Record};
use super::scope::Scope;
use super::source::Span;
use super::value::{Data, Reference, Reporter, Value, did_you_mean};
use super::yaml::Entry;

/// Types that this product reads.
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

/// `targetState` of most resources.
pub(super) const STATES: [(&str, bool); 2] = [("enabled", true), ("disabled", false)];
/// `targetState` of a connection.
pub(super) const CONNECTION_STATES: [(&str, bool); 4] = [
    ("connected", true),
    ("disconnected", false),
    ("enabled", true),
    ("disabled", false),
];

/// One resource of a file.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) id_span: Span,
    pub(super) kind: Kind,
    /// The resources that it refers to, where it is wrong.
    pub(super) references: Vec<Placed<Reference>>,
}

/// What a resource is to this agent.
#[derive(Debug)]
pub(super) enum Kind {
    HttpServer(HttpServer),
    HttpNode(Box<HttpNode>),
    OpcuaServer(Box<OpcuaServer>),
    OpcuaNode(Box<OpcuaNode>),
    Connection(Box<Connection>),
    Endpoint(Box<Endpoint>),
    Mapping(Mapping),
    /// Left out, as the report says.
    NotRun,
    /// Meant to be run but wrong, as the report says.
    Invalid,
}

impl Kind {
    /// What decides whether it is run on this agent; an endpoint goes with its connection.
    pub(super) fn placement(&self) -> Option<&Placement> {
        Some(match self {
            Self::HttpServer(server) => &server.placement,
            Self::HttpNode(node) => &node.placement,
            Self::OpcuaServer(server) => &server.placement,
            Self::OpcuaNode(node) => &node.placement,
            Self::Connection(connection) => &connection.placement,
            Self::Mapping(mapping) => &mapping.placement,
            Self::Endpoint(_) | Self::NotRun | Self::Invalid => return None,
        })
    }
}

/// What decides whether a resource is run on this agent.
#[derive(Debug)]
pub(super) struct Placement {
    enabled: bool,
    /// Which agent the file says it is for.
    agent: Option<String>,
    /// This agent, where it is known.
    own: Option<String>,
}

impl Placement {
    /// `agent_name` is what the file says.
    pub(super) fn new(enabled: bool, agent_name: Option<String>, context: &Context) -> Self {
        Self {
            enabled,
            agent: agent_name,
            own: context.agent_name.clone(),
        }
    }

    /// Whether the file says which agent it is for.
    pub(super) fn names_agent(&self) -> bool {
        self.agent.is_some()
    }

    /// The agent that it is for, unless that is known to be this one.
    pub(super) fn other_agent(&self) -> Option<&str> {
        self.agent
            .as_deref()
            .filter(|agent| self.own.as_deref() != Some(*agent))
    }

    /// Why the resource is not run, if so.
    pub(super) fn obstacle(&self) -> Option<String> {
        match (self.other_agent().filter(|_| self.own.is_some()), self.enabled) {
            (Some(agent), _) => Some(format!("it belongs to the agent {}", quoted(agent))),
            (None, false) => Some("its `targetState` switches it off".to_owned()),
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
            references: Vec::new(),
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
    let mut references = Vec::new();
    if matches!(kind, Kind::Invalid) {
        collect_references(&value, &mut references);
    }
    Resource {
        id,
        id_span: entry.key_span,
        kind,
        references,
    }
}

fn collect_references(value: &Value, references: &mut Vec<Placed<Reference>>) {
    match &value.data {
        Data::Reference(reference) => references.push(Placed {
            value: reference.clone(),
            span: value.span,
        }),
        Data::Sequence(items) => items.iter().for_each(|item| collect_references(item, references)),
        Data::Mapping(fields) => fields
            .iter()
            .for_each(|field| collect_references(&field.value, references)),
        _ => {}
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
    if OWN_TYPES.contains(&name) {
        let record = Record::new(fields, reporter);
        return read_own(name, record, scope, context).unwrap_or(Kind::Invalid);
    }
    if FOREIGN_TYPES.contains(&name) {
        let message = format!("{} is not run here: {} is left out", quoted(name), quoted(id));
        reporter.warning(kind.span, message);
        return Kind::NotRun;
    }
    let help = reporter
        .nearest(name, OWN_TYPES.into_iter().chain(FOREIGN_TYPES))
        .map(did_you_mean);
    let message = format!("`type`: found {}, expected a resource type", quoted(name));
    reporter.error_with_help(kind.span, message, help);
    Kind::Invalid
}

fn read_own(
    name: &str,
    record: Record<'_, '_, '_>,
    scope: &mut Scope<'_>,
    context: &Context,
) -> Option<Kind> {
    Some(match name {
        "Cybus::Server::Http" => Kind::HttpServer(http::read_server(record, context)?),
        "Cybus::Node::Http" => Kind::HttpNode(Box::new(http::read_node(record, scope, context)?)),
        "Cybus::Server::Opcua" => Kind::OpcuaServer(Box::new(opcua::read_server(record, context)?)),
        "Cybus::Node::Opcua" => Kind::OpcuaNode(Box::new(opcua::read_node(record, scope, context)?)),
        "Cybus::Connection" => Kind::Connection(Box::new(connection::read(record, scope, context)?)),
        "Cybus::Endpoint" => Kind::Endpoint(Box::new(endpoint::read(record, scope)?)),
        "Cybus::Mapping" => Kind::Mapping(mapping::read(record, scope, context)?),
        _ => return None,
    })
}
