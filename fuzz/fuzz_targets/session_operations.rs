//! Invariant: whatever a caller, a server, a transport and a clock do to a session in whatever order, each operation
//! completes exactly once, polling comes to an end, nothing grows beyond its bound, what is sent are packets that a client
//! may send then, and the same inputs give the same outputs.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| syncline_fuzz::operations::check(data));
