//! A list of rules at work: message, state and time in, the next step out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use syncline_core::time::Instant;

use super::change::LastValues;
use super::definition::{Burst, Rule, RuleList};
use super::evaluate::{Context, Evaluation, Outcome, Question};
use super::expression::Expression;
use super::failure::{Cause, Failure};
use super::json::Json;
use super::memory::{Batch, Latest};

/// A message as it comes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its payload.
    pub payload: Bytes,
    /// Where it came from, and the variables that its topic gave.
    pub context: Context,
}

/// A message as it leaves.
#[derive(Debug, Clone)]
pub struct Departure {
    /// Its payload.
    pub payload: Bytes,
    /// As it came, with the variables that the rules have set.
    pub context: Context,
}

/// What to do next for a message.
#[derive(Debug)]
pub enum Step {
    /// Evaluate this, then [`Chain::resume`].
    Evaluate(Evaluation, Box<Suspended>),
    /// It has passed all rules: publish it.
    Passed(Departure),
    /// A rule stopped it, as rules should.
    Stopped(Stop),
    /// A rule failed; the message ends here.
    Failed(Failure),
}

/// Why a message stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `transform` gave nothing.
    Undefined,
    /// `filter` was not true.
    Filtered,
    /// `cov` saw no change.
    Unchanged,
    /// `burst` keeps it for its batch.
    Batched,
}

/// A message that waits for the result of an expression.
#[derive(Debug)]
pub struct Suspended {
    message: Passing,
    rule: usize,
    /// Which of the variables of `setContextVars`.
    variable: usize,
}

/// A payload: bytes as long as no rule needs a value.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    Bytes(Bytes),
    Json(Json),
}

#[derive(Debug)]
struct Passing {
    payload: Payload,
    context: Context,
    stashed: Vec<(String, Json)>,
}

/// The rules of one mapping, endpoint or node, and what they remember.
///
/// Messages are given to it one after the other: the next after the last is past all rules, or has ended. State lasts as long as
/// the chain and is not stored.
#[derive(Debug)]
pub struct Chain {
    rules: RuleList,
    memories: Vec<Memory>,
    stash: Arc<BTreeMap<String, Json>>,
}

/// What a rule remembers.
#[derive(Debug)]
enum Memory {
    Nothing,
    Cov(LastValues),
    Burst(Batch, Option<Context>),
    Collect(Latest),
}

