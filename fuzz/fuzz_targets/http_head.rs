//! Invariant: whatever comes on a connection, in whatever pieces, our framing check comes to the same judgement, and each request that
//! it lets pass has one meaning: `httparse`, which is hyper's parser, reads the same head, and the body ends where the next head begins.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    syncline_fuzz::http_head::check(data);
});
