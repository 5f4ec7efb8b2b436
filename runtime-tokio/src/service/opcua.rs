//! `Cybus::Server::Opcua` and `Cybus::Node::Opcua`: their properties, checked one by one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;
use syncline_core::codec::QoS;

use super::Context;
use super::diagnostic::quoted;
use super::plan::{ArgumentPlan, DataType, RuleList, SecurityMode, SecurityPolicy, TransactionPlan};
use super::record::{Placed, Record};
use super::resource::{Placement, STATES};
use super::rule_list;
use super::scope::Scope;
use super::source::Span;
use super::topic;
use super::transaction::{self, Codes, Names};
use super::value::{Data, Reference, Reporter, Value};
use crate::opcua::{Shape, bad_status_by_name, bad_status_names};

/// `BadTimeout` of OPC UA Part 4.
const BAD_TIMEOUT: u32 = 0x800A_0000;
/// Most arguments of one direction.
const MAX_ARGUMENTS: usize = 64;

/// What a time-out may tell an OPC UA client. A code that is not Bad is replaced, with a warning: the documented default
/// of 500 would read as Good.
const CODES: Codes = Codes {
    range: 0..=u32::MAX,
    names: Some(Names {
        code: bad_status_by_name,
        all: bad_status_names,
        kind: "a StatusCode of the severity Bad",
    }),
    default: BAD_TIMEOUT,
};

const OPERATIONS: [(&str, Named); 5] = [
    ("transaction", Named::Transaction),
    ("serverProvides", Named::Provides),
    ("serverReceives", Named::Receives),
    ("serverProvidesReceives", Named::ProvidesReceives),
    ("serverProvidesAndReceives", Named::ProvidesReceives),
];

const NODE_TYPES: [(&str, NodeType); 3] = [
    ("Object", NodeType::Object),
    ("Variable", NodeType::Variable),
    ("Method", NodeType::Method),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Transaction,
    Provides,
    Receives,
    ProvidesReceives,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeType {
    Object,
    Variable,
    Method,
}

/// `Cybus::Server::Opcua`.
#[derive(Debug)]
pub(super) struct OpcuaServer {
    pub(super) port: u16,
    pub(super) resource_path: String,
    pub(super) hostname: Option<String>,
    pub(super) alternate_hostname: Option<String>,
    pub(super) application_uri: Option<String>,
    pub(super) allow_anonymous: bool,
    pub(super) security_policies: Vec<SecurityPolicy>,
    pub(super) security_modes: Vec<SecurityMode>,
    pub(super) placement: Placement,
}

/// `Cybus::Node::Opcua`.
#[derive(Debug)]
pub(super) struct OpcuaNode {
    pub(super) parent: Placed<Reference>,
    pub(super) browse_name: Option<String>,
    pub(super) node_id: Option<Placed<String>>,
    pub(super) kind: Kind,
    pub(super) topic: Option<Placed<String>>,
    pub(super) placement: Placement,
}

/// What belongs to one class of nodes.
#[derive(Debug)]
pub(super) enum Kind {
    Object,
    Variable {
        data_type: DataType,
        value_rank: i32,
        initial_value: Option<Json>,
        operation: Option<Operation>,
    },
    Method {
        input: Vec<ArgumentPlan>,
        output: Vec<ArgumentPlan>,
        operation: Option<Operation>,
    },
}

/// How the node and MQTT belong together.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) exchange: Exchange,
    pub(super) qos: QoS,
    pub(super) rules: RuleList,
}

#[derive(Debug)]
pub(super) enum Exchange {
    Transaction(TransactionPlan),
    Values { provides: bool, receives: bool },
}

pub(super) fn read_server(mut record: Record<'_, '_, '_>, context: &Context) -> Option<OpcuaServer> {
    let policies = names(&mut record, "securityPolicies", SecurityPolicy::NAMES);
    let modes = names(&mut record, "securityModes", SecurityMode::NAMES);
    let security_policies = policies.unwrap_or_else(|| {
        vec![
            SecurityPolicy::Basic256Sha256,
            SecurityPolicy::Aes128Sha256RsaOaep,
            SecurityPolicy::Aes256Sha256RsaPss,
        ]
    });
    let security_modes = modes.unwrap_or_else(|| vec![SecurityMode::SignAndEncrypt]);
    for policy in [SecurityPolicy::Basic128Rsa15, SecurityPolicy::Basic256] {
        if security_policies.contains(&policy) {
            let place = record.place("securityPolicies");
            let message = format!("the policy `{}` is deprecated: it can be broken", policy.name());
            record.reporter.warning(place, message);
        }
    }
    check_security(&mut record, &security_policies, &security_modes);
    let resource_path = record.optional("resourcePath", |reporter, value| {
        super::http::path("resourcePath", value, reporter)
    });
    let server = OpcuaServer {
        port: record.integer("port", 1..=u16::MAX).unwrap_or(4841),
        resource_path: resource_path.unwrap_or_else(|| "/UA/CybusOpcuaServer".to_owned()),
        hostname: record.text("hostname"),
        alternate_hostname: record.text("alternateHostname"),
        application_uri: record.text("applicationUri"),
        allow_anonymous: record.boolean("allowAnonymous").unwrap_or(false),
        security_policies,
        security_modes,
        placement: record.placement(context, &STATES),
    };
    record.finish()?;
    Some(server)
}

