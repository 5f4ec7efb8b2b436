//! The data folder: what the agent keeps from one start to the next, whole after any crash.
//!
//! Everything goes through a [`FileLayer`], a handful of operations on the files of one folder, so that tests can stop
//! between any two of them, fail each, and lose what was not synced.

#[cfg(test)]
mod crash;
mod credentials;
mod disk;
mod keeping;
mod layer;
mod lock;
mod log;
mod store;
mod subscribed;

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use credentials::{CredentialsError, StoredCredentials};
pub use disk::Disk;
pub(crate) use keeping::Keeping;
pub use layer::FileLayer;
pub(crate) use layer::replace;
pub use lock::{Lock, LockError};
pub use log::{Opened, SessionLog, Unusable};
pub use store::{RETRY_INTERVAL, SessionStore, StoredSession};

use syncline_core::topic::TopicFilter;

use crate::transport::text;

/// The data folder of this process, locked against others.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    layer: Arc<dyn FileLayer>,
    /// `None` where nothing can be written, and so nothing be destroyed.
    lock: Mutex<Option<Lock>>,
}

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another agent uses it.
    #[error(
        "SYNCLINE_DATA_DIR: {}: {} uses this folder: stop that one, or give each agent a folder of its own",
        .path.display(), holder(.pid)
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that uses it, as it said itself.
        pid: Option<u32>,
    },
}

fn holder(pid: &Option<u32>) -> String {
    match pid {
        Some(pid) => format!("another agent, process {pid},"),
        None => "another agent".to_owned(),
    }
}

