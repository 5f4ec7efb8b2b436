//! What a text must be to be a Topic Name or a Topic Filter, and what every PUBLISH is looked through for.

use bytes::Bytes;
use bytestring::ByteString;

use super::TopicError;

/// Longest Topic Name and Topic Filter in bytes: what a length prefix can say.
pub(super) const MAX_LEN: usize = u16::MAX as usize;

pub(super) const SHARE_PREFIX: &[u8] = b"$share/";

/// Whether `topic` is free of `+`, `#` and the null character: with that and UTF-8 it is a Topic Name unless empty.
///
/// Every PUBLISH passes here: the blocks of 16 become vector comparisons, and the last one overlaps the one before it
/// rather than leave a rest to be read byte by byte.
#[inline]
pub(crate) fn is_plain(topic: &[u8]) -> bool {
    is_free_of(topic, is_special)
}

/// Whether `topic` is plain and ASCII, which makes it UTF-8 without another look.
#[inline]
pub(crate) fn is_plain_ascii(topic: &[u8]) -> bool {
    is_free_of(topic, is_special_or_beyond_ascii)
}

#[inline]
fn is_free_of(topic: &[u8], is_found: impl Fn(&u8) -> bool) -> bool {
    // No early exit, so that the bytes of a block can be compared all at once.
    let is_free = |block: &[u8; 16]| !block.iter().fold(false, |found, byte| found | is_found(byte));
    match topic.last_chunk() {
        Some(end) => topic.as_chunks().0.iter().all(is_free) && is_free(end),
        None => !topic.iter().any(is_found),
    }
}

#[inline]
const fn is_special_or_beyond_ascii(byte: &u8) -> bool {
    // One signed comparison finds the null character and what is not ASCII.
    byte.cast_signed() <= 0 || is_wildcard(byte)
}

#[inline]
const fn is_special(byte: &u8) -> bool {
    *byte == 0 || is_wildcard(byte)
}

/// The group of `$share/group/filter`, for a text that is a valid filter.
pub(crate) fn share_group(filter: &str) -> Option<&str> {
    let (group, _) = filter.strip_prefix("$share/")?.split_once('/')?;
    Some(group)
}

/// Checks a Topic Filter of 5.0, which may be a shared subscription. Whether it is UTF-8 is the caller's business.
pub(crate) fn check_filter(filter: &[u8]) -> Result<(), TopicError> {
    let Some(shared) = filter.strip_prefix(SHARE_PREFIX) else {
        return check_unshared_filter(filter);
    };
    check_text(filter)?;
    let group_at = SHARE_PREFIX.len();
    let group_len = shared
        .iter()
        .position(|byte| *byte == b'/')
        .unwrap_or(shared.len());
    if let Some(wildcard) = shared[..group_len].iter().position(is_wildcard) {
        return Err(TopicError::ShareGroupInvalid {
            at: group_at + wildcard,
        });
    }
    if group_len == 0 {
        return Err(TopicError::ShareGroupInvalid { at: group_at });
    }
    let filter_at = group_at + group_len + 1;
    match filter.get(filter_at..) {
        None | Some([]) => Err(TopicError::ShareFilterMissing {
            at: filter_at.min(filter.len()),
        }),
        Some(rest) => check_levels(rest, filter_at),
    }
}

/// Checks a Topic Filter by the rules that 3.1.1 and 5.0 share. Whether it is UTF-8 is the caller's business.
pub(crate) fn check_unshared_filter(filter: &[u8]) -> Result<(), TopicError> {
    check_text(filter)?;
    check_levels(filter, 0)
}

pub(super) fn check_name(name: &[u8]) -> Result<(), TopicError> {
    check_text(name)?;
    match name.iter().position(is_wildcard) {
        Some(at) => Err(TopicError::WildcardInName { at }),
        None => Ok(()),
    }
}

pub(super) fn check_utf8(text: Bytes) -> Result<ByteString, TopicError> {
    ByteString::try_from(text).map_err(|error| TopicError::NotUtf8 {
        at: error.valid_up_to(),
    })
}

fn check_text(text: &[u8]) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > MAX_LEN {
        return Err(TopicError::TooLong { len: text.len() });
    }
    match text.iter().position(|byte| *byte == 0) {
        Some(at) => Err(TopicError::Nul { at }),
        None => Ok(()),
    }
}

/// Checks that each wildcard in `filter`, which begins at byte `offset` of the whole, is a whole level and `#` the last.
fn check_levels(filter: &[u8], offset: usize) -> Result<(), TopicError> {
    for (index, byte) in filter.iter().enumerate().filter(|(_, byte)| is_wildcard(byte)) {
        let at = offset + index;
        let starts_level = index == 0 || filter[index - 1] == b'/';
        match filter.get(index + 1) {
            _ if !starts_level => return Err(TopicError::WildcardInsideLevel { at }),
            None => {}
            Some(b'/') if *byte == b'+' => {}
            Some(b'/') => return Err(TopicError::MultiLevelNotLast { at }),
            Some(_) => return Err(TopicError::WildcardInsideLevel { at }),
        }
    }
    Ok(())
}

#[inline]
pub(super) const fn is_wildcard(byte: &u8) -> bool {
    // `+` and `#` differ in one bit.
    *byte | 0x08 == b'+'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_found_at_every_place_of_every_length() {
        for len in 0..70 {
            let plain = alloc::vec![b'a'; len];
            assert!(is_plain(&plain));
            for at in 0..len {
                for special in 0..=u8::MAX {
                    let mut topic = plain.clone();
                    topic[at] = special;
                    let expected = !matches!(special, 0 | b'+' | b'#');
                    assert_eq!(is_plain(&topic), expected, "{special:#04x} at {at} of {len}");
                }
            }
        }
    }
}