impl Chain {
    /// A chain that remembers nothing yet.
    #[must_use]
    pub fn new(rules: RuleList) -> Self {
        let memory = |rule: &Rule| match rule {
            Rule::Cov(_) => Memory::Cov(LastValues::default()),
            Rule::Burst(_) => Memory::Burst(Batch::default(), None),
            Rule::Collect => Memory::Collect(Latest::default()),
            _ => Memory::Nothing,
        };
        Self {
            memories: rules.rules().iter().map(memory).collect(),
            rules,
            stash: Arc::default(),
        }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &RuleList {
        &self.rules
    }

    /// A message came.
    pub fn handle_message(&mut self, now: Instant, arrival: Arrival) -> Step {
        let Arrival { payload, context } = arrival;
        let message = Passing {
            payload: Payload::Bytes(payload),
            context,
            stashed: Vec::new(),
        };
        self.pass(now, message, 0)
    }

    /// The expression that a message waits for was evaluated.
    pub fn resume(&mut self, now: Instant, suspended: Suspended, result: Result<Outcome, Cause>) -> Step {
        let Suspended {
            mut message,
            rule,
            variable,
        } = suspended;
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(cause) => return self.fail(rule, cause),
        };
        match (&self.rules.rules()[rule], outcome) {
            (Rule::SetContextVars(variables), Outcome::Value(value)) => {
                let (name, _) = &variables[variable];
                match value {
                    Some(value) => message.context.vars.insert(name.clone(), value),
                    None => message.context.vars.remove(name),
                };
                match variables.get(variable + 1) {
                    Some((_, expression)) => {
                        let expression = expression.clone();
                        self.suspend(message, rule, variable + 1, expression)
                    }
                    None => self.pass(now, message, rule + 1),
                }
            }
            (_, Outcome::Truth(true)) => self.pass(now, message, rule + 1),
            (_, Outcome::Truth(false)) => self.stop(message, Stop::Filtered),
            (_, Outcome::Value(None)) => self.stop(message, Stop::Undefined),
            (_, Outcome::Value(Some(value))) => {
                message.payload = Payload::Json(value);
                self.pass(now, message, rule + 1)
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = |memory: &Memory| match memory {
            Memory::Burst(batch, _) => batch.due(),
            _ => None,
        };
        self.memories.iter().filter_map(due).min()
    }

    /// Passes on a batch that is complete at `now`; `None` when there is none. To be called until then.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Step> {
        self.pass_batch(now, |batch| batch.due().is_some_and(|due| due <= now))
    }

    /// Passes on a batch that has begun, complete or not, for there will be no more messages; `None` when there is none. To be called
    /// until then.
    pub fn handle_end(&mut self, now: Instant) -> Option<Step> {
        self.pass_batch(now, |_| true)
    }

    fn pass_batch(&mut self, now: Instant, passes: impl Fn(&Batch) -> bool) -> Option<Step> {
        let (rule, batch, context) =
            self.memories
                .iter_mut()
                .enumerate()
                .find_map(|(rule, memory)| match memory {
                    Memory::Burst(batch, context) if passes(batch) => {
                        let context = context.take()?;
                        Some((rule, batch.complete(), context))
                    }
                    _ => None,
                })?;
        let message = Passing {
            payload: Payload::Json(batch),
            context,
            stashed: Vec::new(),
        };
        Some(self.pass(now, message, rule + 1))
    }

    /// Takes a message through the rules from `first` on, as far as no expression is needed.
    fn pass(&mut self, now: Instant, mut message: Passing, first: usize) -> Step {
        for at in first..self.rules.rules().len() {
            let rule = &self.rules.rules()[at];
            if let Rule::Parse(format) = rule {
                match format.read(&message.payload.content()) {
                    Ok(payload) => message.payload = payload,
                    Err(error) => return self.fail(at, Cause::Parse(error)),
                }
                continue;
            }
            let Some(json) = message.payload.json() else {
                return self.fail(at, Cause::NotJson);
            };
            message.payload = Payload::Json(json.clone());
            match (rule, &mut self.memories[at]) {
                (Rule::Transform(expression) | Rule::Filter(expression), _) => {
                    let expression = expression.clone();
                    return self.suspend(message, at, 0, expression);
                }
                (Rule::SetContextVars(variables), _) => {
                    if let Some((_, expression)) = variables.first() {
                        let expression = expression.clone();
                        return self.suspend(message, at, 0, expression);
                    }
                }
                (Rule::Cov(rule), Memory::Cov(last)) => {
                    if !last.passes(rule, &message.context.topic, &json) {
                        return self.stop(message, Stop::Unchanged);
                    }
                }
                (Rule::Burst(rule), Memory::Burst(batch, context)) => {
                    if is_inactive(*rule) {
                        continue;
                    }
                    match batch.add(now, *rule, json) {
                        Some(batch) => {
                            *context = None;
                            message.payload = Payload::Json(batch);
                        }
                        None => {
                            *context = Some(message.context.clone());
                            return self.stop(message, Stop::Batched);
                        }
                    }
                }
                (Rule::Collect, Memory::Collect(latest)) => {
                    let label = message.context.label.as_ref().unwrap_or(&message.context.topic);
                    match latest.add(label, json) {
                        Some(collected) => message.payload = Payload::Json(collected),
                        None => return self.fail(at, Cause::CollectFull),
                    }
                }
                (Rule::Stash(label), _) => message.stashed.push((label.clone(), json)),
                // Each rule has the memory of its kind, from the beginning.
                (Rule::Parse(_) | Rule::Cov(_) | Rule::Burst(_) | Rule::Collect, _) => {}
            }
        }
        self.keep(message.stashed);
        Step::Passed(Departure {
            payload: message.payload.bytes(),
            context: message.context,
        })
    }

    fn suspend(&self, message: Passing, rule: usize, variable: usize, expression: Expression) -> Step {
        let Payload::Json(payload) = &message.payload else {
            return self.fail(rule, Cause::NotJson);
        };
        let question = match &self.rules.rules()[rule] {
            Rule::Filter(_) => Question::Truth,
            _ => Question::Value,
        };
        let evaluation = Evaluation {
            expression,
            question,
            payload: payload.clone(),
            context: message.context.clone(),
            stash: Arc::clone(&self.stash),
        };
        let suspended = Suspended {
            message,
            rule,
            variable,
        };
        Step::Evaluate(evaluation, Box::new(suspended))
    }

    fn stop(&mut self, message: Passing, stop: Stop) -> Step {
        self.keep(message.stashed);
        Step::Stopped(stop)
    }

    fn fail(&self, rule: usize, cause: Cause) -> Step {
        Step::Failed(Failure {
            rule: rule + 1,
            name: self.rules.rules()[rule].name(),
            cause,
        })
    }

    /// What a message has stashed is the last of the messages that follow it, not its own.
    fn keep(&mut self, stashed: Vec<(String, Json)>) {
        if !stashed.is_empty() {
            Arc::make_mut(&mut self.stash).extend(stashed);
        }
    }
}

impl Payload {
    /// What `parse` reads: of a string what it says, of any other value its JSON text.
    fn content(&self) -> Bytes {
        match self {
            Self::Json(json) => json.as_string().map_or_else(|| self.bytes(), Bytes::from),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }

    /// What is published.
    fn bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Json(json) => json.clone().into_bytes(),
        }
    }

    fn json(&self) -> Option<Json> {
        match self {
            Self::Bytes(bytes) => Json::new(bytes.clone()),
            Self::Json(json) => Some(json.clone()),
        }
    }
}

/// A `burst` without conditions lets messages pass.
fn is_inactive(rule: Burst) -> bool {
    rule.interval().is_none() && rule.max_size().is_none()
}