impl DataFolder {
    /// Opens the folder, makes it where it does not exist, and locks it until this value is dropped.
    ///
    /// A folder that cannot be written to is a warning: the agent goes on, with what it can read there.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process has it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = match take_hold(path) {
            Ok(lock) => Some(lock),
            Err(LockError::Held(pid)) => {
                return Err(OpenError::Locked {
                    path: path.to_owned(),
                    pid,
                });
            }
            Err(LockError::Io(error)) => {
                tracing::warn!("{}", not_writable(path, &error));
                None
            }
        };
        if let Some(warning) = open_to_others(path) {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            path: path.to_owned(),
            layer: Arc::new(Disk::new(path)),
            lock: Mutex::new(lock),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything can be kept in it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.lock().is_some()
    }

    /// Its files.
    #[must_use]
    pub fn layer(&self) -> Arc<dyn FileLayer> {
        Arc::clone(&self.layer)
    }

    /// The credentials that were stored last. A file that holds none is moved aside, and one that others may read is made
    /// this user's alone, each with a word in the log.
    ///
    /// # Errors
    /// [`CredentialsError`] when they are there and cannot be read by this user or this version.
    pub fn credentials(&self) -> Result<Option<StoredCredentials>, CredentialsError> {
        credentials::protect(&self.path);
        credentials::load(&*self.layer, &self.path)
    }

    /// The session of the process before; `None` where nothing can be stored. A file that is damaged is moved aside, with
    /// an error in the log.
    #[must_use]
    pub fn session(&self) -> Option<StoredSession> {
        // Without the lock there was a warning.
        self.lock().as_ref()?;
        open_session(self.layer(), &self.path)
    }

    /// What the process before had subscribed to; nothing where that cannot be known.
    pub(crate) fn subscribed(&self) -> BTreeSet<TopicFilter> {
        subscribed::load(&*self.layer).unwrap_or_else(|error| {
            tracing::warn!(
                "cannot read in {} what the run before had subscribed to: {}; what no file asks for any more stays subscribed",
                self.path.display(),
                text(&error)
            );
            BTreeSet::new()
        })
    }

    /// Has the next process know what this one has subscribed to.
    pub(crate) fn store_subscribed(&self, filters: &BTreeSet<TopicFilter>) {
        if !self.is_writable() {
            return;
        }
        if let Err(error) = subscribed::store(&*self.layer, filters) {
            tracing::warn!(
                "cannot write to {} what is subscribed to: {}",
                self.path.display(),
                text(&error)
            );
        }
    }

    /// As [`DataFolder::session`], of the session that a connection of a commissioning file has with another broker.
    #[must_use]
    pub fn session_of_connection(&self, service: &str, resource: &str) -> Option<StoredSession> {
        self.lock().as_ref()?;
        let path = self
            .path
            .join("connections")
            .join(format!("{service}-{resource}"));
        if let Err(error) = Disk::create_folder(&path) {
            tracing::warn!("{}", not_writable(&path, &error));
            return None;
        }
        open_session(Arc::new(Disk::new(&path)), &path)
    }

    /// Replaces the stored credentials: whatever happens, the old ones or these are found by the next start. A folder that
    /// could not be written to before is made and locked first.
    ///
    /// # Errors
    /// [`CredentialsError::Write`] when they could not be made durable.
    pub fn store_credentials(&self, credentials: &StoredCredentials) -> Result<(), CredentialsError> {
        // Held to the end: one at a time writes.
        let mut lock = self.lock();
        if lock.is_none() {
            let taken = take_hold(&self.path).map_err(|error| CredentialsError::Write {
                file: self.path.clone(),
                source: match error {
                    LockError::Io(error) => error,
                    LockError::Held(pid) => io::Error::other(format!("{} uses this folder", holder(&pid))),
                },
            })?;
            *lock = Some(taken);
        }
        credentials::store(&*self.layer, &self.path, credentials)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lock>> {
        // There is no state between held and not.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session that the files of `layer` hold, which are in `path`.
fn open_session(layer: Arc<dyn FileLayer>, path: &Path) -> Option<StoredSession> {
    match SessionLog::open(layer) {
        Ok(Opened { log, damage }) => {
            if let Some(damage) = damage {
                tracing::error!(
                    "the stored session in {} {damage}, and a new one is begun",
                    path.display()
                );
            }
            Some(StoredSession::new(log, RETRY_INTERVAL))
        }
        Err(error) => {
            tracing::error!(
                "cannot read the stored session in {}: {}; going on without storing it: let this user read it, or move it aside",
                path.display(),
                text(&error)
            );
            None
        }
    }
}

/// Makes the folder where it does not exist, and locks it.
fn take_hold(path: &Path) -> Result<Lock, LockError> {
    Disk::create_folder(path).map_err(LockError::Io)?;
    Lock::acquire(path)
}

/// Replaces a file anywhere, readable by this user alone: at any time, and after any crash, there is the old content or the
/// new.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not the path of a file",
        ));
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    Disk::create_folder(folder)?;
    replace(&Disk::new(folder), name, content)
}

/// The credentials in `folder`, without its lock: for commands, beside an agent that runs on it.
///
/// # Errors
/// As [`DataFolder::credentials`].
pub fn stored_credentials(folder: &Path) -> Result<Option<StoredCredentials>, CredentialsError> {
    credentials::load(&Disk::new(folder), folder)
}

/// What is to be said of a folder in which anybody may put files of their own in place of the agent's. With the sticky bit
/// nobody may; a group of its own is what a container's volume is given.
fn open_to_others(path: &Path) -> Option<String> {
    const STICKY: u32 = 0o1000;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & STICKY == 0 && mode & 0o002 != 0).then(|| {
        format!(
            "SYNCLINE_DATA_DIR: {0} has mode {mode:04o}: other users of this machine may replace the credentials in it: run \
             `chmod go-w {0}`",
            path.display()
        )
    })
}

fn not_writable(path: &Path, error: &io::Error) -> String {
    format!(
        "SYNCLINE_DATA_DIR: cannot write to {}: {}; going on in memory, what is there to keep is lost when this agent ends: \
         give a folder that this user may write to",
        path.display(),
        text(error)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_open_where_anybody_may_replace_a_file_in_it() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, is_open) in [
            (0o700, false),
            (0o755, false),
            (0o2770, false),
            (0o1777, false),
            (0o777, true),
        ] {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let warning = open_to_others(folder.path());
            assert_eq!(warning.is_some(), is_open, "{mode:o}: {warning:?}");
        }
    }
}
