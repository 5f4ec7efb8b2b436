//! OPC UA servers of the plan, with their nodes, each one after its parent.

use std::collections::{HashMap, HashSet};

use super::super::diagnostic::{Diagnostic, quoted};
use super::super::document::Document;
use super::super::opcua::{self, Exchange, OpcuaNode};
use super::super::plan::{NodeKind, OpcuaNodePlan, OpcuaOperation, OpcuaServerPlan};
use super::super::resource::{Kind, Resource};
use super::super::value::Reference;
use super::{Builder, Claim, claim_once};

/// Nodes above each other.
const MAX_LEVELS: usize = 64;

/// Where the way up from a node ends.
#[derive(Debug, Clone, Copy)]
enum Top<'d> {
    /// At this server, after this many nodes.
    Server(&'d Resource, usize),
    /// At something that has been reported or will be.
    Nowhere,
    /// In a circle.
    Circle,
    /// Beyond [`MAX_LEVELS`].
    TooDeep,
}

impl<'d> Builder<'d, '_> {
    pub(super) fn opcua_servers(&mut self, document: &'d Document) -> Vec<OpcuaServerPlan> {
        let mut servers: Vec<OpcuaServerPlan> = Vec::new();
        for resource in &document.resources {
            let Kind::OpcuaServer(server) = &resource.kind else {
                continue;
            };
            if let Some(reason) = server.placement.obstacle() {
                self.leave_out(document, resource, &reason);
                continue;
            }
            let place = (document.source.clone(), resource.id_span);
            if let Some((first, span)) = &self.opcua_server {
                let message = "found a second `Cybus::Server::Opcua`, expected one for an agent";
                let diagnostic = Diagnostic::error(&document.source, resource.id_span, message);
                self.report.push(diagnostic.related(first, *span, "first here"));
                continue;
            }
            self.opcua_server = Some(place);
            servers.push(OpcuaServerPlan {
                resource: resource.id.clone(),
                port: server.port,
                resource_path: server.resource_path.clone(),
                hostname: server.hostname.clone(),
                alternate_hostname: server.alternate_hostname.clone(),
                application_uri: server.application_uri.clone(),
                allow_anonymous: server.allow_anonymous,
                security_policies: server.security_policies.clone(),
                security_modes: server.security_modes.clone(),
                nodes: Vec::new(),
            });
        }
        self.opcua_nodes(document, &mut servers);
        servers
    }

    fn opcua_nodes(&mut self, document: &'d Document, servers: &mut [OpcuaServerPlan]) {
        let mut nodes: Vec<(usize, &'d Resource, &'d OpcuaNode, &'d Resource)> = Vec::new();
        for resource in &document.resources {
            let Kind::OpcuaNode(node) = &resource.kind else {
                continue;
            };
            self.check_opcua_parent(document, node);
            match top(document, resource) {
                Top::Server(server, depth) => nodes.push((depth, resource, node, server)),
                Top::Nowhere => {}
                Top::Circle => {
                    let message = format!("the parents of {} go in a circle", quoted(&resource.id));
                    self.error(document, node.parent.span, message);
                }
                Top::TooDeep => {
                    let message = format!(
                        "{} is nested too deep, expected at most {MAX_LEVELS} levels",
                        quoted(&resource.id)
                    );
                    self.error(document, node.parent.span, message);
                }
            }
        }
        // Stable: nodes of one depth stay in the order of the file.
        nodes.sort_by_key(|(depth, ..)| *depth);
        let mut node_ids: HashMap<String, Claim> = HashMap::new();
        let mut roots: HashMap<String, Claim> = HashMap::new();
        let mut left_out: HashSet<&str> = HashSet::new();
        for (depth, resource, node, server) in nodes {
            let parent = match &node.parent.value {
                Reference::Own(id) if depth > 1 => Some(id.as_str()),
                _ => None,
            };
            let reason = match (node.placement.obstacle(), parent) {
                (Some(reason), _) => Some(reason),
                (None, Some(parent)) if left_out.contains(parent) => {
                    Some(format!("its parent {} is left out", quoted(parent)))
                }
                _ => None,
            };
            if let Some(reason) = reason {
                self.leave_out(document, resource, &reason);
                left_out.insert(&resource.id);
                continue;
            }
            let Some(planned) = servers.iter_mut().find(|planned| planned.resource == server.id) else {
                let reason = format!("its server {} is left out", quoted(&server.id));
                self.leave_out(document, resource, &reason);
                left_out.insert(&resource.id);
                continue;
            };
            if depth == 1 {
                let claim = (document.source.clone(), node.parent.span);
                let message = format!("the server {} has a root node already", quoted(&server.id));
                claim_once(&mut roots, server.id.clone(), claim, message, self.report);
            }
            if let Some(node) = self.opcua_node(document, resource, node, parent, &mut node_ids) {
                planned.nodes.push(node);
            }
        }
    }

    /// A node stands below a server or an object.
    fn check_opcua_parent(&mut self, document: &Document, node: &OpcuaNode) {
        let message = match &node.parent.value {
            Reference::Own(id) => match document.resource(id).map(|parent| &parent.kind) {
                Some(Kind::OpcuaServer(_) | Kind::Invalid) | None => return,
                Some(Kind::OpcuaNode(parent)) if matches!(parent.kind, opcua::Kind::Object) => return,
                Some(Kind::OpcuaNode(_)) => format!(
                    "`parent`: found the node {}, expected an `Object`, which alone holds other nodes",
                    quoted(id)
                ),
                Some(_) => format!(
                    "`parent`: found the resource {}, expected a `Cybus::Server::Opcua` or a `Cybus::Node::Opcua`",
                    quoted(id)
                ),
            },
            Reference::Foreign { .. } => {
                "`parent`: found a resource of another service, expected one of this file".to_owned()
            }
        };
        self.error(document, node.parent.span, message);
    }

    fn opcua_node(
        &mut self,
        document: &'d Document,
        resource: &Resource,
        node: &OpcuaNode,
        parent: Option<&str>,
        node_ids: &mut HashMap<String, Claim>,
    ) -> Option<OpcuaNodePlan> {
        let node_id = match &node.node_id {
            Some(node_id) => node_id.value.clone(),
            None => format!("ns=1;s={}", resource.id),
        };
        let span = node.node_id.as_ref().map_or(resource.id_span, |id| id.span);
        let message = format!("the node id {} is already that of another node", quoted(&node_id));
        claim_once(
            node_ids,
            node_id.clone(),
            (document.source.clone(), span),
            message,
            self.report,
        );
        let kind = match &node.kind {
            opcua::Kind::Object => NodeKind::Object,
            opcua::Kind::Variable {
                data_type,
                value_rank,
                initial_value,
                operation,
            } => NodeKind::Variable {
                data_type: *data_type,
                value_rank: *value_rank,
                initial_value: initial_value.clone(),
                operation: self.opcua_operation(document, resource, node, operation.as_ref())?,
            },
            opcua::Kind::Method {
                input,
                output,
                operation,
            } => NodeKind::Method {
                input: input.clone(),
                output: output.clone(),
                operation: self.opcua_operation(document, resource, node, operation.as_ref())?,
            },
        };
        Some(OpcuaNodePlan {
            resource: resource.id.clone(),
            parent: parent.map(str::to_owned),
            node_id,
            browse_name: node.browse_name.clone().unwrap_or_else(|| resource.id.clone()),
            kind,
        })
    }

    /// `None` after a report.
    #[allow(
        clippy::option_option,
        reason = "the inner one is the operation that a node may lack"
    )]
    fn opcua_operation(
        &mut self,
        document: &'d Document,
        resource: &Resource,
        node: &OpcuaNode,
        operation: Option<&opcua::Operation>,
    ) -> Option<Option<OpcuaOperation>> {
        let Some(operation) = operation else {
            return Some(None);
        };
        let topic = self.topic(document, resource, node.topic.as_ref())?;
        let (qos, rules) = (operation.qos, operation.rules.clone());
        Some(Some(match &operation.exchange {
            Exchange::Transaction(transaction) => {
                let (treq, tres) = self.transaction_topics(document, &topic)?;
                OpcuaOperation::Transaction {
                    topic: topic.base,
                    treq,
                    tres,
                    qos,
                    transaction: transaction.clone(),
                    rules,
                }
            }
            Exchange::Values { provides, receives } => OpcuaOperation::Exchange {
                topic: topic.base,
                provides: *provides,
                receives: *receives,
                qos,
                rules,
            },
        }))
    }
}

/// Goes up from a node to its server.
fn top<'d>(document: &'d Document, node: &'d Resource) -> Top<'d> {
    let mut at = node;
    let mut passed: Vec<&str> = Vec::new();
    loop {
        match &at.kind {
            Kind::OpcuaServer(_) => return Top::Server(at, passed.len()),
            Kind::OpcuaNode(_) if passed.contains(&at.id.as_str()) => return Top::Circle,
            Kind::OpcuaNode(_) if passed.len() == MAX_LEVELS => return Top::TooDeep,
            Kind::OpcuaNode(node) => {
                let Reference::Own(parent) = &node.parent.value else {
                    return Top::Nowhere;
                };
                let Some(parent) = document.resource(parent) else {
                    return Top::Nowhere;
                };
                passed.push(&at.id);
                at = parent;
            }
            _ => return Top::Nowhere,
        }
    }
}
