//! HTTP servers of the plan, with their nodes.

use std::collections::HashMap;

use super::super::diagnostic::quoted;
use super::super::document::Document;
use super::super::http::{HttpNode, Operation};
use super::super::plan::{HttpNodePlan, HttpOperation, HttpServerPlan};
use super::super::resource::{Kind, Resource};
use super::super::value::Reference;
use super::{Builder, Claim, claim_once};

impl<'d> Builder<'d, '_> {
    pub(super) fn http_servers(&mut self, document: &'d Document) -> Vec<HttpServerPlan> {
        let mut servers: Vec<HttpServerPlan> = Vec::new();
        let mut positions: HashMap<&str, usize> = HashMap::new();
        let mut base_paths: HashMap<String, Claim> = HashMap::new();
        for resource in &document.resources {
            let Kind::HttpServer(server) = &resource.kind else {
                continue;
            };
            if let Some(reason) = server.placement.obstacle() {
                self.leave_out(document, resource, &reason);
                continue;
            }
            let message = format!(
                "server `{}` has the same `basePath` as another server, expected one server for each",
                resource.id
            );
            let key = server.base_path.value.to_ascii_lowercase();
            let claim = (document.source.clone(), server.base_path.span);
            claim_once(&mut base_paths, key, claim, message, self.report);
            positions.insert(&resource.id, servers.len());
            servers.push(HttpServerPlan {
                resource: resource.id.clone(),
                base_path: format!("/data{}", server.base_path.value),
                request_max_body_size: server.request_max_body_size,
                cors_origins: server.cors_origins.clone(),
                nodes: Vec::new(),
            });
        }
        for resource in &document.resources {
            let Kind::HttpNode(node) = &resource.kind else {
                continue;
            };
            let Some(parent) = self.http_parent(document, node) else {
                continue;
            };
            match positions.get(parent.id.as_str()).copied() {
                Some(position) => {
                    if let Some(planned) = self.http_node(document, resource, node, &servers[position]) {
                        servers[position].nodes.push(planned);
                    }
                }
                None => {
                    let reason = format!("its server {} is left out", quoted(&parent.id));
                    self.leave_out(document, resource, &reason);
                }
            }
        }
        servers
    }

    /// The server of a node. `None` after a report.
    fn http_parent(&mut self, document: &'d Document, node: &HttpNode) -> Option<&'d Resource> {
        let message = match &node.parent.value {
            Reference::Own(id) => {
                let parent = document.resource(id)?;
                match parent.kind {
                    Kind::HttpServer(_) => return Some(parent),
                    Kind::Invalid => return None,
                    _ => format!(
                        "`parent`: found the resource {}, expected a `Cybus::Server::Http`",
                        quoted(id)
                    ),
                }
            }
            Reference::Foreign { .. } => {
                "`parent`: found a resource of another service, expected a `Cybus::Server::Http` of this file"
                    .to_owned()
            }
        };
        self.error(document, node.parent.span, message);
        None
    }

    fn http_node(
        &mut self,
        document: &'d Document,
        resource: &Resource,
        node: &HttpNode,
        server: &HttpServerPlan,
    ) -> Option<HttpNodePlan> {
        if let Some(reason) = node.placement.obstacle() {
            self.leave_out(document, resource, &reason);
            return None;
        }
        let url = format!("{}{}", server.base_path, node.route.value);
        let key = format!(
            "{} {}",
            node.method,
            url.trim_end_matches('/').to_ascii_lowercase()
        );
        let claim = (document.source.clone(), node.route.span);
        let message = format!(
            "{} {} is already served by another node",
            node.method,
            quoted(&url)
        );
        claim_once(&mut self.urls, key, claim, message, self.report);

        let topic = self.topic(document, resource, node.topic.as_ref())?;
        let operation = match &node.operation {
            Operation::Transaction(transaction) => {
                let (treq, tres) = self.transaction_topics(document, &topic)?;
                let transaction = transaction.clone();
                HttpOperation::Transaction {
                    treq,
                    tres,
                    transaction,
                }
            }
            Operation::Receive { retain } => HttpOperation::Receive { retain: *retain },
            Operation::Provide => HttpOperation::Provide,
        };
        Some(HttpNodePlan {
            resource: resource.id.clone(),
            method: node.method.clone(),
            route: node.route.value.clone(),
            topic: topic.base,
            qos: node.qos,
            operation,
            rules: node.rules.clone(),
        })
    }
}
