//! Bytes of the connection: room to read into, and runs to write, neither copied.

use std::ffi::c_void;

use ::bytes::Buf as _;
use syncline_core::time::Instant;

use super::SessionHandle;
use crate::border;
use crate::pointer::{self, Out, OutArray};
use crate::result::Code;

/// Room for received bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Room {
    /// Where the first byte goes.
    pub data: *mut u8,
    /// How many there is room for; 0: stop reading for now.
    pub len: usize,
}

/// `struct iovec` of `<sys/uio.h>`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct IoVec {
    /// First byte.
    pub iov_base: *mut c_void,
    /// How many there are.
    pub iov_len: usize,
}

impl SessionHandle {
    /// Bytes that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.agent.transmit().remaining()
    }
}

/// Room to read into, to be followed by `syncline_session_rx_commit`. There is none without a connection, while it ends,
/// and while received packets wait to be polled: stop reading then, and TCP slows the server down.
///
/// # Safety
/// `session` is a live handle, `room` points to the place of the result. Room is written to before the next call with
/// this handle that changes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_rx_space(session: *mut SessionHandle, room: *mut Room) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (handle, out) = unsafe { (pointer::exclusive(session, "session")?, Out::new(room, "room")?) };
        let space = handle.agent.rx_space();
        let (data, len) = (space.as_mut_ptr(), space.len());
        handle.room = len;
        out.write(Room { data, len });
        Ok(())
    })
}

/// Takes over the first `len` bytes of the room that the call before showed. SYNCLINE_RESULT_OUT_OF_RANGE: there is less
/// room, or another call came between.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_rx_commit(session: *mut SessionHandle, len: usize) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        if len > handle.room {
            return Err(Code::OutOfRange.into());
        }
        handle.change().rx_commit(len);
        Ok(())
    })
}

/// What waits to be written, in order: up to `capacity` runs for `writev`. `count` is how many were written to `runs`; 0:
/// nothing waits. They stay until the next call with this handle that changes it.
///
/// # Safety
/// `session` is a live handle, `runs` points to `capacity` places, `count` to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_tx_iov(
    session: *const SessionHandle,
    runs: *mut IoVec,
    capacity: usize,
    count: *mut usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (handle, places, out) = unsafe {
            (
                pointer::shared(session, "session")?,
                OutArray::new(runs, capacity, "runs")?,
                Out::new(count, "count")?,
            )
        };
        let runs = handle.agent.transmit().runs();
        out.write(places.write(runs.map(|run| IoVec {
            iov_base: run.as_ptr().cast_mut().cast(),
            iov_len: run.len(),
        })));
        Ok(())
    })
}

/// Reports that the first `len` bytes of what waits were written. SYNCLINE_RESULT_OUT_OF_RANGE: fewer wait.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_session_tx_advance(
    session: *mut SessionHandle,
    now: u64,
    len: usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let handle = unsafe { pointer::exclusive(session, "session") }?;
        if len > handle.unwritten() {
            return Err(Code::OutOfRange.into());
        }
        handle.change().tx_advance(Instant::from_micros(now), len);
        Ok(())
    })
}
