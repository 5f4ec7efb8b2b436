//! Values after tags have been carried out, with their places, and readers that turn them into checked types.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::Number;

use super::diagnostic::{Diagnostic, Report, quoted};
use super::record::Placed;
use super::source::{Source, Span};

/// A value and the place that it was written at; for `!ref` that is the place of the reference.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) span: Span,
    pub(crate) data: Data,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    Sequence(Vec<Value>),
    Mapping(Vec<Field>),
    /// `!ref` of a resource.
    Reference(Reference),
    /// Something wrong that has been reported already: readers stay silent about it.
    Invalid,
}

/// What a `!ref` of a resource names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Reference {
    /// A resource of this file.
    Own(String),
    /// A resource of another service.
    Foreign { service: String, resource: String },
}

/// One pair of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Value,
}

impl Value {
    pub(crate) const fn invalid(span: Span) -> Self {
        Self {
            span,
            data: Data::Invalid,
        }
    }
}

/// A source and the report that messages about it go to.
#[derive(Debug)]
pub(crate) struct Reporter<'r> {
    pub(crate) source: Arc<Source>,
    pub(crate) report: &'r mut Report,
    /// What values come from that stand where a `!ref` does: the name, and the place of what it names.
    pub(crate) origins: HashMap<Span, (String, Span)>,
}

impl Reporter<'_> {
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::error(&self.source, span, message));
    }

    /// As [`Reporter::error`], where the line has a secret in it.
    pub(crate) fn error_about_secret(&mut self, span: Span, message: impl Into<String>) {
        self.report
            .push(Diagnostic::error(&self.source, span, message).without_line());
    }

    /// The candidate that a mistyped `name` most likely meant.
    pub(crate) fn nearest<'n>(
        &self,
        name: &str,
        candidates: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        if self.report.is_full() {
            None
        } else {
            crate::nearest::nearest(name, candidates)
        }
    }

    pub(crate) fn error_with_help(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.report
            .push(Diagnostic::error(&self.source, span, message).maybe_help(help));
    }

    pub(crate) fn warning(&mut self, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::warning(&self.source, span, message));
    }

    pub(crate) fn warning_with_help(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.report
            .push(Diagnostic::warning(&self.source, span, message).maybe_help(help));
    }

    /// What a value is, for "found …". A text is quoted only when the file itself says it at that place: what comes by
    /// reference may be a password.
    pub(crate) fn describe(&self, value: &Value) -> String {
        match &value.data {
            Data::Null => "nothing".to_owned(),
            Data::Bool(value) => format!("the boolean {value}"),
            Data::Integer(value) => format!("the number {value}"),
            Data::Float(value) => format!("the number {value}"),
            Data::String(text) if self.source.slice(value.span).contains(text.as_str()) => {
                format!("the text {}", quoted(text))
            }
            Data::String(_) => "a text".to_owned(),
            Data::Sequence(_) => "a list".to_owned(),
            Data::Mapping(_) => "a mapping".to_owned(),
            Data::Reference(Reference::Own(name)) => format!("the resource {}", quoted(name)),
            Data::Reference(Reference::Foreign { service, resource }) => {
                format!("the resource {}", quoted(&format!("{service}::{resource}")))
            }
            Data::Invalid => "an invalid value".to_owned(),
        }
    }

    pub(crate) fn mismatch(&mut self, name: &str, value: &Value, expected: impl Display) {
        if !matches!(value.data, Data::Invalid) {
            let found = self.describe(value);
            // Its line may have a secret in it.
            let help = self.origins.get(&value.span).map(|(named, span)| {
                let place = Diagnostic::place_of(&self.source, *span);
                format!("the value is that of {}, at {place}", quoted(named))
            });
            let message = format!("`{name}`: found {found}, expected {expected}");
            self.error_with_help(value.span, message, help);
        }
    }

    /// A text. Numbers and booleans are refused with the cure, because YAML may have changed them already (`1.10`).
    pub(crate) fn text<'v>(&mut self, name: &str, value: &'v Value) -> Option<&'v str> {
        match &value.data {
            Data::String(text) => return Some(text),
            Data::Bool(_) | Data::Integer(_) | Data::Float(_) => {
                self.mismatch(name, value, "a text; put it in quotes");
            }
            _ => self.mismatch(name, value, "a text"),
        }
        None
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, name: &str, value: &Value) -> Option<bool> {
        if let Data::Bool(value) = value.data {
            return Some(value);
        }
        self.mismatch(name, value, "`true` or `false`");
        None
    }

    /// An integer within `range`.
    pub(crate) fn integer<T>(&mut self, name: &str, value: &Value, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        if let Data::Integer(number) = value.data
            && let Ok(number) = T::try_from(number)
            && range.contains(&number)
        {
            return Some(number);
        }
        self.mismatch(
            name,
            value,
            format_args!("an integer from {} to {}", range.start(), range.end()),
        );
        None
    }

    /// One of a fixed set of texts.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, value: &Value, choices: &[(&str, T)]) -> Option<T> {
        let text = match &value.data {
            Data::String(text) => text.as_str(),
            _ => "",
        };
        if let Some((_, choice)) = choices.iter().find(|(known, _)| *known == text) {
            return Some(*choice);
        }
        if !matches!(value.data, Data::Invalid) {
            let names = || choices.iter().map(|(known, _)| *known);
            let help = self.nearest(text, names()).map(did_you_mean);
            let message = format!(
                "`{name}`: found {}, expected {}",
                self.describe(value),
                one_of(names())
            );
            self.error_with_help(value.span, message, help);
        }
        None
    }

    /// A reference to a resource; `expected` says which ones fit.
    pub(crate) fn reference(
        &mut self,
        name: &str,
        value: &Value,
        expected: &str,
    ) -> Option<Placed<Reference>> {
        match &value.data {
            Data::Reference(reference) => {
                return Some(Placed {
                    value: reference.clone(),
                    span: value.span,
                });
            }
            Data::String(text) => {
                let found = self.describe(value);
                let help = Some(format!("write `{name}: !ref {text}`")).filter(|_| text.len() <= 80);
                let message = format!("`{name}`: found {found}, expected a reference to {expected}");
                self.error_with_help(value.span, message, help);
            }
            _ => self.mismatch(name, value, format_args!("a reference to {expected}")),
        }
        None
    }

    /// Any JSON value: no reference, and no number that JSON does not have.
    pub(crate) fn json(&mut self, name: &str, value: &Value) -> Option<serde_json::Value> {
        Some(match &value.data {
            Data::Null => serde_json::Value::Null,
            Data::Bool(value) => (*value).into(),
            Data::Integer(number) => match Number::from_i128(*number) {
                Some(number) => number.into(),
                None => {
                    self.mismatch(name, value, "a number of at most 64 bits");
                    return None;
                }
            },
            Data::Float(number) => match Number::from_f64(*number) {
                Some(number) => number.into(),
                None => {
                    self.mismatch(name, value, "a number that JSON has");
                    return None;
                }
            },
            Data::String(text) => text.as_str().into(),
            Data::Sequence(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(name, item)).collect();
                items.into_iter().collect::<Option<Vec<_>>>()?.into()
            }
            Data::Mapping(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|field| Some((field.key.clone(), self.json(name, &field.value)?)))
                    .collect();
                serde_json::Value::Object(fields.into_iter().collect::<Option<_>>()?)
            }
            Data::Reference(_) => {
                self.mismatch(name, value, "a value");
                return None;
            }
            Data::Invalid => return None,
        })
    }

    /// A list.
    pub(crate) fn list<'v>(&mut self, name: &str, value: &'v Value) -> Option<&'v [Value]> {
        if let Data::Sequence(items) = &value.data {
            return Some(items);
        }
        self.mismatch(name, value, "a list");
        None
    }

    /// A mapping, whose keys are then taken one by one; `owner` is what messages call it.
    pub(crate) fn fields<'v>(&mut self, owner: &str, value: &'v Value) -> Option<Fields<'v>> {
        match &value.data {
            Data::Mapping(fields) => return Some(Fields::new(owner, value.span, fields)),
            Data::Invalid => {}
            _ => {
                let found = self.describe(value);
                self.error(value.span, format!("{owner}: found {found}, expected a mapping"));
            }
        }
        None
    }
}

