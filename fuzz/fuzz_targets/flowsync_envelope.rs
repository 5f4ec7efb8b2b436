//! Invariant: whatever is said on treq and tres, what can be read is the same when it is written and read again, a transaction ends at
//! most once and as its message says, the counters add up, and a responder works on each transaction once.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| syncline_fuzz::envelope::check(data));
