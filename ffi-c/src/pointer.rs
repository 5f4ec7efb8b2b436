//! Pointers from C: checked here, and nowhere else, before anything is read or written.

use crate::error_text::Fault;
use crate::result::Code;

/// Bytes that belong to someone else.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Slice {
    /// The first byte; may be NULL when `len` is 0.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

impl Slice {
    /// No bytes.
    pub const EMPTY: Self = Self {
        data: std::ptr::null(),
        len: 0,
    };

    /// The bytes themselves.
    ///
    /// # Safety
    /// As for [`bytes`].
    pub(crate) unsafe fn bytes<'a>(self, name: &str) -> Result<&'a [u8], Fault> {
        // SAFETY: the caller vouches for what `bytes` asks.
        unsafe { bytes(self.data, self.len, name) }
    }

    /// The bytes as a text.
    ///
    /// # Safety
    /// As for [`bytes`].
    pub(crate) unsafe fn text<'a>(self, name: &str) -> Result<&'a str, Fault> {
        // SAFETY: the caller vouches for what `text` asks.
        unsafe { text(self.data, self.len, name) }
    }
}

impl From<&[u8]> for Slice {
    fn from(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }
}

impl From<Option<&[u8]>> for Slice {
    fn from(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::EMPTY, Self::from)
    }
}

impl From<Option<&str>> for Slice {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::EMPTY, Self::from)
    }
}

impl From<&str> for Slice {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

/// The bytes at `data`.
///
/// # Safety
/// Unless NULL, `data` points to `len` readable bytes that nobody changes during `'a`.
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize, name: &str) -> Result<&'a [u8], Fault> {
    // SAFETY: the caller vouches for what `array` asks.
    unsafe { array(data, len, name) }
}

/// The text at `data`.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn text<'a>(data: *const u8, len: usize, name: &str) -> Result<&'a str, Fault> {
    // SAFETY: the caller vouches for what `bytes` asks.
    let bytes = unsafe { bytes(data, len, name) }?;
    std::str::from_utf8(bytes).map_err(|error| {
        let position = error.valid_up_to();
        Fault::new(
            Code::NotUtf8,
            format_args!("{name} is not utf-8 at byte {position}: encode it as utf-8"),
        )
    })
}

pub(crate) fn null(name: &str) -> Fault {
    Fault::new(
        Code::NullPointer,
        format_args!("{name} is NULL where a pointer has to be given"),
    )
}

fn too_long(name: &str) -> Fault {
    Fault::new(
        Code::LengthInvalid,
        format_args!("{name} is said to be longer than any object in memory: give its length"),
    )
}

/// What `pointer` points to. `name` is what a fault calls it.
///
/// # Safety
/// Unless NULL, `pointer` points to a valid `T` that nobody changes during `'a`.
pub(crate) unsafe fn shared<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Fault> {
    // SAFETY: the caller vouches for all but NULL, which `as_ref` checks.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// What `pointer` points to; NULL is none.
///
/// # Safety
/// As for [`shared`].
pub(crate) unsafe fn optional<'a, T>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: the caller vouches for all but NULL, which `as_ref` checks.
    unsafe { pointer.as_ref() }
}

/// The array of `len` values at `data`.
///
/// # Safety
/// Unless NULL, `data` points to `len` valid values that nobody changes during `'a`.
pub(crate) unsafe fn array<'a, T>(data: *const T, len: usize, name: &str) -> Result<&'a [T], Fault> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(null(name));
    }
    if !fits::<T>(len) {
        return Err(too_long(name));
    }
    // SAFETY: not NULL, no longer than an object can be; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// Whether `len` values can be one object.
const fn fits<T>(len: usize) -> bool {
    match len.checked_mul(size_of::<T>()) {
        Some(size) => size <= isize::MAX.cast_unsigned(),
        None => false,
    }
}

/// What `pointer` points to, to change it.
///
/// # Safety
/// Unless NULL, `pointer` points to a valid `T` that nobody else uses during `'a`.
pub(crate) unsafe fn exclusive<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Fault> {
    // SAFETY: the caller vouches for all but NULL, which `as_mut` checks.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// A place for a result, checked before anything happens and written when it has.
pub(crate) struct Out<T>(std::ptr::NonNull<T>);

impl<T> Out<T> {
    /// # Safety
    /// Unless NULL, `pointer` points to memory for a `T`, initialised or not, that nobody else uses meanwhile.
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self, Fault> {
        std::ptr::NonNull::new(pointer)
            .map(Self)
            .ok_or_else(|| null(name))
    }

    pub(crate) fn write(self, value: T) {
        // SAFETY: not NULL, and the caller of `new` vouched for the memory. What was there is C's and needs no drop.
        unsafe { self.0.write(value) }
    }
}

/// Places for up to so many results, of which some are written.
pub(crate) struct OutArray<T>(*mut T, usize);

impl<T> OutArray<T> {
    /// # Safety
    /// Unless NULL, `pointer` points to memory for `capacity` values that nobody else uses meanwhile.
    pub(crate) unsafe fn new(pointer: *mut T, capacity: usize, name: &str) -> Result<Self, Fault> {
        if capacity > 0 && pointer.is_null() {
            return Err(null(name));
        }
        if !fits::<T>(capacity) {
            return Err(too_long(name));
        }
        Ok(Self(pointer, capacity))
    }

    /// Writes as many as there is room for, and says how many that were.
    pub(crate) fn write(self, values: impl Iterator<Item = T>) -> usize {
        let mut written = 0;
        for value in values.take(self.1) {
            // SAFETY: `take` keeps `written` below the capacity that the caller of `new` vouched for.
            unsafe { self.0.add(written).write(value) };
            written += 1;
        }
        written
    }
}

/// Hands a new handle out.
pub(crate) fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Takes a handle back and drops it; NULL is none.
///
/// # Safety
/// Unless NULL, `pointer` came from [`give`] and was not taken back before.
pub(crate) unsafe fn take_back<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: the caller vouches that this is a box that `give` made and that nobody else owns.
        drop(unsafe { Box::from_raw(pointer) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(refused: Result<T, Fault>) -> Code {
        refused.err().map_or(Code::Ok, |fault| fault.code)
    }

    #[test]
    fn null_is_the_empty_slice_and_nothing_longer() {
        // SAFETY: NULL is allowed by each of these.
        unsafe {
            assert_eq!(bytes(std::ptr::null(), 0, "payload"), Ok(&[][..]));
            assert_eq!(code(bytes(std::ptr::null(), 1, "payload")), Code::NullPointer);
            assert_eq!(code(shared(std::ptr::null::<u8>(), "session")), Code::NullPointer);
            assert!(Out::<u8>::new(std::ptr::null_mut(), "op").is_err());
            take_back(std::ptr::null_mut::<u8>());
        }
    }

    #[test]
    fn a_length_that_no_object_has_is_refused_before_it_is_read() {
        // SAFETY: the length is checked before the byte is read.
        let refused = unsafe { bytes(&7, usize::MAX, "payload") };
        assert_eq!(code(refused), Code::LengthInvalid);
        // SAFETY: as above.
        let refused = unsafe { array(&7_u64, usize::MAX / 8, "runs") };
        assert_eq!(code(refused), Code::LengthInvalid);
    }

    #[test]
    fn text_has_to_be_utf_8() {
        let broken = [0xC3, 0x28];
        // SAFETY: the pointer and the length are those of an array.
        let refused = unsafe { text(broken.as_ptr(), broken.len(), "own") };
        assert_eq!(code(refused), Code::NotUtf8);
    }
}
