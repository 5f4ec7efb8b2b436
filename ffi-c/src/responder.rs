//! The answering side of FlowSync: requests in, each handed out once, and one answer for each.

use std::time::Duration;

use syncline_core::flowsync::{Answer, Incoming, Responder, ResponderConfig, TransactionId, tres_topic};
use syncline_core::time::{Instant, UnixMillis};

use crate::border;
use crate::error_text::Fault;
use crate::pointer::{self, Out, Slice};
use crate::result::Code;
use crate::shared_bytes::SharedBytes;
use crate::transaction::{json, transaction_id};

/// Requests that were received, joined to their answers by id.
#[derive(Debug)]
pub struct ResponderHandle {
    responder: Responder,
    /// What the caller may be looking at.
    incoming: Option<Incoming>,
    tres: Option<SharedBytes>,
    topic: String,
}

/// Bounds of a responder; all zeros: the defaults.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ResponderBounds {
    /// Transactions remembered at once, answered or not. Default 10000.
    pub max_transactions: usize,
    /// Bytes of answers kept for repetition. Default 1048576.
    pub max_answer_bytes: usize,
    /// How long a transaction is remembered after its request, in milliseconds. Default 60000; at least the longest timeout
    /// of the requesters, or a request that comes again after a reconnect is handed out a second time.
    pub retention_ms: u64,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum IncomingKind {
    /// Work on it, then call `syncline_responder_respond` or `syncline_responder_fail`.
    Fresh = 0,
    /// It has been answered before: publish `tres` again.
    Repeated = 1,
    /// It is being worked on; its answer will serve both.
    InProgress = 2,
    /// It names no transaction.
    Malformed = 3,
    /// As many transactions as may be are in progress.
    Overloaded = 4,
}

/// A request that came in.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct IncomingRecord {
    /// JSON text of the value of a FRESH request, else empty.
    pub value: Slice,
    /// Answer of a REPEATED request, else empty.
    pub tres: Slice,
    /// The same, for `syncline_bytes_retain` and to publish it without a copy; else NULL.
    pub shared: *const SharedBytes,
    /// When the requester of a FRESH request made it, Unix time in milliseconds by its own clock; 0: it did not say.
    pub timestamp: u64,
    /// When the requester of a FRESH request stops waiting, on the clock of `now`; UINT64_MAX: it did not say.
    pub deadline: u64,
    /// The id of a FRESH request's transaction, most significant byte first, else zeros.
    pub transaction: [u8; 16],
    /// What to do with it.
    pub kind: IncomingKind,
}

/// An answer to publish on the topic that `syncline_responder_topic` gives for the request's.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct TresMessage {
    /// Application Message, a JSON text.
    pub payload: Slice,
    /// The same, for `syncline_bytes_retain` and to publish it without a copy.
    pub shared: *const SharedBytes,
}

/// Makes a responder that remembers nothing yet. `bounds` NULL: the defaults, as where a bound is 0.
///
/// # Safety
/// `bounds` is NULL or points to bounds, `responder` points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_new(
    bounds: *const ResponderBounds,
    responder: *mut *mut ResponderHandle,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (bounds, out) = unsafe { (pointer::optional(bounds), Out::new(responder, "responder")?) };
        let mut config = ResponderConfig::default();
        if let Some(bounds) = bounds {
            if bounds.max_transactions > 0 {
                config.max_transactions = bounds.max_transactions;
            }
            if bounds.max_answer_bytes > 0 {
                config.max_answer_bytes = bounds.max_answer_bytes;
            }
            if bounds.retention_ms > 0 {
                config.retention = Duration::from_millis(bounds.retention_ms);
            }
        }
        out.write(pointer::give(ResponderHandle {
            responder: Responder::new(config),
            incoming: None,
            tres: None,
            topic: String::new(),
        }));
        Ok(())
    })
}

/// Takes a responder back, with all that it remembers.
///
/// # Safety
/// `responder` is NULL, or came from `syncline_responder_new` and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_free(responder: *mut ResponderHandle) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(responder) };
    });
}

/// Takes in a message that was received on a topic that ends with `/treq`; `incoming` says what to do with it.
///
/// `payload` is held, not copied. `expiry_ms` is the message's Message Expiry Interval in milliseconds; 0: it has none.
///
/// # Safety
/// `responder` is a live handle; `payload` is held, or was pointed out by the last call with its handle; `incoming` points
/// to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_handle_request(
    responder: *mut ResponderHandle,
    now: u64,
    payload: *const SharedBytes,
    expiry_ms: u64,
    incoming: *mut IncomingRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, payload, out) = unsafe {
            (
                pointer::exclusive(responder, "responder")?,
                pointer::shared(payload, "payload")?,
                Out::new(incoming, "incoming")?,
            )
        };
        let now = Instant::from_micros(now);
        let expiry = (expiry_ms > 0).then(|| Duration::from_millis(expiry_ms));
        let incoming = handle.responder.handle_request(now, &payload.0, expiry);
        out.write(record(handle.incoming.insert(incoming), &mut handle.tres));
        Ok(())
    })
}

