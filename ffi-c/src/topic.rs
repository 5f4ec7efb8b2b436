//! Topic Names and Topic Filters: which texts they are, and which names belong to a filter.

use bytes::Bytes;
use syncline_core::topic::{TopicFilter, TopicName};

use crate::border;
use crate::error_text::{ErrorOut, ErrorText, Fault};
use crate::pointer::{self, Out};
use crate::result::Code;

/// Whether a text is a Topic Name: SYNCLINE_RESULT_OK, or SYNCLINE_RESULT_TOPIC_INVALID with position and cure in `error`.
///
/// # Safety
/// `topic` points to `topic_len` bytes; `error` is NULL or points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_topic_name_check(
    topic: *const u8,
    topic_len: usize,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for both pointers.
        let topic = unsafe { pointer::bytes(topic, topic_len, "topic") }?;
        name(topic).map(|_| ())
    })
}

/// Whether a text is a Topic Filter, shared subscriptions included: SYNCLINE_RESULT_OK, or SYNCLINE_RESULT_FILTER_INVALID
/// with position and cure in `error`.
///
/// # Safety
/// `filter` points to `filter_len` bytes; `error` is NULL or points to a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_topic_filter_check(
    filter: *const u8,
    filter_len: usize,
    error: *mut ErrorText,
) -> Code {
    // SAFETY: the caller vouches for the place of the text.
    border::cross_and_tell(unsafe { ErrorOut::new(error) }, || {
        // SAFETY: the caller vouches for both pointers.
        let text = unsafe { pointer::bytes(filter, filter_len, "filter") }?;
        self::filter(text).map(|_| ())
    })
}

/// Whether a message on `topic` belongs to `filter`. Wildcards at the front match no topic that begins with `$`; of a
/// shared subscription the filter behind the group decides.
///
/// # Safety
/// `filter` points to `filter_len` bytes, `topic` to `topic_len`, `matches` to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_topic_matches(
    filter: *const u8,
    filter_len: usize,
    topic: *const u8,
    topic_len: usize,
    matches: *mut bool,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for all three pointers.
        let (text, topic, out) = unsafe {
            (
                pointer::bytes(filter, filter_len, "filter")?,
                pointer::bytes(topic, topic_len, "topic")?,
                Out::new(matches, "matches")?,
            )
        };
        let filter = self::filter(text)?;
        out.write(filter.matches(name(topic)?.as_str()));
        Ok(())
    })
}

/// The Topic Name that a text is.
pub(crate) fn name(text: &[u8]) -> Result<TopicName, Fault> {
    TopicName::new(Bytes::copy_from_slice(text)).map_err(|error| Fault::new(Code::TopicInvalid, error))
}

/// The Topic Filter that a text is.
pub(crate) fn filter(text: &[u8]) -> Result<TopicFilter, Fault> {
    TopicFilter::new(Bytes::copy_from_slice(text)).map_err(|error| Fault::new(Code::FilterInvalid, error))
}
