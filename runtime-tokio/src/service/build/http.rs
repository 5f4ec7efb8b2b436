//! HTTP servers of the plan, with their nodes.

use std::collections::HashMap;

use super::super::diagnostic::quoted;
use super::super::document::Document;
use super::super::http::{HttpNode, Operation};
use super::super::plan::{HttpNodePlan, HttpOperation, HttpServerPlan, Plan};
use super::super::resource::{Kind, Resource};
use super::{Builder, Claim, claim_once};
use crate::http::normal;

impl<'d> Builder<'d, '_> {
    /// The servers of a file, without their nodes.
    pub(super) fn http_servers(&mut self, document: &'d Document) -> Vec<HttpServerPlan> {
        let mut servers: Vec<HttpServerPlan> = Vec::new();
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
            let key = normal_path(&server.base_path.value);
            let claim = (document.source.clone(), server.base_path.span);
            claim_once(&mut base_paths, key, claim, message, self.report);
            servers.push(HttpServerPlan {
                resource: resource.id.clone(),
                base_path: format!("/data{}", server.base_path.value),
                request_max_body_size: server.request_max_body_size,
                cors_origins: server.cors_origins.clone(),
                nodes: Vec::new(),
            });
        }
        servers
    }

    /// Adds the nodes of all files to their servers, which may be those of another service.
    pub(super) fn http_nodes(&mut self, documents: &'d [Document], plan: &mut Plan) {
        for document in documents {
            for resource in &document.resources {
                let Kind::HttpNode(node) = &resource.kind else {
                    continue;
                };
                let Some((service, parent)) = self.http_parent(document, node) else {
                    continue;
                };
                let servers = plan.services.iter_mut().filter(|plan| plan.id == service.id);
                let server = servers
                    .flat_map(|plan| &mut plan.http_servers)
                    .find(|server| server.resource == parent.id);
                match server {
                    Some(server) => {
                        let planned = self.http_node(document, resource, node, server);
                        server.nodes.extend(planned);
                    }
                    None => {
                        let reason = format!("its server {} is left out", quoted(&parent.id));
                        self.leave_out(document, resource, &reason);
                    }
                }
            }
        }
    }

    /// The server of a node, with its file. `None` after a report.
    fn http_parent(
        &mut self,
        document: &'d Document,
        node: &HttpNode,
    ) -> Option<(&'d Document, &'d Resource)> {
        let (service, parent) = self.index.find(document, &node.parent, self.report)?;
        match parent.kind {
            Kind::HttpServer(_) => return Some((service, parent)),
            Kind::Invalid => return None,
            _ => {}
        }
        let message = format!(
            "`parent`: found the resource {}, expected a `Cybus::Server::Http`",
            quoted(&parent.id)
        );
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
        let key = format!("{} {}", node.method, normal_path(&url));
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
            service: document.id.clone(),
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

/// The spelling by which paths are compared when requests come.
fn normal_path(path: &str) -> String {
    normal(path).unwrap_or_else(|| path.to_lowercase())
}
