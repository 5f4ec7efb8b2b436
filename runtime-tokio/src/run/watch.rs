//! The commissioning files while the agent runs: looked at again and again, and read when they have changed or when asked to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::rules::at;
use crate::service::{Files, Reading, Stamp};

/// Time between two looks at the files, unless told otherwise.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Time until a reload is tried again that has failed for a reason outside of the files; it doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The longest that it becomes.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Keeps an eye on the commissioning files of a plan that is in force.
pub struct Watch {
    files: Arc<Files>,
    /// The parameters that files have declared since the start.
    declared: BTreeSet<String>,
    /// Of what was read last, whatever came of it.
    digest: [u8; 32],
    /// How the files were when they were read last.
    stamp: Stamp,
    /// How they were at the last look, where that is otherwise: they may be in the middle of being written.
    unsettled: Option<Stamp>,
    hangup: Arc<Notify>,
    /// When what has failed is tried again, and how long that was put off.
    retry: Option<(Instant, Duration)>,
}

/// Files that were read.
pub(super) struct Found {
    pub(super) reading: Reading,
    /// Whether their content is another than when they were read last.
    pub(super) is_new: bool,
    /// Whether somebody has asked for it.
    pub(super) was_asked: bool,
    /// Whether it is only tried again.
    pub(super) is_retry: bool,
}

impl Watch {
    /// Watches `files`, of which `reading` is in force. Whoever notifies `hangup` has them read at once.
    #[must_use]
    pub fn new(files: Files, reading: &Reading, hangup: Arc<Notify>) -> Self {
        Self {
            files: Arc::new(files),
            declared: reading.declared.clone(),
            digest: reading.digest,
            stamp: reading.stamp.clone(),
            unsettled: None,
            hangup,
            retry: None,
        }
    }

