//! The asking side of FlowSync: requests out, replies in, each transaction ended once.

use std::time::Duration;

use bytes::Bytes;
use syncline_core::codec::ReasonCode;
use syncline_core::flowsync::{Completion, Delivery, NodeId, Requester, Treq, Undeliverable};
use syncline_core::time::{Instant, UnixMillis};

use crate::border;
use crate::error_text::Fault;
use crate::node_config::NodeConfigHandle;
use crate::pointer::{self, Out, Slice};
use crate::result::Code;
use crate::transaction::{CompletionRecord, CountersRecord, json, transaction_id};

/// Open transactions, joined to their replies by id.
#[derive(Debug)]
pub struct RequesterHandle {
    requester: Requester,
    /// What the caller may be looking at.
    treq: Option<Treq>,
    completion: Option<Completion>,
}

/// A message to publish, not retained; its transaction is already waiting for the reply.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct TreqMessage {
    /// Topic Name.
    pub topic: Slice,
    /// Application Message, a JSON text.
    pub payload: Slice,
    /// When the transaction times out, on the clock of `now`.
    pub deadline: u64,
    /// The transaction's id, most significant byte first.
    pub transaction: [u8; 16],
    /// Quality of Service.
    pub qos: u8,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum DeliveryKind {
    /// No node reads this topic: the message is for somebody else.
    NotMine = 0,
    /// It ended a transaction: poll for its completion.
    Completed = 1,
    /// It was read and ends nothing: malformed, retained, late, repeated or of an unknown id.
    Ignored = 2,
}

/// Makes a requester without nodes.
///
/// `seed` has 32 bytes from the operating system's entropy: whoever knows it can foretell ids and forge replies. The
/// same seed gives the same ids, which is what tests want.
///
/// # Safety
/// `seed` points to `seed_len` bytes, `requester` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_new(
    seed: *const u8,
    seed_len: usize,
    requester: *mut *mut RequesterHandle,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (seed, out) = unsafe {
            (
                pointer::bytes(seed, seed_len, "seed")?,
                Out::new(requester, "requester")?,
            )
        };
        let seed = seed.try_into().map_err(|_| Fault::seed(seed))?;
        out.write(pointer::give(RequesterHandle {
            requester: Requester::new(seed),
            treq: None,
            completion: None,
        }));
        Ok(())
    })
}

/// Takes a requester back, with all that is open in it.
///
/// # Safety
/// `requester` is NULL, or came from `syncline_requester_new` and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_free(requester: *mut RequesterHandle) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(requester) };
    });
}

/// Adds a node; `node` is its number. Subscribe to its replies, and begin once the broker has confirmed that.
///
/// # Safety
/// `requester` and `config` are live handles, `node` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_add_node(
    requester: *mut RequesterHandle,
    config: *const NodeConfigHandle,
    node: *mut u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three.
        let (handle, config, out) = unsafe {
            (
                pointer::exclusive(requester, "requester")?,
                pointer::shared(config, "config")?,
                Out::new(node, "node")?,
            )
        };
        out.write(
            handle
                .requester
                .add_node(config.0.clone())
                .ok_or(Code::NodeRefused)?
                .to_u64(),
        );
        Ok(())
    })
}

/// Removes a node; its open transactions end as CANCELLED.
///
/// # Safety
/// `requester` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_remove_node(requester: *mut RequesterHandle, node: u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(requester, "requester") }?;
        handle
            .requester
            .remove_node(NodeId::from_u64(node))
            .map(|_| ())
            .ok_or(Code::NodeUnknown.into())
    })
}

/// Begins a transaction: registers it, then hands out the message to publish.
///
/// `value` is one JSON text. `token` is the caller's own number and comes back with the completion. `timeout_ms`
/// shortens the node's timeout for this request; 0 leaves it.
///
/// # Safety
/// `requester` is a live handle, `value` points to `value_len` bytes, `treq` to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_begin(
    requester: *mut RequesterHandle,
    now: u64,
    wall: u64,
    node: u64,
    value: *const u8,
    value_len: usize,
    token: u64,
    timeout_ms: u32,
    treq: *mut TreqMessage,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three.
        let (handle, value, out) = unsafe {
            (
                pointer::exclusive(requester, "requester")?,
                pointer::bytes(value, value_len, "value")?,
                Out::new(treq, "treq")?,
            )
        };
        let value = json(value)?;
        let timeout = (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms.into()));
        let begun = handle.requester.begin(
            Instant::from_micros(now),
            UnixMillis(wall),
            NodeId::from_u64(node),
            value,
            token,
            timeout,
        )?;
        let begun = handle.treq.insert(begun);
        out.write(TreqMessage {
            topic: begun.topic.as_str().into(),
            payload: begun.payload[..].into(),
            deadline: begun.deadline.as_micros(),
            transaction: *begun.transaction.as_bytes(),
            qos: begun.qos as u8,
        });
        Ok(())
    })
}

