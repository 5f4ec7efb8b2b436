//! The bytes of the session log: a head, then batches, each with a checksum of its own.
//!
//! | head | bytes |
//! |---|---|
//! | `syncline session log 1` and a line break | 23 |
//! | salt | 16 |
//!
//! | batch | bytes |
//! |---|---|
//! | first half of the salt | 8 |
//! | number, one more than that of the batch before | 8 |
//! | length of the body | 4 |
//! | checksum: the beginning of SHA-256 over salt, number and body | 8 |
//! | body: for each change its kind (1 put, 2 delete), key (8), and for a put length (4) and record | |
//!
//! All integers are big-endian. The file is put in place with its first batch in it; each further one is written and
//! synced before the next is begun, so that a crash can only damage the last. The salt is random and never leaves the file:
//! no message that is stored can look like a batch.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use syncline_core::session::store::{Change, StoreKey};

const MAGIC: &[u8] = b"syncline session log 1\n";
const SALT_BYTES: usize = 16;
const MARK_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 8;
/// Length of a file without batches.
pub(super) const HEAD_BYTES: usize = MAGIC.len() + SALT_BYTES;
/// Length of a batch without its body.
pub(super) const BATCH_HEAD_BYTES: usize = MARK_BYTES + 8 + 4 + CHECKSUM_BYTES;
const PUT: u8 = 1;
const DELETE: u8 = 2;

/// What tells the batches of one file from anything else.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Salt([u8; SALT_BYTES]);

/// The records, by key.
pub(super) type Records = BTreeMap<StoreKey, Bytes>;

/// What a file holds.
pub(super) struct Content {
    pub(super) salt: Salt,
    pub(super) records: Records,
    /// Number that the next batch gets.
    pub(super) next: u64,
    /// Length of the file up to the end of its last whole batch.
    pub(super) whole: usize,
}

/// The file is damaged where no crash damages it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged {
    /// Where the first thing is that cannot be read.
    pub(super) at: usize,
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Salt").finish_non_exhaustive()
    }
}

impl Salt {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)?;
        Ok(Self(salt))
    }

    fn mark(&self) -> &[u8] {
        &self.0[..MARK_BYTES]
    }

    fn checksum(&self, number: u64, body: &[u8]) -> [u8; CHECKSUM_BYTES] {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(number.to_be_bytes())
            .chain_update(body)
            .finalize();
        let mut checksum = [0; CHECKSUM_BYTES];
        checksum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
        checksum
    }

    /// The beginning of a file.
    pub(super) fn head(&self) -> Vec<u8> {
        [MAGIC, &self.0].concat()
    }

    /// Adds the batch of that number, with these changes, to `out`; `None` where they are too long for one.
    pub(super) fn write_batch<'a>(
        &self,
        out: &mut Vec<u8>,
        number: u64,
        changes: impl IntoIterator<Item = (StoreKey, Option<&'a [u8]>)>,
    ) -> Option<()> {
        let start = out.len();
        out.extend_from_slice(self.mark());
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&[0; 4 + CHECKSUM_BYTES]);
        for (key, record) in changes {
            out.push(if record.is_some() { PUT } else { DELETE });
            out.extend_from_slice(&key.to_u64().to_be_bytes());
            if let Some(record) = record {
                out.extend_from_slice(&u32::try_from(record.len()).ok()?.to_be_bytes());
                out.extend_from_slice(record);
            }
        }
        let body = start + BATCH_HEAD_BYTES;
        let length = u32::try_from(out.len() - body).ok()?;
        let checksum = self.checksum(number, &out[body..]);
        out[start + MARK_BYTES + 8..][..4].copy_from_slice(&length.to_be_bytes());
        out[body - CHECKSUM_BYTES..body].copy_from_slice(&checksum);
        Some(())
    }
}

/// A change as the log writes it.
pub(super) fn written(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Put(record) => Some(record),
        Change::Delete => None,
    }
}

/// Reads a whole file. The last batch may be cut short or garbled: then it was never durable, and is left out.
pub(super) fn read(file: &Bytes) -> Result<Content, Damaged> {
    let salt = file
        .get(..HEAD_BYTES)
        .and_then(|head| head.strip_prefix(MAGIC))
        .and_then(|salt| Some(Salt(salt.try_into().ok()?)))
        .ok_or(Damaged { at: 0 })?;
    let mut content = Content {
        salt,
        records: Records::new(),
        next: 1,
        whole: HEAD_BYTES,
    };
    while let Some(batch) = Batch::at(file, content.whole, &content.salt) {
        let at = Damaged { at: content.whole };
        if batch.number != content.next {
            return Err(at);
        }
        apply(file.slice(batch.body.clone()), &mut content.records).ok_or(at)?;
        content.next = batch.number.checked_add(1).ok_or(at)?;
        content.whole = batch.body.end;
    }
    // A file comes into being with its first batch whole. Behind one that is not, there is no other.
    let later = content.whole + 1..file.len();
    let damaged = content.next == 1
        || later
            .into_iter()
            .any(|at| Batch::at(file, at, &content.salt).is_some());
    match damaged {
        true => Err(Damaged { at: content.whole }),
        false => Ok(content),
    }
}

/// A batch whose checksum is right.
struct Batch {
    number: u64,
    body: std::ops::Range<usize>,
}

impl Batch {
    fn at(file: &[u8], at: usize, salt: &Salt) -> Option<Self> {
        let head = file.get(at..)?.get(..BATCH_HEAD_BYTES)?;
        let rest = head.strip_prefix(salt.mark())?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (length, checksum) = rest.split_first_chunk::<4>()?;
        let number = u64::from_be_bytes(*number);
        let start = at + BATCH_HEAD_BYTES;
        let end = start.checked_add(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let body = file.get(start..end)?;
        (salt.checksum(number, body) == checksum).then_some(Self {
            number,
            body: start..end,
        })
    }
}

/// Carries out the changes of a body.
fn apply(mut body: Bytes, records: &mut Records) -> Option<()> {
    while !body.is_empty() {
        let (&kind, rest) = body.split_first()?;
        let key = StoreKey::from_u64(u64::from_be_bytes(*rest.first_chunk::<8>()?));
        let _ = body.split_to(9);
        match kind {
            PUT => {
                let length = usize::try_from(u32::from_be_bytes(*body.first_chunk::<4>()?)).ok()?;
                let end = length.checked_add(4).filter(|end| *end <= body.len())?;
                // A copy, so that one small record does not keep the whole file in memory.
                let record = Bytes::copy_from_slice(&body.split_to(end)[4..]);
                records.insert(key, record);
            }
            DELETE => drop(records.remove(&key)),
            _ => return None,
        }
    }
    Some(())
}
