//! Properties of the codec over generated packets: what is written is read again, and nothing else is accepted.

use proptest::prelude::*;
use syncline_core::codec::{DecodeError, FixedHeader, Packet, Unsubscribe, Version, decode, peek};
use syncline_tests::packets::{any_packet, damaged_packet, valid_packet, version};

/// Frames and decodes `bytes`; `None` if they are not exactly one packet that this version accepts.
fn read(bytes: &[u8], version: Version) -> Result<Option<(FixedHeader, Packet<'_>)>, DecodeError> {
    let Some(header) = peek(bytes, version, u32::MAX)? else {
        return Ok(None);
    };
    if header.packet_len() != bytes.len() {
        return Ok(None);
    }
    Ok(Some((header, decode(header, bytes, version)?)))
}

fn versioned<S: Strategy>(strategy: impl Fn(Version) -> S) -> impl Strategy<Value = (Version, S::Value)> {
    version().prop_flat_map(move |version| (Just(version), strategy(version)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn written_packet_is_read_as_it_was((version, description) in versioned(valid_packet)) {
        let packet = description.packet();
        let mut bytes = b"before".to_vec();
        packet.encode(version, &mut bytes).expect("a valid packet");
        let bytes = bytes.strip_prefix(b"before").expect("encoding only appends");
        prop_assert_eq!(packet.encoded_len(version), Ok(bytes.len()));
        let (_, read) = read(bytes, version).expect("an accepted packet").expect("a whole packet");
        prop_assert_eq!(read, packet);
        prop_assert_eq!(read.packet_type(), packet.packet_type());
    }

    #[test]
    fn no_truncation_of_a_packet_is_accepted((version, description) in versioned(valid_packet)) {
        let mut bytes = Vec::new();
        description.packet().encode(version, &mut bytes).expect("a valid packet");
        let whole = peek(&bytes, version, u32::MAX);
        let header = whole.expect("a valid header").expect("a whole header");
        // Every cut of a short packet; of a long one those around its head and its end.
        for cut in (0..bytes.len()).filter(|cut| *cut < 512 || *cut + 64 > bytes.len()) {
            let part = &bytes[..cut];
            match peek(part, version, u32::MAX) {
                Ok(None) => prop_assert!(cut < usize::from(header.header_len)),
                other => prop_assert_eq!(other, whole),
            }
            prop_assert!(decode(header, part, version).is_err(), "cut at {}", cut);
        }
    }

    #[test]
    fn whatever_is_accepted_is_written_and_read_again_the_same(
        (version, bytes) in versioned(damaged_packet)
    ) {
        if let Ok(Some((_, packet))) = read(&bytes, version) {
            let mut written = Vec::new();
            packet.encode(version, &mut written).expect("what was read can be written");
            prop_assert!(written.len() <= bytes.len(), "the written form is never the longer one");
            let (_, again) = read(&written, version).expect("an accepted packet").expect("a whole packet");
            prop_assert_eq!(again, packet);
        }
    }

    #[test]
    fn arbitrary_bytes_are_an_error_or_a_packet(
        version in version(),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        remaining_len in 0..300_u32,
        header_len in 2..=5_u8,
    ) {
        let _ = read(&bytes, version);
        if let Ok(Some(header)) = peek(&bytes, version, u32::MAX) {
            // A header that does not describe the frame is an error, never a panic.
            let wrong = FixedHeader { remaining_len, header_len, ..header };
            if wrong.packet_len() != bytes.len() {
                prop_assert!(decode(wrong, &bytes, version).is_err());
            }
        }
    }

    #[test]
    fn fixed_header_is_read_the_same_in_any_chunks(
        version in version(),
        bytes in prop::collection::vec(any::<u8>(), 0..8),
        limit in prop_oneof![Just(u32::MAX), 0..100_000_u32],
    ) {
        let whole = peek(&bytes, version, limit);
        for cut in 0..bytes.len() {
            let part = peek(&bytes[..cut], version, limit);
            prop_assert!(part == Ok(None) || part == whole);
        }
    }

    #[test]
    fn maximum_packet_size_is_exact((version, description) in versioned(valid_packet)) {
        let mut bytes = Vec::new();
        description.packet().encode(version, &mut bytes).expect("a valid packet");
        let len = u32::try_from(bytes.len()).expect("a small packet");
        prop_assert!(peek(&bytes, version, len).is_ok());
        prop_assert!(peek(&bytes, version, len - 1).is_err());
    }

    #[test]
    fn nothing_is_written_that_would_not_be_read((version, description) in (version(), any_packet())) {
        let packet = description.packet();
        let mut bytes = b"before".to_vec();
        let result = packet.encode(version, &mut bytes);
        prop_assert_eq!(packet.encoded_len(version), result.map(|()| bytes.len() - 6));
        let bytes = bytes.strip_prefix(b"before").expect("encoding only appends");
        match result {
            Ok(()) => {
                let (_, read) = read(bytes, version).expect("an accepted packet").expect("a whole packet");
                prop_assert!(are_equal_on_the_wire(read, packet), "{:?} became {:?}", packet, read);
            }
            Err(_) => prop_assert!(bytes.is_empty(), "a refused packet must leave the buffer as it was"),
        }
    }
}

/// Equality but for the options of an UNSUBSCRIBE's filters, for which the wire has no place.
fn are_equal_on_the_wire(read: Packet<'_>, written: Packet<'_>) -> bool {
    match (read, written) {
        (Packet::Unsubscribe(read), Packet::Unsubscribe(written)) => {
            let names = |packet: Unsubscribe<'_>| {
                packet
                    .filters
                    .iter()
                    .map(|(filter, _)| filter.to_owned())
                    .collect()
            };
            let (read_names, written_names): (Vec<_>, Vec<_>) = (names(read), names(written));
            (read.packet_id, read.properties) == (written.packet_id, written.properties)
                && read_names == written_names
        }
        (read, written) => read == written,
    }
}
