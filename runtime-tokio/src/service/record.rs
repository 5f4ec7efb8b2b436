//! Reading a mapping key by key: every key once, every mistake reported, and whether all of them were sound.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Context;
use super::plan::Secret;
use super::resource::Placement;
use super::source::Span;
use super::value::{Data, Fields, Reporter, Value};

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A mapping that is being read. A getter gives `None` for a key that is absent and for one that is wrong; the latter
/// has been reported then, and [`Record::finish`] says so.
#[derive(Debug)]
pub(crate) struct Record<'v, 'a, 'r> {
    fields: Fields<'v>,
    pub(crate) reporter: &'a mut Reporter<'r>,
    sound: bool,
}

impl<'v, 'a, 'r> Record<'v, 'a, 'r> {
    pub(crate) fn new(fields: Fields<'v>, reporter: &'a mut Reporter<'r>) -> Self {
        Self {
            fields,
            reporter,
            sound: true,
        }
    }

    /// A mapping in `value`; `owner` is what messages call it.
    pub(crate) fn of(owner: &str, value: &'v Value, reporter: &'a mut Reporter<'r>) -> Option<Self> {
        let fields = reporter.fields(owner, value)?;
        Some(Self::new(fields, reporter))
    }

    /// What `read` makes of the key's value.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reporter<'r>, &'v Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.fields.optional(key)?;
        self.read(value, read)
    }

    /// As [`Record::optional`], for a key that must be there.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reporter<'r>, &'v Value) -> Option<T>,
    ) -> Option<T> {
        match self.fields.required(key, self.reporter) {
            Some(value) => self.read(value, read),
            None => {
                self.sound = false;
                None
            }
        }
    }

    fn read<T>(
        &mut self,
        value: &'v Value,
        read: impl FnOnce(&mut Reporter<'r>, &'v Value) -> Option<T>,
    ) -> Option<T> {
        let read = read(self.reporter, value);
        self.sound &= read.is_some();
        read
    }

    /// The value itself.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<&'v Value> {
        self.optional(key, |_, value| Some(value))
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        self.optional(key, |reporter, value| {
            reporter.text(key, value).map(str::to_owned)
        })
    }

    pub(crate) fn required_text(&mut self, key: &'static str) -> Option<String> {
        self.required(key, |reporter, value| {
            reporter.text(key, value).map(str::to_owned)
        })
    }

    /// A text that no message may show.
    pub(crate) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.optional(key, |reporter, value| secret(reporter, key, value))
    }

    /// As [`Record::secret`], for a key that must be there.
    pub(crate) fn required_secret(&mut self, key: &'static str) -> Option<Secret> {
        self.required(key, |reporter, value| secret(reporter, key, value))
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.optional(key, |reporter, value| reporter.boolean(key, value))
    }

    pub(crate) fn integer<T>(&mut self, key: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        self.optional(key, |reporter, value| reporter.integer(key, value, range))
    }

    /// A number of milliseconds.
    pub(crate) fn milliseconds(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.integer(key, range).map(Duration::from_millis)
    }

    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        self.optional(key, |reporter, value| reporter.choice(key, value, choices))
    }

    /// `targetState`, one of `states`, and `agentName`.
    pub(crate) fn placement(&mut self, context: &Context, states: &[(&str, bool)]) -> Placement {
        let enabled = self.choice("targetState", states).unwrap_or(true);
        Placement::new(enabled, self.text("agentName"), context)
    }

    /// Place of the key, or of the whole mapping where it is absent.
    pub(crate) fn place(&self, key: &str) -> Span {
        self.fields.key_span(key).unwrap_or(self.fields.span)
    }

    /// Place of the whole mapping.
    pub(crate) fn span(&self) -> Span {
        self.fields.span
    }

    /// Accepts keys that need no reading.
    pub(crate) fn ignore(&mut self, keys: &[&'static str]) {
        self.fields.ignore(keys);
    }

    /// Reports what is wrong with keys that are sound each by itself.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.sound = false;
        self.reporter.error(span, message);
    }

    /// As [`Record::error`], where the line has a secret in it.
    pub(crate) fn error_about_secret(&mut self, span: Span, message: impl Into<String>) {
        self.sound = false;
        self.reporter.error_about_secret(span, message);
    }

    /// As [`Record::error`], with the cure.
    pub(crate) fn error_with_help(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.sound = false;
        self.reporter.error_with_help(span, message, Some(help.into()));
    }

    /// Reports the keys that nobody asked for. `None` when anything was wrong with the others.
    pub(crate) fn finish(self) -> Option<()> {
        self.fields.finish(self.reporter);
        self.sound.then_some(())
    }
}

fn secret(reporter: &mut Reporter<'_>, key: &str, value: &Value) -> Option<Secret> {
    match &value.data {
        Data::String(text) => return Some(Secret::new(text)),
        Data::Invalid => {}
        _ => reporter.error_about_secret(value.span, format!("`{key}`: expected a text; put it in quotes")),
    }
    None
}

/// Pairs of name and text: headers, query parameters. Numbers and booleans are written out.
pub(crate) fn texts(reporter: &mut Reporter<'_>, key: &str, value: &Value) -> Option<Vec<(String, String)>> {
    let Data::Mapping(fields) = &value.data else {
        reporter.mismatch(key, value, "a mapping of names to texts");
        return None;
    };
    let mut pairs = Vec::with_capacity(fields.len());
    let mut sound = true;
    for field in fields {
        let text = match &field.value.data {
            Data::String(text) => text.clone(),
            Data::Bool(value) => value.to_string(),
            Data::Integer(value) => value.to_string(),
            Data::Float(value) => value.to_string(),
            _ => {
                reporter.mismatch(&field.key, &field.value, "a text");
                sound = false;
                continue;
            }
        };
        pairs.push((field.key.clone(), text));
    }
    sound.then_some(pairs)
}
