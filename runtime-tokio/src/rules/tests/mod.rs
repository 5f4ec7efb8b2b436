//! Rules as a whole: chains with real expressions, hostile expressions, and the threads that they run on.

mod chain;
mod functions;
mod hostile;
mod threads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jsonata_core::evaluator::CancelToken;
use syncline_core::time::Instant;

use super::evaluate::evaluate;
use super::*;

const NOW: Instant = Instant::from_micros(1_000_000);
/// More than any sound expression takes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

fn expression(source: &str) -> Expression {
    Expression::new(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn transform(source: &str) -> Rule {
    Rule::Transform(expression(source))
}

fn filter(source: &str) -> Rule {
    Rule::Filter(expression(source))
}

fn chain(rules: Vec<Rule>) -> Chain {
    Chain::new(RuleList::new(rules).expect("not too many rules"))
}

fn context(topic: &str) -> Context {
    Context {
        topic: Arc::from(topic),
        label: None,
        vars: BTreeMap::new(),
    }
}

fn evaluation(source: &str, payload: &str) -> Evaluation {
    Evaluation {
        expression: expression(source),
        question: Question::Value,
        payload: Json::new(Bytes::copy_from_slice(payload.as_bytes())).expect("JSON"),
        context: context("t"),
        stash: Arc::default(),
    }
}

/// What `source` makes of `payload`, on this thread.
fn value_of(source: &str, payload: &str) -> Result<Option<String>, Cause> {
    match evaluate(&evaluation(source, payload), PATIENCE, CancelToken::new())? {
        Outcome::Value(value) => Ok(value.map(|value| value.as_str().to_owned())),
        Outcome::Truth(_) => panic!("no truth was asked for"),
    }
}

/// What became of a message: its payload, or in words why there is none.
fn ended(chain: &mut Chain, now: Instant, mut step: Step) -> Result<Departure, String> {
    loop {
        match step {
            Step::Evaluate(evaluation, suspended) => {
                let result = evaluate(&evaluation, PATIENCE, CancelToken::new());
                step = chain.resume(now, *suspended, result);
            }
            Step::Passed(departure) => return Ok(departure),
            Step::Stopped(stop) => return Err(format!("{stop:?}")),
            Step::Failed(failure) => return Err(failure.to_string()),
        }
    }
}

fn arrive(chain: &mut Chain, now: Instant, context: Context, payload: &[u8]) -> Result<Departure, String> {
    let payload = Bytes::copy_from_slice(payload);
    let step = chain.handle_message(now, Arrival { payload, context });
    ended(chain, now, step)
}

/// As text what `payload` on the topic `t` becomes.
fn give(chain: &mut Chain, payload: impl AsRef<[u8]>) -> Result<String, String> {
    let departure = arrive(chain, NOW, context("t"), payload.as_ref())?;
    Ok(String::from_utf8_lossy(&departure.payload).into_owned())
}

fn passes(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn stops(text: &str) -> Result<String, String> {
    Err(text.to_owned())
}
