//! Rules: what a message goes through between being received and being published.
//!
//! ```text
//! Arrival ─▶ Chain ─ Step::Passed ─▶ Departure
//!              │ ▲
//!    Evaluation▼ │Outcome or Cause            a Chain is sans-IO: message + state + now → step
//!           Evaluators ─ threads ─ JSONata    the only place where expressions run
//! ```
//! A [`RuleList`] is what the commissioning file says. A [`Chain`] carries it out for one mapping, endpoint or node, and keeps what
//! its rules remember. It evaluates no expression itself: it hands out an [`Evaluation`] and waits for what became of it, so that
//! an expression that loops, panics or asks for too much costs one message and nothing else.

mod chain;
mod change;
mod counters;
mod definition;
mod evaluate;
mod evaluators;
mod expression;
mod failure;
mod functions;
mod json;
pub mod limits;
mod memory;
mod mistake;
mod names;
mod parse;
mod pipeline;

#[cfg(test)]
mod tests;

pub use chain::{Arrival, Chain, Departure, Step, Stop};
pub use counters::Counters;
pub use definition::{Burst, Cov, DeadbandMode, Rule, RuleList};
pub use evaluate::{Context, Evaluation, Outcome, Question};
pub use evaluators::{Evaluators, silence_panics};
pub use expression::{Expression, ExpressionError};
pub use failure::{Cause, Failure};
pub use json::Json;
pub(crate) use names::Names;
pub use parse::{Format, ParseError};
pub(crate) use pipeline::{Dropped, Pipeline, at};
