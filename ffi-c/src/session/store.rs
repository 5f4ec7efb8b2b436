//! The store: records of an earlier process in, and what has become durable.

use bytes::Bytes;
use syncline_core::agent::Agent;
use syncline_core::session::store::{RestoreError, StoreKey};
use syncline_core::time::{Instant, UnixMillis};

use super::{SessionConfigHandle, SessionHandle};
use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::pointer::{self, Out, Slice};
use crate::result::Code;

/// A record as SYNCLINE_OUTPUT_KIND_STORE last put it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct StoredRecord {
    /// Key of the record.
    pub key: u64,
    /// The record.
    pub record: Slice,
}

/// What a restored session goes on with.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RestoredCounts {
    /// Messages that were not sent, in the queue. Their operations have the numbers that they had.
    pub queued: usize,
    /// Messages in flight: sent again, or finished, once the server resumes the Session.
    pub in_flight: usize,
    /// QoS 2 messages that were received and not released.
    pub received: usize,
}

/// Makes a session with a store: as `syncline_session_new`, with the state that `records` hold in any order. Without
/// records it is new.
///
/// It hands out SYNCLINE_OUTPUT_KIND_STORE, to be carried out in order and reported with `syncline_session_handle_persisted`;
/// what must not be sent before stays back until then. `now` and `wall` are the same moment on both clocks.
/// SYNCLINE_RESULT_RECORDS_INVALID: `error` names the record; they are as they were, nothing is lost yet.
///
/// # Safety
/// `config` is a live handle, `seed` points to `seed_len` bytes, `records` to `records_len` records that can be read;
/// `error` is NULL or points to a place for a text; `restored` to the place of the counts, `session` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_restore(
    config: *const SessionConfigHandle,
    seed: *const u8,
    seed_len: usize,
    now: u64,
    wall: u64,
    records: *const StoredRecord,
    records_len: usize,
    error: *mut ErrorText,
    restored: *mut RestoredCounts,
    session: *mut *mut SessionHandle,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for all of these pointers.
        let (config, seed, records, counts, out) = unsafe {
            (
                pointer::shared(config, "config")?,
                pointer::bytes(seed, seed_len, "seed")?,
                pointer::array(records, records_len, "records")?,
                Out::new(restored, "restored")?,
                Out::new(session, "session")?,
            )
        };
        let seed = seed.try_into().map_err(|_| Fault::seed(seed))?;
        let records = records.iter().map(|stored| {
            // SAFETY: the caller vouches for what the records point to.
            let record = unsafe { stored.record.bytes("record") }?;
            Ok((StoreKey::from_u64(stored.key), Bytes::copy_from_slice(record)))
        });
        let records: Vec<_> = records.collect::<Result<_, Fault>>()?;
        let (now, wall) = (Instant::from_micros(now), UnixMillis(wall));
        let made = Agent::restore(config.0.clone(), seed, now, wall, records);
        let (made, restored) = made.map_err(|error| match error {
            RestoreError::Config(_) => Fault::new(Code::ConfigInvalid, error),
            _ => Fault::new(Code::RecordsInvalid, error),
        })?;
        counts.write(RestoredCounts {
            queued: restored.queued,
            in_flight: restored.in_flight,
            received: restored.received,
        });
        out.write(pointer::give(SessionHandle::new(made)));
        Ok(())
    })
}

/// Reports that all store operations up to number `seq` are durable. One that was reported before, or was not handed out
/// yet, changes nothing more.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_handle_persisted(session: *mut SessionHandle, seq: u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::exclusive(session, "session") }?
            .change()
            .handle_persisted(seq);
        Ok(())
    })
}

/// Number of the last store operation that the session waits for. SYNCLINE_RESULT_EMPTY: it waits for none.
///
/// # Safety
/// `session` is a live handle, `seq` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_awaits_persisted(
    session: *const SessionHandle,
    seq: *mut u64,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe { (pointer::shared(session, "session")?, Out::new(seq, "seq")?) };
        out.write(handle.session().awaits_persisted().ok_or(Code::Empty)?);
        Ok(())
    })
}

/// Operations of the messages that are in flight or wait to be sent, those first: up to `capacity`. `count` is how many were
/// written to `ops`. After a restoration these are the ones that this process has inherited.
///
/// # Safety
/// `session` is a live handle, `ops` points to `capacity` numbers, `count` to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_unfinished(
    session: *const SessionHandle,
    ops: *mut u64,
    capacity: usize,
    count: *mut usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, places, out) = unsafe {
            (
                pointer::shared(session, "session")?,
                pointer::OutArray::new(ops, capacity, "ops")?,
                Out::new(count, "count")?,
            )
        };
        let unfinished = handle.session().unfinished_messages();
        out.write(places.write(unfinished.map(|op| op.to_u64())));
        Ok(())
    })
}
