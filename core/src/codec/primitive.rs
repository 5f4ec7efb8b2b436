//! Variable byte integers, length-prefixed fields and the cursor that reads them.

use super::{DecodeErrorKind, EncodeError, FixedHeader, PacketId, Version};
use alloc::vec::Vec;

/// Largest value of a variable byte integer (MQTT 5.0 §1.5.5), and so of Remaining Length.
pub(super) const MAX_VAR_INT: u32 = 268_435_455;

/// Length of the longest fixed header.
const MAX_HEADER_LEN: usize = 5;

/// Reads a variable byte integer and its own length; `None` while `bytes` ends inside it.
#[inline]
pub(super) fn var_int(bytes: &[u8]) -> Result<Option<(u32, u8)>, DecodeErrorKind> {
    match bytes {
        [] => Ok(None),
        [first, ..] if *first < 0x80 => Ok(Some((u32::from(*first), 1))),
        _ => long_var_int(bytes),
    }
}

fn long_var_int(bytes: &[u8]) -> Result<Option<(u32, u8)>, DecodeErrorKind> {
    let mut value = 0;
    for (index, byte) in (0_u8..4).zip(bytes) {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            // A last byte of zero adds nothing: the same value has a shorter form.
            return if *byte == 0 && index > 0 {
                Err(DecodeErrorKind::LengthNotMinimal)
            } else {
                Ok(Some((value, index + 1)))
            };
        }
    }
    if bytes.len() < 4 {
        Ok(None)
    } else {
        Err(DecodeErrorKind::LengthTooLong)
    }
}

/// Bytes that [`put_var_int`] writes.
#[inline]
pub(super) const fn var_int_len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Appends `value`, which the caller has checked against [`MAX_VAR_INT`].
#[inline]
pub(super) fn put_var_int(out: &mut Vec<u8>, value: u32) {
    let mut rest = value;
    while rest >= 0x80 {
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a fixed header and makes room for what follows it.
#[inline(always)]
pub(super) fn put_header(out: &mut Vec<u8>, first_byte: u8, remaining_len: u32, follows_now: usize) {
    out.reserve(MAX_HEADER_LEN + follows_now);
    if remaining_len < 0x80 {
        out.extend_from_slice(&[first_byte, remaining_len as u8]);
    } else {
        out.push(first_byte);
        put_var_int(out, remaining_len);
    }
}

/// Narrows a packet body's size to a Remaining Length.
#[inline]
pub(super) fn remaining_len(size: usize) -> Result<u32, EncodeError> {
    match u32::try_from(size) {
        Ok(len) if len <= MAX_VAR_INT => Ok(len),
        _ => Err(EncodeError::PacketTooLarge),
    }
}

/// Checks a binary field's length and returns the bytes that [`put_binary`] writes.
#[inline]
pub(super) fn binary_len(bytes: &[u8], field: &'static str) -> Result<usize, EncodeError> {
    if bytes.len() > usize::from(u16::MAX) {
        return Err(EncodeError::FieldTooLong(field));
    }
    Ok(2 + bytes.len())
}

/// Checks a string field and returns the bytes that [`put_binary`] writes for it.
#[inline]
pub(super) fn string_len(text: &str, field: &'static str) -> Result<usize, EncodeError> {
    if text.as_bytes().contains(&0) {
        return Err(EncodeError::NulInField(field));
    }
    binary_len(text.as_bytes(), field)
}

/// Appends a length-prefixed field that has passed [`binary_len`] or [`string_len`].
#[inline]
pub(super) fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A cursor over the unread rest of one packet.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The body of `frame` behind its fixed header.
    #[inline]
    pub(super) fn body(header: FixedHeader, frame: &'a [u8]) -> Result<Self, DecodeErrorKind> {
        let rest = frame
            .get(usize::from(header.header_len)..)
            .ok_or(DecodeErrorKind::Truncated)?;
        let expected = header.remaining_len as usize;
        if rest.len() == expected {
            Ok(Self { rest })
        } else if rest.len() < expected {
            Err(DecodeErrorKind::Truncated)
        } else {
            Err(DecodeErrorKind::TrailingBytes)
        }
    }

    /// What is left, which ends the reading.
    #[inline]
    pub(super) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses bytes behind the packet's last field.
    #[inline]
    pub(super) const fn finish(self) -> Result<(), DecodeErrorKind> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeErrorKind::TrailingBytes)
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeErrorKind> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(DecodeErrorKind::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, DecodeErrorKind> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, DecodeErrorKind> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, DecodeErrorKind> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn var_int(&mut self) -> Result<u32, DecodeErrorKind> {
        let (value, len) = var_int(self.rest)?.ok_or(DecodeErrorKind::Truncated)?;
        self.take(usize::from(len))?;
        Ok(value)
    }

    #[inline]
    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeErrorKind> {
        PacketId::new(self.u16()?).ok_or(DecodeErrorKind::PacketIdZero)
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeErrorKind> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeErrorKind::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn binary(&mut self) -> Result<&'a [u8], DecodeErrorKind> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 Encoded String (MQTT 5.0 §1.5.4): well-formed and without U+0000. Other control characters and
    /// non-characters, which a receiver may refuse, are accepted.
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a str, DecodeErrorKind> {
        let text = self.text()?;
        if text.as_bytes().contains(&0) {
            return Err(DecodeErrorKind::NulInString);
        }
        Ok(text)
    }

    /// A string that may contain U+0000.
    #[inline]
    pub(super) fn text(&mut self) -> Result<&'a str, DecodeErrorKind> {
        utf8(self.binary()?)
    }

    /// A Topic Name, possibly empty: [`Publish`](super::Publish) alone may leave it out.
    #[inline]
    pub(super) fn topic_name(&mut self) -> Result<&'a str, DecodeErrorKind> {
        utf8(self.topic_name_bytes()?)
    }

    /// As [`Self::topic_name`], checked in the same way and left as bytes: cheaper where the topic is ASCII.
    #[inline]
    pub(super) fn topic_name_bytes(&mut self) -> Result<&'a [u8], DecodeErrorKind> {
        let topic = self.binary()?;
        if !crate::topic::is_plain_ascii(topic) {
            check_topic_name(topic)?;
        }
        Ok(topic)
    }

    /// A Topic Filter by the rules of `version`: shared subscriptions have their own form in 5.0 alone.
    pub(super) fn topic_filter(&mut self, version: Version) -> Result<&'a str, DecodeErrorKind> {
        let filter = self.string()?;
        let checked = match version {
            Version::V3_1_1 => crate::topic::check_unshared_filter(filter.as_bytes()),
            Version::V5 => crate::topic::check_filter(filter.as_bytes()),
        };
        checked.map_err(|_| DecodeErrorKind::TopicFilterInvalid)?;
        Ok(filter)
    }
}

