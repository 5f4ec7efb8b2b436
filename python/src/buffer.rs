//! Bytes across the border: what a caller lends for one call, and memory of the core that Python looks at.
#![expect(
    unsafe_code,
    reason = "the buffer protocol is pointers; everything unsafe of this package is in this file"
)]

use std::ffi::{c_int, c_void};

use bytes::Bytes;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};
use pyo3::{Borrowed, ffi};

use crate::argument::unicode;

/// Payloads up to this size are copied: cheaper than to keep their object alive.
const COPIED: usize = 512;

/// Bytes that a caller lends for one call: `bytes`, or anything contiguous with the buffer protocol.
pub(crate) enum Lent<'py> {
    Bytes(Bound<'py, PyBytes>),
    Buffer(PyBuffer<u8>),
}

impl<'py> FromPyObject<'_, 'py> for Lent<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.to_owned()));
        }
        match PyBuffer::get(&object) {
            Ok(buffer) if buffer.is_c_contiguous() => Ok(Self::Buffer(buffer)),
            _ => Err(PyTypeError::new_err(format!(
                "an object of type {} is no contiguous bytes: copy it with bytes()",
                object.get_type().name()?
            ))),
        }
    }
}

impl Lent<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.as_bytes().len(),
            Self::Buffer(buffer) => buffer.len_bytes(),
        }
    }

    /// Copies what follows `from`, as much as `target` takes, and returns how much that was.
    pub(crate) fn copy_to(&self, from: usize, target: &mut [u8]) -> usize {
        let from = from.min(self.len());
        let len = target.len().min(self.len() - from);
        match self {
            Self::Bytes(bytes) => target[..len].copy_from_slice(&bytes.as_bytes()[from..from + len]),
            Self::Buffer(buffer) => {
                let source = buffer.buf_ptr().cast::<u8>();
                // SAFETY: the buffer is contiguous and exported while `self` lives, `from + len` is within it, and `target`
                // is memory of this library. No Python code runs meanwhile.
                unsafe { std::ptr::copy_nonoverlapping(source.add(from), target.as_mut_ptr(), len) };
            }
        }
        len
    }

    /// The bytes for keeping: large `bytes` by reference, for they never change, anything else as a copy.
    pub(crate) fn to_shared(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) if bytes.as_bytes().len() > COPIED => {
                Bytes::from_owner(PyBackedBytes::from(bytes.clone()))
            }
            Self::Bytes(bytes) => Bytes::copy_from_slice(bytes.as_bytes()),
            Self::Buffer(buffer) => {
                let mut copy = vec![0; buffer.len_bytes()];
                self.copy_to(0, &mut copy);
                copy.into()
            }
        }
    }
}

/// An Application Message as a caller gives it: bytes, or a text that is sent as UTF-8.
pub(crate) struct Payload(pub(crate) Bytes);

impl FromPyObject<'_, '_> for Payload {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            let text = text.to_str().map_err(|error| unicode(object.py(), error))?;
            return Ok(Self(Bytes::copy_from_slice(text.as_bytes())));
        }
        match object.extract::<Lent<'_>>() {
            Ok(lent) => Ok(Self(lent.to_shared())),
            Err(_) => Err(PyTypeError::new_err(format!(
                "payload is of type {}, expected str or contiguous bytes",
                object.get_type().name()?
            ))),
        }
    }
}

/// Read-only bytes that the core holds, for a `memoryview` of them.
#[pyclass(module = "syncline._native", frozen)]
pub(crate) struct BytesView(pub(crate) Bytes);

#[pymethods]
impl BytesView {
    /// # Safety
    /// As the buffer protocol asks: `view` is NULL or points to a `Py_buffer` to be filled.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("there is no place for the view"));
        }
        let (data, len) = {
            let this = slf.get();
            (this.0.as_ptr(), this.0.len())
        };
        let len = ffi::Py_ssize_t::try_from(len)?;
        let data = data.cast::<c_void>().cast_mut();
        const READ_ONLY: c_int = 1;
        // SAFETY: `view` is valid by the caller's word. The memory lives as long as this object, which the view refers to,
        // does not move, for the object is frozen, and is lent for reading only.
        match unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), data, len, READ_ONLY, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}
