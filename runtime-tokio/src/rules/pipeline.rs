//! A chain of rules with the threads that its expressions run on, its counters and its log.

use std::collections::HashSet;
use std::sync::Arc;

use syncline_core::time::{Duration, Instant};
use tokio::time::{Instant as Moment, sleep_until};

use super::chain::{Arrival, Chain, Departure, Step, Stop};
use super::counters::Counters;
use super::definition::RuleList;
use super::evaluators::Evaluators;
use super::failure::{Cause, Failure};
use super::limits::FAILURES_TOLD;
use crate::log_name::LogName;

/// Why a message has not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// A rule stopped it, as rules should.
    Stopped(Stop),
    /// A rule failed.
    Failed(Failure),
}

/// Takes messages through the rules of one mapping, endpoint or node, one after the other.
#[derive(Debug)]
pub(crate) struct Pipeline {
    chain: Chain,
    /// Absent where the rules have no expression.
    evaluators: Option<Evaluators>,
    /// What the log calls it.
    owner: LogName,
    counters: Arc<Counters>,
    start: Moment,
    told: HashSet<Failure>,
    told_of_rounding: bool,
}

impl Pipeline {
    /// Takes messages through `rules`. Without an expression among them it keeps none of the `evaluators`.
    pub(crate) fn new(
        rules: RuleList,
        evaluators: Option<&Evaluators>,
        owner: impl Into<LogName>,
        counters: Arc<Counters>,
    ) -> Self {
        let evaluators = evaluators.filter(|_| rules.has_expression()).cloned();
        Self {
            chain: Chain::new(rules),
            evaluators,
            owner: owner.into(),
            counters,
            start: Moment::now(),
            told: HashSet::new(),
            told_of_rounding: false,
        }
    }

    /// Takes in a message; `Some` is what has passed all rules.
    pub(crate) async fn handle_message(&mut self, arrival: Arrival) -> Option<Departure> {
        self.judge(arrival).await.ok()
    }

    /// As [`handle_message`](Self::handle_message), for who has to tell why a message has not passed.
    pub(crate) async fn judge(&mut self, arrival: Arrival) -> Result<Departure, Dropped> {
        self.counters.count_received();
        let now = self.now();
        let step = self.chain.handle_message(now, arrival);
        self.go_on(now, step).await
    }

    /// When [`handle_due`](Self::handle_due) next has something to do.
    pub(crate) fn due(&self) -> Option<Moment> {
        let due = self.chain.poll_timeout()?;
        Some(self.start + Duration::from_micros(due.as_micros()))
    }

    /// Passes on one batch whose time is over.
    pub(crate) async fn handle_due(&mut self) -> Option<Departure> {
        let now = self.now();
        let step = self.chain.handle_timeout(now)?;
        self.go_on(now, step).await.ok()
    }

    /// Passes on one batch that is not complete, for there will be no more messages; `None` when there are none left.
    pub(crate) async fn handle_end(&mut self) -> Option<Departure> {
        loop {
            let now = self.now();
            let step = self.chain.handle_end(now)?;
            // A rule behind `burst` may have stopped it, or keep it for a batch of its own.
            if let Ok(departure) = self.go_on(now, step).await {
                return Some(departure);
            }
        }
    }

    /// What has passed has gone on. For who publishes nothing that would be counted by itself.
    pub(crate) fn count_passed(&self) {
        self.counters.count_passed();
    }

    fn now(&self) -> Instant {
        let micros = u64::try_from(self.start.elapsed().as_micros());
        Instant::from_micros(micros.unwrap_or(u64::MAX))
    }

    async fn go_on(&mut self, now: Instant, mut step: Step) -> Result<Departure, Dropped> {
        loop {
            match step {
                Step::Evaluate(evaluation, suspended) => {
                    if !self.told_of_rounding && evaluation.payload.has_inexact_integer() {
                        self.told_of_rounding = true;
                        tracing::warn!(
                            "{}: a message has an integer beyond 2^53, which expressions round; send it as a string",
                            self.owner
                        );
                    }
                    let result = match &self.evaluators {
                        Some(evaluators) => evaluators.evaluate(evaluation).await,
                        None => Err(Cause::Stopping),
                    };
                    step = self.chain.resume(now, *suspended, result);
                }
                Step::Passed(departure) => return Ok(departure),
                Step::Stopped(stop) => {
                    match stop {
                        Stop::Batched => self.counters.count_batched(),
                        Stop::Undefined | Stop::Filtered | Stop::Unchanged => self.counters.count_stopped(),
                    }
                    return Err(Dropped::Stopped(stop));
                }
                Step::Failed(failure) => {
                    self.counters.count_failed();
                    self.tell(&failure);
                    return Err(Dropped::Failed(failure));
                }
            }
        }
    }

    /// Logs each failure once.
    fn tell(&mut self, failure: &Failure) {
        if self.told.len() < FAILURES_TOLD && !self.told.contains(failure) {
            tracing::warn!(
                "{}: a message is dropped, further ones are only counted: {failure}",
                self.owner
            );
            self.told.insert(failure.clone());
        }
    }
}

/// Waits until `moment`; for ever where there is none.
pub(crate) async fn at(moment: Option<Moment>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