/// Answers a transaction with a value, one JSON text; `tres` is to be published.
///
/// # Safety
/// `responder` is a live handle, `transaction` points to 16 bytes, `value` to `value_len`, `tres` to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_respond(
    responder: *mut ResponderHandle,
    wall: u64,
    transaction: *const u8,
    value: *const u8,
    value_len: usize,
    tres: *mut TresMessage,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all four pointers.
        let (handle, id, value, out) = unsafe {
            (
                pointer::exclusive(responder, "responder")?,
                transaction_id(transaction)?,
                pointer::bytes(value, value_len, "value")?,
                Out::new(tres, "tres")?,
            )
        };
        let value = json(value)?;
        out.write(handle.answer(wall, id, &Answer::Value(value))?);
        Ok(())
    })
}

/// Answers a transaction with an error; `tres` is to be published. `code` is in the terms of the client's protocol: for HTTP
/// 400 to 599.
///
/// # Safety
/// `responder` is a live handle, `transaction` points to 16 bytes, `message` to `message_len`, `tres` to the place of the
/// result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_fail(
    responder: *mut ResponderHandle,
    wall: u64,
    transaction: *const u8,
    code: i64,
    message: *const u8,
    message_len: usize,
    tres: *mut TresMessage,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all four pointers.
        let (handle, id, message, out) = unsafe {
            (
                pointer::exclusive(responder, "responder")?,
                transaction_id(transaction)?,
                pointer::text(message, message_len, "message")?,
                Out::new(tres, "tres")?,
            )
        };
        out.write(handle.answer(wall, id, &Answer::Error { code, message })?);
        Ok(())
    })
}

/// The topic of the answers to the requests on `treq`: with `/tres` for `/treq`. SYNCLINE_RESULT_TOPIC_INVALID: it does not
/// end so.
///
/// # Safety
/// `responder` is a live handle, `treq` points to `treq_len` bytes, `topic` to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_topic(
    responder: *mut ResponderHandle,
    treq: *const u8,
    treq_len: usize,
    topic: *mut Slice,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, treq, out) = unsafe {
            (
                pointer::exclusive(responder, "responder")?,
                pointer::text(treq, treq_len, "treq")?,
                Out::new(topic, "topic")?,
            )
        };
        handle.topic = tres_topic(treq).ok_or(Code::TopicInvalid)?;
        out.write(handle.topic.as_str().into());
        Ok(())
    })
}

/// Forgets what is past its retention.
///
/// # Safety
/// `responder` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_handle_timeout(
    responder: *mut ResponderHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(responder, "responder") }?;
        handle.responder.handle_timeout(Instant::from_micros(now));
        Ok(())
    })
}

/// When `syncline_responder_handle_timeout` next has something to forget; UINT64_MAX: never.
///
/// # Safety
/// `responder` is a live handle, `deadline` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_responder_poll_timeout(
    responder: *const ResponderHandle,
    deadline: *mut u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe {
            (
                pointer::shared(responder, "responder")?,
                Out::new(deadline, "deadline")?,
            )
        };
        let next = handle.responder.poll_timeout();
        out.write(next.unwrap_or(Instant::FAR_FUTURE).as_micros());
        Ok(())
    })
}

impl ResponderHandle {
    fn answer(&mut self, wall: u64, id: TransactionId, answer: &Answer<'_>) -> Result<TresMessage, Fault> {
        let tres = self.responder.respond(UnixMillis(wall), id, answer)?;
        let tres = self.tres.insert(SharedBytes(tres));
        Ok(TresMessage {
            payload: tres.0[..].into(),
            shared: tres,
        })
    }
}

fn record(incoming: &Incoming, kept: &mut Option<SharedBytes>) -> IncomingRecord {
    let mut record = IncomingRecord {
        value: Slice::EMPTY,
        tres: Slice::EMPTY,
        shared: std::ptr::null(),
        timestamp: 0,
        deadline: Instant::FAR_FUTURE.as_micros(),
        transaction: [0; 16],
        kind: IncomingKind::Malformed,
    };
    match incoming {
        Incoming::Fresh {
            transaction,
            timestamp,
            value,
            deadline,
        } => {
            record.kind = IncomingKind::Fresh;
            record.transaction = *transaction.as_bytes();
            record.value = value[..].into();
            record.timestamp = timestamp.map_or(0, |at| at.0);
            record.deadline = deadline.unwrap_or(Instant::FAR_FUTURE).as_micros();
        }
        Incoming::Repeated(tres) => {
            let tres = kept.insert(SharedBytes(tres.clone()));
            record.kind = IncomingKind::Repeated;
            record.tres = tres.0[..].into();
            record.shared = tres;
        }
        Incoming::InProgress => record.kind = IncomingKind::InProgress,
        Incoming::Malformed(_) => record.kind = IncomingKind::Malformed,
        Incoming::Overloaded => record.kind = IncomingKind::Overloaded,
    }
    record
}
