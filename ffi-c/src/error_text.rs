//! What went wrong in one call, in words: a buffer of the caller's, written where a call fails.

use std::borrow::Cow;
use std::ffi::c_char;
use std::fmt::Display;
use std::ptr::NonNull;

use crate::result::Code;

const CAPACITY: usize = 256;

/// What went wrong in one call, in words. Never holds a payload or a credential.
///
/// Calls that take one write it where they fail, and leave it alone where they do not; NULL is no wish to know.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ErrorText {
    /// The text in UTF-8, ended by NUL, cut where it is longer.
    pub text: [c_char; 256],
}

/// The caller's buffer, or none.
#[derive(Clone, Copy)]
pub(crate) struct ErrorOut(Option<NonNull<ErrorText>>);

impl ErrorOut {
    /// # Safety
    /// Unless NULL, `pointer` points to memory for an `ErrorText` that nobody else uses during the call.
    pub(crate) unsafe fn new(pointer: *mut ErrorText) -> Self {
        Self(NonNull::new(pointer))
    }

    /// Says in words why the call failed, if anybody asks.
    pub(crate) fn tell(self, fault: &Fault) {
        if let Some(place) = self.0 {
            let text = ErrorText::of(&fault.text());
            // SAFETY: not NULL, and the caller of `new` vouched for the memory.
            unsafe { place.write(text) };
        }
    }
}

/// Why a call does not do what it is asked to: the result, and in words where the mistake is and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    /// What there is to say besides the code's own text.
    more: Option<Box<str>>,
}

impl Fault {
    pub(crate) fn new(code: Code, text: impl Display) -> Self {
        Self {
            code,
            more: Some(text.to_string().into()),
        }
    }

    /// A number outside its range.
    pub(crate) fn out_of_range(name: &str, value: impl Display, expected: &str) -> Self {
        Self::new(
            Code::OutOfRange,
            format_args!("{name} is {value}, expected {expected}"),
        )
    }

    /// A seed of another length.
    pub(crate) fn seed(seed: &[u8]) -> Self {
        let len = seed.len();
        Self::new(
            Code::SeedInvalid,
            format_args!("seed is {len} bytes long, expected 32 of the system's entropy"),
        )
    }

    fn text(&self) -> Cow<'_, str> {
        match &self.more {
            Some(text) => text.as_ref().into(),
            None => self.code.text().to_string_lossy(),
        }
    }
}

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Self { code, more: None }
    }
}

impl<E: Display + Into<Code>> From<E> for Fault {
    fn from(error: E) -> Self {
        let more = Some(error.to_string().into());
        Self {
            code: error.into(),
            more,
        }
    }
}

impl ErrorText {
    fn of(text: &str) -> Self {
        let mut buffer = [0; CAPACITY];
        let mut end = text.len().min(CAPACITY - 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        for (place, byte) in buffer.iter_mut().zip(&text.as_bytes()[..end]) {
            *place = byte.cast_signed() as c_char;
        }
        Self { text: buffer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_ended_by_nul() {
        let text = ErrorText::of(&"é".repeat(200)).text;
        assert_eq!(text.iter().position(|byte| *byte == 0), Some(254));
        assert_eq!(text[255], 0);
    }
}
