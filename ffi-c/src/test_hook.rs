//! For the test of the border alone: a call that panics half-way. Never part of a library that is shipped.

use crate::border;
use crate::pointer;
use crate::result::Code;
use crate::session::SessionHandle;

/// Panics after its pointers were checked.
///
/// # Safety
/// `session` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_test_panic(session: *mut SessionHandle) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the handle.
        let _session = unsafe { pointer::exclusive(session, "session") }?;
        panic!("asked for by the test")
    })
}
