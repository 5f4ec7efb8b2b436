//! One evaluation of one expression, on the thread that asks for it.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jsonata_core::evaluator::{self, CancelToken, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::functions::boolean::boolean;
use jsonata_core::value::JValue;

use super::expression::Expression;
use super::failure::Cause;
use super::functions;
use super::json::Json;
use super::limits::{EVALUATION_DEPTH, EVALUATION_INPUT, EVALUATION_OUTPUT, SEQUENCE_LENGTH};

/// What an expression is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Its result.
    Value,
    /// Whether its result is true, as `$boolean` sees it.
    Truth,
}

/// An expression and all that it can see.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The expression.
    pub expression: Expression,
    /// What it is asked.
    pub question: Question,
    /// `$`.
    pub payload: Json,
    /// `$context`.
    pub context: Context,
    /// What `$last` finds.
    pub stash: Arc<BTreeMap<String, Json>>,
}

/// What a message brings along besides its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// `$context.topic`: the topic on which it came.
    pub topic: Arc<str>,
    /// `$context.label`: that of its subscription.
    pub label: Option<Arc<str>>,
    /// `$context.vars`.
    pub vars: BTreeMap<String, Json>,
}

impl Context {
    /// The members of `$context`.
    pub(crate) const MEMBERS: [&str; 3] = ["label", "topic", "vars"];
}

/// What became of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// To [`Question::Value`]: the result; `None` when it is undefined.
    Value(Option<Json>),
    /// To [`Question::Truth`].
    Truth(bool),
}

/// Evaluates within `time`, by the evaluator's own clock: a single step over long arguments ends later. A panic of the
/// evaluator ends here.
///
/// # Errors
/// [`Cause`]; it shows nothing of the payload.
pub(super) fn evaluate(
    evaluation: &Evaluation,
    time: Duration,
    cancel: CancelToken,
) -> Result<Outcome, Cause> {
    catch_unwind(AssertUnwindSafe(|| run(evaluation, time, cancel))).unwrap_or(Err(Cause::Panicked))
}

fn run(evaluation: &Evaluation, time: Duration, cancel: CancelToken) -> Result<Outcome, Cause> {
    if evaluation.payload.len() > EVALUATION_INPUT {
        return Err(Cause::InputTooLong);
    }
    let payload = value(&evaluation.payload)?;
    let expression = &evaluation.expression;
    let mut bindings = evaluator::Context::new();
    if expression.mentions("context") {
        bindings.bind("context".to_owned(), context(&evaluation.context)?);
    }
    let options = EvaluatorOptions {
        timeout_ms: Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        cancel: Some(cancel),
        max_stack_depth: Some(EVALUATION_DEPTH),
        max_sequence_length: Some(SEQUENCE_LENGTH),
    };
    let mut evaluator = Evaluator::with_options(bindings, options);
    functions::register(&mut evaluator, evaluation).map_err(|error| cause(&error))?;
    let result = evaluator
        .evaluate(expression.tree(), &payload)
        .map_err(|error| cause(&error))?;
    match evaluation.question {
        Question::Truth => match boolean(&result) {
            Ok(JValue::Bool(truth)) => Ok(Outcome::Truth(truth)),
            // Undefined is neither; it does not pass.
            _ => Ok(Outcome::Truth(false)),
        },
        Question::Value if result.is_undefined() => Ok(Outcome::Value(None)),
        Question::Value if result.is_function() || result.is_regex() => Err(Cause::NotAValue),
        Question::Value => write(&result).map(|json| Outcome::Value(Some(json))),
    }
}

/// What is refused of checked text is a number that no double can hold, and what is nested too deep.
pub(super) fn value(json: &Json) -> Result<JValue, Cause> {
    JValue::from_json_str(json.as_str()).map_err(|_| Cause::Unfit)
}

fn context(context: &Context) -> Result<JValue, Cause> {
    let vars: Result<_, Cause> = context
        .vars
        .iter()
        .map(|(name, json)| Ok((name.clone(), value(json)?)))
        .collect();
    let mut members = vec![
        ("topic".to_owned(), JValue::from(&*context.topic)),
        ("vars".to_owned(), JValue::object(vars?)),
    ];
    if let Some(label) = &context.label {
        members.push(("label".to_owned(), JValue::from(&**label)));
    }
    Ok(JValue::object(members.into_iter().collect()))
}

fn cause(error: &EvaluatorError) -> Cause {
    match error.code() {
        Some("D1012" | "U1003") => Cause::TimeLimit,
        Some("D1011" | "U1001") => Cause::Depth,
        Some("D2014" | "D2015") => Cause::Sequence,
        // The message behind the code may quote the payload.
        Some(code) => Cause::Jsonata(code.to_owned()),
        None if error.to_string().contains("Invalid regex: ") => Cause::Regex,
        None => Cause::Unexplained,
    }
}

fn write(result: &JValue) -> Result<Json, Cause> {
    let mut bounded = Bounded(Vec::with_capacity(128));
    serde_json::to_writer(&mut bounded, result).map_err(|_| Cause::OutputTooLong)?;
    String::from_utf8(bounded.0)
        .map(Json::written)
        .map_err(|_| Cause::Panicked)
}

/// Bytes up to [`EVALUATION_OUTPUT`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > EVALUATION_OUTPUT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
