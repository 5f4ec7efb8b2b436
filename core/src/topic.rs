//! Topic Names and Topic Filters: the rules of MQTT 5.0 §4.7 and matching.

use bytes::Bytes;

/// A valid Topic Name; cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Bytes);

/// A valid Topic Filter, shared subscriptions (`$share/group/filter`) included; cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Bytes);

/// Why a text is not a Topic Name or Topic Filter. (helper: variants, texts with position)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// Empty.
    Empty,
}

impl core::fmt::Display for TopicError {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        todo!()
    }
}

impl TopicName {
    /// Checks `topic` and takes it over.
    /// # Errors
    /// [`TopicError`]
    pub fn new(topic: impl Into<Bytes>) -> Result<Self, TopicError> {
        Ok(Self(topic.into()))
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
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
    /// # Errors
    /// [`TopicError`]
    pub fn new(filter: impl Into<Bytes>) -> Result<Self, TopicError> {
        Ok(Self(filter.into()))
    }
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
    /// Whether a message on `topic` belongs to this filter (`$` topics are not matched by leading wildcards).
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let _ = topic;
        todo!()
    }
}