/// Policy None and mode None go together, and so do the others.
fn check_security(record: &mut Record<'_, '_, '_>, policies: &[SecurityPolicy], modes: &[SecurityMode]) {
    let (policy, mode) = (
        policies.contains(&SecurityPolicy::None),
        modes.contains(&SecurityMode::None),
    );
    if mode && !policy {
        let place = record.place("securityModes");
        record.error_with_help(
            place,
            "`securityModes`: found `None`, which no policy but `None` has",
            "add `None` to `securityPolicies`, or leave it out of both",
        );
    }
    let place = record.place("securityPolicies");
    if policies.iter().all(|policy| *policy == SecurityPolicy::None) {
        if record.value("securityModes").is_none() {
            record.error_with_help(
                place,
                "`securityPolicies`: found `None` alone, which has no mode but `None`, and without `securityModes` the mode is \
                 `SignAndEncrypt`",
                "add `securityModes: [None]` for a server without encryption, or `Basic256Sha256` for one with",
            );
        } else if modes.iter().any(|mode| *mode != SecurityMode::None) {
            record.error_with_help(
                place,
                "`securityPolicies`: found no policy for the modes `Sign` and `SignAndEncrypt`",
                "add `Basic256Sha256`, or leave these modes out of `securityModes`",
            );
        }
    } else if policy && !mode {
        record.reporter.warning(
            place,
            "`securityPolicies`: `None` is not offered, for `securityModes` has no `None`",
        );
    }
}

/// A list of names, each once, at least one.
fn names<T: Copy + PartialEq>(
    record: &mut Record<'_, '_, '_>,
    key: &'static str,
    choices: &[(&str, T)],
) -> Option<Vec<T>> {
    record.optional(key, |reporter, value| {
        let items = reporter.list(key, value)?;
        if items.is_empty() {
            reporter.error(
                value.span,
                format!("`{key}`: found an empty list, expected one name at least"),
            );
            return None;
        }
        let read: Vec<_> = items
            .iter()
            .map(|item| reporter.choice(key, item, choices))
            .collect();
        let mut names = Vec::new();
        for name in read.into_iter().collect::<Option<Vec<T>>>()? {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Some(names)
    })
}

pub(super) fn read_node(
    mut record: Record<'_, '_, '_>,
    scope: &mut Scope<'_>,
    context: &Context,
) -> Option<OpcuaNode> {
    let parent = record.required("parent", |reporter, value| {
        reporter.reference(
            "parent",
            value,
            "a `Cybus::Server::Opcua` or a `Cybus::Node::Opcua`",
        )
    });
    let node_type = record.required("nodeType", |reporter, value| {
        reporter.choice("nodeType", value, &NODE_TYPES)
    });
    let browse_name = record.text("browseName");
    let node_id = record.optional("nodeId", node_id);
    let topic = topic::own(&mut record, scope);
    let operation = operation(&mut record, node_type);
    let kind = match node_type {
        Some(NodeType::Object) => Some(Kind::Object),
        Some(NodeType::Variable) => variable(&mut record, operation),
        Some(NodeType::Method) => Some(Kind::Method {
            input: arguments(&mut record, "inputArguments"),
            output: arguments(&mut record, "outputArguments"),
            operation,
        }),
        None => {
            // Nobody knows which of these the node should have: none of them is a mistake.
            record.ignore(&[
                "dataType",
                "valueRank",
                "initialValue",
                "inputArguments",
                "outputArguments",
            ]);
            None
        }
    };
    let placement = record.placement(context, &STATES);
    record.finish()?;
    Some(OpcuaNode {
        parent: parent?,
        browse_name,
        node_id,
        kind: kind?,
        topic,
        placement,
    })
}

fn variable(record: &mut Record<'_, '_, '_>, operation: Option<Operation>) -> Option<Kind> {
    let data_type = record.required("dataType", |reporter, value| {
        reporter.choice("dataType", value, DataType::NAMES)
    });
    let value_rank = value_rank(record);
    let initial_value = record.optional("initialValue", |reporter, value| {
        let json = reporter.json("initialValue", value)?;
        match data_type {
            Some(data_type) if Shape::new(data_type, value_rank).value(&json).is_none() => {
                let what = if value_rank == -1 {
                    "a value"
                } else {
                    "a list of values"
                };
                let expected = format!("{what} of the type `{}`", data_type.name());
                reporter.mismatch("initialValue", value, expected);
                None
            }
            _ => Some(json),
        }
    });
    Some(Kind::Variable {
        data_type: data_type?,
        value_rank,
        initial_value,
        operation,
    })
}

/// `operation` with what belongs to it; absent for a node that has nothing to do with MQTT.
fn operation(record: &mut Record<'_, '_, '_>, node_type: Option<NodeType>) -> Option<Operation> {
    let has_block = record.value("transaction").is_some();
    let named = record.choice("operation", &OPERATIONS);
    let mut transaction = transaction::read(record, &CODES);
    let qos = topic::quality(record);
    let rules = rule_list::read(record);
    if has_block && named != Some(Named::Transaction) {
        let place = record.place("transaction");
        record.error_with_help(
            place,
            "`transaction`: expected only with `operation: transaction`",
            "add `operation: transaction` or remove the block",
        );
    }
    let named = named?;
    let place = record.place("operation");
    match (node_type, named) {
        (Some(NodeType::Object), _) => {
            record.error(place, "`operation`: an object has no value, expected none");
        }
        (Some(NodeType::Method), Named::Provides | Named::Receives | Named::ProvidesReceives) => {
            record.error_with_help(
                place,
                "`operation`: a method is called and has no value",
                "write `operation: transaction`",
            );
        }
        _ => {}
    }
    let exchange = match named {
        Named::Transaction => {
            if transaction.timeout_error_code >> 30 != 2 {
                let place = record.place("transaction");
                let message = format!(
                    "`timeoutErrorCode`: {} is no StatusCode of the severity Bad, clients are told BadTimeout ({BAD_TIMEOUT})",
                    transaction.timeout_error_code
                );
                record.reporter.warning(place, message);
                transaction.timeout_error_code = BAD_TIMEOUT;
            }
            Exchange::Transaction(transaction)
        }
        named => Exchange::Values {
            provides: named != Named::Receives,
            receives: named != Named::Provides,
        },
    };
    Some(Operation { exchange, qos, rules })
}

fn value_rank(record: &mut Record<'_, '_, '_>) -> i32 {
    record.integer("valueRank", -1..=3).unwrap_or(-1)
}

fn arguments(record: &mut Record<'_, '_, '_>, key: &'static str) -> Vec<ArgumentPlan> {
    let read = |reporter: &mut Reporter<'_>, value: &Value| {
        let items = reporter.list(key, value)?;
        if items.len() > MAX_ARGUMENTS {
            let message = format!(
                "`{key}`: found {} arguments, expected at most {MAX_ARGUMENTS}",
                items.len()
            );
            reporter.error(value.span, message);
            return None;
        }
        let read: Vec<_> = items
            .iter()
            .map(|item| argument(reporter, item).map(|argument| (argument, item.span)))
            .collect();
        let mut arguments: Vec<ArgumentPlan> = Vec::new();
        for (argument, span) in read.into_iter().collect::<Option<Vec<(ArgumentPlan, Span)>>>()? {
            if arguments.iter().any(|other| other.name == argument.name) {
                let message = format!(
                    "`{key}`: found two arguments with the name {}",
                    quoted(&argument.name)
                );
                reporter.error(span, message);
                return None;
            }
            arguments.push(argument);
        }
        Some(arguments)
    };
    record.optional(key, read).unwrap_or_default()
}

