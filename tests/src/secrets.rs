//! Every secret that a test hands out or finds, and everything that was shown to anybody: the two must never meet.
//!
//! [`Process`](crate::process::Process) shows what programs print and how they were called, [`curl`](crate::curl) what
//! servers answer, and [`Watch`] what an agent or a hub leaves in its folder. Each is held against the secrets that are
//! known by then, and against those that become known later.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;

/// Shorter ones would be found in words that mean something else.
const SHORTEST: usize = 8;

static BOOK: Mutex<Book> = Mutex::new(Book::new());

/// Remembers a secret, and fails the test if it was shown before.
///
/// # Panics
/// When it was, or is too short to be told from other words.
pub fn keep(what: &str, secret: &str) {
    let found = book().keep(what, secret);
    complain(&found);
}

/// Remembers the lines of a private key in PEM that hold what is private.
///
/// # Panics
/// As [`keep`].
pub fn keep_key(what: &str, pem: &str) {
    // The lines after these hold the public part.
    for line in pem.lines().skip(1).take(2).filter(|line| line.len() >= SHORTEST) {
        keep(what, line);
    }
}

/// Takes down a text that somebody could see, and fails the test if it has a secret in it.
///
/// # Panics
/// When it has.
pub fn show(place: &str, text: impl Into<String>) {
    let found = book().show(place, text.into());
    complain(&found);
}

/// What the secrets are that are known by now.
#[must_use]
pub fn kept() -> Vec<String> {
    book().secrets.iter().map(|secret| secret.what.clone()).collect()
}

/// The places from which texts were taken down.
#[must_use]
pub fn places() -> Vec<String> {
    book().shown.iter().map(|(place, _)| place.clone()).collect()
}

fn book() -> MutexGuard<'static, Book> {
    // It is whole between any two calls.
    BOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn complain(found: &[String]) {
    if found.is_empty() {
        return;
    }
    let text = found.join("\n");
    if std::thread::panicking() {
        eprintln!("{text}");
    } else {
        panic!("{text}");
    }
}

struct Book {
    secrets: Vec<Secret>,
    shown: Vec<(String, String)>,
}

struct Secret {
    what: String,
    /// The secret as it is, and as programs that mean no harm print bytes.
    forms: [String; 4],
}

impl Book {
    const fn new() -> Self {
        Self {
            secrets: Vec::new(),
            shown: Vec::new(),
        }
    }

    fn keep(&mut self, what: &str, secret: &str) -> Vec<String> {
        assert!(secret.len() >= SHORTEST, "{what} is too short to be searched for");
        if self.secrets.iter().any(|kept| kept.forms[0] == secret) {
            return Vec::new();
        }
        let secret = Secret::new(what, secret);
        let found = self
            .shown
            .iter()
            .filter_map(|(place, text)| secret.find(place, text))
            .collect();
        self.secrets.push(secret);
        found
    }

    fn show(&mut self, place: &str, text: String) -> Vec<String> {
        let found = self
            .secrets
            .iter()
            .filter_map(|secret| secret.find(place, &text))
            .collect();
        self.shown.push((place.to_owned(), text));
        found
    }
}

impl Secret {
    fn new(what: &str, secret: &str) -> Self {
        let bytes = secret.as_bytes();
        let hexadecimal = bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        });
        let decimal = format!("{bytes:?}");
        Self {
            what: what.to_owned(),
            forms: [
                secret.to_owned(),
                hexadecimal,
                decimal.trim_matches(['[', ']']).to_owned(),
                // The last character also depends on what follows.
                STANDARD_NO_PAD.encode(&bytes[..bytes.len() / 3 * 3]),
            ],
        }
    }

    /// Where `text` has this secret, without repeating it.
    fn find(&self, place: &str, text: &str) -> Option<String> {
        self.forms.iter().find_map(|form| {
            let (before, _) = text.split_once(form.as_str())?;
            let line = text.lines().nth(before.lines().count().saturating_sub(1))?;
            Some(format!(
                "{place} shows {}: {}",
                self.what,
                line.replace(form.as_str(), "<the secret>")
            ))
        })
    }
}

/// What one run of the program must not leave lying about.
#[derive(Debug)]
pub struct Watch {
    program: String,
    folders: Vec<PathBuf>,
    key: Option<PathBuf>,
    /// What was there before, with the time of its last change: what it holds is not the run's doing.
    found: Vec<(PathBuf, Option<SystemTime>)>,
}

