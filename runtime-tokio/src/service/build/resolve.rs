//! What a `!ref` of a resource leads to, in this file or in that of another service.

use std::collections::HashMap;

use syncline_core::topic::TopicName;

use super::super::diagnostic::{Diagnostic, Report, quoted};
use super::super::document::Document;
use super::super::endpoint;
use super::super::http;
use super::super::opcua::{self, Exchange};
use super::super::record::Placed;
use super::super::resource::{Kind, Resource};
use super::super::value::{Reference, did_you_mean};
use crate::nearest::nearest;

/// Services that a message names.
const SERVICES_SHOWN: usize = 5;

/// All resources of all files by name.
pub(super) struct Index<'d> {
    services: HashMap<&'d str, &'d Document>,
    complete: bool,
}

/// Which way messages go between a mapping and a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the resource to the mapping.
    Subscribe,
    /// From the mapping to the resource.
    Publish,
}

/// Why a mapping cannot use a resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// What is wrong with the resource has been reported where it stands.
    Reported,
    /// It has no topic for this direction.
    NoTopic(&'static str),
}

impl<'d> Index<'d> {
    pub(super) fn new(documents: &'d [Document], complete: bool) -> Self {
        let mut services = HashMap::new();
        for document in documents {
            // A second file with the same id has been reported: the first one counts.
            services.entry(document.id.as_str()).or_insert(document);
        }
        Self { services, complete }
    }

    /// The resource that `reference`, which stands in `document`, names, where there is one.
    pub(super) fn known(
        &self,
        document: &'d Document,
        reference: &Reference,
    ) -> Option<(&'d Document, &'d Resource)> {
        let (document, resource) = match reference {
            Reference::Own(resource) => (document, resource),
            Reference::Foreign { service, resource } => (*self.services.get(service.as_str())?, resource),
        };
        Some((document, document.resource(resource)?))
    }

    /// The resource that `reference`, which stands in `document`, names. `None` after a report.
    pub(super) fn find(
        &self,
        document: &'d Document,
        reference: &Placed<Reference>,
        report: &mut Report,
    ) -> Option<(&'d Document, &'d Resource)> {
        let (service, resource) = match &reference.value {
            Reference::Own(resource) => return Some((document, document.resource(resource)?)),
            Reference::Foreign { service, resource } => (service, resource),
        };
        let (message, wrong, mut candidates): (String, &str, Vec<&str>) =
            match self.services.get(service.as_str()) {
                Some(other) => match other.resource(resource) {
                    Some(found) => return Some((other, found)),
                    None => (
                        format!(
                            "the service {} has no resource {}",
                            quoted(service),
                            quoted(resource)
                        ),
                        resource,
                        other.resources.iter().map(|other| other.id.as_str()).collect(),
                    ),
                },
                // It may be in the file that could not be read.
                None if !self.complete => return None,
                None => {
                    self.unknown_service(document, reference, service, report);
                    return None;
                }
            };
        candidates.sort_unstable();
        let help = if report.is_full() {
            None
        } else {
            nearest(wrong, candidates)
        };
        report.push(
            Diagnostic::error(&document.source, reference.span, message).maybe_help(help.map(did_you_mean)),
        );
        None
    }

    /// There is no file of that service: another name was meant, or its file was not given.
    fn unknown_service(
        &self,
        document: &Document,
        reference: &Placed<Reference>,
        service: &str,
        report: &mut Report,
    ) {
        let mut known: Vec<&str> = self.services.keys().copied().collect();
        known.sort_unstable();
        let help = if report.is_full() {
            None
        } else {
            nearest(service, known.iter().copied()).map(did_you_mean)
        };
        let help = help.unwrap_or_else(|| {
            let shown = known.iter().take(SERVICES_SHOWN).map(|id| quoted(id));
            let shown: Vec<String> = shown.collect();
            let more = if known.len() > SERVICES_SHOWN { " and others" } else { "" };
            format!(
                "the files that were read are those of {}{more}: name the file of {} as well, all files are planned together",
                shown.join(", "),
                quoted(service)
            )
        });
        let message = format!("no file has the service id {}", quoted(service));
        report.push(Diagnostic::error(&document.source, reference.span, message).maybe_help(Some(help)));
    }
}

/// The topic of a resource as text: the root, then its `topic`, else its id.
pub(super) fn topic_text(document: &Document, resource: &Resource, own: Option<&Placed<String>>) -> String {
    let own = own.map_or(resource.id.as_str(), |topic| &topic.value);
    format!("{}/{own}", document.mqtt_root)
}

/// The topic by which a mapping reaches a resource.
pub(super) fn mapped_topic(
    document: &Document,
    resource: &Resource,
    direction: Direction,
) -> Result<TopicName, Unfit> {
    let (own, suffix) = match &resource.kind {
        Kind::HttpNode(node) => {
            let suffix = match node.operation {
                http::Operation::Transaction(_) => transaction_suffix(direction),
                http::Operation::Receive { .. } | http::Operation::Provide => "",
            };
            (node.topic.as_ref(), suffix)
        }
        Kind::OpcuaNode(node) => (node.topic.as_ref(), opcua_suffix(&node.kind, direction)?),
        Kind::Endpoint(endpoint) => (
            endpoint.topic.as_ref(),
            endpoint_suffix(endpoint.operation, direction)?,
        ),
        Kind::Invalid => return Err(Unfit::Reported),
        _ => return Err(Unfit::NoTopic("it is neither a node nor an endpoint")),
    };
    // A topic that MQTT does not allow has been reported with its resource.
    TopicName::new(format!("{}{suffix}", topic_text(document, resource, own))).map_err(|_| Unfit::Reported)
}

fn transaction_suffix(direction: Direction) -> &'static str {
    match direction {
        Direction::Subscribe => "/treq",
        Direction::Publish => "/tres",
    }
}

fn opcua_suffix(kind: &opcua::Kind, direction: Direction) -> Result<&'static str, Unfit> {
    match kind {
        opcua::Kind::Variable {
            operation: Some(operation),
            ..
        }
        | opcua::Kind::Method {
            operation: Some(operation),
            ..
        } => Ok(match operation.exchange {
            Exchange::Transaction(_) => transaction_suffix(direction),
            Exchange::Values { .. } => "",
        }),
        opcua::Kind::Object => Err(Unfit::NoTopic("it is an object, which has no value")),
        _ => Err(Unfit::NoTopic("it has no `operation`")),
    }
}

fn endpoint_suffix(operation: endpoint::Operation, direction: Direction) -> Result<&'static str, Unfit> {
    match (operation, direction) {
        (endpoint::Operation::Subscribe, Direction::Subscribe) => Ok(""),
        (endpoint::Operation::Subscribe, Direction::Publish) => Err(Unfit::NoTopic(
            "it subscribes on the other side and takes no messages",
        )),
        (endpoint::Operation::Read | endpoint::Operation::Write, Direction::Subscribe) => Ok("/res"),
        (endpoint::Operation::Read, Direction::Publish) => Ok("/req"),
        (endpoint::Operation::Write, Direction::Publish) => Ok("/set"),
    }
}