fn argument(reporter: &mut Reporter<'_>, item: &Value) -> Option<ArgumentPlan> {
    let mut record = Record::of("argument", item, reporter)?;
    let name = record.required_text("name");
    let data_type = record.required("dataType", |reporter, value| {
        reporter.choice("dataType", value, DataType::NAMES)
    });
    let value_rank = value_rank(&mut record);
    let description = record.text("description").unwrap_or_default();
    record.finish()?;
    Some(ArgumentPlan {
        name: name?,
        data_type: data_type?,
        value_rank,
        description,
    })
}

/// The id of a node of the agent's own: namespace 0 is OPC UA's.
fn node_id(reporter: &mut Reporter<'_>, value: &Value) -> Option<Placed<String>> {
    node_id_from(1, reporter, value)
}

/// The text form of a `NodeId` (OPC UA Part 6, §5.3.1.10) of a namespace from `first` on.
pub(super) fn node_id_from(first: u16, reporter: &mut Reporter<'_>, value: &Value) -> Option<Placed<String>> {
    const EXPECTED: &str = "a `NodeId` such as `ns=1;s=name` or `ns=1;i=17`";
    if !matches!(value.data, Data::String(_)) {
        reporter.mismatch("nodeId", value, EXPECTED);
        return None;
    }
    let text = reporter.text("nodeId", value)?;
    let (namespace, identifier) = match text.strip_prefix("ns=").map(|rest| rest.split_once(';')) {
        None => (Some(0), text),
        Some(Some((namespace, identifier))) => (namespace.parse().ok(), identifier),
        Some(None) => (None, text),
    };
    let sound = namespace
        .filter(|namespace| *namespace >= first)
        .and_then(|_| identifier.split_once('='))
        .is_some_and(|(kind, identifier)| match kind {
            "i" => identifier.parse::<u32>().is_ok(),
            "s" => !identifier.is_empty(),
            "g" => uuid::Uuid::try_parse(identifier).is_ok(),
            "b" => BASE64.decode(identifier).is_ok_and(|bytes| !bytes.is_empty()),
            _ => false,
        });
    if !sound {
        reporter.mismatch("nodeId", value, EXPECTED);
        return None;
    }
    Some(Placed {
        value: text.to_owned(),
        span: value.span,
    })
}
