//! Invariant: whatever a server sends, in whatever pieces, a session never panics, completes each operation at most once,
//! hands out no more than was received, and behaves the same as if the bytes had come in one piece.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| syncline_fuzz::session::check(data));
