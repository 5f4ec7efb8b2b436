//! Topics of a commissioning file: of resources, of what mappings subscribe to and of what they publish.

use std::collections::HashSet;

use syncline_core::codec::QoS;
use syncline_core::topic::{TopicFilter, TopicName};

use super::diagnostic::quoted;
use super::plan::{Capture, TopicPart, TopicTemplate};
use super::record::{Placed, Record};
use super::scope::Scope;
use super::value::{Reporter, Value};

/// A filter with the names of its levels.
#[derive(Debug, Clone)]
pub(super) struct NamedFilter {
    pub(super) filter: TopicFilter,
    pub(super) captures: Vec<Capture>,
}

/// `qos`, 0 where absent.
pub(super) fn quality(record: &mut Record<'_, '_, '_>) -> QoS {
    match record.integer("qos", 0..=2_u8) {
        None | Some(0) => QoS::AtMostOnce,
        Some(1) => QoS::AtLeastOnce,
        Some(_) => QoS::ExactlyOnce,
    }
}

/// The `topic` of a resource, to which the topic root is put in front.
pub(super) fn own(record: &mut Record<'_, '_, '_>, scope: &mut Scope<'_>) -> Option<Placed<String>> {
    record.optional("topic", |reporter, value| read_own(reporter, value, scope))
}

fn read_own(reporter: &mut Reporter<'_>, value: &Value, scope: &mut Scope<'_>) -> Option<Placed<String>> {
    let topic = written(reporter, value, scope)?;
    let wrong = topic.chars().find(|c| matches!(c, '+' | '#' | '\0'));
    if let Some(wrong) = wrong {
        reporter.error(
            value.span,
            format!("`topic`: found {wrong:?}, expected a topic without wildcards"),
        );
        return None;
    }
    if scope
        .mqtt_root(reporter)
        .is_some_and(|root| topic.starts_with(&root))
    {
        let message = "`topic` begins with the topic root, which is put in front of it once more";
        reporter.warning(value.span, message);
    }
    Some(Placed {
        value: topic,
        span: value.span,
    })
}

/// A Topic Name as it is, without the topic root in front.
pub(super) fn name(reporter: &mut Reporter<'_>, value: &Value, scope: &mut Scope<'_>) -> Option<TopicName> {
    let topic = written(reporter, value, scope)?;
    TopicName::new(topic)
        .map_err(|error| reporter.error(value.span, format!("`topic`: {error}")))
        .ok()
}

/// A Topic Filter whose single-level wildcards may have names: `line/+machine/state`.
pub(super) fn filter(
    reporter: &mut Reporter<'_>,
    value: &Value,
    scope: &mut Scope<'_>,
) -> Option<NamedFilter> {
    let topic = written(reporter, value, scope)?;
    let mut captures = Vec::new();
    let mut names = HashSet::new();
    let mut levels: Vec<&str> = topic.split('/').collect();
    for (level, text) in levels.iter_mut().enumerate() {
        let Some(name) = text.strip_prefix('+').filter(|name| !name.is_empty()) else {
            continue;
        };
        if !is_variable(name) {
            let message = format!(
                "`topic`: found the wildcard {}, expected `+`, or `+` and a name of letters, digits and `_`",
                quoted(text)
            );
            reporter.error(value.span, message);
            return None;
        }
        if !names.insert(name) {
            let message = format!("`topic`: found two wildcards with the name {}", quoted(name));
            reporter.error_with_help(
                value.span,
                message,
                Some("give each level a name of its own".to_owned()),
            );
            return None;
        }
        captures.push(Capture {
            level,
            name: name.to_owned(),
        });
        *text = "+";
    }
    match TopicFilter::new(levels.join("/")) {
        Ok(filter) => Some(NamedFilter { filter, captures }),
        Err(error) => {
            reporter.error(value.span, format!("`topic`: {error}"));
            None
        }
    }
}

/// A topic to publish to, with `{name}` for variables.
pub(super) fn template(
    reporter: &mut Reporter<'_>,
    value: &Value,
    scope: &mut Scope<'_>,
) -> Option<TopicTemplate> {
    let topic = written(reporter, value, scope)?;
    let mut parts: Vec<TopicPart> = Vec::new();
    // A variable's value is a level at least: whether the rest makes a topic shows with any letter in its place.
    let mut sample = String::new();
    let mut text = String::new();
    let mut rest = topic.as_str();
    while let Some(at) = rest.find('{') {
        let (before, behind) = rest.split_at(at);
        text.push_str(before);
        match behind[1..].split_once('}').filter(|(name, _)| is_variable(name)) {
            Some((name, behind)) => {
                sample.push_str(&text);
                sample.push('x');
                if !text.is_empty() {
                    parts.push(TopicPart::Text(std::mem::take(&mut text)));
                }
                parts.push(TopicPart::Variable(name.to_owned()));
                rest = behind;
            }
            None => {
                text.push('{');
                rest = &behind[1..];
            }
        }
    }
    text.push_str(rest);
    sample.push_str(&text);
    if !text.is_empty() {
        parts.push(TopicPart::Text(text));
    }
    match TopicName::new(sample) {
        Ok(_) => Some(TopicTemplate(parts)),
        Err(error) => {
            reporter.error(value.span, format!("`topic`: {error}"));
            None
        }
    }
}

/// The text of a topic, with the topic root put in where its name stands, and not empty.
fn written(reporter: &mut Reporter<'_>, value: &Value, scope: &mut Scope<'_>) -> Option<String> {
    let text = reporter.text("topic", value)?;
    let topic = scope.substitute_root(text, value.span, reporter)?;
    if topic.is_empty() {
        reporter.error(value.span, "`topic`: found an empty text, expected a topic");
        return None;
    }
    Some(topic)
}

/// Whether a context variable can have this name.
pub(super) fn is_variable(name: &str) -> bool {
    name.chars()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
