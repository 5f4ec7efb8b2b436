//! The commissioning files of an agent, to be read again and again: which they are, whether they have changed, what they plan.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::diagnostic::{Diagnostic, Report};
use super::source::Source;
use super::{Context, Planned, plan_readable, read};

/// Where the commissioning files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// These, each by its name.
    Files(Vec<PathBuf>),
    /// All `*.yml` and `*.yaml` of this folder, in the order of their names.
    Folder(PathBuf),
}

/// The commissioning files of an agent, with what they can learn about it.
#[derive(Clone)]
pub struct Files {
    origin: Origin,
    context: Context,
}

/// What the files held at one moment, and what comes of it.
#[derive(Debug)]
pub struct Reading {
    /// SHA-256 of names and contents: another one means that something has changed.
    pub digest: [u8; 32],
    /// The plan, or every mistake.
    pub outcome: Result<Planned, Report>,
    /// The parameters that the files declare.
    pub(crate) declared: BTreeSet<String>,
    /// How the files were before they were read.
    pub(crate) stamp: Stamp,
}

/// What the system tells of the files without opening them: as long as it is the same, so are their contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<(PathBuf, Option<Facts>)>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    /// The files of `origin`.
    #[must_use]
    pub fn new(origin: Origin, context: Context) -> Self {
        Self { origin, context }
    }

    /// Reads all files, and plans them together.
    #[must_use]
    pub fn read(&self) -> Reading {
        self.read_again(&BTreeSet::new())
    }

    /// As [`Files::read`], while an agent runs. A value of a parameter that was declared `once`, and is no more, is no mistake: its file
    /// may have been removed.
    pub(crate) fn read_again(&self, once: &BTreeSet<String>) -> Reading {
        let stamp = self.stamp();
        let mut report = Report::default();
        let mut hasher = Sha256::new();
        let mut sources = Vec::new();
        let paths = self.paths().unwrap_or_else(|message| {
            add(&mut hasher, &[b"folder", message.as_bytes()]);
            report.push(Diagnostic::unreadable("SYNCLINE_SERVICES", message));
            Vec::new()
        });
        for path in paths {
            let name = path.display().to_string();
            match read(&path) {
                Ok(source) => {
                    add(&mut hasher, &[b"file", name.as_bytes(), source.text().as_bytes()]);
                    sources.push(source);
                }
                Err(message) => {
                    add(&mut hasher, &[b"error", name.as_bytes(), message.as_bytes()]);
                    report.push(Diagnostic::unreadable(name, message));
                }
            }
        }
        let values = self.context.values.as_deref().and_then(|path| {
            let name = path.display().to_string();
            match read(path) {
                Ok(source) => {
                    add(
                        &mut hasher,
                        &[b"values", name.as_bytes(), source.text().as_bytes()],
                    );
                    Some(source)
                }
                Err(message) => {
                    add(&mut hasher, &[b"error", name.as_bytes(), message.as_bytes()]);
                    report.push(Diagnostic::unreadable(name, message));
                    None
                }
            }
        });
        let (outcome, declared) = self.plan(sources, values, once, report);
        Reading {
            digest: hasher.finalize().into(),
            outcome,
            declared,
            stamp,
        }
    }

    fn plan(
        &self,
        sources: Vec<Source>,
        values: Option<Source>,
        once: &BTreeSet<String>,
        report: Report,
    ) -> (Result<Planned, Report>, BTreeSet<String>) {
        match report.errors() > 0 && sources.is_empty() {
            // What follows from nothing would only hide why there is nothing.
            true => (Err(report), BTreeSet::new()),
            false => plan_readable(sources, values, &self.context, once, report),
        }
    }

    /// What the system tells of the files.
    pub(crate) fn stamp(&self) -> Stamp {
        let facts = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some(Facts {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.size(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            })
        };
        let paths = self.paths().unwrap_or_default();
        Stamp(
            paths
                .into_iter()
                .chain(self.context.values.clone())
                .map(|path| {
                    let facts = facts(&path);
                    (path, facts)
                })
                .collect(),
        )
    }

    /// The files that there are just now.
    fn paths(&self) -> Result<Vec<PathBuf>, String> {
        match &self.origin {
            Origin::Files(paths) => Ok(paths.clone()),
            Origin::Folder(folder) => commissioning_files(folder),
        }
    }
}

