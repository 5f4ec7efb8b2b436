//! What the unit tests of the codec share: packets written in hexadecimal, and the outcome of reading them.

use super::{DecodeError, DecodeErrorKind, EncodeError, Packet, Version, decode, peek};
use alloc::vec::Vec;

/// Bytes of `text`: pairs of hexadecimal digits, text in single quotes for itself, and `..` in second place for the
/// Remaining Length (below 128) of what follows.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut parts = text.split('\'');
    while let Some(digits) = parts.next() {
        let digits: Vec<char> = digits.chars().filter(|c| !c.is_whitespace()).collect();
        for pair in digits.chunks(2) {
            let pair: alloc::string::String = pair.iter().collect();
            bytes.push(if pair == ".." {
                0
            } else {
                u8::from_str_radix(&pair, 16).expect("two hexadecimal digits")
            });
        }
        bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    }
    if text.contains("..") {
        bytes[1] = (bytes.len() - 2) as u8;
    }
    bytes
}

/// Frames and decodes `bytes`, which hold one packet.
pub(super) fn read(bytes: &[u8], version: Version) -> Result<Packet<'_>, DecodeError> {
    let header = peek(bytes, version, u32::MAX)?.expect("a complete fixed header");
    decode(header, bytes, version)
}

/// The rule for which the packet of `text` is refused.
#[track_caller]
pub(super) fn refusal(text: &str, version: Version) -> DecodeErrorKind {
    match read(&hex(text), version) {
        Ok(packet) => panic!("{text} was accepted as {packet:?}"),
        Err(error) => error.kind,
    }
}

/// Checks that the packet of `text` is read, and written again byte for byte.
#[track_caller]
pub(super) fn assert_canonical(text: &str, version: Version) {
    let bytes = hex(text);
    let packet = read(&bytes, version).expect("a valid packet");
    assert_eq!(
        write(&packet, version).expect("an encodable packet"),
        bytes,
        "{packet:?}"
    );
}

/// Encodes `packet` and checks what encoding promises about length and errors.
#[track_caller]
pub(super) fn write(packet: &Packet<'_>, version: Version) -> Result<Vec<u8>, EncodeError> {
    let before = b"before".to_vec();
    let mut out = before.clone();
    let result = packet.encode(version, &mut out);
    assert_eq!(
        packet.encoded_len(version),
        result.map(|()| out.len() - before.len()),
        "encoded_len must agree with encode"
    );
    assert!(out.starts_with(&before), "encoding only appends");
    match result {
        Ok(()) => Ok(out.split_off(before.len())),
        Err(error) => {
            assert_eq!(out, before, "a refused packet must leave the buffer as it was");
            Err(error)
        }
    }
}
