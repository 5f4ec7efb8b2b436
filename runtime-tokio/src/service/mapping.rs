//! `Cybus::Mapping`: its properties, checked one by one.

use syncline_core::codec::QoS;

use super::Context;
use super::plan::{RuleList, TopicTemplate};
use super::record::{Placed, Record};
use super::resource::{Placement, STATES};
use super::rule_list;
use super::scope::Scope;
use super::source::Span;
use super::topic::{self, NamedFilter};
use super::value::{Data, Reference, Reporter, Value};

/// Most items of one mapping, and most subscriptions of one item.
const MAX_FLOWS: usize = 1_000;
const MAX_SOURCES: usize = 1_000;

/// `Cybus::Mapping`.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) flows: Vec<Flow>,
    pub(super) placement: Placement,
}

/// One item of `mappings`.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) subscribe: Vec<Source>,
    pub(super) publish: Target,
    pub(super) rules: RuleList,
}

/// What an item subscribes to.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) of: Side<NamedFilter>,
    pub(super) qos: QoS,
    pub(super) label: Option<String>,
}

/// What an item publishes to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) to: Side<TopicTemplate>,
    /// Place of the topic.
    pub(super) span: Span,
    pub(super) qos: QoS,
    pub(super) retain: bool,
}

/// A topic, or a resource that has one.
#[derive(Debug)]
pub(super) enum Side<T> {
    Topic(T),
    Endpoint(Placed<Reference>),
}

pub(super) fn read(
    mut record: Record<'_, '_, '_>,
    scope: &mut Scope<'_>,
    context: &Context,
) -> Option<Mapping> {
    let flows = record.required("mappings", |reporter, value| {
        bounded(reporter, "mappings", value, MAX_FLOWS)?
            .iter()
            .map(|item| flow(reporter, item, scope))
            // All of them are read before any is missed, so that every mistake is found.
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Option<Vec<_>>>()
    });
    let placement = record.placement(context, &STATES);
    record.finish()?;
    Some(Mapping {
        flows: flows?,
        placement,
    })
}

fn bounded<'v>(
    reporter: &mut Reporter<'_>,
    name: &str,
    value: &'v Value,
    most: usize,
) -> Option<&'v [Value]> {
    let items = reporter.list(name, value)?;
    if items.is_empty() {
        reporter.error(
            value.span,
            format!("`{name}`: found an empty list, expected one item at least"),
        );
        return None;
    }
    if items.len() > most {
        let message = format!("`{name}`: found {} items, expected at most {most}", items.len());
        reporter.error(value.span, message);
        return None;
    }
    Some(items)
}

fn flow(reporter: &mut Reporter<'_>, item: &Value, scope: &mut Scope<'_>) -> Option<Flow> {
    let mut record = Record::of("mapping", item, reporter)?;
    let subscribe = record.required("subscribe", |reporter, value| match &value.data {
        Data::Sequence(_) => bounded(reporter, "subscribe", value, MAX_SOURCES)?
            .iter()
            .map(|item| source(reporter, item, scope))
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Option<Vec<_>>>(),
        _ => source(reporter, value, scope).map(|source| vec![source]),
    });
    let publish = record.required("publish", |reporter, value| target(reporter, value, scope));
    let rules = rule_list::read(&mut record);
    if let (Some(sources), Some(target)) = (&subscribe, &publish) {
        check_variables(&mut record, sources, target, &rules);
    }
    record.finish()?;
    Some(Flow {
        subscribe: subscribe?,
        publish: publish?,
        rules,
    })
}

fn source(reporter: &mut Reporter<'_>, value: &Value, scope: &mut Scope<'_>) -> Option<Source> {
    let mut record = Record::of("subscribe", value, reporter)?;
    let of = side(&mut record, scope, topic::filter);
    let qos = topic::quality(&mut record);
    let label = record.text("label");
    record.finish()?;
    Some(Source { of: of?, qos, label })
}

fn target(reporter: &mut Reporter<'_>, value: &Value, scope: &mut Scope<'_>) -> Option<Target> {
    let mut record = Record::of("publish", value, reporter)?;
    let to = side(&mut record, scope, topic::template);
    let span = match &to {
        Some(Side::Endpoint(reference)) => reference.span,
        _ => record.place("topic"),
    };
    let qos = topic::quality(&mut record);
    let retain = record.boolean("retain").unwrap_or(false);
    record.finish()?;
    Some(Target {
        to: to?,
        span,
        qos,
        retain,
    })
}

/// Exactly one of `topic` and `endpoint`.
fn side<T>(
    record: &mut Record<'_, '_, '_>,
    scope: &mut Scope<'_>,
    read_topic: fn(&mut Reporter<'_>, &Value, &mut Scope<'_>) -> Option<T>,
) -> Option<Side<T>> {
    let (has_topic, has_endpoint) = (
        record.value("topic").is_some(),
        record.value("endpoint").is_some(),
    );
    let topic = record.optional("topic", |reporter, value| read_topic(reporter, value, scope));
    let endpoint = record.optional("endpoint", |reporter, value| {
        reporter.reference("endpoint", value, "a node or an endpoint")
    });
    match (has_topic, has_endpoint) {
        (true, true) => {
            let place = record.place("endpoint");
            record.error_with_help(
                place,
                "found both `topic` and `endpoint`, expected one of them",
                "make an item of each",
            );
            None
        }
        (false, false) => {
            let place = record.span();
            record.error(place, "expected `topic` or `endpoint`, found neither");
            None
        }
        _ => topic.map(Side::Topic).or(endpoint.map(Side::Endpoint)),
    }
}

/// Every variable of the published topic is set by something.
fn check_variables(record: &mut Record<'_, '_, '_>, sources: &[Source], target: &Target, rules: &RuleList) {
    let Side::Topic(template) = &target.to else { return };
    let captured = sources.iter().flat_map(|source| match &source.of {
        Side::Topic(named) => named.captures.as_slice(),
        Side::Endpoint(_) => &[],
    });
    let known: Vec<&str> = captured
        .map(|capture| capture.name.as_str())
        .chain(rules.variables())
        .collect();
    for name in template.variables().filter(|name| !known.contains(name)) {
        let message = format!(
            "`topic`: `{{{name}}}` is set by no wildcard `+{name}` of `subscribe` and by no `setContextVars`"
        );
        let help = record.reporter.nearest(name, known.iter().copied()).map_or_else(
            || format!("write `+{name}` in the topic that is subscribed to"),
            |nearest| format!("did you mean `{{{nearest}}}`?"),
        );
        record.error_with_help(target.span, message, help);
    }
}
