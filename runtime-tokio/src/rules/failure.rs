//! Why a rule could not be carried out for a message. Nothing here shows what was in the message.

use std::fmt;

use super::limits::{
    COLLECT_LABELS, EVALUATION_DEPTH, EVALUATION_INPUT, EVALUATION_OUTPUT, EVALUATION_TIME, SEQUENCE_LENGTH,
};
use super::parse::ParseError;

/// A rule that failed for a message, which goes no further.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    /// Which rule of its list, counted from 1.
    pub rule: usize,
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub cause: Cause,
}

/// Why a rule failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The payload is bytes that are no JSON, and the rule needs a value.
    #[error("the payload is not JSON; put a `parse` rule with its format first")]
    NotJson,
    /// The payload is not of the format that `parse` names.
    #[error("{0}")]
    Parse(#[from] ParseError),
    /// JSONata says so, by its code.
    #[error("JSONata error {0}, {kind}", kind = kind(.0))]
    Jsonata(String),
    /// A regular expression that the expression makes itself, by `$eval`, is none.
    #[error("the expression makes a regular expression that cannot be read")]
    Regex,
    /// The evaluator refuses, and says why only in words that may quote the payload.
    #[error(
        "the JSONata evaluator refuses this expression for this payload and has no code for why; try its parts one by one"
    )]
    Unexplained,
    /// The expression ran too long.
    #[error("the expression takes longer than {} ms", EVALUATION_TIME.as_millis())]
    TimeLimit,
    /// The expression's calls are nested too deep.
    #[error("the expression calls itself more than {EVALUATION_DEPTH} levels deep")]
    Depth,
    /// The expression makes too long a sequence.
    #[error("the expression makes a sequence of more than {SEQUENCE_LENGTH} items")]
    Sequence,
    /// The payload is longer than what an expression is given.
    #[error("the payload has more than {EVALUATION_INPUT} bytes, which no expression is given")]
    InputTooLong,
    /// The result is too long.
    #[error("the expression's result has more than {EVALUATION_OUTPUT} bytes")]
    OutputTooLong,
    /// JSONata cannot hold the payload.
    #[error("the payload has a number that is too large for JSONata, or more than 127 levels")]
    Unfit,
    /// The result is a function.
    #[error("the expression's result is a function, expected a value")]
    NotAValue,
    /// The evaluator came down; it is a mistake in it, not in the expression.
    #[error("the JSONata evaluator fails on this expression and payload")]
    Panicked,
    /// `collect` has no room for another label.
    #[error("more labels, or longer messages, than `collect` remembers: at most {COLLECT_LABELS} labels")]
    CollectFull,
    /// The agent is stopping.
    #[error("the agent is stopping")]
    Stopping,
}

/// What the first letter of a code says, by JSONata's own convention.
fn kind(code: &str) -> &'static str {
    match code.as_bytes().first() {
        Some(b'T') => "a value of another type than expected",
        Some(b'S') => "a mistake of syntax",
        _ => "a value that cannot be computed with",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} ({}): {}", self.rule, self.name, self.cause)
    }
}

impl std::error::Error for Failure {}
