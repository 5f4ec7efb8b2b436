//! What the framing check makes of the bytes of a connection, for fuzz targets that hold it against another parser.

use std::ops::Range;

use super::framing::Framing;

/// The requests in some bytes, as far as they are sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Where each head that has ended begins and ends.
    pub heads: Vec<Range<usize>>,
    /// Status of the answer to what is wrong, and whether that is in a head; `None` where nothing is.
    pub refused: Option<(u16, bool)>,
}

/// Follows `bytes` as if each had come by itself.
#[must_use]
pub fn follow(bytes: &[u8]) -> Followed {
    let mut framing = Framing::default();
    let mut heads = Vec::new();
    let mut begin = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if framing.between_requests() {
            begin = at;
        }
        let before = framing.heads();
        if let Err(fault) = framing.follow(&[*byte]) {
            let refused = Some((fault.violation.status().as_u16(), fault.in_head));
            return Followed { heads, refused };
        }
        if framing.heads() > before {
            heads.push(begin..at + 1);
        }
    }
    Followed { heads, refused: None }
}

/// Follows `bytes` as if so many had come at once: how many heads are sound, and as [`Followed::refused`].
///
/// # Panics
/// For zero.
#[must_use]
pub fn follow_at_once(bytes: &[u8], count: usize) -> (u64, Option<(u16, bool)>) {
    let mut framing = Framing::default();
    for part in bytes.chunks(count) {
        if let Err(fault) = framing.follow(part) {
            return (
                framing.heads(),
                Some((fault.violation.status().as_u16(), fault.in_head)),
            );
        }
    }
    (framing.heads(), None)
}
