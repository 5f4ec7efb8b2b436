//! A file layer for tests that stops or fails at a given step, and then shows every state that a disk may be found in.
//!
//! It is stricter than most file systems: a new name, a rename and a removal each may or may not survive a crash until
//! the folder is synced, in any combination; of a file that was not synced there may be all, the synced part, half of
//! the rest, or zeros of the right length.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard};

use super::FileLayer;

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process ends before the step.
    Stop,
    /// The process ends in the middle of what the step writes.
    StopHalfway,
    /// The step fails with this error and changes nothing; those after it succeed.
    Error(io::ErrorKind),
    /// The step fails with this error after half of what it writes; those after it succeed.
    ErrorHalfway(io::ErrorKind),
}

/// The folder.
#[derive(Debug, Default)]
pub(super) struct CrashLayer {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the folder was synced.
    pending: Vec<NameChange>,
    steps: usize,
    fault: Option<(usize, Fault)>,
    stopped: bool,
}

#[derive(Debug, Clone, Default)]
struct Content {
    written: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, usize),
    Rename(String, String),
    Remove(String),
}

/// What a step is allowed to do.
enum Permit {
    Whole,
    Half(io::Error),
}

impl CrashLayer {
    /// Has `fault` happen at step `step`, counted from 0 and from now.
    pub(super) fn fail_at(&self, step: usize, fault: Fault) {
        let mut state = self.state();
        state.steps = 0;
        state.fault = Some((step, fault));
    }

    /// Steps taken since the last [`CrashLayer::fail_at`].
    pub(super) fn steps(&self) -> usize {
        self.state().steps
    }

    /// Whether the process has ended.
    pub(super) fn stopped(&self) -> bool {
        self.state().stopped
    }

    /// Every state in which the next process may find the folder.
    pub(super) fn after_crash(&self) -> Vec<Self> {
        let state = self.state();
        let mut found = Vec::new();
        for subset in 0..1_usize << state.pending.len() {
            let mut names = state.durable_names.clone();
            for (index, change) in state.pending.iter().enumerate() {
                if subset & (1 << index) != 0 {
                    change.apply(&mut names);
                }
            }
            let mut contents: Vec<Vec<Content>> = vec![Vec::new()];
            for file in &state.files {
                contents = contents
                    .into_iter()
                    .flat_map(|chosen| {
                        file.survivors()
                            .into_iter()
                            .map(move |survivor| [&chosen[..], &[survivor]].concat())
                    })
                    .collect();
            }
            found.extend(contents.into_iter().map(|files| Self {
                state: Mutex::new(State {
                    files,
                    names: names.clone(),
                    durable_names: names.clone(),
                    ..State::default()
                }),
            }));
        }
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a step, and lets the fault happen whose turn it is.
    fn step(&self) -> io::Result<(MutexGuard<'_, State>, Permit)> {
        let mut state = self.state();
        let ended = || io::Error::other("the process has ended");
        if state.stopped {
            return Err(ended());
        }
        let step = state.steps;
        state.steps += 1;
        let permit = match state.fault {
            Some((at, fault)) if at == step => match fault {
                Fault::Stop => {
                    state.stopped = true;
                    return Err(ended());
                }
                Fault::StopHalfway => {
                    state.stopped = true;
                    Permit::Half(ended())
                }
                Fault::Error(kind) => return Err(kind.into()),
                Fault::ErrorHalfway(kind) => Permit::Half(kind.into()),
            },
            _ => Permit::Whole,
        };
        Ok((state, permit))
    }
}

impl Permit {
    fn share<'a>(&self, content: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Whole => content,
            Self::Half(_) => &content[..content.len() / 2],
        }
    }

    fn outcome(self) -> io::Result<()> {
        match self {
            Self::Whole => Ok(()),
            Self::Half(error) => Err(error),
        }
    }
}

impl State {
    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn file(&mut self, name: &str) -> io::Result<&mut Content> {
        let index = *self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(&mut self.files[index])
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Add(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Content {
    /// What may be left of the file after a crash.
    fn survivors(&self) -> Vec<Self> {
        let Self { written, durable } = self;
        let same = written.iter().zip(durable).take_while(|(a, b)| a == b).count();
        let half = same + (written.len() - same) / 2;
        let zeros = [&written[..same], &vec![0; written.len() - same]].concat();
        let mut survivors = vec![durable.clone(), written.clone(), written[..half].to_vec(), zeros];
        survivors.dedup();
        survivors
            .into_iter()
            .map(|content| Self {
                written: content.clone(),
                durable: content,
            })
            .collect()
    }
}

impl FileLayer for CrashLayer {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let (mut state, permit) = self.step()?;
        permit.outcome()?;
        let Ok(file) = state.file(name) else {
            return Ok(None);
        };
        match file.written.len() as u64 <= limit {
            true => Ok(Some(file.written.clone())),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn create(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let (mut state, permit) = self.step()?;
        if state.names.contains_key(name) {
            state.change(NameChange::Remove(name.to_owned()));
        }
        let file = state.files.len();
        state.files.push(Content {
            written: permit.share(content).to_vec(),
            durable: Vec::new(),
        });
        state.change(NameChange::Add(name.to_owned(), file));
        permit.outcome()
    }

    fn append(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let (mut state, permit) = self.step()?;
        state.file(name)?.written.extend_from_slice(permit.share(content));
        permit.outcome()
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let (mut state, permit) = self.step()?;
        permit.outcome()?;
        let file = state.file(name)?;
        file.durable.clone_from(&file.written);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (mut state, permit) = self.step()?;
        permit.outcome()?;
        state.file(from)?;
        state.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let (mut state, permit) = self.step()?;
        permit.outcome()?;
        if state.names.contains_key(name) {
            state.change(NameChange::Remove(name.to_owned()));
        }
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let (mut state, permit) = self.step()?;
        permit.outcome()?;
        state.durable_names = state.names.clone();
        state.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the next process may read under a name.
    fn may_be_read(layer: &CrashLayer, name: &str) -> Vec<Option<String>> {
        let mut found: Vec<_> = layer
            .after_crash()
            .iter()
            .map(|layer| {
                layer
                    .read(name, 99)
                    .unwrap()
                    .map(|content| String::from_utf8(content).unwrap())
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn what_was_not_synced_may_be_lost_whole_or_in_part() {
        let layer = CrashLayer::default();
        layer.create("a", b"ab").unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            may_be_read(&layer, "a"),
            [None, text(""), text("\0\0"), text("a"), text("ab")]
        );
        layer.sync("a").unwrap();
        assert_eq!(may_be_read(&layer, "a"), [None, text("ab")]);
        layer.sync_folder().unwrap();
        assert_eq!(may_be_read(&layer, "a"), [text("ab")]);
        layer.append("a", b"cd").unwrap();
        assert_eq!(
            may_be_read(&layer, "a"),
            [text("ab"), text("ab\0\0"), text("abc"), text("abcd")]
        );
    }

    #[test]
    fn renaming_without_syncing_the_file_first_can_lose_both() {
        let layer = CrashLayer::default();
        layer.create("a", b"old").unwrap();
        layer.sync("a").unwrap();
        layer.sync_folder().unwrap();
        layer.create("b", b"new").unwrap();
        layer.rename("b", "a").unwrap();
        assert!(may_be_read(&layer, "a").contains(&Some(String::new())));
    }
}
