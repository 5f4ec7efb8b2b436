//! Mappings of the plan, with the topics of the resources that they name.

use syncline_core::topic::TopicFilter;

use super::super::diagnostic::quoted;
use super::super::document::Document;
use super::super::mapping::{Flow, Mapping, Side, Source, Target};
use super::super::plan::{FlowPlan, FlowSource, FlowTarget, MappingPlan, TopicPart, TopicTemplate};
use super::super::record::Placed;
use super::super::resource::{Kind, Placement, Resource};
use super::super::value::Reference;
use super::Builder;
use super::loops::Hop;
use super::resolve::{Direction, Unfit, mapped_topic};

impl<'d> Builder<'d, '_> {
    pub(super) fn mappings(&mut self, document: &'d Document) -> Vec<MappingPlan> {
        let mut mappings = Vec::new();
        let placements = document
            .resources
            .iter()
            .filter_map(|resource| resource.kind.placement());
        let other_agent = placements.filter_map(Placement::other_agent).next();
        for resource in &document.resources {
            let Kind::Mapping(mapping) = &resource.kind else {
                continue;
            };
            // Read before it may be left out: a mistake is one on every agent.
            let flows: Vec<_> = mapping
                .flows
                .iter()
                .map(|flow| self.flow(document, flow))
                .collect();
            if let Some(reason) = mapping.placement.obstacle() {
                self.leave_out(document, resource, &reason);
                continue;
            }
            if let Some(agent) = other_agent.filter(|_| !mapping.placement.names_agent()) {
                let message = format!(
                    "mapping {} has no `agentName`, although others of this file belong to the agent {}: it runs on every agent that \
                     reads the file, and publishes once from each",
                    quoted(&resource.id),
                    quoted(agent)
                );
                self.warning(document, resource.id_span, message);
            }
            if let Some(flows) = flows.into_iter().collect::<Option<Vec<_>>>() {
                self.mapping_hops(document, resource, mapping, &flows);
                mappings.push(MappingPlan {
                    resource: resource.id.clone(),
                    flows,
                });
            }
        }
        mappings
    }

    fn mapping_hops(
        &mut self,
        document: &'d Document,
        resource: &Resource,
        mapping: &Mapping,
        flows: &[FlowPlan],
    ) {
        for ((flow, plan), place) in mapping.flows.iter().zip(flows).zip(1..) {
            let name = format!("mapping {}", quoted(&resource.id));
            self.hops.push(Hop {
                document,
                span: flow.publish.span,
                name: match flows.len() {
                    1 => name,
                    _ => format!("{name}, item {place}"),
                },
                takes: plan
                    .subscribe
                    .iter()
                    .map(|source| source.filter.clone())
                    .collect(),
                gives: plan.publish.topic.to_string(),
                may_stop: plan.rules.may_stop(),
            });
        }
    }

    fn flow(&mut self, document: &'d Document, flow: &Flow) -> Option<FlowPlan> {
        let subscribe: Vec<_> = flow
            .subscribe
            .iter()
            .map(|source| self.source(document, source))
            .collect();
        let publish = self.target(document, &flow.publish);
        Some(FlowPlan {
            subscribe: subscribe.into_iter().collect::<Option<_>>()?,
            publish: publish?,
            rules: flow.rules.clone(),
        })
    }

    fn source(&mut self, document: &'d Document, source: &Source) -> Option<FlowSource> {
        let (filter, captures) = match &source.of {
            Side::Topic(named) => (named.filter.clone(), named.captures.clone()),
            Side::Endpoint(reference) => {
                let topic = self.endpoint_topic(document, reference, Direction::Subscribe)?;
                // A Topic Name is a Topic Filter, unless it begins as a shared subscription does.
                match TopicFilter::new(topic) {
                    Ok(filter) => (filter, Vec::new()),
                    Err(error) => {
                        self.error(document, reference.span, error.to_string());
                        return None;
                    }
                }
            }
        };
        Some(FlowSource {
            filter,
            captures,
            qos: source.qos,
            label: source.label.clone(),
        })
    }

    fn target(&mut self, document: &'d Document, target: &Target) -> Option<FlowTarget> {
        let topic = match &target.to {
            Side::Topic(template) => template.clone(),
            Side::Endpoint(reference) => {
                let topic = self.endpoint_topic(document, reference, Direction::Publish)?;
                TopicTemplate(vec![TopicPart::Text(topic)])
            }
        };
        Some(FlowTarget {
            topic,
            qos: target.qos,
            retain: target.retain,
        })
    }

    fn endpoint_topic(
        &mut self,
        document: &'d Document,
        reference: &Placed<Reference>,
        direction: Direction,
    ) -> Option<String> {
        let (owner, resource) = self.index.find(document, reference, self.report)?;
        match mapped_topic(owner, resource, direction) {
            Ok(topic) => Some(topic.as_str().to_owned()),
            Err(Unfit::Reported) => None,
            Err(Unfit::NoTopic(reason)) => {
                let verb = match direction {
                    Direction::Subscribe => "subscribed to",
                    Direction::Publish => "published to",
                };
                let message = format!("`endpoint`: {} cannot be {verb}: {reason}", quoted(&resource.id));
                self.error(document, reference.span, message);
                None
            }
        }
    }
}
