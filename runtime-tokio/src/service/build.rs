//! From checked resources to the plan: who belongs to whom, and what collides.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use syncline_core::topic::TopicName;

use super::diagnostic::{Diagnostic, Report, quoted};
use super::document::Document;
use super::http::HttpNode;
use super::plan::{HttpNodePlan, HttpServerPlan, Plan, ServicePlan};
use super::resource::{Kind, Resource};
use super::source::{Source, Span};

/// Where something was first claimed.
type Claim = (Arc<Source>, Span);

/// Joins the documents to one plan; collisions are reported with both places.
pub(super) fn build(documents: &[Document], report: &mut Report) -> Plan {
    let mut builder = Builder {
        report,
        services: HashMap::new(),
        urls: HashMap::new(),
        topics: HashMap::new(),
    };
    Plan {
        services: documents
            .iter()
            .map(|document| builder.service(document))
            .collect(),
    }
}

struct Builder<'r> {
    report: &'r mut Report,
    services: HashMap<String, Claim>,
    urls: HashMap<String, Claim>,
    topics: HashMap<String, Claim>,
}

impl Builder<'_> {
    fn service(&mut self, document: &Document) -> ServicePlan {
        let claim = (document.source.clone(), document.name_span);
        let message = format!("the service id {} is already in use", quoted(&document.id));
        claim_once(
            &mut self.services,
            document.id.clone(),
            claim,
            message,
            self.report,
        );

        let mut servers: Vec<(&Resource, HttpServerPlan)> = Vec::new();
        let mut left_out: Vec<&str> = Vec::new();
        let mut base_paths: HashMap<String, Claim> = HashMap::new();
        for resource in &document.resources {
            let Kind::HttpServer(server) = &resource.kind else {
                continue;
            };
            if let Some(reason) = server.placement.obstacle() {
                self.leave_out(document, resource, &reason);
                left_out.push(&resource.id);
                continue;
            }
            let span = server.base_path.span.unwrap_or(resource.id_span);
            let message = format!(
                "server `{}` has the same `basePath` as another server, expected one server for each",
                resource.id
            );
            let key = server.base_path.value.to_ascii_lowercase();
            let claim = (document.source.clone(), span);
            claim_once(&mut base_paths, key, claim, message, self.report);
            servers.push((
                resource,
                HttpServerPlan {
                    resource: resource.id.clone(),
                    base_path: format!("/data{}", server.base_path.value),
                    request_max_body_size: server.request_max_body_size,
                    nodes: Vec::new(),
                },
            ));
        }
        for resource in &document.resources {
            let Kind::HttpNode(node) = &resource.kind else {
                continue;
            };
            let parent = node.parent.value.as_str();
            if left_out.contains(&parent) {
                self.leave_out(
                    document,
                    resource,
                    &format!("its server {} is left out", quoted(parent)),
                );
            } else if let Some((_, server)) = servers.iter_mut().find(|(server, _)| server.id == parent) {
                if let Some(planned) = self.node(document, resource, node, server) {
                    server.nodes.push(planned);
                }
            } else if !document
                .resources
                .iter()
                .any(|other| other.id == parent && matches!(other.kind, Kind::Invalid))
            {
                let span = node.parent.span.unwrap_or(resource.id_span);
                let message = format!(
                    "`parent`: found the resource {}, expected a `Cybus::Server::Http`",
                    quoted(parent)
                );
                self.report
                    .push(Diagnostic::error(&document.source, span, message));
            }
        }
        let http_servers = servers.into_iter().map(|(_, server)| server).collect();
        ServicePlan {
            id: document.id.clone(),
            http_servers,
        }
    }

    fn node(
        &mut self,
        document: &Document,
        resource: &Resource,
        node: &HttpNode,
        server: &HttpServerPlan,
    ) -> Option<HttpNodePlan> {
        if let Some(reason) = node.placement.obstacle() {
            self.leave_out(document, resource, &reason);
            return None;
        }
        if let Some(missing) = &node.missing {
            let span = missing.span.unwrap_or(resource.id_span);
            let message = format!(
                "{} run here yet: node {} is left out",
                missing.value,
                quoted(&resource.id)
            );
            self.report
                .push(Diagnostic::warning(&document.source, span, message));
            return None;
        }
        let source = &document.source;
        let url = format!("{}{}", server.base_path, node.route.value);
        let key = format!(
            "{} {}",
            node.method,
            url.trim_end_matches('/').to_ascii_lowercase()
        );
        let claim = (source.clone(), node.route.span.unwrap_or(resource.id_span));
        let message = format!(
            "{} {} is already served by another node",
            node.method,
            quoted(&url)
        );
        claim_once(&mut self.urls, key, claim, message, self.report);

        let own_topic = node
            .topic
            .as_ref()
            .map_or(resource.id.as_str(), |topic| &topic.value);
        let topic_span = node
            .topic
            .as_ref()
            .and_then(|topic| topic.span)
            .unwrap_or(resource.id_span);
        let topic = format!("{}/{own_topic}", document.mqtt_root);
        let claim = (source.clone(), topic_span);
        let message = format!("the topic {} is already that of another node", quoted(&topic));
        claim_once(&mut self.topics, topic.clone(), claim, message, self.report);
        let mut name = |suffix: &str| match TopicName::new(format!("{topic}/{suffix}")) {
            Ok(name) => Some(name),
            Err(error) => {
                let message = format!("`/{suffix}` behind {}: {error}", quoted(&topic));
                self.report.push(Diagnostic::error(source, topic_span, message));
                None
            }
        };
        Some(HttpNodePlan {
            resource: resource.id.clone(),
            method: node.method.clone(),
            route: node.route.value.clone(),
            treq: name("treq")?,
            tres: name("tres")?,
            topic,
            qos: node.qos,
            transaction: node.transaction.clone(),
        })
    }

    fn leave_out(&mut self, document: &Document, resource: &Resource, reason: &str) {
        let message = format!("resource {} is not run here: {reason}", quoted(&resource.id));
        self.report
            .push(Diagnostic::warning(&document.source, resource.id_span, message));
    }
}

fn claim_once(
    claims: &mut HashMap<String, Claim>,
    key: String,
    claim: Claim,
    message: String,
    report: &mut Report,
) {
    match claims.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(claim);
        }
        Entry::Occupied(first) => {
            let (source, span) = claim;
            let (first_source, first_span) = first.get();
            report.push(Diagnostic::error(&source, span, message).related(
                first_source,
                *first_span,
                "first here",
            ));
        }
    }
}
