//! Invariant: records of any content are refused with an error that names one of them, or make a session that completes
//! each message it has inherited exactly once, sends a server nothing but valid packets, and leaves its store empty.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| drop(syncline_fuzz::store::check(data)));
