//! What becomes of requests: the message to publish or why there is none, how each ends, and what a reply was found to be.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::envelope::Malformed;
use super::{ErrorCode, JsonText, TransactionId};
use crate::codec::{QoS, ReasonCode};
use crate::time::Instant;
use crate::topic::TopicName;

/// A message to publish: not retained, to be given up at `deadline`.
#[derive(Debug, Clone)]
pub struct Treq {
    /// The transaction, already waiting for its reply.
    pub transaction: TransactionId,
    /// Topic Name `<base>/treq`.
    pub topic: TopicName,
    /// Topic Name `<base>/tres`, the Response Topic.
    pub reply_to: TopicName,
    /// QoS of the node.
    pub qos: QoS,
    /// The envelope.
    pub payload: Bytes,
    /// When the transaction times out.
    pub deadline: Instant,
}

/// Why a request was not taken. Nothing was registered or published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The handle names no node, or a removed one.
    #[error("no such node")]
    NoSuchNode,
    /// The node holds as many transactions as it may.
    #[error("node has {limit} transactions in flight, which is its limit")]
    TooManyInFlight {
        /// `maxInFlight` of the node.
        limit: usize,
    },
    /// The link to the broker is down.
    #[error("broker link is down")]
    LinkDown,
    /// The broker has not yet confirmed the subscription to the node's replies.
    #[error("subscription to the node's replies is not confirmed yet")]
    NotReady,
    /// The session's queue of outgoing messages is full.
    #[error("queue of outgoing messages is full")]
    QueueFull,
    /// The request is larger than the broker accepts.
    #[error("request is larger than the broker's maximum packet size")]
    TooLarge,
    /// The broker does not accept the node's QoS.
    #[error("broker does not accept the node's QoS")]
    QosNotSupported,
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The reply carried `value`.
    Replied {
        /// JSON text of the value, a part of the received payload.
        value: JsonText,
    },
    /// The reply carried `error`.
    Failed {
        /// `error.code` as it came; the client's protocol decides whether it can be sent on.
        code: ErrorCode,
        /// `error.message`.
        message: String,
    },
    /// No valid reply came in time.
    TimedOut {
        /// `timeoutErrorCode` of the node.
        code: u32,
        /// `timeoutErrorMessage` of the node.
        message: Arc<str>,
    },
    /// The node was removed, or the agent stops.
    Cancelled,
    /// The treq did not reach anyone who could answer it.
    Undeliverable(Undeliverable),
}

/// Why a treq was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undeliverable {
    /// The link went down before the message had left.
    #[error("broker link was lost before the request had left")]
    LinkLost,
    /// The broker refused the message.
    #[error("broker refused the request: {0}")]
    Refused(ReasonCode),
}

/// A transaction that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The caller's own value from [`Requester::begin`](super::Requester::begin).
    pub token: u64,
    /// The transaction.
    pub transaction: TransactionId,
    /// Its one outcome.
    pub outcome: Outcome,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// No node reads this topic: the message is for somebody else.
    NotMine,
    /// It completed this transaction.
    Completed(TransactionId),
    /// It changed nothing but a counter.
    Ignored(Ignored),
}

/// Why a tres changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// A retained message is from the past by definition.
    #[error("reply is retained")]
    Retained,
    /// It names no transaction.
    #[error("reply is malformed: {0}")]
    Malformed(Malformed),
    /// The transaction already has its reply.
    #[error("reply is a duplicate")]
    Duplicate,
    /// The transaction ended without a reply.
    #[error("reply came too late")]
    Late,
    /// The transaction was never begun here, is forgotten, or belongs to another node.
    #[error("reply names no transaction of this node")]
    Unknown,
}

/// Totals since the requester was made.
///
/// `begun` equals `open` plus the six ways to end; each tres that a node received is counted once, as `replied` or
/// `failed` or as one of the last five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Counters {
    pub begun: u64,
    pub replied: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub aborted: u64,
    pub cancelled: u64,
    pub undeliverable: u64,
    pub late: u64,
    pub duplicate: u64,
    pub unknown: u64,
    pub malformed: u64,
    pub retained: u64,
}
