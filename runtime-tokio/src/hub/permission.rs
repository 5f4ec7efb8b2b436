//! What a user may do: Topic Filters with the right to read, to write, or both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use syncline_core::topic::{TopicFilter, TopicName};

/// Most permissions of one user.
pub(super) const MAX_PERMISSIONS: usize = 256;

/// The right to some topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permission {
    access: Access,
    filter: TopicFilter,
}

/// What a permission is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Subscribing.
    Read,
    /// Publishing.
    Write,
    /// Both.
    ReadWrite,
}

impl Permission {
    /// What it is for.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The topics.
    #[must_use]
    pub fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// Whether it lets publish to `topic`.
    #[must_use]
    pub fn lets_write(&self, topic: &TopicName) -> bool {
        self.access != Access::Read && self.filter.matches(topic.as_str())
    }

    /// Whether it lets subscribe to `filter`: whatever that matches is within this permission.
    #[must_use]
    pub fn lets_read(&self, filter: &TopicFilter) -> bool {
        self.access != Access::Write && covers(self.filter.as_str(), unshared(filter.as_str()))
    }
}

impl Access {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Read, "read"),
        (Self::Write, "write"),
        (Self::ReadWrite, "readwrite"),
    ];
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(access, _)| access == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl fmt::Display for Permission {
    /// `readwrite services/#`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.access, self.filter.as_str())
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.to_string()
    }
}

impl TryFrom<String> for Permission {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (access, filter) = text.trim().split_once(' ').ok_or_else(|| {
            format!(
                "found `{}`, expected read, write or readwrite and a topic filter, as in `readwrite services/#`",
                text.escape_debug()
            )
        })?;
        let (access, _) = Access::ALL
            .into_iter()
            .find(|(_, name)| *name == access)
            .ok_or_else(|| {
                format!(
                    "found `{}`, expected read, write or readwrite",
                    access.escape_debug()
                )
            })?;
        let filter = filter.trim();
        let parsed = TopicFilter::try_from(filter).map_err(|error| format!("`{filter}`: {error}"))?;
        if filter.starts_with("$share/") {
            return Err(format!(
                "`{filter}`: a permission is for topics, leave `$share/` and the group out"
            ));
        }
        Ok(Self {
            access,
            filter: parsed,
        })
    }
}

/// What an agent needs that runs commissioning files and presents itself, one permission a line.
pub(super) fn suggested(username: &str) -> String {
    format!("readwrite services/#\nwrite syncline/agents/{username}/state")
}

/// Reads one permission a line; empty lines are left out.
///
/// # Errors
/// What is wrong with the first line that is, or that there are too many.
pub(super) fn parse_lines(text: &str) -> Result<Vec<Permission>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let permissions = lines.map(str::parse).collect::<Result<Vec<Permission>, _>>()?;
    match permissions.len() {
        0..=MAX_PERMISSIONS => Ok(permissions),
        count => Err(format!(
            "found {count} permissions, expected at most {MAX_PERMISSIONS}: use wildcards"
        )),
    }
}

/// A shared subscription's filter without its group.
fn unshared(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/");
    shared
        .and_then(|shared| shared.split_once('/'))
        .map_or(filter, |(_, filter)| filter)
}

/// Whether every topic that `narrow` matches is matched by `wide`.
fn covers(wide: &str, narrow: &str) -> bool {
    // MQTT 5.0 §4.7.2: a wildcard in front matches no topic that begins with `$`.
    if narrow.starts_with('$') && wide.starts_with(['+', '#']) {
        return false;
    }
    let (mut wide, mut narrow) = (wide.split('/'), narrow.split('/'));
    loop {
        match (wide.next(), narrow.next()) {
            (Some("#"), _) | (None, None) => return true,
            // `a/#` matches `a` too, so it is wider than `a/+`.
            (_, Some("#")) | (None, Some(_)) | (Some(_), None) => return false,
            (Some("+"), Some(_)) => {}
            (Some(wide), Some(narrow)) if wide == narrow => {}
            (Some(_), Some(_)) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn permission(text: &str) -> Permission {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_permission_reads_and_prints_the_same() {
        for text in ["read a/b", "write a/+", "readwrite #", "read $SYS/#"] {
            assert_eq!(permission(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_permission_is_told_why() {
        for (text, expected) in [
            ("", "expected read, write or readwrite"),
            ("read", "expected read, write or readwrite"),
            ("all a", "expected read, write or readwrite"),
            ("read a+", "topic filter"),
            ("read $share/g/a", "$share/"),
        ] {
            let error = text.parse::<Permission>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(parse_lines("\n read a \r\n\n write b\n").unwrap().len(), 2);
        let many = "read a\n".repeat(MAX_PERMISSIONS + 1);
        assert!(parse_lines(&many).unwrap_err().contains("wildcards"));
    }

    #[test]
    fn reading_and_writing_are_two_rights() {
        let topic = TopicName::try_from("a/b").unwrap();
        let filter = TopicFilter::try_from("a/b").unwrap();
        for (text, reads, writes) in [
            ("read a/#", true, false),
            ("write a/#", false, true),
            ("readwrite a/#", true, true),
            ("readwrite b/#", false, false),
        ] {
            assert_eq!(permission(text).lets_read(&filter), reads, "{text}");
            assert_eq!(permission(text).lets_write(&topic), writes, "{text}");
        }
    }

    #[test]
    fn a_subscription_is_allowed_only_where_all_that_it_matches_is() {
        for (wide, narrow, expected) in [
            ("#", "a/b/#", true),
            ("#", "#", true),
            ("a/#", "a", true),
            ("a/#", "a/#", true),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "a", false),
            ("a/b", "a/+", false),
            ("a/b", "#", false),
            ("+/b", "a/b", true),
            ("#", "$SYS/#", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
        ] {
            assert_eq!(covers(wide, narrow), expected, "{wide} over {narrow}");
        }
        let shared = TopicFilter::try_from("$share/group/a/b").unwrap();
        assert!(permission("read a/#").lets_read(&shared));
        assert!(!permission("read b/#").lets_read(&shared));
    }

    fn filter() -> impl Strategy<Value = String> {
        let level = prop_oneof![Just("a"), Just("b"), Just(""), Just("+"), Just("$x")];
        (prop::collection::vec(level, 1..4), any::<bool>()).prop_filter_map("empty", |(levels, multi)| {
            let mut filter = levels.join("/");
            if multi {
                filter.push_str("/#");
            }
            (!filter.is_empty()).then_some(filter)
        })
    }

    proptest! {
        #[test]
        fn what_is_covered_matches_nothing_else(
            wide in filter(),
            narrow in filter(),
            topic in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just(""), Just("$x")], 1..5),
        ) {
            let topic = topic.join("/");
            let parse = |text: &str| TopicFilter::try_from(text).unwrap();
            if covers(&wide, &narrow) && !topic.is_empty() && parse(&narrow).matches(&topic) {
                prop_assert!(parse(&wide).matches(&topic), "{wide} over {narrow} at {topic}");
            }
        }
    }
}
