//! How often another plan was taken up while the agent runs, and what came of the last one: the one source of status and metrics.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::snapshot::{LastReload, ReloadStatus};
use crate::presence::rfc3339;
use crate::run::Changes;

/// Mistakes of the last reload that are kept; all of them are in the log.
const MISTAKES: usize = 20;

/// Notes what comes of each reload.
#[derive(Debug, Default)]
pub(crate) struct Reloads(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    succeeded: u64,
    failed: u64,
    last: Option<(SystemTime, Result<Changes, Vec<String>>)>,
}

impl Reloads {
    /// Another plan is in force, or the one before stays for these reasons.
    pub(crate) fn note(&self, outcome: Result<Changes, Vec<String>>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *match outcome {
            Ok(_) => &mut noted.succeeded,
            Err(_) => &mut noted.failed,
        } += 1;
        let outcome = outcome.map_err(|mut mistakes| {
            let omitted = mistakes.len().saturating_sub(MISTAKES);
            mistakes.truncate(MISTAKES);
            if omitted > 0 {
                mistakes.push(format!("and {omitted} more, see the log"));
            }
            mistakes
        });
        noted.last = Some((SystemTime::now(), outcome));
    }

    pub(super) fn status(&self) -> ReloadStatus {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.last.as_ref().map(|(at, outcome)| {
            let Changes {
                added,
                changed,
                removed,
                unchanged,
            } = outcome.as_ref().copied().unwrap_or_default();
            let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            LastReload {
                at: rfc3339(*at),
                at_seconds: since.as_secs(),
                succeeded: outcome.is_ok(),
                added,
                changed,
                removed,
                unchanged,
                errors: outcome.as_ref().err().cloned().unwrap_or_default(),
            }
        });
        ReloadStatus {
            succeeded: noted.succeeded,
            failed: noted.failed,
            last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_mistakes_within_a_bound_and_a_success_its_changes() {
        let reloads = Reloads::default();
        assert_eq!(reloads.status(), ReloadStatus::default());
        reloads.note(Err((0..MISTAKES + 3).map(|number| number.to_string()).collect()));
        let last = reloads.status().last.unwrap();
        assert!(!last.succeeded);
        assert_eq!(last.errors.len(), MISTAKES + 1);
        assert_eq!(last.errors.last().unwrap(), "and 3 more, see the log");

        reloads.note(Ok(Changes {
            added: 1,
            changed: 2,
            removed: 3,
            unchanged: 4,
        }));
        let status = reloads.status();
        assert_eq!((status.succeeded, status.failed), (1, 1));
        let last = status.last.unwrap();
        assert!(last.succeeded && last.errors.is_empty());
        assert_eq!(
            (last.added, last.changed, last.removed, last.unchanged),
            (1, 2, 3, 4)
        );
    }
}
