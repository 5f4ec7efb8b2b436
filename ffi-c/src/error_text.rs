//! What went wrong in one call, in words: a buffer of the caller's, written where a call fails.

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
    /// Nobody asks.
    pub(crate) const NONE: Self = Self(None);

    /// # Safety
    /// Unless NULL, `pointer` points to memory for an `ErrorText` that nobody else uses during the call.
    pub(crate) unsafe fn new(pointer: *mut ErrorText) -> Self {
        Self(NonNull::new(pointer))
    }

    /// Runs a step of the call, and says in words why it failed.
    pub(crate) fn explain<T, E: Display + Into<Code>>(self, step: Result<T, E>) -> Result<T, Code> {
        self.explain_as(step, E::into)
    }

    /// As [`Self::explain`], with a code for errors that have none of their own.
    pub(crate) fn explain_as<T, E: Display>(
        self,
        step: Result<T, E>,
        code: impl FnOnce(E) -> Code,
    ) -> Result<T, Code> {
        step.map_err(|error| {
            if let Some(place) = self.0 {
                // SAFETY: not NULL, and the caller of `new` vouched for the memory.
                unsafe { place.write(ErrorText::of(&error.to_string())) };
            }
            code(error)
        })
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
