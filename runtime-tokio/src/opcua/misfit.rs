//! What came for a node and does not fit it: counted, and told to the log with node, topic and reason, each reason once.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::value::Shape;

/// Different reasons that the log hears of one node.
const REASONS_TOLD: usize = 100;

/// Messages and replies since the start that did not fit one node.
#[derive(Debug, Default)]
pub(crate) struct Misfits(AtomicU64);

impl Misfits {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a message or a reply does not fit; it shows nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Misfit {
    /// A message that is no object with a `value`.
    NoValue,
    /// A `value` with a number, or as deep, as is not read.
    Unreadable,
    /// A `value` that the variable cannot have.
    Value { expected: Shape, found: Found },
    /// A reply that lacks an output.
    Missing { output: String, expected: Shape },
    /// A list of another length than that of the method's outputs, or a value alone where there are several.
    Outputs { expected: usize, found: Found },
    /// An output that is not what the method says.
    Output {
        output: String,
        expected: Shape,
        found: Found,
    },
}

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Found {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl From<&Value> for Found {
    fn from(json: &Value) -> Self {
        match json {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue => f.write_str("expected a JSON object with a `value`"),
            Self::Unreadable => {
                f.write_str("`value`: expected numbers within the range of a double, and at most 127 levels")
            }
            Self::Value { expected, found } => {
                write!(f, "`value`: expected {expected}, found {found} that is none")
            }
            Self::Missing { output, expected } => {
                write!(f, "the output `{output}`: expected {expected}, found none")
            }
            Self::Outputs { expected, found } => write!(
                f,
                "`value`: expected an object or a list of {expected} outputs, found {found} that is none"
            ),
            Self::Output {
                output,
                expected,
                found,
            } => write!(
                f,
                "the output `{output}`: expected {expected}, found {found} that is none"
            ),
        }
    }
}

/// Where the misfits of one node are counted and told.
#[derive(Debug)]
pub(crate) struct Complaints {
    /// What the log calls the node.
    node: Arc<str>,
    topic: String,
    misfits: Arc<Misfits>,
    told: Mutex<HashSet<Misfit>>,
}

impl Complaints {
    /// Of a node that hears of `topic`.
    pub(crate) fn new(node: Arc<str>, topic: &str, misfits: Arc<Misfits>) -> Self {
        Self {
            node,
            topic: topic.to_owned(),
            misfits,
            told: Mutex::default(),
        }
    }

    /// Counts what did not fit, and tells the log why where it has not heard that before; `consequence` is what comes of it.
    pub(super) fn note(&self, misfit: &Misfit, consequence: &str) {
        self.misfits.0.fetch_add(1, Ordering::Relaxed);
        if self.is_news(misfit) {
            let Self { node, topic, .. } = self;
            tracing::warn!("{node}: {consequence}, further ones are only counted: {misfit}; topic {topic}");
        }
    }

    fn is_news(&self, misfit: &Misfit) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < REASONS_TOLD && told.insert(misfit.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::plan::DataType;

    #[test]
    fn each_reason_is_told_once_and_every_misfit_counted() {
        let misfits = Arc::new(Misfits::default());
        let complaints = Complaints::new("node a".into(), "t", Arc::clone(&misfits));
        assert!(complaints.is_news(&Misfit::NoValue) && !complaints.is_news(&Misfit::NoValue));
        let outputs = (0..200).map(|number| Misfit::Missing {
            output: number.to_string(),
            expected: Shape::new(DataType::Double, -1),
        });
        let told = outputs.filter(|misfit| complaints.is_news(misfit)).count();
        assert_eq!(told, REASONS_TOLD - 1);
        for _ in 0..3 {
            complaints.note(&Misfit::NoValue, "nothing comes of it");
        }
        assert_eq!(misfits.count(), 3);
    }

    #[test]
    fn a_reason_names_what_was_expected_and_what_was_found() {
        let found = Found::from(&serde_json::json!("secret"));
        let misfit = |data_type, rank| Misfit::Value {
            expected: Shape::new(data_type, rank),
            found,
        };
        for (misfit, text) in [
            (misfit(DataType::Double, -1), "Double"),
            (misfit(DataType::Int16, 1), "a list of Int16"),
            (misfit(DataType::Int16, 2), "lists of Int16 in 2 dimensions"),
            (misfit(DataType::Guid, 0), "lists of Guid in any dimensions"),
        ] {
            assert_eq!(
                misfit.to_string(),
                format!("`value`: expected {text}, found a text that is none")
            );
        }
    }
}
