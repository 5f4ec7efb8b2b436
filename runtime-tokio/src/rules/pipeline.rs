//! A chain of rules with the threads that its expressions run on, its counters and its log.

use std::collections::HashSet;
use std::sync::Arc;

use syncline_core::time::Instant;

use super::chain::{Arrival, Chain, Departure, Step};
use super::counters::Counters;
use super::definition::RuleList;
use super::evaluators::Evaluators;
use super::failure::{Cause, Failure};
use super::limits::FAILURES_TOLD;

/// Takes messages through the rules of one mapping, endpoint or node, one after the other.
#[derive(Debug)]
pub(crate) struct Pipeline {
    chain: Chain,
    /// Absent where the rules have no expression.
    evaluators: Option<Evaluators>,
    /// What the log calls it.
    owner: Arc<str>,
    counters: Arc<Counters>,
    told: HashSet<Failure>,
    told_of_rounding: bool,
}

impl Pipeline {
    pub(crate) fn new(
        rules: RuleList,
        evaluators: Option<Evaluators>,
        owner: Arc<str>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            chain: Chain::new(rules),
            evaluators,
            owner,
            counters,
            told: HashSet::new(),
            told_of_rounding: false,
        }
    }

    /// Takes in a message; `Some` is what has passed all rules.
    pub(crate) async fn handle_message(&mut self, now: Instant, arrival: Arrival) -> Option<Departure> {
        self.counters.count_received();
        let step = self.chain.handle_message(now, arrival);
        self.go_on(now, step).await
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.chain.poll_timeout()
    }

    /// Passes on one batch whose time is over.
    pub(crate) async fn handle_timeout(&mut self, now: Instant) -> Option<Departure> {
        let step = self.chain.handle_timeout(now)?;
        self.go_on(now, step).await
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    async fn go_on(&mut self, now: Instant, mut step: Step) -> Option<Departure> {
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
                Step::Passed(departure) => return Some(departure),
                Step::Stopped(_) => {
                    self.counters.count_stopped();
                    return None;
                }
                Step::Failed(failure) => {
                    self.counters.count_failed();
                    self.tell(failure);
                    return None;
                }
            }
        }
    }

    /// Logs each failure once.
    fn tell(&mut self, failure: Failure) {
        if self.told.len() < FAILURES_TOLD && !self.told.contains(&failure) {
            tracing::warn!(
                "{}: a message is dropped, further ones are only counted: {failure}",
                self.owner
            );
            self.told.insert(failure);
        }
    }
}
