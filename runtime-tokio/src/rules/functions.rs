//! The functions that expressions have beside those of the evaluator: `$last`, and what the evaluator lacks of the reference.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Evaluator, EvaluatorError, HostFn, HostFnResult};
use jsonata_core::value::JValue;

use super::evaluate::{Evaluation, value};

/// The function that finds what was stashed.
pub(super) const LAST: &str = "last";
/// The function that the evaluator does not even know by name.
const CLONE: &str = "clone";
/// The functions of JSONata, for suggestions; [`is_function`] says what is one.
pub(super) const FUNCTIONS: [&str; 65] = [
    "abs",
    "append",
    "assert",
    "average",
    "base64decode",
    "base64encode",
    "boolean",
    "ceil",
    "clone",
    "contains",
    "count",
    "decodeUrl",
    "decodeUrlComponent",
    "distinct",
    "each",
    "encodeUrl",
    "encodeUrlComponent",
    "error",
    "eval",
    "exists",
    "filter",
    "floor",
    "formatBase",
    "formatInteger",
    "formatNumber",
    "fromMillis",
    "join",
    "keys",
    "length",
    "lookup",
    "lowercase",
    "map",
    "match",
    "max",
    "merge",
    "millis",
    "min",
    "not",
    "now",
    "number",
    "pad",
    "parseInteger",
    "power",
    "random",
    "reduce",
    "replace",
    "reverse",
    "round",
    "shuffle",
    "sift",
    "single",
    "sort",
    "split",
    "spread",
    "sqrt",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "sum",
    "toMillis",
    "trim",
    "type",
    "uppercase",
    "zip",
];

/// Whether JSONata has a function of this name: then nobody else may give it one.
pub(super) fn is_function(name: &str) -> bool {
    let nothing = |_: &[JValue]| Ok(JValue::Undefined);
    name == CLONE || Evaluator::new().register_fn(name, nothing).is_err()
}

/// Gives `evaluator` those that the expression may call.
pub(super) fn register(evaluator: &mut Evaluator, evaluation: &Evaluation) -> Result<(), EvaluatorError> {
    let mentions = |name| evaluation.expression.mentions(name);
    if mentions(LAST) {
        let stash = Arc::clone(&evaluation.stash);
        let last = move |arguments: &[JValue]| {
            let label = arguments.first().and_then(JValue::as_str);
            let stashed = label.and_then(|label| stash.get(label));
            Ok(stashed
                .and_then(|stashed| value(stashed).ok())
                .unwrap_or(JValue::Undefined))
        };
        evaluator.register_fn(LAST, last)?;
    }
    if mentions(CLONE) {
        evaluator.register_fn(CLONE, clone)?;
    }
    replace(evaluator, mentions("random"), "random", random)?;
    // One moment for all calls of one evaluation, as the reference has it.
    let (shows_date, shows_millis) = (mentions("now"), mentions("millis"));
    if shows_date || shows_millis {
        let millis = millis();
        replace(evaluator, shows_date, "now", move |arguments: &[JValue]| {
            now(millis, arguments)
        })?;
        replace(
            evaluator,
            shows_millis,
            "millis",
            move |arguments: &[JValue]| {
                if arguments.is_empty() {
                    Ok(JValue::Number(millis))
                } else {
                    Err(mismatch("millis"))
                }
            },
        )?;
    }
    Ok(())
}

fn replace(
    evaluator: &mut Evaluator,
    is_wanted: bool,
    name: &str,
    function: impl HostFn + 'static,
) -> Result<(), EvaluatorError> {
    if is_wanted {
        evaluator.register_fn_override(name, function)?;
    }
    Ok(())
}

/// From 0 on and below 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
fn random(_: &[JValue]) -> HostFnResult {
    let bits = getrandom::u64().map_err(|error| EvaluatorError::EvaluationError(error.to_string()))?;
    Ok(JValue::Number((bits >> 11) as f64 / (1_u64 << 53) as f64))
}

/// A value never changes, so it is its own copy.
fn clone(arguments: &[JValue]) -> HostFnResult {
    match arguments.first() {
        Some(value @ (JValue::Object(_) | JValue::Array(..) | JValue::Undefined)) => Ok(value.clone()),
        _ => Err(mismatch(CLONE)),
    }
}

/// `$fromMillis` of that moment, with the same picture and time zone.
fn now(millis: f64, arguments: &[JValue]) -> HostFnResult {
    let texts = arguments.iter().map(|argument| match argument {
        JValue::String(text) => Ok(AstNode::String(text.to_string())),
        JValue::Undefined => Ok(AstNode::Undefined),
        _ => Err(mismatch("now")),
    });
    let call = AstNode::Function {
        name: "fromMillis".to_owned(),
        args: std::iter::once(Ok(AstNode::Number(millis)))
            .chain(texts)
            .collect::<Result<_, _>>()?,
        is_builtin: true,
    };
    Evaluator::new().evaluate(&call, &JValue::Null)
}

/// Since 1970.
#[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
fn millis() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.as_ref().map_or(0, Duration::as_millis) as f64
}

fn mismatch(name: &str) -> EvaluatorError {
    EvaluatorError::TypeError(format!("T0410: an argument of ${name} is not of its type"))
}
