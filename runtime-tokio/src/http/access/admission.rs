//! The file of those who may come in, as it is in force: taken up anew when it changes.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::Access;
use super::file::{self, AccessError};
use crate::current::Current;

/// Time until a file that has changed is looked at again.
const SECOND_LOOK: Duration = Duration::from_millis(500);
/// Looks in a row after which a file counts as it is, although each has found something else.
const MOST_LOOKS: u32 = 5;

/// The users and tokens of a file that is looked at again and again. What is wrong with a changed file is logged, and those
/// before stay.
pub struct Admission {
    file: PathBuf,
    variable: &'static str,
    access: Current<Access>,
    looked: Mutex<Looked>,
}

/// What the looks at the file have found, by digest.
#[derive(Debug, Default)]
struct Looked {
    in_force: [u8; 32],
    /// At the last look.
    last: [u8; 32],
    /// What the log was told of.
    complained: Option<[u8; 32]>,
    /// Looks in a row that have each found something else.
    unsettled: u32,
}

/// When a changed file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// When it is the same at two looks: it may be in the middle of being written.
    Settled,
    /// At once: whoever asks for the look has written it.
    AtOnce,
}

impl Admission {
    /// Reads `file`, which messages name by `variable`.
    ///
    /// # Errors
    /// [`AccessError`] names what is wrong with it.
    pub fn open(file: PathBuf, variable: &'static str) -> Result<Self, AccessError> {
        let text = file::text(&file, variable)?;
        let access = file::parse(&text, &file, variable)?;
        let looked = Looked {
            in_force: digest(&text),
            last: digest(&text),
            complained: None,
            unsettled: 0,
        };
        Ok(Self {
            file,
            variable,
            access: Current::new(access),
            looked: Mutex::new(looked),
        })
    }

    /// Who may come in just now.
    pub(crate) fn access(&self) -> Arc<Access> {
        self.access.load()
    }

    /// Looks at the file every `interval`, and soon again where it has changed.
    pub(crate) async fn keep_up_to_date(&self, interval: Duration) {
        loop {
            sleep(interval).await;
            while !self.look(Patience::Settled).await {
                sleep(SECOND_LOOK.min(interval)).await;
            }
        }
    }

    /// Takes the file up if it has changed; false where another look has to tell whether it goes on changing.
    pub(crate) async fn look(&self, patience: Patience) -> bool {
        let (file, variable) = (self.file.clone(), self.variable);
        // It may lie on a network.
        let Ok(text) = tokio::task::spawn_blocking(move || file::text(&file, variable)).await else {
            return true;
        };
        let digest = match &text {
            Ok(text) => digest(text),
            Err(error) => digest(&error.to_string()),
        };
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let has_settled = std::mem::replace(&mut looked.last, digest) == digest;
        if digest == looked.in_force {
            looked.complained = None;
            looked.unsettled = 0;
            return true;
        }
        if looked.complained == Some(digest) {
            looked.unsettled = 0;
            return true;
        }
        // One that never comes to rest is judged as it is.
        if patience == Patience::Settled && !has_settled && looked.unsettled < MOST_LOOKS {
            looked.unsettled += 1;
            return false;
        }
        looked.unsettled = 0;
        match text.and_then(|text| file::parse(&text, &self.file, self.variable)) {
            Ok(access) => {
                self.access.replace(access);
                looked.in_force = digest;
                looked.complained = None;
                tracing::info!("{variable}: {} has changed, and is in force", self.file.display());
            }
            Err(error) => {
                looked.complained = Some(digest);
                tracing::warn!("who may come in stays as it was: {error}");
            }
        }
        true
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;

    const FIRST: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
    const SECOND: &str = "zyxwvutsrqponmlkjihgfedcba9876543210";

    struct Bench {
        folder: tempfile::TempDir,
        admission: Admission,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("access.toml");
            std::fs::write(&file, entry(FIRST)).unwrap();
            let admission = Admission::open(file, "SYNCLINE_HTTP_AUTH").unwrap();
            Self { folder, admission }
        }

        fn write(&self, text: &str) {
            std::fs::write(self.folder.path().join("access.toml"), text).unwrap();
        }

        fn knows(&self, token: &str) -> bool {
            self.admission.access().by_token(token.as_bytes()).is_some()
        }

        fn has_complained(&self) -> bool {
            self.admission.looked.lock().unwrap().complained.is_some()
        }
    }

    fn entry(token: &str) -> String {
        Entry::token("board", token, &["#"], &[]).unwrap().to_string()
    }

    #[tokio::test]
    async fn a_changed_file_counts_when_it_has_been_the_same_at_two_looks() {
        let bench = Bench::new();
        bench.write(&entry(SECOND));
        bench.admission.look(Patience::Settled).await;
        assert!(bench.knows(FIRST) && !bench.knows(SECOND));
        bench.admission.look(Patience::Settled).await;
        assert!(bench.knows(SECOND) && !bench.knows(FIRST));
    }

    #[tokio::test]
    async fn a_file_that_never_comes_to_rest_is_judged_after_some_looks() {
        let bench = Bench::new();
        for number in 0..MOST_LOOKS {
            bench.write(&format!("# {number}\n{}", entry(SECOND)));
            assert!(!bench.admission.look(Patience::Settled).await);
            assert!(bench.knows(FIRST));
        }
        bench.write(&entry(SECOND));
        assert!(bench.admission.look(Patience::Settled).await);
        assert!(bench.knows(SECOND));
    }

    #[tokio::test]
    async fn whoever_asks_for_a_look_need_not_wait_for_another() {
        let bench = Bench::new();
        bench.write(&entry(SECOND));
        bench.admission.look(Patience::AtOnce).await;
        assert!(bench.knows(SECOND));
    }

    #[tokio::test]
    async fn a_file_that_is_wrong_or_gone_leaves_those_before_in_force() {
        let bench = Bench::new();
        for wrong in ["", "[[token]]\nname = 1\n"] {
            bench.write(wrong);
            bench.admission.look(Patience::AtOnce).await;
            assert!(bench.knows(FIRST) && bench.has_complained(), "{wrong:?}");
        }
        std::fs::remove_file(bench.folder.path().join("access.toml")).unwrap();
        bench.admission.look(Patience::AtOnce).await;
        assert!(bench.knows(FIRST) && bench.has_complained());
        bench.write(&entry(FIRST));
        bench.admission.look(Patience::AtOnce).await;
        assert!(bench.knows(FIRST) && !bench.has_complained());
    }
}
