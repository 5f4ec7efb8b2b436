//! Differential test against `mqtt-protocol-core`: the same packets are accepted and read the same, outside its known faults.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use syncline_core::codec::{Packet, Version, decode, peek};
use syncline_tests::packets::{damaged_packet, valid_packet, version};
use syncline_tests::protocol_core_oracle::{KNOWN_FAULTS, LENIENCIES, disagreement, rewrite};

fn is_known(packet: &Packet<'_>, version: Version) -> bool {
    KNOWN_FAULTS.iter().any(|known| (known.concerns)(packet, version))
}

/// Checks `bytes` if they are framed as one packet.
fn agrees(bytes: &[u8], version: Version) -> Result<(), TestCaseError> {
    let Ok(Some(header)) = peek(bytes, version, u32::MAX) else {
        return Ok(());
    };
    if header.packet_len() != bytes.len() {
        return Ok(());
    }
    match decode(header, bytes, version) {
        Ok(packet) if is_known(&packet, version) => {}
        Ok(packet) => prop_assert_eq!(disagreement(&packet, bytes, version), None, "{:02X?}", bytes),
        Err(error) => {
            let is_known = LENIENCIES
                .iter()
                .any(|known| (known.concerns)(error.kind, version));
            let theirs = rewrite(bytes, version);
            prop_assert!(
                is_known || theirs.is_err(),
                "we refuse: {error}, {version:?} {bytes:02X?}"
            );
        }
    }
    Ok(())
}

proptest! {
    // The same packets each time: a fault of theirs that is not on the list yet must not fail somebody else's change.
    #![proptest_config(ProptestConfig { cases: 4_000, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn valid_packet_is_read_and_written_as_mqtt_protocol_core_does(
        (version, description) in version().prop_flat_map(|version| (Just(version), valid_packet(version)))
    ) {
        let mut bytes = Vec::new();
        description.packet().encode(version, &mut bytes).expect("a valid packet");
        agrees(&bytes, version)?;
    }

    #[test]
    fn damaged_packet_is_accepted_by_both_or_by_none(
        (version, bytes) in version().prop_flat_map(|version| (Just(version), damaged_packet(version)))
    ) {
        agrees(&bytes, version)?;
    }
}

#[test]
fn every_listed_fault_of_mqtt_protocol_core_is_still_there() {
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
            "{}: the example is read well, take the fault off the list",
            known.fault
        );
    }
}

#[test]
fn every_listed_leniency_of_mqtt_protocol_core_is_still_there() {
    for known in LENIENCIES {
        let header = peek(known.example, known.version, u32::MAX)
            .expect("a valid header")
            .expect("a whole header");
        let error = decode(header, known.example, known.version)
            .err()
            .unwrap_or_else(|| panic!("{}: the example must be forbidden", known.fault));
        assert!(
            (known.concerns)(error.kind, known.version),
            "{}: the example is not concerned, we refuse it since {error}",
            known.fault
        );
        assert!(
            rewrite(known.example, known.version).is_ok(),
            "{}: the example is refused, take the fault off the list",
            known.fault
        );
    }
}
