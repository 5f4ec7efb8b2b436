//! OPC UA servers of the plan, with their nodes, each one after its parent.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::super::diagnostic::{Diagnostic, quoted};
use super::super::document::Document;
use super::super::opcua::{self, Exchange, OpcuaNode};
use super::super::plan::{NodeKind, OpcuaNodePlan, OpcuaOperation, OpcuaParent, OpcuaServerPlan, Plan};
use super::super::resource::{Kind, Resource};
use super::{Builder, Claim, claim_once};

/// Nodes above each other.
const MAX_LEVELS: usize = 64;

/// A node on its way into the plan.
struct Candidate<'d> {
    document: &'d Document,
    resource: &'d Resource,
    node: &'d OpcuaNode,
    top: Top<'d>,
}

/// Where the way up from a node ends: at this server, after this many nodes.
#[derive(Clone, Copy)]
struct Top<'d> {
    document: &'d Document,
    server: &'d Resource,
    depth: usize,
}

/// A way up that leads to no server.
enum Lost {
    /// It ends at something that has been reported or will be.
    Nowhere,
    /// It goes in a circle.
    Circle,
    /// It goes beyond [`MAX_LEVELS`].
    TooDeep,
}

/// Names that are taken below the servers.
#[derive(Default)]
struct Claims<'d> {
    node_ids: HashMap<String, Claim>,
    roots: HashMap<(&'d str, &'d str), Claim>,
    /// By which permissions are for them, see [`OpcuaNodePlan::path`].
    paths: HashMap<String, Claim>,
    left_out: HashSet<(&'d str, &'d str)>,
}

