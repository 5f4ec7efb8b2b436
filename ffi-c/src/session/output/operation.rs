//! The end of an operation, and a change of the store.

use syncline_core::session::store::Change;
use syncline_core::session::{Completion, Details, Loss, StoreOperation};

use crate::pointer::Slice;
use crate::result::Code;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum CompletionKind {
    /// QoS 0: written to the transport. QoS 1 and 2: acknowledged with `reason_code`, which may be an error.
    Published = 0,
    /// The server answered a SUBSCRIBE, with one of `reasons` a filter.
    Subscribed = 1,
    /// The server answered an UNSUBSCRIBE, with one of `reasons` a filter; none in 3.1.1.
    Unsubscribed = 2,
    /// The server accepted a re-authentication.
    Authenticated = 3,
    /// It is over without an acknowledgement: see `loss`.
    Lost = 4,
}

/// Why an operation ended without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum LossKind {
    /// It was not lost.
    None = 0,
    /// The connection ended first.
    LinkLost = 1,
    /// The server has lost the Session.
    SessionLost = 2,
    /// The message expired before it was sent or sent again.
    Expired = 3,
    /// It was dropped from a full queue for a newer one.
    Dropped = 4,
    /// The session was closed.
    Closed = 5,
    /// The server does not accept it: see `refusal`.
    NotAccepted = 6,
    /// Another reason.
    Other = 7,
}

/// The end of an operation.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CompletedRecord {
    /// Reason Codes in the order of the Topic Filters, one byte each.
    pub reason_codes: Slice,
    /// The server's own words, where it said any, else empty.
    pub reason_string: Slice,
    /// The operation, as the command gave it.
    pub op: u64,
    /// How it ended.
    pub kind: CompletionKind,
    /// Why it was lost.
    pub loss: LossKind,
    /// Result of a message that the server does not accept, else SYNCLINE_RESULT_OK.
    pub refusal: Code,
    /// Reason Code: of the acknowledgement, or the first of `reasons` that is an error, else 0.
    pub reason_code: u8,
}

/// One change of the stored state. Changes are numbered from 1 without a gap, and carried out in that order.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct StoreRecord {
    /// Number of the change, for `syncline_session_handle_persisted`.
    pub seq: u64,
    /// Key of the record.
    pub key: u64,
    /// What the record is from now on, whether or not there was one. Counts with `put` alone.
    pub record: Slice,
    /// Whether to put the record; if not, delete it. One that is not there counts as deleted.
    pub put: bool,
}

pub(super) fn details(completion: &Completion) -> &Details {
    match completion {
        Completion::Published { details, .. } | Completion::Authenticated(details) => details,
        Completion::Subscribed(reasons) | Completion::Unsubscribed(reasons) => reasons.details(),
        Completion::Lost(_) => &Details::NONE,
    }
}

pub(super) fn completed(op: u64, completion: &Completion, codes: &mut Vec<u8>) -> CompletedRecord {
    codes.clear();
    let (kind, loss, refusal, reason) = match completion {
        Completion::Published { reason, .. } => {
            (CompletionKind::Published, LossKind::None, Code::Ok, reason.0)
        }
        Completion::Subscribed(reasons) | Completion::Unsubscribed(reasons) => {
            codes.extend(reasons.iter().map(|reason| reason.0));
            let kind = match completion {
                Completion::Subscribed(_) => CompletionKind::Subscribed,
                _ => CompletionKind::Unsubscribed,
            };
            let error = reasons.first_error().map_or(0, |reason| reason.0);
            (kind, LossKind::None, Code::Ok, error)
        }
        Completion::Authenticated(_) => (CompletionKind::Authenticated, LossKind::None, Code::Ok, 0),
        Completion::Lost(loss) => {
            let (loss, refusal) = lost(*loss);
            (CompletionKind::Lost, loss, refusal, 0)
        }
    };
    CompletedRecord {
        reason_codes: codes[..].into(),
        reason_string: details(completion).reason_string().into(),
        op,
        kind,
        loss,
        refusal,
        reason_code: reason,
    }
}

fn lost(loss: Loss) -> (LossKind, Code) {
    let kind = match loss {
        Loss::LinkLost => LossKind::LinkLost,
        Loss::SessionLost => LossKind::SessionLost,
        Loss::Expired => LossKind::Expired,
        Loss::Dropped => LossKind::Dropped,
        Loss::Closed => LossKind::Closed,
        Loss::NotAccepted(refusal) => return (LossKind::NotAccepted, refusal.into()),
        _ => LossKind::Other,
    };
    (kind, Code::Ok)
}

pub(super) fn store(operation: &StoreOperation) -> StoreRecord {
    let (put, record) = match &operation.change {
        Change::Put(record) => (true, Slice::from(&record[..])),
        Change::Delete => (false, Slice::EMPTY),
    };
    StoreRecord {
        seq: operation.seq,
        key: operation.key.to_u64(),
        record,
        put,
    }
}
