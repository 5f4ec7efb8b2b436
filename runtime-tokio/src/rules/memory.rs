//! What `burst` and `collect` keep of earlier messages.

use std::sync::Arc;

use syncline_core::time::Instant;

use super::definition::Burst;
use super::json::Json;
use super::limits::{BURST_BYTES, BURST_MESSAGES, COLLECT_BYTES, COLLECT_LABELS};

/// Messages of `burst` that wait for their batch to be complete.
#[derive(Debug, Default)]
pub(super) struct Batch {
    items: Vec<Json>,
    bytes: usize,
    due: Option<Instant>,
}

impl Batch {
    /// Takes `payload` in. `Some` is a batch that is complete by that.
    pub(super) fn add(&mut self, now: Instant, rule: Burst, payload: Json) -> Option<Json> {
        if self.items.is_empty() {
            self.due = rule.interval().map(|interval| now.after(interval));
        }
        self.bytes += payload.len();
        self.items.push(payload);
        let is_complete =
            self.items.len() >= rule.max_size().unwrap_or(BURST_MESSAGES) || self.bytes >= BURST_BYTES;
        is_complete.then(|| self.complete())
    }

    /// When the batch that has begun is complete at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The batch, which begins anew.
    pub(super) fn complete(&mut self) -> Json {
        let batch = Json::array(&self.items);
        *self = Self::default();
        batch
    }
}

/// The latest message of each label for `collect`, in the order in which the labels first came.
#[derive(Debug, Default)]
pub(super) struct Latest {
    by_label: Vec<(Arc<str>, Json)>,
    bytes: usize,
}

impl Latest {
    /// Takes `payload` in and makes an object of all. `None` when there is no room for it; nothing has changed then.
    pub(super) fn add(&mut self, label: &Arc<str>, payload: Json) -> Option<Json> {
        let known = self.by_label.iter().position(|(known, _)| known == label);
        let freed = known.map_or(0, |at| self.by_label[at].1.len());
        let bytes = self.bytes - freed + payload.len();
        if bytes > COLLECT_BYTES {
            return None;
        }
        match known {
            Some(at) => self.by_label[at].1 = payload,
            None if self.by_label.len() >= COLLECT_LABELS => return None,
            None => self.by_label.push((Arc::clone(label), payload)),
        }
        self.bytes = bytes;
        Some(Json::object(
            self.by_label.iter().map(|(label, payload)| (&**label, payload)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn burst(interval: Option<u64>, max_size: Option<usize>) -> Burst {
        Burst::new(interval.map(Duration::from_millis), max_size).expect("a valid burst")
    }

    #[test]
    fn the_time_of_a_batch_begins_with_its_first_message() {
        let rule = burst(Some(100), None);
        let mut batch = Batch::default();
        assert_eq!(batch.due(), None);
        assert_eq!(batch.add(NOW, rule, Json::integer(1)), None);
        assert_eq!(
            batch.add(NOW.after(Duration::from_millis(60)), rule, Json::integer(2)),
            None
        );
        assert_eq!(batch.due(), Some(NOW.after(Duration::from_millis(100))));
        assert_eq!(batch.complete().as_str(), "[1,2]");
        assert_eq!(batch.due(), None, "without a message no time runs");
    }

    #[test]
    fn a_batch_is_complete_with_its_last_message() {
        let rule = burst(None, Some(2));
        let mut batch = Batch::default();
        assert_eq!(batch.add(NOW, rule, Json::integer(1)), None);
        assert_eq!(
            batch.add(NOW, rule, Json::integer(2)).expect("a batch").as_str(),
            "[1,2]"
        );
        assert_eq!(batch.add(NOW, rule, Json::integer(3)), None);
    }

    #[test]
    fn a_batch_that_grows_too_long_is_complete_early() {
        let rule = burst(Some(60_000), None);
        let mut batch = Batch::default();
        let long = Json::string(&"x".repeat(BURST_BYTES / 2));
        assert_eq!(batch.add(NOW, rule, long.clone()), None);
        assert!(batch.add(NOW, rule, long).is_some());
        for _ in 1..BURST_MESSAGES {
            assert_eq!(batch.add(NOW, rule, Json::integer(1)), None);
        }
        assert!(batch.add(NOW, rule, Json::integer(1)).is_some());
    }

    #[test]
    fn the_latest_message_of_each_label_is_collected_within_bounds() {
        let mut latest = Latest::default();
        let label = |at: usize| Arc::from(format!("l{at}"));
        assert_eq!(
            latest.add(&label(0), Json::integer(1)).unwrap().as_str(),
            "{\"l0\":1}"
        );
        latest.add(&label(1), Json::integer(2));
        assert_eq!(
            latest.add(&label(0), Json::integer(3)).unwrap().as_str(),
            "{\"l0\":3,\"l1\":2}"
        );
        for at in 2..COLLECT_LABELS {
            assert!(latest.add(&label(at), Json::integer(0)).is_some());
        }
        assert_eq!(latest.add(&label(COLLECT_LABELS), Json::integer(0)), None);
        let long = Json::string(&"x".repeat(COLLECT_BYTES));
        assert_eq!(latest.add(&label(0), long), None);
        assert!(
            latest
                .add(&label(1), Json::integer(9))
                .unwrap()
                .as_str()
                .starts_with("{\"l0\":3,\"l1\":9,")
        );
    }
}
