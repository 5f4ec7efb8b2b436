//! One agent a data folder: a lock that the system lets go of when the process ends, however that happens.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Name of the file that is locked. It stays behind; the lock does not.
const NAME: &str = "agent.lock";

/// The lock of a data folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not to be had.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it: the one that wrote this id.
    Held(Option<u32>),
    /// The file cannot be made or locked.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock of `folder`, without waiting, and leaves this process's id there.
    ///
    /// # Errors
    /// [`LockError`] when another process has it, or the folder cannot be written to.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(NAME))
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        match written {
            // The lock is what counts; with a full disk nobody is told the id.
            Ok(()) | Err(_) => Ok(Self { _file: file }),
        }
    }
}

fn holder(file: &mut File) -> Option<u32> {
    /// More digits than an id has.
    const LONGEST: u64 = 16;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_until_the_lock_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(folder.path()).unwrap();
        let Err(LockError::Held(pid)) = Lock::acquire(folder.path()) else {
            panic!("the folder was locked twice")
        };
        assert_eq!(pid, Some(std::process::id()));
        drop(lock);
        Lock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_lock_file_with_anything_in_it_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "not a number, and much longer than one").unwrap();
        let _lock = Lock::acquire(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
    }
}
