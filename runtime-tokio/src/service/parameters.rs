//! `parameters`: their JSON-Schema style declarations, and the values that the operator or the default gives them.

use std::rc::Rc;

use super::diagnostic::{Diagnostic, quoted};
use super::scalar;
use super::scope::Scope;
use super::source::Span;
use super::value::{Data, Field, Fields, Reporter, Value};
use super::values::Values;
use super::yaml::{self, Content, Entry, Node};

/// Types that a parameter may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
}

const TYPES: [(&str, Type); 6] = [
    ("string", Type::String),
    ("number", Type::Number),
    ("integer", Type::Integer),
    ("boolean", Type::Boolean),
    ("object", Type::Object),
    ("array", Type::Array),
];

/// Keywords that say nothing about which values are possible.
const ANNOTATIONS: [&str; 6] = [
    "title",
    "description",
    "examples",
    "readOnly",
    "writeOnly",
    "$comment",
];
/// Keywords that this reader does not check: their presence is worth a warning.
const UNCHECKED: [&str; 14] = [
    "pattern",
    "format",
    "multipleOf",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "oneOf",
    "anyOf",
];

/// What a declaration asks of a value.
struct Schema {
    kind: Type,
    choices: Option<Vec<Value>>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
}

/// Binds every parameter of the file: to the operator's value, else to the default. One that has neither is an error.
pub(super) fn bind(entries: &[Entry], values: &Values, scope: &mut Scope<'_>, reporter: &mut Reporter<'_>) {
    for entry in entries {
        let declaration = literal(&entry.value, reporter);
        let value = read(&entry.key, entry.key_span, &declaration, values, reporter)
            .unwrap_or(Value::invalid(entry.key_span));
        scope.bind_parameter(&entry.key, value);
    }
}

fn read(
    name: &str,
    key_span: Span,
    declaration: &Value,
    values: &Values,
    reporter: &mut Reporter<'_>,
) -> Option<Value> {
    let mut fields = reporter.fields(&format!("parameters.{name}"), declaration)?;
    let schema = schema(&mut fields, reporter);
    let default = fields.optional("default").cloned();
    for keyword in UNCHECKED {
        if fields.optional(keyword).is_some() {
            let span = fields.key_span(keyword).unwrap_or(key_span);
            reporter.warning(
                span,
                format!("`{keyword}` of parameter {} is not checked", quoted(name)),
            );
        }
    }
    fields.finish(reporter);
    let schema = schema?;
    if let Some(default) = &default
        && let Err(expected) = schema.check(default)
    {
        reporter.mismatch("default", default, expected);
        return None;
    }
    match (values.get(name), default) {
        (Some(given), _) => {
            let value = schema.read(&given.text, key_span);
            if let Err(expected) = schema.check(&value) {
                let message = format!("the value given for parameter {} is not {expected}", quoted(name));
                let diagnostic = Diagnostic::error(&reporter.source, key_span, message);
                reporter.report.push(given.blame(diagnostic, name));
                return None;
            }
            Some(value)
        }
        (None, Some(default)) => Some(default),
        (None, None) => {
            let message = format!("parameter {} has no value and no default", quoted(name));
            reporter.error_with_help(
                key_span,
                message,
                Some(format!(
                    "give it one with `--set {name}=VALUE`, or in a file with `--values FILE`"
                )),
            );
            None
        }
    }
}

fn schema(fields: &mut Fields<'_>, reporter: &mut Reporter<'_>) -> Option<Schema> {
    let kind = fields.required("type", reporter);
    fields.ignore(&ANNOTATIONS);
    let choices = fields.optional("enum");
    let minimum = fields.optional("minimum");
    let maximum = fields.optional("maximum");
    let min_length = fields.optional("minLength");
    let max_length = fields.optional("maxLength");
    let mut length = |name: &str, value: Option<&Value>| {
        value.and_then(|value| reporter.integer(name, value, 0..=usize::from(u16::MAX)))
    };
    let (min_length, max_length) = (length("minLength", min_length), length("maxLength", max_length));
    let mut bound = |name: &str, value: Option<&Value>| {
        let value = value?;
        number(value).or_else(|| {
            reporter.mismatch(name, value, "a number");
            None
        })
    };
    let (minimum, maximum) = (bound("minimum", minimum), bound("maximum", maximum));
    let choices = choices
        .and_then(|choices| reporter.list("enum", choices))
        .map(<[Value]>::to_vec);
    let kind = reporter.choice("type", kind?, &TYPES)?;
    Some(Schema {
        kind,
        choices,
        minimum,
        maximum,
        min_length,
        max_length,
    })
}

impl Schema {
    /// The operator's text as a value that belongs to the place of the declaration; the check comes later.
    fn read(&self, text: &str, place: Span) -> Value {
        let data = match self.kind {
            Type::String => Data::String(text.to_owned()),
            Type::Number | Type::Integer | Type::Boolean => {
                scalar::resolve(text, true, None).unwrap_or(Data::Invalid)
            }
            Type::Object | Type::Array => {
                yaml::parse_text(text).map_or(Data::Invalid, |node| untagged(&node).data)
            }
        };
        relocated(data, place)
    }

