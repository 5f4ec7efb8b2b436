//! Transactions as C sees them, whoever holds them: their ids, how they ended, and their totals.

use serde_json::value::RawValue;
use syncline_core::flowsync::{Counters, Outcome, TransactionId};

use crate::error_text::Fault;
use crate::pointer::{self, Slice};
use crate::result::Code;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum OutcomeKind {
    /// A reply with a value came.
    Replied = 0,
    /// A reply with an error came.
    Failed = 1,
    /// No reply came in time.
    TimedOut = 2,
    /// The node was removed, or everything was cancelled.
    Cancelled = 3,
    /// The request did not reach anyone who could answer.
    Undeliverable = 4,
}

/// A transaction that has ended.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CompletionRecord {
    /// The caller's own number from `syncline_requester_begin`.
    pub token: u64,
    /// Error code: the reply's for FAILED, which is 500 where it has a name instead; the node's for TIMED_OUT, else 0.
    pub code: i64,
    /// Name that the reply of FAILED has in place of a number, of letters, digits and `_`; else empty.
    pub code_name: Slice,
    /// JSON text of the value for REPLIED, else empty.
    pub value: Slice,
    /// Error text for FAILED and TIMED_OUT, else empty.
    pub message: Slice,
    /// The transaction's id, most significant byte first.
    pub transaction: [u8; 16],
    /// How it ended.
    pub outcome: OutcomeKind,
}

/// Totals of all transactions. `begun` is `open` and the six ways to end; each reply is counted once, as REPLIED or FAILED
/// or as one of the last five.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CountersRecord {
    /// Transactions that wait for a reply now.
    pub open: u64,
    /// Transactions that were begun.
    pub begun: u64,
    /// A reply with a value came.
    pub replied: u64,
    /// A reply with an error came.
    pub failed: u64,
    /// No reply came in time.
    pub timed_out: u64,
    /// The client went away.
    pub aborted: u64,
    /// The node was removed, or everything was cancelled.
    pub cancelled: u64,
    /// The request could not be delivered.
    pub undeliverable: u64,
    /// Replies after the end of their transaction.
    pub late: u64,
    /// Replies after a reply.
    pub duplicate: u64,
    /// Replies to no transaction.
    pub unknown: u64,
    /// Messages that are no reply.
    pub malformed: u64,
    /// Retained messages.
    pub retained: u64,
}

/// The JSON text that a value is.
pub(crate) fn json(value: &[u8]) -> Result<&RawValue, Fault> {
    serde_json::from_slice(value)
        .map_err(|error| Fault::new(Code::NotJson, format_args!("value is not one JSON text: {error}")))
}

/// The transaction whose id is at `data`.
///
/// # Safety
/// Unless NULL, `data` points to 16 bytes that can be read.
pub(crate) unsafe fn transaction_id(data: *const u8) -> Result<TransactionId, Fault> {
    // SAFETY: the caller vouches for the bytes, which need no alignment.
    let bytes = unsafe { pointer::shared(data.cast::<[u8; 16]>(), "transaction") }?;
    Ok(TransactionId::from_bytes(*bytes))
}

impl CompletionRecord {
    pub(crate) fn of(token: u64, transaction: TransactionId, outcome: &Outcome) -> Self {
        let code_name = match outcome {
            Outcome::Failed { code, .. } => code.name().map_or(Slice::EMPTY, |name| name.as_str().into()),
            _ => Slice::EMPTY,
        };
        let (outcome, code, value, message) = match outcome {
            Outcome::Replied { value } => (OutcomeKind::Replied, 0, Slice::from(&value[..]), Slice::EMPTY),
            Outcome::Failed { code, message } => (
                OutcomeKind::Failed,
                code.number(),
                Slice::EMPTY,
                message.as_str().into(),
            ),
            Outcome::TimedOut { code, message } => (
                OutcomeKind::TimedOut,
                i64::from(*code),
                Slice::EMPTY,
                Slice::from(&**message),
            ),
            Outcome::Cancelled => (OutcomeKind::Cancelled, 0, Slice::EMPTY, Slice::EMPTY),
            Outcome::Undeliverable(_) => (OutcomeKind::Undeliverable, 0, Slice::EMPTY, Slice::EMPTY),
        };
        Self {
            token,
            code,
            code_name,
            value,
            message,
            transaction: *transaction.as_bytes(),
            outcome,
        }
    }
}

impl CountersRecord {
    pub(crate) fn of(open: usize, counters: &Counters) -> Self {
        Self {
            open: open as u64,
            begun: counters.begun,
            replied: counters.replied,
            failed: counters.failed,
            timed_out: counters.timed_out,
            aborted: counters.aborted,
            cancelled: counters.cancelled,
            undeliverable: counters.undeliverable,
            late: counters.late,
            duplicate: counters.duplicate,
            unknown: counters.unknown,
            malformed: counters.malformed,
            retained: counters.retained,
        }
    }
}
