//! Bytes with a count of holders: a received payload that is kept, or one to publish, without a copy.

use bytes::Bytes;

use crate::border;
use crate::pointer::{self, Out, Slice};
use crate::result::Code;

/// Bytes that are freed when the last holder releases them. Nobody changes them, so any thread may hold them.
#[derive(Debug, Clone)]
pub struct SharedBytes(pub(crate) Bytes);

/// Copies `len` bytes into memory of their own, held once.
///
/// # Safety
/// `data` points to `len` bytes, `shared` to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_bytes_new(
    data: *const u8,
    len: usize,
    shared: *mut *mut SharedBytes,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (data, out) = unsafe { (pointer::bytes(data, len, "data")?, Out::new(shared, "shared")?) };
        out.write(pointer::give(SharedBytes(Bytes::copy_from_slice(data))));
        Ok(())
    })
}

/// Holds `shared` once more: `retained` stays when `shared` goes. Copies nothing.
///
/// A payload that is kept keeps the receive buffer that it came in: copy what must live for long.
///
/// # Safety
/// `shared` is held, or was pointed out by the last call with its handle; `retained` points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_bytes_retain(
    shared: *const SharedBytes,
    retained: *mut *mut SharedBytes,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (shared, out) = unsafe {
            (
                pointer::shared(shared, "shared")?,
                Out::new(retained, "retained")?,
            )
        };
        out.write(pointer::give(shared.clone()));
        Ok(())
    })
}

/// The bytes, for as long as `shared` is held.
///
/// # Safety
/// `shared` is held, `bytes` points to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_bytes_view(shared: *const SharedBytes, bytes: *mut Slice) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (shared, out) = unsafe { (pointer::shared(shared, "shared")?, Out::new(bytes, "bytes")?) };
        out.write(shared.0[..].into());
        Ok(())
    })
}

/// Lets go of bytes that `syncline_bytes_new` or `syncline_bytes_retain` gave.
///
/// # Safety
/// `retained` is NULL, or came from one of these and was not released before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_bytes_release(retained: *mut SharedBytes) {
    border::cross_or((), || {
        // SAFETY: the caller vouches for the handle.
        unsafe { pointer::take_back(retained) };
    });
}
