//! What the agent had subscribed to, by name: the broker keeps it over a stop, also what the files of the next run do not ask for.

use std::collections::BTreeSet;
use std::io;

use syncline_core::limits::MAX_SUBSCRIPTIONS;
use syncline_core::topic::TopicFilter;

use super::layer::{FileLayer, replace};

/// The file: Topic Filters, each ended by a NUL, which no filter has in it.
const FILE: &str = "subscribed";
/// Longest file that is read: more than the most subscriptions take that an agent has, at a hundred bytes each.
const MAX_FILE: u64 = 8 << 20;

/// The filters that were stored last. What is no filter is left out.
pub(super) fn load(layer: &dyn FileLayer) -> io::Result<BTreeSet<TopicFilter>> {
    let content = layer.read(FILE, MAX_FILE)?.unwrap_or_default();
    let content = String::from_utf8_lossy(&content);
    let filters = content
        .split_terminator('\0')
        .filter_map(|text| TopicFilter::new(text.to_owned()).ok());
    Ok(filters.take(MAX_SUBSCRIPTIONS).collect())
}

/// Has `filters` be what was stored last.
pub(super) fn store(layer: &dyn FileLayer, filters: &BTreeSet<TopicFilter>) -> io::Result<()> {
    let content: String = filters
        .iter()
        .flat_map(|filter| [filter.as_str(), "\0"])
        .collect();
    replace(layer, FILE, content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::Disk;
    use super::*;

    #[test]
    fn what_was_stored_is_found_again_whatever_filters_have_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let layer = Disk::new(folder.path());
        assert!(load(&layer).unwrap().is_empty());
        let filters = ["a/+", "#", "two\nlines", " "].map(|text| TopicFilter::new(text).unwrap());
        let filters = BTreeSet::from(filters);
        store(&layer, &filters).unwrap();
        assert_eq!(load(&layer).unwrap(), filters);
        store(&layer, &BTreeSet::new()).unwrap();
        assert!(load(&layer).unwrap().is_empty());
    }
}
