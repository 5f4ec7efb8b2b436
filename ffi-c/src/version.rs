//! Which library this is.

use std::ffi::{CStr, c_char};

use crate::border;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// The library's version, "major.minor.patch", static and ended by NUL.
#[unsafe(no_mangle)]
pub extern "C" fn syncline_version() -> *const c_char {
    border::cross_or(VERSION.as_ptr(), || VERSION.as_ptr())
}
