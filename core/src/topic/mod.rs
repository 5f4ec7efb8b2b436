//! Topic Names and Topic Filters: the rules of MQTT 5.0 §4.7 and matching.

mod check;

use alloc::string::String;
use bytes::Bytes;
use bytestring::ByteString;
use core::fmt;

use check::{MAX_LEN, SHARE_PREFIX, check_name, check_utf8, is_wildcard};
pub(crate) use check::{check_filter, check_unshared_filter, is_plain, is_plain_ascii, share_group};

/// A valid Topic Name; cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(ByteString);

/// A valid Topic Filter, shared subscriptions (`$share/group/filter`) included; cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(ByteString);

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
        let topic = check_utf8(topic.into())?;
        check_name(topic.as_bytes())?;
        Ok(Self(topic))
    }

    /// As [`Self::new`], without allocation.
    ///
    /// # Errors
    /// [`TopicError`] with the position of what is wrong.
    pub fn from_static(topic: &'static str) -> Result<Self, TopicError> {
        check_name(topic.as_bytes())?;
        Ok(Self(ByteString::from_static(topic)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl core::borrow::Borrow<str> for TopicFilter {
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
        let filter = check_utf8(filter.into())?;
        check_filter(filter.as_bytes())?;
        Ok(Self(filter))
    }

    /// As [`Self::new`], without allocation.
    ///
    /// # Errors
    /// [`TopicError`] with the position of what is wrong.
    pub fn from_static(filter: &'static str) -> Result<Self, TopicError> {
        check_filter(filter.as_bytes())?;
        Ok(Self(ByteString::from_static(filter)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The group of a shared subscription (MQTT 5.0 §4.8.2).
    #[must_use]
    pub fn share_group(&self) -> Option<&str> {
        share_group(self.as_str())
    }

    /// Whether the filter has a level `+` or `#`.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.0.as_bytes().iter().any(is_wildcard)
    }

    /// Whether a message on `topic` belongs to this filter (`$` topics are not matched by leading wildcards).
    /// For a shared subscription the filter behind the group decides.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let filter = match self.share_group() {
            Some(group) => &self.0.as_bytes()[SHARE_PREFIX.len() + group.len() + 1..],
            None => self.0.as_bytes(),
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
                self.as_str() == text
            }
        }

        impl PartialEq<&str> for $topic {
            fn eq(&self, text: &&str) -> bool {
                self.as_str() == *text
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::try_from(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn name_is_any_text_without_wildcards_and_null() {
        for name in ["a", "/", "a//b", " ", "$SYS/broker", "é/水", "$share/g/a"] {
            assert_eq!(TopicName::try_from(name).unwrap(), name);
        }
        assert_eq!(TopicName::try_from(""), Err(TopicError::Empty));
        assert_eq!(
            TopicName::try_from("a/+/b"),
            Err(TopicError::WildcardInName { at: 2 })
        );
        assert_eq!(
            TopicName::try_from("a#"),
            Err(TopicError::WildcardInName { at: 1 })
        );
        assert_eq!(TopicName::try_from("ab\0"), Err(TopicError::Nul { at: 2 }));
        assert_eq!(TopicName::new(&b"ab\xFF"[..]), Err(TopicError::NotUtf8 { at: 2 }));
    }

    #[test]
    fn text_is_at_most_65_535_bytes_long() {
        let longest = "a".repeat(65_535);
        assert!(TopicName::try_from(longest.clone()).is_ok());
        assert!(TopicFilter::try_from(longest.clone()).is_ok());
        let too_long = longest + "a";
        assert_eq!(
            TopicName::try_from(too_long.clone()),
            Err(TopicError::TooLong { len: 65_536 })
        );
        assert_eq!(
            TopicFilter::try_from(too_long),
            Err(TopicError::TooLong { len: 65_536 })
        );
    }

    #[test]
    fn wildcard_fills_a_whole_level() {
        for valid in ["#", "+", "+/+", "/+", "+/", "a/+/b", "a/#", "+/a/#", "/#"] {
            assert_eq!(filter(valid), valid);
        }
        for (invalid, error) in [
            ("a+", TopicError::WildcardInsideLevel { at: 1 }),
            ("+a", TopicError::WildcardInsideLevel { at: 0 }),
            ("a/b#", TopicError::WildcardInsideLevel { at: 3 }),
            ("#a", TopicError::WildcardInsideLevel { at: 0 }),
            ("++", TopicError::WildcardInsideLevel { at: 0 }),
            ("##", TopicError::WildcardInsideLevel { at: 0 }),
            ("#/a", TopicError::MultiLevelNotLast { at: 0 }),
            ("a/#/", TopicError::MultiLevelNotLast { at: 2 }),
            ("", TopicError::Empty),
            ("a\0/#", TopicError::Nul { at: 1 }),
        ] {
            assert_eq!(TopicFilter::try_from(invalid), Err(error), "{invalid}");
        }
    }

    #[test]
    fn shared_subscription_has_a_group_and_a_filter() {
        assert_eq!(filter("$share/group/a/#").share_group(), Some("group"));
        assert_eq!(filter("$share/g//").share_group(), Some("g"));
        assert_eq!(filter("$share").share_group(), None);
        assert_eq!(filter("a/$share/b").share_group(), None);
        for (invalid, error) in [
            ("$share/", TopicError::ShareGroupInvalid { at: 7 }),
            ("$share//a", TopicError::ShareGroupInvalid { at: 7 }),
            ("$share/g+/a", TopicError::ShareGroupInvalid { at: 8 }),
            ("$share/#", TopicError::ShareGroupInvalid { at: 7 }),
            ("$share/g", TopicError::ShareFilterMissing { at: 8 }),
            ("$share/g/", TopicError::ShareFilterMissing { at: 9 }),
            ("$share/g/a+", TopicError::WildcardInsideLevel { at: 10 }),
            ("$share/g/#/a", TopicError::MultiLevelNotLast { at: 9 }),
        ] {
            assert_eq!(TopicFilter::try_from(invalid), Err(error), "{invalid}");
        }
    }

    #[test]
    fn filter_matches_by_the_examples_of_the_specification() {
        for (pattern, topic, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/#", "sport", true),
            ("#", "a/b", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("ACCOUNTS", "Accounts", false),
            ("a/b", "a", false),
            ("a", "a/b", false),
            ("a/b/#", "a", false),
            ("é/+", "é/水", true),
            ("#", "", false),
            ("$share/g/a/+", "a/b", true),
            ("$share/g/#", "$SYS/a", false),
            ("$share/g/a", "$share/g/a", false),
        ] {
            assert_eq!(filter(pattern).matches(topic), expected, "{pattern} on {topic}");
        }
    }

    #[test]
    fn errors_say_position_and_cure() {
        assert_eq!(
            TopicFilter::try_from("a/b+").unwrap_err().to_string(),
            "topic filter has a wildcard at byte 3 beside other characters: make + or # a whole level, as in a/+/b"
        );
        assert_eq!(
            TopicName::from_static("a/#").unwrap_err().to_string(),
            "topic name contains a wildcard at byte 2: name one topic, without + and #"
        );
    }
}