impl<'d> Builder<'d, '_> {
    /// The servers of a file, without nodes yet.
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
        servers
    }

    /// Adds the nodes of all files to their servers, which may be those of another service.
    pub(super) fn opcua_nodes(&mut self, documents: &'d [Document], plan: &mut Plan) {
        let mut candidates = Vec::new();
        for document in documents {
            for resource in &document.resources {
                if let Kind::OpcuaNode(node) = &resource.kind {
                    candidates.extend(self.opcua_candidate(document, resource, node));
                }
            }
        }
        // Stable: nodes of one depth stay in the order of the files.
        candidates.sort_by_key(|candidate| candidate.top.depth);
        let mut claims = Claims::default();
        for candidate in candidates {
            self.place_opcua_node(&candidate, &mut claims, plan);
        }
    }

    fn opcua_candidate(
        &mut self,
        document: &'d Document,
        resource: &'d Resource,
        node: &'d OpcuaNode,
    ) -> Option<Candidate<'d>> {
        self.check_opcua_parent(document, node);
        let message = match self.top(document, resource) {
            Ok(top) => {
                return Some(Candidate {
                    document,
                    resource,
                    node,
                    top,
                });
            }
            Err(Lost::Nowhere) => return None,
            Err(Lost::Circle) => format!("the parents of {} go in a circle", quoted(&resource.id)),
            Err(Lost::TooDeep) => format!(
                "{} is nested too deep, expected at most {MAX_LEVELS} levels",
                quoted(&resource.id)
            ),
        };
        self.error(document, node.parent.span, message);
        None
    }

    fn place_opcua_node(&mut self, candidate: &Candidate<'d>, claims: &mut Claims<'d>, plan: &mut Plan) {
        let Candidate {
            document,
            resource,
            node,
            top,
        } = *candidate;
        let own = (document.id.as_str(), resource.id.as_str());
        let parent = (top.depth > 1)
            .then(|| self.index.known(document, &node.parent.value))
            .flatten()
            .map(|(document, parent)| (document.id.as_str(), parent.id.as_str()));
        let server = (top.document.id.as_str(), top.server.id.as_str());
        let planned = plan
            .services
            .iter_mut()
            .filter(|service| service.id == server.0)
            .flat_map(|service| &mut service.opcua_servers)
            .find(|planned| planned.resource == server.1);
        let reason = match (node.placement.obstacle(), parent) {
            (Some(reason), _) => Some(reason),
            (None, Some(parent)) if claims.left_out.contains(&parent) => {
                Some(format!("its parent {} is left out", quoted(parent.1)))
            }
            _ if planned.is_none() => Some(format!("its server {} is left out", quoted(server.1))),
            _ => None,
        };
        let (None, Some(planned)) = (&reason, planned) else {
            self.leave_out(document, resource, &reason.unwrap_or_default());
            claims.left_out.insert(own);
            return;
        };
        if top.depth == 1 {
            let claim = (document.source.clone(), node.parent.span);
            let message = format!("the server {} has a root node already", quoted(server.1));
            claim_once(&mut claims.roots, server, claim, message, self.report);
        }
        let is_above =
            |node: &&OpcuaNodePlan| Some((node.service.as_str(), node.resource.as_str())) == parent;
        let above = planned.nodes.iter().find(is_above);
        let above = above.map_or(planned.resource_path.as_str(), |above| &above.path);
        if let Some(node) = self.opcua_node(candidate, (parent, above), &mut claims.node_ids) {
            self.claim_path(document, resource, &node, &mut claims.paths);
            planned.nodes.push(node);
        }
    }

    /// Warns of siblings with one browse name: they can be told apart by their ids alone.
    fn claim_path(
        &mut self,
        document: &'d Document,
        resource: &Resource,
        node: &OpcuaNodePlan,
        paths: &mut HashMap<String, Claim>,
    ) {
        let claim = (document.source.clone(), resource.id_span);
        match paths.entry(node.path.to_lowercase()) {
            Entry::Vacant(vacant) => {
                vacant.insert(claim);
            }
            Entry::Occupied(first) => {
                let message = format!(
                    "a sibling of {} has the browse name {} as well: permissions for one are for both, and who looks by browse \
                     names finds either of them",
                    quoted(&resource.id),
                    quoted(&node.browse_name)
                );
                let (first_source, first_span) = first.get();
                let warning = Diagnostic::warning(&document.source, resource.id_span, message);
                self.report
                    .push(warning.related(first_source, *first_span, "first here"));
            }
        }
    }

    /// A node stands below a server or an object.
    fn check_opcua_parent(&mut self, document: &'d Document, node: &OpcuaNode) {
        let Some((_, parent)) = self.index.find(document, &node.parent, self.report) else {
            return;
        };
        let message = match &parent.kind {
            Kind::OpcuaServer(_) | Kind::Invalid => return,
            Kind::OpcuaNode(node) if matches!(node.kind, opcua::Kind::Object) => return,
            Kind::OpcuaNode(_) => format!(
                "`parent`: found the node {}, expected an `Object`, which alone holds other nodes",
                quoted(&parent.id)
            ),
            _ => format!(
                "`parent`: found the resource {}, expected a `Cybus::Server::Opcua` or a `Cybus::Node::Opcua`",
                quoted(&parent.id)
            ),
        };
        self.error(document, node.parent.span, message);
    }

    /// Goes up from a node to its server.
    fn top(&self, document: &'d Document, node: &'d Resource) -> Result<Top<'d>, Lost> {
        let mut at = (document, node);
        let mut passed: Vec<(&str, &str)> = Vec::new();
        loop {
            let (document, resource) = at;
            let name = (document.id.as_str(), resource.id.as_str());
            match &resource.kind {
                Kind::OpcuaServer(_) => {
                    return Ok(Top {
                        document,
                        server: resource,
                        depth: passed.len(),
                    });
                }
                Kind::OpcuaNode(_) if passed.contains(&name) => return Err(Lost::Circle),
                Kind::OpcuaNode(_) if passed.len() == MAX_LEVELS => return Err(Lost::TooDeep),
                Kind::OpcuaNode(node) => {
                    passed.push(name);
                    let above = self.index.known(document, &node.parent.value);
                    at = above.ok_or(Lost::Nowhere)?;
                }
                _ => return Err(Lost::Nowhere),
            }
        }
    }

    fn opcua_node(
        &mut self,
        candidate: &Candidate<'d>,
        (parent, above): (Option<(&str, &str)>, &str),
        node_ids: &mut HashMap<String, Claim>,
    ) -> Option<OpcuaNodePlan> {
        let Candidate {
            document,
            resource,
            node,
            ..
        } = *candidate;
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
        let browse_name = node.browse_name.clone().unwrap_or_else(|| resource.id.clone());
        Some(OpcuaNodePlan {
            service: document.id.clone(),
            resource: resource.id.clone(),
            parent: parent.map(|(service, resource)| OpcuaParent {
                service: service.to_owned(),
                resource: resource.to_owned(),
            }),
            node_id,
            path: path_below(above, &browse_name),
            browse_name,
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

/// The path of a node below another one, or below the server.
fn path_below(above: &str, browse_name: &str) -> String {
    let above = above.trim_end_matches('/');
    let name = browse_name.replace('%', "%25").replace('/', "%2F");
    format!("{above}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pass_for_two_levels_of_a_path() {
        assert_eq!(path_below("/UA/Server", "root"), "/UA/Server/root");
        assert_eq!(path_below("/", "root"), "/root");
        assert_eq!(path_below("/UA", "a/b"), "/UA/a%2Fb");
        assert_eq!(path_below("/UA", "a%2Fb"), "/UA/a%252Fb");
    }
}