/// The commissioning files of a folder, in the order of their names.
fn commissioning_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = folder.display();
    let cannot = |error: io::Error| format!("cannot read the folder {shown}: {error}");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        // What cannot be looked at is a file all the same: reading it says why it cannot be.
        if is_commissioning_file(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(format!("found no file `*.yml` or `*.yaml` in {shown}")),
        false => Ok(files),
    }
}

/// By its name. Hidden files are those of editors, and of what mounts folders.
fn is_commissioning_file(path: &Path) -> bool {
    let extension = path.extension();
    let is_hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && extension.is_some_and(|extension| extension == "yml" || extension == "yaml")
}

/// Adds parts with their lengths, so that no two lists give the same bytes.
fn add(hasher: &mut Sha256, parts: &[&[u8]]) {
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "metadata: {name: plant}\nresources: {}\n";

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let files = Files::new(Origin::Folder(folder.path().to_owned()), Context::default());
        (folder, files)
    }

    fn ids(reading: &Reading) -> Vec<&str> {
        let planned = reading.outcome.as_ref().unwrap();
        let services = planned.plan.services.iter();
        services.map(|service| service.id.as_str()).collect()
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_mistake_and_no_file_that_has_gone() {
        let (folder, files) = folder(&[("plant.yml", SERVICE)]);
        let link = folder.path().join("line.yml");
        std::os::unix::fs::symlink(folder.path().join("nothing"), &link).unwrap();
        let mistakes = files.read().outcome.unwrap_err();
        let lines: Vec<String> = mistakes.mistakes().map(Diagnostic::line).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("line.yml") && lines[0].contains("No such file"),
            "{lines:?}"
        );
    }

    #[test]
    fn hidden_files_and_folders_are_no_commissioning_files() {
        let (folder, files) = folder(&[
            ("plant.yml", SERVICE),
            (".plant.yml", "a: ["),
            ("plant.yml~", "a: ["),
        ]);
        std::os::unix::fs::symlink("someone@host.1", folder.path().join(".#plant.yml")).unwrap();
        std::fs::create_dir(folder.path().join("old.yml")).unwrap();
        assert_eq!(ids(&files.read()), ["plant"]);
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_names_and_without_what_is_no_yaml() {
        let (_folder, files) = folder(&[
            ("b.yaml", "metadata: {name: second}\nresources: {}\n"),
            ("a.yml", "metadata: {name: first}\nresources: {}\n"),
            ("c.yml.bak", "{"),
        ]);
        assert_eq!(ids(&files.read()), ["first", "second"]);
    }

    #[test]
    fn a_digest_is_of_names_and_contents_and_a_stamp_of_what_the_system_tells() {
        let (folder, files) = folder(&[("a.yml", SERVICE)]);
        let (digest, stamp) = (files.read().digest, files.stamp());
        assert_eq!((files.read().digest, files.stamp()), (digest, stamp.clone()));

        let path = folder.path().join("a.yml");
        std::fs::write(folder.path().join("new"), SERVICE).unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_ne!(files.stamp(), stamp, "another file of the same content");
        assert_eq!(files.read().digest, digest);

        std::fs::write(&path, SERVICE.replace("plant", "plank")).unwrap();
        assert_ne!(files.read().digest, digest);
    }

    #[test]
    fn a_folder_without_files_is_a_mistake_that_names_it() {
        let (folder, files) = folder(&[]);
        let report = files.read().outcome.unwrap_err();
        let [diagnostic] = report.diagnostics() else {
            panic!("one mistake");
        };
        let expected = format!(
            "SYNCLINE_SERVICES: found no file `*.yml` or `*.yaml` in {}",
            folder.path().display()
        );
        assert_eq!(diagnostic.line(), expected);
    }

    #[test]
    fn a_file_that_is_gone_is_a_mistake_and_has_a_stamp_of_its_own() {
        let (folder, _) = folder(&[("a.yml", SERVICE)]);
        let path = folder.path().join("a.yml");
        let files = Files::new(Origin::Files(vec![path.clone()]), Context::default());
        let stamp = files.stamp();
        std::fs::remove_file(&path).unwrap();
        assert_ne!(files.stamp(), stamp);
        assert!(files.read().outcome.is_err());
    }
}