/// Takes in a message that was received; `delivery` says what became of it.
///
/// # Safety
/// `requester` is a live handle, `topic` points to `topic_len` bytes, `payload` to `payload_len`, `delivery` to the place
/// of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_handle_message(
    requester: *mut RequesterHandle,
    topic: *const u8,
    topic_len: usize,
    payload: *const u8,
    payload_len: usize,
    retained: bool,
    delivery: *mut DeliveryKind,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle and for the place of the result.
        let (handle, out) = unsafe {
            (
                pointer::exclusive(requester, "requester")?,
                Out::new(delivery, "delivery")?,
            )
        };
        // SAFETY: the caller vouches for both texts.
        let (topic, payload) = unsafe {
            (
                pointer::text(topic, topic_len, "topic")?,
                pointer::bytes(payload, payload_len, "payload")?,
            )
        };
        let payload = Bytes::copy_from_slice(payload);
        out.write(match handle.requester.handle_message(topic, &payload, retained) {
            Delivery::NotMine => DeliveryKind::NotMine,
            Delivery::Completed(_) => DeliveryKind::Completed,
            Delivery::Ignored(_) => DeliveryKind::Ignored,
        });
        Ok(())
    })
}

/// Ends every transaction whose deadline has come.
///
/// # Safety
/// `requester` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_handle_timeout(
    requester: *mut RequesterHandle,
    now: u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::exclusive(requester, "requester") }?
            .requester
            .handle_timeout(Instant::from_micros(now));
        Ok(())
    })
}

/// When `syncline_requester_handle_timeout` next has something to do; UINT64_MAX: never.
///
/// # Safety
/// `requester` is a live handle, `deadline` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_poll_timeout(
    requester: *const RequesterHandle,
    deadline: *mut u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both.
        let (handle, out) = unsafe {
            (
                pointer::shared(requester, "requester")?,
                Out::new(deadline, "deadline")?,
            )
        };
        out.write(
            handle
                .requester
                .poll_timeout()
                .unwrap_or(Instant::FAR_FUTURE)
                .as_micros(),
        );
        Ok(())
    })
}

/// The next transaction that has ended. SYNCLINE_RESULT_EMPTY: no further one has.
///
/// # Safety
/// `requester` is a live handle, `completion` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_poll(
    requester: *mut RequesterHandle,
    completion: *mut CompletionRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both.
        let (handle, out) = unsafe {
            (
                pointer::exclusive(requester, "requester")?,
                Out::new(completion, "completion")?,
            )
        };
        let completion = handle.requester.poll().ok_or(Code::Empty)?;
        let Completion {
            token,
            transaction,
            outcome,
        } = handle.completion.insert(completion);
        out.write(CompletionRecord::of(*token, *transaction, outcome));
        Ok(())
    })
}

/// The client of a transaction went away: it ends at once, without a completion. An ended one stays as it is.
///
/// # Safety
/// `requester` is a live handle, `transaction` points to 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_abort(
    requester: *mut RequesterHandle,
    transaction: *const u8,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both.
        let (handle, id) = unsafe {
            (
                pointer::exclusive(requester, "requester")?,
                transaction_id(transaction)?,
            )
        };
        handle.requester.abort(id);
        Ok(())
    })
}

/// The request of a transaction could not be delivered: it ends as UNDELIVERABLE. `reason_code` is the Reason Code by which the
/// broker refused it; 0: the connection was lost before it had left. An ended transaction stays as it is.
///
/// # Safety
/// `requester` is a live handle, `transaction` points to 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_undeliverable(
    requester: *mut RequesterHandle,
    transaction: *const u8,
    reason_code: u8,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both.
        let (handle, id) = unsafe {
            (
                pointer::exclusive(requester, "requester")?,
                transaction_id(transaction)?,
            )
        };
        let why = match reason_code {
            0 => Undeliverable::LinkLost,
            code => Undeliverable::Refused(ReasonCode(code)),
        };
        handle.requester.undeliverable(id, why);
        Ok(())
    })
}

/// Totals of all transactions.
///
/// # Safety
/// `requester` is a live handle, `counters` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_counters(
    requester: *const RequesterHandle,
    counters: *mut CountersRecord,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both.
        let (handle, out) = unsafe {
            (
                pointer::shared(requester, "requester")?,
                Out::new(counters, "counters")?,
            )
        };
        let requester = &handle.requester;
        out.write(CountersRecord::of(requester.open(), requester.counters()));
        Ok(())
    })
}

/// Ends every open transaction as CANCELLED.
///
/// # Safety
/// `requester` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_requester_cancel_all(requester: *mut RequesterHandle) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::exclusive(requester, "requester") }?
            .requester
            .cancel_all();
        Ok(())
    })
}
