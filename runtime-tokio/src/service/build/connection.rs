//! Connections of the plan, with the endpoints that use them.

use syncline_core::topic::{TopicFilter, TopicName};

use super::super::connection::{Protocol, spoken};
use super::super::diagnostic::quoted;
use super::super::document::Document;
use super::super::endpoint::{Endpoint, Operation};
use super::super::plan::{ConnectionPlan, EndpointOperation, EndpointPlan, Plan};
use super::super::resource::{Kind, Resource};
use super::cycle::{Address, End};
use super::loops::Hop;
use super::{Builder, Topic};

impl<'d> Builder<'d, '_> {
    pub(super) fn connections(&mut self, document: &'d Document) -> Vec<ConnectionPlan> {
        let mut connections = Vec::new();
        for resource in &document.resources {
            let Kind::Connection(connection) = &resource.kind else {
                continue;
            };
            if let Some(reason) = connection.placement.obstacle() {
                self.leave_out(document, resource, &reason);
                continue;
            }
            match &connection.protocol {
                Protocol::Foreign(name) => {
                    let reason = format!("the protocol {} is not spoken, only {}", quoted(name), spoken());
                    self.leave_out(document, resource, &reason);
                }
                Protocol::Spoken(protocol) => {
                    connections.push(ConnectionPlan {
                        resource: resource.id.clone(),
                        protocol: protocol.clone(),
                        strategy: connection.strategy,
                        endpoints: Vec::new(),
                    });
                }
            }
        }
        connections
    }

    /// Adds the endpoints of all files to their connections, which may be those of another service.
    /// `own` is the agent's broker, where it is known.
    pub(super) fn endpoints(&mut self, documents: &'d [Document], own: Option<&Address>, plan: &mut Plan) {
        let mut ends = Vec::new();
        for document in documents {
            for resource in &document.resources {
                if let Kind::Endpoint(endpoint) = &resource.kind {
                    ends.extend(self.endpoint(document, resource, endpoint, plan));
                }
            }
        }
        self.cycles(own, &ends);
    }

    fn endpoint(
        &mut self,
        document: &'d Document,
        resource: &Resource,
        endpoint: &Endpoint,
        plan: &mut Plan,
    ) -> Option<End<'d>> {
        let (owner, parent) = self.index.find(document, &endpoint.connection, self.report)?;
        let Kind::Connection(connection) = &parent.kind else {
            if !matches!(parent.kind, Kind::Invalid) {
                let message = format!(
                    "`connection`: found the resource {}, expected a `Cybus::Connection`",
                    quoted(&parent.id)
                );
                self.error(document, endpoint.connection.span, message);
            }
            return None;
        };
        if connection.protocol.name() != endpoint.protocol {
            let message = format!(
                "`connection`: {} speaks {}, but the endpoint {}",
                quoted(&parent.id),
                quoted(connection.protocol.name()),
                quoted(&endpoint.protocol)
            );
            self.error(document, endpoint.connection.span, message);
            return None;
        }
        let topic = self.topic(document, resource, endpoint.topic.as_ref())?;
        let operation = self.endpoint_operation(document, &topic, endpoint.operation)?;
        if !endpoint.enabled {
            self.leave_out(document, resource, "its `targetState` switches it off");
            return None;
        }
        let planned = plan
            .services
            .iter_mut()
            .filter(|service| service.id == owner.id)
            .flat_map(|service| &mut service.connections)
            .find(|connection| connection.resource == parent.id);
        let (Some(planned), Some(target)) = (planned, &endpoint.target) else {
            let reason = format!("its connection {} is left out", quoted(&parent.id));
            self.leave_out(document, resource, &reason);
            return None;
        };
        let endpoint = EndpointPlan {
            service: document.id.clone(),
            resource: resource.id.clone(),
            operation,
            target: target.clone(),
            qos: endpoint.qos,
            retain: endpoint.retain,
            rules: endpoint.rules.clone(),
        };
        let end = End::of(document, resource.id_span, &planned.protocol, &endpoint);
        if let Some(listened) = endpoint.operation.listens_to() {
            self.hops.push(Hop {
                document,
                span: resource.id_span,
                name: format!("endpoint {}", quoted(&resource.id)),
                takes: TopicFilter::try_from(listened.as_str()).into_iter().collect(),
                gives: endpoint.operation.publishes_to().as_str().to_owned(),
                may_stop: endpoint.rules.may_stop(),
            });
        }
        planned.endpoints.push(endpoint);
        end
    }

    fn endpoint_operation(
        &mut self,
        document: &Document,
        topic: &Topic,
        operation: Operation,
    ) -> Option<EndpointOperation> {
        let mut below = |suffix: &str| -> Option<TopicName> { self.below(document, topic, suffix) };
        Some(match operation {
            Operation::Subscribe => EndpointOperation::Subscribe {
                publish: topic.base.clone(),
            },
            Operation::Read => EndpointOperation::Read {
                request: below("req")?,
                result: below("res")?,
            },
            Operation::Write => EndpointOperation::Write {
                set: below("set")?,
                result: below("res")?,
            },
        })
    }
}
