//! Invariant: whatever calls of the C interface come in whatever order, with live handles and odd arguments, none crashes, leaks,
//! panics, writes an output that it should not, or takes back early what it has pointed out.
#![no_main]
// What it walks through is an interface for C: see `ffi-c/tests/calls`.
#![allow(unsafe_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../ffi-c/tests/calls/mod.rs"]
mod calls;

fuzz_target!(|data: &[u8]| drop(calls::check(data)));
