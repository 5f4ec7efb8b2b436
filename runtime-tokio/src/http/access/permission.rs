//! Which paths somebody may read and write, in patterns as of MQTT topics.

use syncline_core::topic::{TopicError, TopicFilter};

/// What one user or token may do.
#[derive(Debug, Default)]
pub(super) struct Permissions {
    read: Vec<TopicFilter>,
    write: Vec<TopicFilter>,
}

impl Permissions {
    /// Takes patterns of paths without their first `/`: `+` is one segment, `#` all that follow.
    ///
    /// # Errors
    /// The pattern that is none, and why.
    pub(super) fn new(read: &[String], write: &[String]) -> Result<Self, (String, TopicError)> {
        Ok(Self {
            read: filters(read)?,
            write: filters(write)?,
        })
    }

    /// Whether `path` may be read, or written. It is compared in the router's spelling: lower case, escapes decoded.
    pub(super) fn allow(&self, reads: bool, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let patterns = if reads { &self.read } else { &self.write };
        patterns.iter().any(|pattern| pattern.matches(path))
    }
}

fn filters(patterns: &[String]) -> Result<Vec<TopicFilter>, (String, TopicError)> {
    patterns
        .iter()
        .map(|pattern| {
            let text = pattern.strip_prefix('/').unwrap_or(pattern).to_lowercase();
            TopicFilter::new(text).map_err(|error| (pattern.clone(), error))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_compared_without_case_and_with_wildcards() {
        let permissions =
            Permissions::new(&["/Data/+/Level".to_owned()], &["data/plant/#".to_owned()]).unwrap();
        assert!(permissions.allow(true, "/data/plant/level"));
        assert!(!permissions.allow(true, "/data/plant/other"));
        assert!(permissions.allow(false, "/data/plant"));
        assert!(!permissions.allow(false, "/data/other"));
        assert!(Permissions::new(&["a/b+".to_owned()], &[]).is_err());
    }
}
