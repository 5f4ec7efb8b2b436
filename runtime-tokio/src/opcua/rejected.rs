//! The folder of rejected certificates: whoever reaches the server can have one more written there, so it is kept small, and the
//! log says how to let a client in.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, SystemTime};

use super::certificates::{Certificates, MAX_FILE, Standing, certificate, files};
use super::refusals::Refusals;

/// Most certificates that are kept; the oldest go first.
const MOST: usize = 100;
/// Most bytes of all of them.
const MAX_BYTES: u64 = 1 << 20;
/// Time between two looks: as long, more than that may be there.
const INTERVAL: Duration = Duration::from_secs(1);

/// The folder, and what has been told of it.
#[derive(Debug)]
pub(super) struct Rejected {
    certificates: Certificates,
    seen: HashSet<OsString>,
    refusals: Refusals,
}

impl Rejected {
    /// What is there already is not told again.
    pub(super) fn new(certificates: Certificates) -> Self {
        let files = files(&certificates.folder(Standing::Rejected)).unwrap_or_default();
        Self {
            certificates,
            seen: files.into_iter().map(|file| file.file_name()).collect(),
            refusals: Refusals::new("certificates of OPC UA applications"),
        }
    }

    /// Looks at the folder again and again.
    pub(super) async fn look_after(mut self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(looked) => self = looked,
                Err(_) => return,
            }
        }
    }

    /// Removes what is too much, and tells of what is new.
    fn look(&mut self) {
        let Ok(files) = files(&self.certificates.folder(Standing::Rejected)) else {
            return;
        };
        let mut files: Vec<_> = files
            .into_iter()
            .filter_map(|file| {
                let metadata = file.metadata().ok()?;
                let since = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                Some((since, metadata.len(), file))
            })
            .collect();
        files.sort_by(|(one, ..), (other, ..)| other.cmp(one));
        let (mut count, mut bytes) = (0, 0);
        let mut seen = HashSet::new();
        for (_, length, file) in files {
            let fits = count < MOST && length <= MAX_FILE as u64 && bytes + length <= MAX_BYTES;
            if !fits {
                if let Err(error) = fs::remove_file(file.path()) {
                    tracing::debug!(%error, "a rejected certificate stays");
                }
                continue;
            }
            (count, bytes) = (count + 1, bytes + length);
            let name = file.file_name();
            // One that cannot be read may be in the middle of being written.
            if self.seen.contains(&name) {
                seen.insert(name);
            } else if let Some(found) = certificate(&file, Standing::Rejected) {
                seen.insert(name);
                let command = self.certificates.command(&found.thumbprint);
                self.refusals.note(&format_args!(
                    "{}, thumbprint {}, is not trusted; if it shall be: {command}",
                    found.facts.subject, found.thumbprint
                ));
            }
        }
        self.seen = seen;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Bench {
        _data: tempfile::TempDir,
        folder: PathBuf,
        rejected: Rejected,
    }

    impl Bench {
        fn new() -> Self {
            let data = tempfile::tempdir().unwrap();
            let certificates = Certificates::of(data.path());
            let folder = certificates.folder(Standing::Rejected);
            fs::create_dir_all(&folder).unwrap();
            Self {
                _data: data,
                folder,
                rejected: Rejected::new(certificates),
            }
        }

        /// A file that is so many seconds old.
        fn write(&self, name: &str, length: usize, age: u64) {
            let path = self.folder.join(name);
            fs::write(&path, vec![0; length]).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age))
                .unwrap();
        }

        fn names(&self) -> Vec<String> {
            let files = files(&self.folder).unwrap();
            let name = |file: fs::DirEntry| file.file_name().into_string().unwrap();
            let mut names: Vec<String> = files.into_iter().map(name).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn the_newest_are_kept_and_no_more_than_the_bound() {
        let mut bench = Bench::new();
        for number in 0..MOST + 50 {
            bench.write(&format!("{number:03}"), 1000, number as u64);
        }
        bench.rejected.look();
        let newest: Vec<String> = (0..MOST).map(|number| format!("{number:03}")).collect();
        assert_eq!(bench.names(), newest);
    }

    #[test]
    fn all_together_have_a_bound_and_so_has_each() {
        let mut bench = Bench::new();
        for number in 0..40 {
            bench.write(&format!("{number:02}"), MAX_FILE, number);
        }
        bench.write("huge", MAX_FILE + 1, 0);
        bench.rejected.look();
        let fit = usize::try_from(MAX_BYTES).unwrap() / MAX_FILE;
        assert_eq!(bench.names().len(), fit);
        assert!(!bench.names().contains(&"huge".to_owned()));
    }
}