    /// Waits until the files have another content or somebody asks, and reads them. Files that change are read when two looks
    /// have found them the same.
    pub(super) async fn next(&mut self, interval: Duration) -> Found {
        loop {
            let hangup = Arc::clone(&self.hangup);
            let found = tokio::select! {
                () = hangup.notified() => self.read().await.map(|found| Found { was_asked: true, ..found }),
                () = at(self.retry.map(|(at, _)| at)) => self.read().await.map(|found| Found { is_retry: true, ..found }),
                () = sleep(interval) => self.look().await.filter(|found| found.is_new),
            };
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// What was found is in force or cannot be; or else it is tried again, after a while that grows.
    pub(super) fn settle(&mut self, is_settled: bool) {
        let delay = self
            .retry
            .map_or(FIRST_RETRY, |(_, delay)| LONGEST_RETRY.min(delay * 2));
        self.retry = (!is_settled).then(|| (Instant::now() + delay, delay));
    }

    async fn look(&mut self) -> Option<Found> {
        let stamp = self.stamp().await?;
        if stamp == self.stamp {
            self.unsettled = None;
            return None;
        }
        if self.unsettled.as_ref() != Some(&stamp) {
            self.unsettled = Some(stamp);
            return None;
        }
        self.read().await
    }

    async fn read(&mut self) -> Option<Found> {
        let files = Arc::clone(&self.files);
        let once = self.declared.clone();
        let reading = spawn_blocking(move || files.read_again(&once)).await.ok()?;
        self.declared.extend(reading.declared.iter().cloned());
        // What was written while it was read is found by the next look, for the stamp is from before.
        self.stamp = reading.stamp.clone();
        self.unsettled = None;
        let is_new = std::mem::replace(&mut self.digest, reading.digest) != reading.digest;
        if is_new {
            self.retry = None;
        }
        Some(Found {
            reading,
            is_new,
            was_asked: false,
            is_retry: false,
        })
    }

    /// The files may lie on a network.
    async fn stamp(&self) -> Option<Stamp> {
        let files = Arc::clone(&self.files);
        spawn_blocking(move || files.stamp()).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Context, Diagnostic, Origin};

    const FIRST: &str = "metadata: {name: first}\nresources: {}\n";
    const SECOND: &str = "metadata: {name: second}\nresources: {}\n";

    struct Bench {
        folder: tempfile::TempDir,
        watch: Watch,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a.yml"), FIRST).unwrap();
            let files = Files::new(Origin::Folder(folder.path().to_owned()), Context::default());
            let reading = files.read();
            let watch = Watch::new(files, &reading, Arc::default());
            Self { folder, watch }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }

        /// The services of the plan that a look has found; none where it has found nothing new.
        async fn look(&mut self) -> Option<Vec<String>> {
            let found = self.watch.look().await.filter(|found| found.is_new)?;
            let services = found.reading.outcome.unwrap().plan.services;
            Some(services.into_iter().map(|service| service.id).collect())
        }
    }

    #[tokio::test]
    async fn a_file_counts_when_two_looks_have_found_it_the_same() {
        let mut bench = Bench::new();
        assert_eq!(bench.look().await, None);
        bench.write("b.yml", "metadata: {na");
        assert_eq!(bench.look().await, None);
        bench.write("b.yml", SECOND);
        assert_eq!(bench.look().await, None, "it was otherwise at the last look");
        assert_eq!(bench.look().await.unwrap(), ["first", "second"]);
        assert_eq!(bench.look().await, None);
    }

    #[tokio::test]
    async fn a_value_of_a_parameter_that_was_removed_with_its_file_is_a_warning_and_of_one_that_never_was_a_mistake()
     {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let second = "metadata: {name: second}\nparameters: {line: {type: string}}\nresources: {}\n";
        for (name, text) in [("a.yml", FIRST), ("b.yml", second), ("values", "line: s3cret\n")] {
            std::fs::write(at(name), text).unwrap();
        }
        let context = Context {
            values: Some(at("values")),
            ..Context::default()
        };
        let files = Files::new(Origin::Folder(folder.path().to_owned()), context);
        let reading = files.read();
        let mut watch = Watch::new(files.clone(), &reading, Arc::default());
        std::fs::remove_file(at("b.yml")).unwrap();
        for _ in 0..2 {
            let planned = watch.read().await.unwrap().reading.outcome.unwrap();
            let warnings: Vec<String> = planned
                .warnings
                .diagnostics()
                .iter()
                .map(Diagnostic::line)
                .collect();
            let [warning] = warnings.as_slice() else {
                panic!("one warning: {warnings:?}");
            };
            assert!(
                warning.contains("values:1:7") && warning.contains("`line` any more"),
                "{warning}"
            );
            assert!(!warning.contains("s3cret"), "{warning}");
        }
        std::fs::write(at("values"), "line: s3cret\nlien: 1\n").unwrap();
        let mistakes = watch.read().await.unwrap().reading.outcome.unwrap_err();
        let mistakes: Vec<String> = mistakes.mistakes().map(Diagnostic::line).collect();
        assert!(
            matches!(mistakes.as_slice(), [one] if one.contains("`lien`")),
            "{mistakes:?}"
        );
        assert_eq!(
            files.read().outcome.unwrap_err().errors(),
            2,
            "a start takes neither"
        );
    }

    #[tokio::test]
    async fn files_that_were_only_touched_are_not_new() {
        let mut bench = Bench::new();
        bench.write("new", FIRST);
        std::fs::rename(bench.folder.path().join("new"), bench.folder.path().join("a.yml")).unwrap();
        assert_eq!((bench.look().await, bench.look().await), (None, None));
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_gone_from_the_plan() {
        let mut bench = Bench::new();
        bench.write("b.yml", SECOND);
        std::fs::remove_file(bench.folder.path().join("a.yml")).unwrap();
        assert_eq!(bench.look().await, None);
        assert_eq!(bench.look().await.unwrap(), ["second"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_failed_is_tried_again_after_a_while_that_grows_until_it_succeeds() {
        let mut bench = Bench::new();
        let hour = Duration::from_secs(3600);
        let begun = Instant::now();
        bench.watch.settle(false);
        for delays in [2, 2 + 4, 2 + 4 + 8] {
            let found = bench.watch.next(hour).await;
            assert!(found.is_retry && !found.is_new && !found.was_asked);
            assert_eq!(begun.elapsed().as_secs(), delays);
            bench.watch.settle(false);
        }
        bench.watch.settle(true);
        assert_eq!(bench.watch.retry, None);
    }

    #[tokio::test]
    async fn whoever_asks_need_not_wait_and_is_answered_even_where_nothing_is_new() {
        let mut bench = Bench::new();
        for expected in [false, true] {
            bench.watch.hangup.notify_one();
            let found = bench.watch.next(Duration::from_secs(3600)).await;
            assert_eq!(found.is_new, expected);
            bench.write("a.yml", SECOND);
        }
        assert_eq!(bench.look().await, None);
    }
}
