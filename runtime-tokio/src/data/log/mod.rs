//! The session log: the stored session as a file that grows by batches, and is written anew when it has grown too far.
//!
//! [`SessionLog::commit`] returns when its changes are durable. After an error nothing is known of the file's end, so the
//! next commit writes all records to a new file.

mod frame;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use syncline_core::session::StoreOperation;
use syncline_core::session::store::{Change, StoreKey};

use self::frame::{BATCH_HEAD_BYTES, Damaged, HEAD_BYTES, Records, Salt};
use super::layer::{FileLayer, replace};

/// Name of the file.
const NAME: &str = "session.log";
/// Name for a file that cannot be used, so that someone may look at it.
const BROKEN: &str = "session.log.broken";
/// Name for a file that is whole and another agent's.
const FOREIGN: &str = "session.log.of-another-name";
/// Longest file. The session's own bounds keep it far below.
const MAX_BYTES: usize = 256 << 20;
/// How far a file may grow beyond twice its records before it is written anew.
const SLACK: usize = 1 << 20;
/// Bytes of a change beside its record.
const CHANGE_BYTES: usize = 13;

/// The session's records, and the file that holds them.
#[derive(Debug)]
pub struct SessionLog {
    layer: Arc<dyn FileLayer>,
    records: Records,
    /// Bytes of a file that holds the records and nothing else.
    compact: usize,
    file: File,
    slack: usize,
}

/// The file, as far as it is known.
#[derive(Debug)]
enum File {
    /// It ends with a whole batch.
    Known { salt: Salt, next: u64, length: usize },
    /// There is none, or its end is not known: the next commit makes a new one.
    Unknown,
}

/// Why a file is moved aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// No session can be made of it.
    Broken,
    /// It is whole, and the session of another Client Identifier.
    Foreign,
}

/// A session log, and what was wrong with the one that was found.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: SessionLog,
    /// Why the file that was there could not be used, and what became of it.
    pub damage: Option<String>,
}

/// Bytes that a change takes in the file.
pub(super) fn size(change: &Change) -> usize {
    CHANGE_BYTES + frame::written(change).map_or(0, <[u8]>::len)
}

impl SessionLog {
    /// Reads the log of a folder. A file that is damaged where a crash cannot have done it is moved aside, whole, and an
    /// empty log begun: a part of a session is worth less than none.
    ///
    /// # Errors
    /// What the system says when the file is there and cannot be read.
    pub fn open(layer: Arc<dyn FileLayer>) -> io::Result<Opened> {
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        let mut log = Self {
            layer,
            records: Records::new(),
            compact: HEAD_BYTES + BATCH_HEAD_BYTES,
            file: File::Unknown,
            slack: SLACK,
        };
        let Some(file) = log.layer.read(NAME, limit)?.map(Bytes::from) else {
            return Ok(Opened { log, damage: None });
        };
        match frame::read(&file) {
            Ok(content) => {
                log.compact += content
                    .records
                    .values()
                    .map(|record| CHANGE_BYTES + record.len())
                    .sum::<usize>();
                log.records = content.records;
                // What a crash has left behind the last whole batch is not appended to.
                if content.whole == file.len() {
                    log.file = File::Known {
                        salt: content.salt,
                        next: content.next,
                        length: content.whole,
                    };
                }
                Ok(Opened { log, damage: None })
            }
            Err(Damaged { at }) => {
                let damage = format!(
                    "cannot be read from byte {at} on; {}",
                    log.set_aside(Unusable::Broken)?
                );
                Ok(Opened {
                    log,
                    damage: Some(damage),
                })
            }
        }
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = (StoreKey, Bytes)> + '_ {
        self.records.iter().map(|(key, record)| (*key, record.clone()))
    }

    /// Makes `operations` durable, all of them or, with an error, none that was not before.
    ///
    /// # Errors
    /// What the system says. The records hold the operations all the same, and the next commit or
    /// [`rewrite`](Self::rewrite) makes them durable.
    pub fn commit(&mut self, operations: &[StoreOperation]) -> io::Result<()> {
        self.note(operations);
        match self.append(operations) {
            Some(appended) => appended,
            None => self.rewrite(),
        }
    }

    /// Takes `operations` into the records and leaves the file as it is, for the next [`rewrite`](Self::rewrite).
    pub fn note(&mut self, operations: &[StoreOperation]) {
        for operation in operations {
            self.apply(operation.key, &operation.change);
        }
    }

    /// Writes all records to a new file, which takes the place of the old one when it is whole.
    ///
    /// # Errors
    /// What the system says.
    pub fn rewrite(&mut self) -> io::Result<()> {
        self.file = File::Unknown;
        let too_large = || {
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("the session is larger than {} MiB", MAX_BYTES >> 20),
            )
        };
        if self.compact > MAX_BYTES {
            return Err(too_large());
        }
        let salt = Salt::random().map_err(io::Error::other)?;
        let mut content = salt.head();
        let records = self.records.iter().map(|(key, record)| (*key, Some(&**record)));
        salt.write_batch(&mut content, 1, records).ok_or_else(too_large)?;
        replace(&*self.layer, NAME, &content)?;
        self.file = File::Known {
            salt,
            next: 2,
            length: content.len(),
        };
        Ok(())
    }

    /// Removes the file, which can no longer be kept up to date: a session of some time ago would take new messages for old
    /// ones. The records stay.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&mut self) -> io::Result<()> {
        self.file = File::Unknown;
        self.layer.remove(NAME)?;
        self.layer.sync_folder()
    }

    /// Moves the file aside and forgets its records; returns where it is.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_aside(&mut self, why: Unusable) -> io::Result<String> {
        let name = match why {
            Unusable::Broken => BROKEN,
            Unusable::Foreign => FOREIGN,
        };
        self.records.clear();
        self.compact = HEAD_BYTES + BATCH_HEAD_BYTES;
        self.file = File::Unknown;
        self.layer.rename(NAME, name)?;
        self.layer.sync_folder()?;
        Ok(format!("it is {name} now"))
    }

    fn apply(&mut self, key: StoreKey, change: &Change) {
        let before = match change {
            Change::Put(record) => {
                self.compact += CHANGE_BYTES + record.len();
                self.records.insert(key, record.clone())
            }
            Change::Delete => self.records.remove(&key),
        };
        if let Some(before) = before {
            self.compact -= CHANGE_BYTES + before.len();
        }
    }

    /// `None` where the file has to be written anew.
    fn append(&mut self, operations: &[StoreOperation]) -> Option<io::Result<()>> {
        let File::Known { salt, next, length } = std::mem::replace(&mut self.file, File::Unknown) else {
            return None;
        };
        let mut batch = Vec::new();
        let changes = operations
            .iter()
            .map(|operation| (operation.key, frame::written(&operation.change)));
        salt.write_batch(&mut batch, next, changes)?;
        let length = length + batch.len();
        if length
            > self
                .compact
                .saturating_mul(2)
                .saturating_add(self.slack)
                .min(MAX_BYTES)
        {
            return None;
        }
        let appended = self
            .layer
            .append(NAME, &batch)
            .and_then(|()| self.layer.sync(NAME));
        if appended.is_ok() {
            self.file = File::Known {
                salt,
                next: next.checked_add(1)?,
                length,
            };
        }
        Some(appended)
    }
}
