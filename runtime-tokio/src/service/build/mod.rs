//! From checked resources to the plan: who belongs to whom, and what collides.

mod connection;
mod cycle;
mod http;
mod loops;
mod mapping;
mod opcua;
mod resolve;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use syncline_core::topic::TopicName;

use super::Context;
use super::diagnostic::{Diagnostic, Report, quoted};
use super::document::Document;
use super::plan::{Plan, ServicePlan};
use super::record::Placed;
use super::resource::{Kind, Resource};
use super::source::{Source, Span};
use loops::Hop;
use resolve::Index;

/// Where something was first claimed.
type Claim = (Arc<Source>, Span);

/// Joins the documents to one plan; collisions are reported with both places. `complete` says whether every file has
/// become a document: where one has not, what is missing may be in it.
pub(super) fn build(documents: &[Document], complete: bool, context: &Context, report: &mut Report) -> Plan {
    let mut builder = Builder {
        index: Index::new(documents, complete),
        report,
        services: HashMap::new(),
        urls: HashMap::new(),
        topics: HashMap::new(),
        opcua_server: None,
        hops: Vec::new(),
    };
    let mut plan = Plan {
        services: documents
            .iter()
            .map(|document| builder.service(document))
            .collect(),
    };
    builder.http_nodes(documents, &mut plan);
    builder.opcua_nodes(documents, &mut plan);
    builder.check_references(documents);
    let own = context.mqtt_host.as_deref().zip(context.mqtt_port);
    let own = own.map(|(host, port)| cycle::Address::new(host, port));
    builder.endpoints(documents, own.as_ref(), &mut plan);
    builder.loops();
    plan
}

struct Builder<'d, 'r> {
    index: Index<'d>,
    report: &'r mut Report,
    services: HashMap<String, Claim>,
    urls: HashMap<String, Claim>,
    /// Topics of transactions: two nodes with one topic would take each other's replies.
    topics: HashMap<String, Claim>,
    opcua_server: Option<Claim>,
    /// What takes messages from the broker and gives it others.
    hops: Vec<Hop<'d>>,
}

impl<'d> Builder<'d, '_> {
    fn service(&mut self, document: &'d Document) -> ServicePlan {
        let claim = (document.source.clone(), document.name_span);
        let message = format!("the service id {} is already in use", quoted(&document.id));
        claim_once(
            &mut self.services,
            document.id.clone(),
            claim,
            message,
            self.report,
        );
        ServicePlan {
            id: document.id.clone(),
            http_servers: self.http_servers(document),
            opcua_servers: self.opcua_servers(document),
            connections: self.connections(document),
            mappings: self.mappings(document),
        }
    }

    /// Follows what resources refer to that are wrong otherwise, so that nothing is told only after the rest is right.
    fn check_references(&mut self, documents: &'d [Document]) {
        for document in documents {
            let wrong = document.resources.iter();
            for resource in wrong.filter(|resource| matches!(resource.kind, Kind::Invalid)) {
                for reference in &resource.references {
                    self.index.find(document, reference, self.report);
                }
            }
        }
    }

    /// The topic of a resource: the root, then its `topic`, else its id. What is wrong is reported.
    fn topic(
        &mut self,
        document: &Document,
        resource: &Resource,
        own: Option<&Placed<String>>,
    ) -> Option<Topic> {
        let span = own.map_or(resource.id_span, |topic| topic.span);
        let base = resolve::topic_text(document, resource, own);
        match TopicName::new(base) {
            Ok(base) => Some(Topic { base, span }),
            Err(error) => {
                self.error(
                    document,
                    span,
                    format!("the topic of {}: {error}", quoted(&resource.id)),
                );
                None
            }
        }
    }

    /// `treq` and `tres` below a topic that no other transaction has.
    fn transaction_topics(&mut self, document: &Document, topic: &Topic) -> Option<(TopicName, TopicName)> {
        let claim = (document.source.clone(), topic.span);
        let message = format!(
            "the topic {} is already that of another node",
            quoted(topic.base.as_str())
        );
        claim_once(
            &mut self.topics,
            topic.base.as_str().to_owned(),
            claim,
            message,
            self.report,
        );
        let treq = self.below(document, topic, "treq");
        let tres = self.below(document, topic, "tres");
        Some((treq?, tres?))
    }

    fn below(&mut self, document: &Document, topic: &Topic, suffix: &str) -> Option<TopicName> {
        match TopicName::new(format!("{}/{suffix}", topic.base.as_str())) {
            Ok(name) => Some(name),
            Err(error) => {
                let message = format!("`/{suffix}` behind {}: {error}", quoted(topic.base.as_str()));
                self.error(document, topic.span, message);
                None
            }
        }
    }

    fn leave_out(&mut self, document: &Document, resource: &Resource, reason: &str) {
        let message = format!("resource {} is not run here: {reason}", quoted(&resource.id));
        self.warning(document, resource.id_span, message);
    }

    fn error(&mut self, document: &Document, span: Span, message: String) {
        self.report
            .push(Diagnostic::error(&document.source, span, message));
    }

    fn warning(&mut self, document: &Document, span: Span, message: String) {
        self.report
            .push(Diagnostic::warning(&document.source, span, message));
    }
}

/// The topic of a resource and where it comes from.
struct Topic {
    base: TopicName,
    span: Span,
}

fn claim_once<K: Eq + Hash>(
    claims: &mut HashMap<K, Claim>,
    key: K,
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