impl Watch {
    /// Watches `command` if it runs `syncline`: the password that it is given is a secret, its command line is seen by all.
    ///
    /// # Panics
    /// When a secret is in the command line.
    #[must_use]
    pub fn over(command: &Command) -> Option<Self> {
        let program = Path::new(command.get_program()).file_name()?;
        if program != "syncline" {
            return None;
        }
        let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let verb = words.iter().find(|word| !word.starts_with('-'));
        let program = format!("syncline {}", verb.map_or("", |verb| verb));
        show(&format!("the command line of `{program}`"), words.join(" "));
        let variable = |wanted: &str| {
            let (_, value) = command.get_envs().find(|(name, _)| *name == wanted)?;
            Some(value?.to_string_lossy().into_owned())
        };
        if let Some(password) = variable("CYBUS_PROTOCOL_MAPPER_PASSWORD") {
            keep("the password that the agent was given", &password);
        }
        let option = words.iter().position(|word| word == "--data-dir");
        let option = option.and_then(|at| words.get(at + 1));
        let folders: Vec<PathBuf> = option
            .map(ToString::to_string)
            .into_iter()
            .chain(variable("SYNCLINE_DATA_DIR"))
            .map(Into::into)
            .collect();
        let found = folders.iter().flat_map(|folder| files(folder));
        let watch = Self {
            program,
            found: found.map(|file| (file.clone(), changed(&file))).collect(),
            folders,
            key: variable("AGENT_KEY").map(Into::into),
        };
        watch.keep_what_is_stored();
        Some(watch)
    }

    /// Looks through all that the run has left.
    ///
    /// # Panics
    /// When a secret is where it does not belong.
    pub fn look_through(&self) {
        self.keep_what_is_stored();
        for file in self.folders.iter().flat_map(|folder| files(folder)) {
            let now = (file.clone(), changed(&file));
            if self.is_for_secrets(&file) || self.found.contains(&now) {
                continue;
            }
            if let Ok(bytes) = std::fs::read(&file) {
                let place = format!("{} of `{}`", file.display(), self.program);
                show(&place, String::from_utf8_lossy(&bytes));
            }
        }
    }

    fn keep_what_is_stored(&self) {
        for file in self
            .folders
            .iter()
            .flat_map(|folder| files(folder))
            .chain(self.key.clone())
        {
            let Some(text) = std::fs::read_to_string(&file)
                .ok()
                .filter(|_| self.is_for_secrets(&file))
            else {
                continue;
            };
            let what = format!("what {} holds", file.display());
            let stored = serde_json::from_str(&text).unwrap_or(Value::Null);
            match stored["password"].as_str() {
                Some(password) => keep(&what, password),
                None => keep_key(&what, &text),
            }
        }
    }

    fn is_for_secrets(&self, file: &Path) -> bool {
        file.ends_with("credentials.json")
            || file.extension() == Some(OsStr::new("key"))
            || Some(file) == self.key.as_deref()
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}

/// All regular files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "n0t-t0-be-sh0wn";

    #[test]
    fn a_secret_is_found_in_each_form_and_in_either_order() {
        let forms = [
            SECRET.to_owned(),
            "6e30742d74302d62652d736830776e".to_owned(),
            format!("{:?}", SECRET.as_bytes()),
            "bjB0LXQwLWJlLXNoMHdu".to_owned(),
        ];
        for form in forms {
            let text = format!("a line\nanother with {form} in it\n");
            let mut before = Book::new();
            assert_eq!(before.keep("it", SECRET), [""; 0]);
            let found = before.show("the log", text.clone());
            assert!(
                matches!(&*found, [one] if one.starts_with("the log shows it: another with ")),
                "{found:?}"
            );
            assert!(!found[0].contains(form.trim_matches(['[', ']'])), "{found:?}");
            let mut after = Book::new();
            assert_eq!(after.show("the log", text), [""; 0]);
            assert_eq!(after.keep("it", SECRET), found);
        }
    }

    #[test]
    fn other_words_are_no_secret() {
        let mut book = Book::new();
        assert_eq!(book.keep("it", SECRET), [""; 0]);
        assert_eq!(book.show("the log", "n0t-t0-be-sh0w".to_owned()), [""; 0]);
    }
}