/// The pairs of one mapping, taken by key; what is left over at the end is unknown.
#[derive(Debug)]
pub(crate) struct Fields<'v> {
    owner: String,
    pub(crate) span: Span,
    fields: &'v [Field],
    known: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    /// `owner` is what messages call the mapping.
    pub(crate) fn new(owner: impl Into<String>, span: Span, fields: &'v [Field]) -> Self {
        Self {
            owner: owner.into(),
            span,
            fields,
            known: Vec::new(),
        }
    }

    /// The value of `key`; absent and `null` are the same.
    pub(crate) fn optional(&mut self, key: &'static str) -> Option<&'v Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let field = self.fields.iter().find(|field| field.key == key)?;
        (!matches!(field.value.data, Data::Null)).then_some(&field.value)
    }

    /// The value of `key`, which must be there.
    pub(crate) fn required(&mut self, key: &'static str, reporter: &mut Reporter<'_>) -> Option<&'v Value> {
        let value = self.optional(key);
        if value.is_none() {
            let span = self.key_span(key).unwrap_or(self.span);
            let help = self
                .mistyped(key, reporter)
                .map(|found| format!("is {} meant to be `{key}`?", quoted(found)));
            reporter.error_with_help(
                span,
                format!("{}: expected `{key}`, found none", self.owner),
                help,
            );
        }
        value
    }

    /// Place of the key itself.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        self.fields
            .iter()
            .find(|field| field.key == key)
            .map(|field| field.key_span)
    }

    /// Accepts keys that need no reading.
    pub(crate) fn ignore(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    /// Reports every key that was not asked for.
    pub(crate) fn finish(self, reporter: &mut Reporter<'_>) {
        for field in self
            .fields
            .iter()
            .filter(|field| !self.known.contains(&&*field.key))
        {
            let help = reporter
                .nearest(&field.key, self.known.iter().copied())
                .map(did_you_mean);
            let message = format!(
                "{}: unknown key {}, expected {}",
                self.owner,
                quoted(&field.key),
                one_of(self.known.iter().copied())
            );
            reporter.error_with_help(field.key_span, message, help);
        }
    }

    /// A key of the file that `key` was probably mistyped as.
    fn mistyped(&self, key: &str, reporter: &Reporter<'_>) -> Option<&'v str> {
        reporter
            .nearest(key, self.fields.iter().map(|field| &*field.key))
            .filter(|found| *found != key)
    }
}

/// "did you mean …", for a help line.
pub(crate) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// "`a`, `b` or `c`".
pub(crate) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        None => "nothing".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}
