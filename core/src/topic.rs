//! Topic Names and Topic Filters: the rules of MQTT 5.0 §4.7 and matching.

use alloc::string::String;
use bytes::Bytes;
use core::fmt;

/// Longest Topic Name and Topic Filter in bytes: what a length prefix can say.
const MAX_LEN: usize = u16::MAX as usize;

const SHARE_PREFIX: &[u8] = b"$share/";

/// A valid Topic Name; cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Bytes);

/// A valid Topic Filter, shared subscriptions (`$share/group/filter`) included; cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Bytes);

/// Why a text is not a Topic Name or Topic Filter. Positions count bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// Empty.
    Empty,
    /// Longer than 65,535 bytes.
    TooLong {
        /// Bytes that were given.
        len: usize,
    },
    /// Not well-formed UTF-8.
    NotUtf8 {
        /// First byte that is not.
        at: usize,
    },
    /// The null character.
    Nul {
        /// Where it stands.
        at: usize,
    },
    /// `+` or `#` in a Topic Name.
    WildcardInName {
        /// Where it stands.
        at: usize,
    },
    /// `+` or `#` beside other characters of the same level.
    WildcardInsideLevel {
        /// Where it stands.
        at: usize,
    },
    /// `#` before the last level.
    MultiLevelNotLast {
        /// Where it stands.
        at: usize,
    },
    /// `$share/` without a group, or with `+` or `#` in the group.
    ShareGroupInvalid {
        /// Where the group begins or the wildcard stands.
        at: usize,
    },
    /// `$share/group` without a filter behind it.
    ShareFilterMissing {
        /// Where the filter should begin.
        at: usize,
    },
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("topic is empty: give at least one character"),
            Self::TooLong { len } => write!(
                f,
                "topic is {len} bytes long, at most {MAX_LEN} are possible: shorten it"
            ),
            Self::NotUtf8 { at } => write!(f, "topic is not utf-8 at byte {at}: encode it as utf-8"),
            Self::Nul { at } => write!(f, "topic contains the null character at byte {at}: remove it"),
            Self::WildcardInName { at } => {
                write!(
                    f,
                    "topic name contains a wildcard at byte {at}: name one topic, without + and #"
                )
            }
            Self::WildcardInsideLevel { at } => write!(
                f,
                "topic filter has a wildcard at byte {at} beside other characters: make + or # a whole level, as in a/+/b"
            ),
            Self::MultiLevelNotLast { at } => {
                write!(
                    f,
                    "topic filter goes on behind # at byte {at}: make # the last level, as in a/#"
                )
            }
            Self::ShareGroupInvalid { at } => write!(
                f,
                "shared subscription has no valid group at byte {at}: write $share/group/filter, the group without + and #"
            ),
            Self::ShareFilterMissing { at } => write!(
                f,
                "shared subscription has no filter at byte {at}: write $share/group/filter"
            ),
        }
    }
}

impl core::error::Error for TopicError {}

impl TopicName {
    /// Checks `topic` and takes it over.
    ///
    /// # Errors
    /// [`TopicError`] with the position of what is wrong.
    pub fn new(topic: impl Into<Bytes>) -> Result<Self, TopicError> {
        let topic = topic.into();
        check_utf8(&topic)?;
        check_name(&topic)?;
        Ok(Self(topic))
    }

    /// As [`Self::new`], without allocation.
    ///
    /// # Errors
    /// [`TopicError`] with the position of what is wrong.
    pub fn from_static(topic: &'static str) -> Result<Self, TopicError> {
        check_name(topic.as_bytes())?;
        Ok(Self(Bytes::from_static(topic.as_bytes())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Checked on construction.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl core::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl TopicFilter {
    /// Checks `filter` and takes it over.
    ///
    /// # Errors
    /// [`TopicError`] with the position of what is wrong.
    pub fn new(filter: impl Into<Bytes>) -> Result<Self, TopicError> {
        let filter = filter.into();
        check_utf8(&filter)?;
        check_filter(&filter)?;
        Ok(Self(filter))
    }

    /// As [`Self::new`], without allocation.
    ///
    /// # Errors
    /// [`TopicError`] with the position of what is wrong.
    pub fn from_static(filter: &'static str) -> Result<Self, TopicError> {
        check_filter(filter.as_bytes())?;
        Ok(Self(Bytes::from_static(filter.as_bytes())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Checked on construction.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The group of a shared subscription (MQTT 5.0 §4.8.2).
    #[must_use]
    pub fn share_group(&self) -> Option<&str> {
        share_group(self.as_str())
    }

    /// Whether the filter has a level `+` or `#`.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.0.iter().any(|byte| matches!(byte, b'+' | b'#'))
    }

    /// Whether a message on `topic` belongs to this filter (`$` topics are not matched by leading wildcards).
    /// For a shared subscription the filter behind the group decides.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let filter = match self.share_group() {
            Some(group) => &self.0[SHARE_PREFIX.len() + group.len() + 1..],
            None => &self.0,
        };
        let topic = topic.as_bytes();
        match (topic.first(), filter.first()) {
            (None, _) | (Some(b'$'), Some(b'+' | b'#')) => return false,
            _ => {}
        }
        let mut levels = topic.split(|byte| *byte == b'/');
        for expected in filter.split(|byte| *byte == b'/') {
            if expected == b"#" {
                // "sport/#" also matches "sport": the parent level (§4.7.1.2).
                return true;
            }
            match levels.next() {
                Some(level) if expected == b"+" || expected == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

macro_rules! text_conversions {
    ($topic:ident) => {
        impl TryFrom<&str> for $topic {
            type Error = TopicError;
            fn try_from(text: &str) -> Result<Self, TopicError> {
                Self::new(Bytes::copy_from_slice(text.as_bytes()))
            }
        }

        impl TryFrom<String> for $topic {
            type Error = TopicError;
            fn try_from(text: String) -> Result<Self, TopicError> {
                Self::new(text)
            }
        }

        impl core::str::FromStr for $topic {
            type Err = TopicError;
            fn from_str(text: &str) -> Result<Self, TopicError> {
                Self::try_from(text)
            }
        }

        impl AsRef<str> for $topic {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<str> for $topic {
            fn eq(&self, text: &str) -> bool {
                self.0 == text.as_bytes()
            }
        }

        impl PartialEq<&str> for $topic {
            fn eq(&self, text: &&str) -> bool {
                self.0 == text.as_bytes()
            }
        }

        impl fmt::Display for $topic {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_conversions!(TopicName);
text_conversions!(TopicFilter);

/// Whether `topic` is free of `+`, `#` and the null character: with that and UTF-8 it is a Topic Name unless empty.
#[inline]
pub(crate) fn is_plain(topic: &[u8]) -> bool {
    !topic.iter().any(|byte| matches!(byte, 0 | b'+' | b'#'))
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

fn check_name(name: &[u8]) -> Result<(), TopicError> {
    check_text(name)?;
    match name.iter().position(is_wildcard) {
        Some(at) => Err(TopicError::WildcardInName { at }),
        None => Ok(()),
    }
}

fn check_utf8(text: &[u8]) -> Result<(), TopicError> {
    match core::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(TopicError::NotUtf8 {
            at: error.valid_up_to(),
        }),
    }
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

const fn is_wildcard(byte: &u8) -> bool {
    matches!(byte, b'+' | b'#')
}
