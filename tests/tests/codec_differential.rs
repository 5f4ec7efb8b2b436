//! Differential test against `mqttbytes`: what we accept, it accepts too and reads the same, outside its known faults.

use proptest::prelude::*;
use syncline_core::codec::{Packet, Version, decode, peek};
use syncline_tests::mqttbytes_oracle::{KNOWN_FAULTS, disagreement};
use syncline_tests::packets::{damaged_packet, valid_packet, version};

fn is_known(packet: &Packet<'_>, version: Version) -> bool {
    KNOWN_FAULTS.iter().any(|known| (known.concerns)(packet, version))
}

/// Checks `bytes` if we accept them as one packet.
fn agrees(bytes: &[u8], version: Version) -> Result<(), TestCaseError> {
    let Ok(Some(header)) = peek(bytes, version, u32::MAX) else {
        return Ok(());
    };
    if header.packet_len() != bytes.len() {
        return Ok(());
    }
    let Ok(packet) = decode(header, bytes, version) else {
        return Ok(());
    };
    if !is_known(&packet, version) {
        prop_assert_eq!(disagreement(&packet, bytes, version), None, "{:02X?}", bytes);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn valid_packet_is_read_as_mqttbytes_reads_it(
        (version, description) in version().prop_flat_map(|version| (Just(version), valid_packet(version)))
    ) {
        let mut bytes = Vec::new();
        description.packet().encode(version, &mut bytes).expect("a valid packet");
        agrees(&bytes, version)?;
    }

    #[test]
    fn damaged_packet_that_we_accept_is_read_as_mqttbytes_reads_it(
        (version, bytes) in version().prop_flat_map(|version| (Just(version), damaged_packet(version)))
    ) {
        agrees(&bytes, version)?;
    }
}

#[test]
fn every_listed_fault_of_mqttbytes_is_still_there() {
    for known in KNOWN_FAULTS {
        let header = peek(known.example, known.version, u32::MAX)
            .expect("a valid header")
            .expect("a whole header");
        let packet = decode(header, known.example, known.version)
            .unwrap_or_else(|error| panic!("{}: the example must be valid, but: {error}", known.fault));
        assert!(
            (known.concerns)(&packet, known.version),
            "{}: the example is not concerned",
            known.fault
        );
        assert!(
            disagreement(&packet, known.example, known.version).is_some(),
            "{}: mqttbytes reads the example well, take the fault off the list",
            known.fault
        );
    }
}
