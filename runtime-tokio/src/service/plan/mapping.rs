//! Mappings: from where, through which rules, to where.

use std::fmt;

use syncline_core::codec::QoS;
use syncline_core::topic::TopicFilter;

use super::RuleList;

/// One `Cybus::Mapping`.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingPlan {
    /// Resource id.
    pub resource: String,
    /// The items of `mappings`, in the order of the file.
    pub flows: Vec<FlowPlan>,
}

/// One item of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowPlan {
    /// From where: one or several.
    pub subscribe: Vec<FlowSource>,
    /// To where.
    pub publish: FlowTarget,
    /// Through what.
    pub rules: RuleList,
}

/// A subscription of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSource {
    /// What is subscribed to; named wildcards are plain ones here.
    pub filter: TopicFilter,
    /// The levels that have a name: `+name` becomes `$context.vars.name`.
    pub captures: Vec<Capture>,
    /// Quality of service.
    pub qos: QoS,
    /// `$context.label`, and the key in what `collect` makes.
    pub label: Option<String>,
}

/// A level of a topic that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Which level, counted from 0.
    pub level: usize,
    /// The name of the variable.
    pub name: String,
}

/// The publication of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowTarget {
    /// Where to; its variables come from captures and from `setContextVars`.
    pub topic: TopicTemplate,
    /// Quality of service.
    pub qos: QoS,
    /// Whether the broker keeps the last message.
    pub retain: bool,
}

/// A topic with `{name}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicTemplate(pub Vec<TopicPart>);

/// A piece of a [`TopicTemplate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicPart {
    /// As it is.
    Text(String),
    /// The value of this context variable.
    Variable(String),
}

impl TopicTemplate {
    /// The names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TopicPart::Variable(name) => Some(name.as_str()),
            TopicPart::Text(_) => None,
        })
    }
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            TopicPart::Text(text) => f.write_str(text),
            TopicPart::Variable(name) => write!(f, "{{{name}}}"),
        })
    }
}
