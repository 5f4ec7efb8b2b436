//! Invariant: commissioning files of any content are a plan, or are refused with at least one mistake; both point at places that exist,
//! and the same files give the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| syncline_fuzz::service_file::check(data));
