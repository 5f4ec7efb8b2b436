//! What the hub keeps: users with their permissions and hashes, in one file that is replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::permission::Permission;
use crate::data::{Lock, LockError};

const FILE: &str = "hub.json";
const VERSION: u32 = 1;
/// Largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kept {
    version: u32,
    /// Hash of the administrator's password.
    pub(super) admin: Option<String>,
    /// By name.
    pub(super) users: BTreeMap<String, User>,
}

/// A user that an administrator has let in. Its pairing id is not kept: it would tell three bytes of a password that the
/// hash is there to hide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct User {
    /// argon2, with parameters and salt.
    pub(super) hash: String,
    pub(super) permissions: Vec<Permission>,
    /// Unix milliseconds.
    pub(super) created_at: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            version: VERSION,
            admin: None,
            users: BTreeMap::new(),
        }
    }
}

/// Why what is kept cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said so.
    #[error(
        "{}: {}: make the folder writable for this user, or name another with --data-dir", .0.display(), crate::transport::text(.1)
    )]
    Io(PathBuf, io::Error),
    /// Another hub, or an agent, uses the folder.
    #[error(
        "{}: {} uses this folder: stop that one, or name another folder with --data-dir", .0.display(), holder(.1)
    )]
    Locked(PathBuf, Option<u32>),
    /// The file is not what this version writes.
    #[error("{}: {}: restore the file from a backup, or move it away to begin anew", .0.display(), .1)]
    Content(PathBuf, String),
}

fn holder(pid: &Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// The folder, locked against other hubs as long as a clone of this value lives.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
    _lock: Arc<Lock>,
}

impl Store {
    /// The folder, made when it is missing.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| StoreError::Io(folder.to_owned(), error))?;
        let lock = Lock::acquire(folder).map_err(|error| match error {
            LockError::Held(pid) => StoreError::Locked(folder.to_owned(), pid),
            LockError::Io(error) => StoreError::Io(folder.to_owned(), error),
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: Arc::new(lock),
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What was kept last; nothing before the first start.
    pub(super) fn load(&self) -> Result<Kept, StoreError> {
        let Some(bytes) = self.read(FILE)? else {
            return Ok(Kept::default());
        };
        let wrong = |text: String| StoreError::Content(self.path(FILE), text);
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        match kept.version {
            VERSION => Ok(kept),
            other => Err(wrong(format!("found version {other}, expected {VERSION}"))),
        }
    }

    /// Replaces what is kept. Once this returns, a loss of power does not undo it.
    pub(super) fn save(&self, kept: &Kept) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(kept)
            .map_err(|error| StoreError::Content(self.path(FILE), error.to_string()))?;
        self.write(FILE, &bytes)
    }

    /// The content of a file; `None` where there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::Io(path, error)),
        };
        let mut bytes = Vec::new();
        match file.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
            Err(error) => Err(StoreError::Io(path, error)),
            Ok(_) if bytes.len() as u64 > MAX_BYTES => Err(StoreError::Content(
                path,
                format!("the file is larger than {MAX_BYTES} bytes"),
            )),
            Ok(_) => Ok(Some(bytes)),
        }
    }

    /// Writes a file that only this user may read, whole or not at all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(name);
        let temporary = self.path(&format!("{name}.new"));
        let replace = || {
            // One that a crash has left may belong to nobody, or be readable by others.
            match fs::remove_file(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        replace().map_err(|error| StoreError::Io(path.clone(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn kept() -> Kept {
        let user = User {
            hash: "$argon2id$".into(),
            permissions: vec!["readwrite services/#".parse().unwrap()],
            created_at: 1_795_312_800_000,
        };
        Kept {
            admin: Some("$argon2id$admin".into()),
            users: BTreeMap::from([("line-1".to_owned(), user)]),
            ..Kept::default()
        }
    }

    #[test]
    fn what_is_saved_is_loaded_and_readable_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("hub")).unwrap();
        assert_eq!(store.load().unwrap(), Kept::default());
        store.save(&kept()).unwrap();
        store.save(&kept()).unwrap();
        assert_eq!(store.load().unwrap(), kept());
        let mode = fs::metadata(store.path(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let files = fs::read_dir(folder.path().join("hub")).unwrap().count();
        assert_eq!(
            files, 2,
            "the temporary file is gone, hub.json and the lock are there"
        );
    }

    #[test]
    fn a_folder_has_one_hub_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::open(folder.path()).unwrap();
        let refused = Store::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        let clone = first.clone();
        drop(first);
        assert!(Store::open(folder.path()).is_err());
        drop(clone);
        Store::open(folder.path()).unwrap();
    }

    #[test]
    fn what_a_crash_has_left_half_written_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.save(&kept()).unwrap();
        fs::write(store.path("hub.json.new"), b"{\"version\":").unwrap();
        assert_eq!(store.load().unwrap(), kept());
        store.save(&Kept::default()).unwrap();
        assert_eq!(store.load().unwrap(), Kept::default());
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for text in ["", "garbage", r#"{"version":2,"admin":null,"users":{}}"#] {
            fs::write(store.path(FILE), text).unwrap();
            let error = store.load().unwrap_err().to_string();
            assert!(error.contains("hub.json"), "{error}");
        }
    }
}
