//! A notation for packets that a reader can compare with the specification, and that can also write broken ones.

/// Bytes of a packet in this notation; spaces separate.
///
/// | written | means |
/// |---|---|
/// | `3C` | that byte |
/// | `'text'` | the text's bytes |
/// | `` `text` `` | the text's bytes behind their length in two bytes |
/// | `(` … `)` | the bytes between, behind their length in one byte, as properties are |
/// | `..` | in second place: the Remaining Length of what follows, below 128 |
///
/// # Panics
/// When `text` does not follow the notation.
#[must_use]
pub fn packet(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut open = None;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let quoted = |mark| {
            rest[1..]
                .split_once(mark)
                .unwrap_or_else(|| panic!("{text}: {mark} is not closed"))
        };
        match first {
            ' ' => rest = &rest[1..],
            '\'' => {
                let (inside, after) = quoted('\'');
                bytes.extend_from_slice(inside.as_bytes());
                rest = after;
            }
            '`' => {
                let (inside, after) = quoted('`');
                let len = u16::try_from(inside.len()).expect("a short text");
                bytes.extend_from_slice(&len.to_be_bytes());
                bytes.extend_from_slice(inside.as_bytes());
                rest = after;
            }
            '(' => {
                assert!(open.replace(bytes.len()).is_none(), "{text}: ( inside (");
                bytes.push(0);
                rest = &rest[1..];
            }
            ')' => {
                let start = open.take().unwrap_or_else(|| panic!("{text}: ) without ("));
                bytes[start] = u8::try_from(bytes.len() - start - 1).expect("a short list");
                rest = &rest[1..];
            }
            _ => {
                let pair = rest.get(..2).unwrap_or_else(|| panic!("{text}: half a byte"));
                bytes.push(match pair {
                    ".." => 0,
                    _ => u8::from_str_radix(pair, 16)
                        .unwrap_or_else(|_| panic!("{text}: {pair} is not a byte")),
                });
                rest = &rest[2..];
            }
        }
    }
    if text.contains("..") {
        bytes[1] = u8::try_from(bytes.len() - 2).expect("a short packet");
        assert!(bytes[1] < 0x80, "{text}: the remaining length takes two bytes");
    }
    bytes
}