#[inline]
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, DecodeErrorKind> {
    core::str::from_utf8(bytes).map_err(|_| DecodeErrorKind::InvalidUtf8)
}

#[cold]
fn check_topic_name(topic: &[u8]) -> Result<(), DecodeErrorKind> {
    utf8(topic)?;
    if crate::topic::is_plain(topic) {
        Ok(())
    } else if topic.contains(&0) {
        Err(DecodeErrorKind::NulInString)
    } else {
        Err(DecodeErrorKind::WildcardInTopicName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_byte_integers_take_the_forms_of_table_1_1() {
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (MAX_VAR_INT, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let mut out = Vec::new();
            put_var_int(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(var_int_len(value), bytes.len());
            assert_eq!(var_int(bytes), Ok(Some((value, bytes.len() as u8))));
        }
    }

    #[test]
    fn variable_byte_integer_with_a_shorter_form_is_refused() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xFF, 0x00],
            &[0x80, 0x80, 0x00],
            &[0x80, 0x80, 0x80, 0x00],
        ] {
            assert_eq!(var_int(bytes), Err(DecodeErrorKind::LengthNotMinimal));
        }
    }

    #[test]
    fn variable_byte_integer_of_five_bytes_is_refused_at_the_fourth() {
        assert_eq!(var_int(&[0x80; 3]), Ok(None));
        assert_eq!(var_int(&[0x80; 4]), Err(DecodeErrorKind::LengthTooLong));
        assert_eq!(
            var_int(&[0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
            Err(DecodeErrorKind::LengthTooLong)
        );
    }

    #[test]
    fn string_must_be_well_formed_utf_8_without_the_null_character() {
        let string = |bytes| Reader::new(bytes).string();
        assert_eq!(string(b"\x00\x02\xC3\xA9"), Ok("é"));
        assert_eq!(string(b"\x00\x03a\x00b"), Err(DecodeErrorKind::NulInString));
        assert_eq!(string(b"\x00\x01\xFF"), Err(DecodeErrorKind::InvalidUtf8));
        // Overlong form of U+002F, the surrogate U+D800, and U+110000.
        for invalid in [
            &b"\x00\x02\xC0\xAF"[..],
            b"\x00\x03\xED\xA0\x80",
            b"\x00\x04\xF4\x90\x80\x80",
        ] {
            assert_eq!(string(invalid), Err(DecodeErrorKind::InvalidUtf8));
        }
    }

    #[test]
    fn control_characters_and_non_characters_are_accepted_in_strings() {
        assert_eq!(Reader::new(b"\x00\x02\x01\x7F").string(), Ok("\u{1}\u{7F}"));
        assert_eq!(Reader::new(b"\x00\x03\xEF\xBF\xBF").string(), Ok("\u{FFFF}"));
        assert_eq!(Reader::new(b"\x00\x03\xEF\xBB\xBF").string(), Ok("\u{FEFF}"));
    }

    #[test]
    fn field_that_reaches_behind_the_packet_is_truncated() {
        assert_eq!(Reader::new(b"\x00").u16(), Err(DecodeErrorKind::Truncated));
        assert_eq!(
            Reader::new(b"\x00\x00\x00").u32(),
            Err(DecodeErrorKind::Truncated)
        );
        assert_eq!(
            Reader::new(b"\x00\x05abcd").binary(),
            Err(DecodeErrorKind::Truncated)
        );
        assert_eq!(Reader::new(b"\x80").var_int(), Err(DecodeErrorKind::Truncated));
    }

    #[test]
    fn field_of_65_536_bytes_cannot_be_written() {
        let longest = alloc::string::String::from_utf8(alloc::vec![b'a'; 65_535]).unwrap();
        assert_eq!(string_len(&longest, "user name"), Ok(65_537));
        assert_eq!(
            string_len(&(longest + "a"), "user name"),
            Err(EncodeError::FieldTooLong("user name"))
        );
        assert_eq!(
            string_len("a\0", "user name"),
            Err(EncodeError::NulInField("user name"))
        );
    }

    #[test]
    fn body_over_the_largest_remaining_length_is_too_large() {
        assert_eq!(remaining_len(MAX_VAR_INT as usize), Ok(MAX_VAR_INT));
        assert_eq!(
            remaining_len(MAX_VAR_INT as usize + 1),
            Err(EncodeError::PacketTooLarge)
        );
        assert_eq!(remaining_len(usize::MAX), Err(EncodeError::PacketTooLarge));
    }
}