    /// # Errors
    /// What was expected.
    fn check(&self, value: &Value) -> Result<(), String> {
        let (fits, name) = match (self.kind, &value.data) {
            (Type::String, data) => (matches!(data, Data::String(_)), "a text"),
            (Type::Number, data) => (matches!(data, Data::Integer(_) | Data::Float(_)), "a number"),
            (Type::Integer, data) => (matches!(data, Data::Integer(_)), "an integer"),
            (Type::Boolean, data) => (matches!(data, Data::Bool(_)), "`true` or `false`"),
            (Type::Object, data) => (matches!(data, Data::Mapping(_)), "a mapping"),
            (Type::Array, data) => (matches!(data, Data::Sequence(_)), "a list"),
        };
        if !fits {
            return Err(name.to_owned());
        }
        if let Some(choices) = &self.choices
            && !choices.iter().any(|choice| same(choice, value))
        {
            return Err("one of the values of `enum`".to_owned());
        }
        if let Some(number) = number(value) {
            if let Some(minimum) = self.minimum.filter(|minimum| number < *minimum) {
                return Err(format!("at least {minimum}"));
            }
            if let Some(maximum) = self.maximum.filter(|maximum| number > *maximum) {
                return Err(format!("at most {maximum}"));
            }
        }
        if let Data::String(text) = &value.data {
            let length = text.chars().count();
            if let Some(least) = self.min_length.filter(|least| length < *least) {
                return Err(format!("at least {least} characters long"));
            }
            if let Some(most) = self.max_length.filter(|most| length > *most) {
                return Err(format!("at most {most} characters long"));
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bounds are compared as JSON numbers, which are doubles"
)]
fn number(value: &Value) -> Option<f64> {
    match value.data {
        Data::Integer(number) => Some(number as f64),
        Data::Float(number) => Some(number),
        _ => None,
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (&left.data, &right.data) {
        (Data::Null, Data::Null) => true,
        (Data::Bool(left), Data::Bool(right)) => left == right,
        (Data::String(left), Data::String(right)) => left == right,
        (Data::Sequence(left), Data::Sequence(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Data::Mapping(left), Data::Mapping(right)) => {
            left.len() == right.len()
                && left.iter().all(|field| {
                    right
                        .iter()
                        .any(|other| other.key == field.key && same(&field.value, &other.value))
                })
        }
        _ => number(left).is_some_and(|left| number(right) == Some(left)),
    }
}

/// A declaration as written: what a parameter is may not depend on other names of the file.
fn literal(node: &Node, reporter: &mut Reporter<'_>) -> Value {
    report_tags(node, reporter);
    untagged(node)
}

fn report_tags(node: &Node, reporter: &mut Reporter<'_>) {
    if let Some(tag) = node.tag.as_ref().filter(|tag| !tag.name.starts_with("!!")) {
        let message = format!("{} is not possible in `parameters`", quoted(&tag.name));
        reporter.error_with_help(tag.span, message, Some("move it to `definitions`".to_owned()));
    } else if let Content::Scalar { text, plain } = &node.content
        && let Err(message) = scalar::resolve(text, *plain, node.tag.as_ref().map(|tag| &*tag.name))
    {
        reporter.error(node.span, message);
    }
    for child in children(node) {
        report_tags(child, reporter);
    }
}

fn untagged(node: &Node) -> Value {
    let tag = node.tag.as_ref().map(|tag| &*tag.name);
    let data = match &node.content {
        Content::Scalar { text, plain } => scalar::resolve(text, *plain, tag).unwrap_or(Data::Invalid),
        Content::Sequence(items) => Data::Sequence(items.iter().map(|item| untagged(item)).collect()),
        Content::Mapping(entries) => Data::Mapping(
            entries
                .iter()
                .map(|entry| Field {
                    key: entry.key.to_string(),
                    key_span: entry.key_span,
                    value: untagged(&entry.value),
                })
                .collect(),
        ),
    };
    Value {
        span: node.span,
        data,
    }
}

fn relocated(data: Data, place: Span) -> Value {
    let data = match data {
        Data::Sequence(items) => Data::Sequence(
            items
                .into_iter()
                .map(|item| relocated(item.data, place))
                .collect(),
        ),
        Data::Mapping(fields) => Data::Mapping(
            fields
                .into_iter()
                .map(|field| Field {
                    key_span: place,
                    value: relocated(field.value.data, place),
                    ..field
                })
                .collect(),
        ),
        data => data,
    };
    Value { span: place, data }
}

fn children(node: &Node) -> Box<dyn Iterator<Item = &Rc<Node>> + '_> {
    match &node.content {
        Content::Scalar { .. } => Box::new(std::iter::empty()),
        Content::Sequence(items) => Box::new(items.iter()),
        Content::Mapping(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
    }
}
