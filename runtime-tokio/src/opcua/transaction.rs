//! Nodes that hold: a Write or a Call waits for the reply, after the node's rules where it has any.

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};

use super::failure::{self, Failure};
use crate::driver::Node;
use crate::envelope::{enveloped, value_of_result};
use crate::node_rules::{Ended, NodeRules};
use crate::service::plan::TransactionPlan;

use opcua::types::StatusCode;

/// Holds the requests of one node.
#[derive(Debug)]
pub(crate) struct Transaction {
    node: Node,
    ruled: Option<Box<Ruled>>,
}

/// What a request goes through before it becomes a transaction, and in what time.
#[derive(Debug)]
struct Ruled {
    rules: NodeRules,
    plan: TransactionPlan,
}

impl Transaction {
    /// Requests become transactions as they are, or go through `rules` before, which is a part of the time that they are held.
    pub(crate) fn new(node: Node, rules: Option<NodeRules>, plan: &TransactionPlan) -> Self {
        let ruled = rules.map(|rules| {
            Box::new(Ruled {
                rules,
                plan: plan.clone(),
            })
        });
        Self { node, ruled }
    }

    /// Publishes `value` and waits for what becomes of it: the JSON text of the reply's value.
    pub(super) async fn request(&self, value: Box<RawValue>) -> Result<Bytes, Failure> {
        match &self.ruled {
            None => failure::completion(self.node.request(value, None).await),
            // On the heap, for most nodes have no rules, and each held request keeps its future.
            Some(ruled) => Box::pin(self.request_by_rules(ruled, value)).await,
        }
    }

    async fn request_by_rules(&self, ruled: &Ruled, value: Box<RawValue>) -> Result<Bytes, Failure> {
        let Ruled { rules, plan } = ruled;
        if !self.node.is_ready() {
            return failure::completion(self.node.request(value, None).await);
        }
        let begun = Instant::now();
        let message = enveloped(&value).into();
        drop(value);
        let passed = match timeout(plan.timeout, rules.pass(message)).await {
            Ok(Ok(passed)) => passed,
            Ok(Err(Ended::Busy)) => return Err(Failure::busy()),
            Ok(Err(Ended::Stopping)) => return Err(Failure::stopping()),
            Ok(Err(Ended::Failed(failure))) => return Err(failure::rule_failed(&failure)),
            // Nobody will ever answer it, so its client is told at once.
            Ok(Err(Ended::Stopped | Ended::Batched)) => {
                let text = "the rules of this node do not let the request pass";
                return Err(Failure::new(StatusCode::BadRequestNotAllowed, text));
            }
            Err(_) => {
                return Err(failure::timed_out(
                    plan.timeout_error_code,
                    &plan.timeout_error_message,
                ));
            }
        };
        let value = value_of_result(&passed).ok_or_else(|| {
            let text = "the rules of this node make no JSON of the request";
            Failure::new(StatusCode::BadInternalError, text)
        })?;
        let left = plan.timeout.saturating_sub(begun.elapsed());
        failure::completion(self.node.request(value.to_owned(), Some(left)).await)
    }
}
