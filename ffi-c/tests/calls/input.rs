//! Arguments out of the input: ordinary ones, and those at and beyond every edge.

use syncline_ffi::Slice;

/// Texts that calls expect in one place or another.
const TEXTS: [&str; 16] = [
    "a",
    "a/b",
    "b/tres",
    "b/treq",
    "b",
    "#",
    "+/b",
    "$share/g/a",
    "",
    "{}",
    "[1,2]",
    "\u{0}",
    "line-1",
    "MQTT",
    "\"value\"",
    "SCRAM-SHA-256",
];

/// Numbers at the edges of what is allowed somewhere.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    4,
    5,
    60,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    268_435_460,
    u32::MAX as u64,
    u64::MAX,
];

/// What is left of the input.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        Some(self.byte()? & 1 == 1)
    }

    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let choice = self.byte()?;
        Some(match choice {
            0..16 => NUMBERS[usize::from(choice)],
            _ => u64::from(choice),
        })
    }

    /// A number that fits, or the largest.
    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self, largest: T) -> Option<T> {
        Some(T::try_from(self.number()?).unwrap_or(largest))
    }

    /// Bytes: none, missing, longer than memory, a text that is expected somewhere, or any.
    pub(crate) fn slice(&mut self) -> Option<Slice> {
        Some(match self.byte()? {
            0 => Slice::EMPTY,
            1 => Slice {
                data: std::ptr::null(),
                len: 1,
            },
            2 => Slice {
                data: TEXTS[0].as_ptr(),
                len: usize::MAX,
            },
            choice @ 3..128 => TEXTS[usize::from(choice) % TEXTS.len()].into(),
            choice => self.take(usize::from(choice & 0x7F)).into(),
        })
    }

    /// A seed, mostly of the right length.
    pub(crate) fn seed(&mut self) -> Option<Slice> {
        const SEED: [u8; 32] = [7; 32];
        Some(match self.byte()? {
            0 => SEED[..31].into(),
            1 => Slice {
                data: std::ptr::null(),
                len: 32,
            },
            _ => SEED[..].into(),
        })
    }
}
