//! Invariant: for MQTT 3.1.1, any bytes are refused or are a packet that survives being written and read again, that no
//! truncation of it does, and that `mqttbytes` reads the same; and its fixed header is the same in any chunks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_core::codec::Version;

fuzz_target!(|data: &[u8]| syncline_fuzz::check_decoding(data, Version::V3_1_1));
