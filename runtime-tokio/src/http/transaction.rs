//! Nodes that hold: a client's request waits for the reply, after the node's rules where it has any.

use http::StatusCode;
use serde_json::value::RawValue;
use syncline_core::agent::Terms;
use syncline_core::flowsync::Outcome;
use tokio::time::{Instant, timeout};

use super::reply::{self, Failure, Reply};
use crate::driver::Node;
use crate::envelope::{enveloped, value_of_result};
use crate::node_rules::NodeRules;
use crate::service::plan::TransactionPlan;

/// Holds the requests of one node.
#[derive(Debug)]
pub struct Transaction {
    pub(super) node: Node,
    ruled: Option<Box<Ruled>>,
}

/// What a request goes through before it becomes a transaction, and in what time.
#[derive(Debug)]
struct Ruled {
    rules: NodeRules,
    plan: TransactionPlan,
}

impl Transaction {
    /// Requests become transactions as they are.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self { node, ruled: None }
    }

    /// Requests go through `rules` before, which is a part of the time that they are held.
    #[must_use]
    pub(crate) fn ruled(self, rules: NodeRules, plan: &TransactionPlan) -> Self {
        let plan = plan.clone();
        let ruled = Some(Box::new(Ruled { rules, plan }));
        Self { ruled, ..self }
    }

    /// Publishes `value` on `terms` and answers with what becomes of it.
    ///
    /// # Errors
    /// The reply's own, the node's after its time, 503 without a broker; 422 for what the rules do not let pass.
    pub(super) async fn request(&self, value: Box<RawValue>, terms: Terms) -> Result<Reply, Failure> {
        match &self.ruled {
            None => reply::completion(self.node.request_on(value, terms).await),
            // On the heap, for most nodes have no rules, and each held request keeps its future.
            Some(ruled) => Box::pin(self.request_by_rules(ruled, value, terms)).await,
        }
    }

    async fn request_by_rules(
        &self,
        Ruled { rules, plan }: &Ruled,
        value: Box<RawValue>,
        terms: Terms,
    ) -> Result<Reply, Failure> {
        let patience = terms.timeout.map_or(plan.timeout, |wait| wait.min(plan.timeout));
        let begun = Instant::now();
        let message = enveloped(&value).into();
        drop(value);
        let value = match timeout(patience, rules.pass(message)).await {
            Ok(Ok(passed)) => value_of_result(&passed).map(ToOwned::to_owned).ok_or_else(|| {
                let message = "the rules of this node make no JSON of the request";
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message).certainly_unpublished()
            })?,
            // What they stop, nobody will ever answer, so its client is told at once.
            Ok(Err(ended)) => return Err(reply::unruled(&ended)),
            Err(_) => {
                let outcome = Outcome::TimedOut {
                    code: plan.timeout_error_code,
                    message: plan.timeout_error_message.as_str().into(),
                };
                return reply::completion(Ok(outcome)).map_err(Failure::certainly_unpublished);
            }
        };
        let left = Terms {
            timeout: Some(patience.saturating_sub(begun.elapsed())),
            ..terms
        };
        reply::completion(self.node.request_on(value, left).await)
    }
}
