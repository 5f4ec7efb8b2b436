//! The file of users and tokens: TOML with hashes, read and written entry by entry.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::permission::Permissions;
use super::{Access, Token, User};
use crate::password::{self, Hasher, PasswordError};
use crate::regular_file;

/// Longest file in bytes.
const MAX_FILE: usize = 1 << 20;
/// Most users, and most tokens: each request with a token is compared with all of them.
const MAX_ENTRIES: usize = 1_000;
/// Shortest token: its hash is fast to compute, so it must not be guessed.
const MIN_TOKEN: usize = 32;

/// Why a file of users and tokens cannot be used, or an entry not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// It cannot be read.
    #[error("{variable}: {}: {why}", .file.display())]
    Read {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        why: String,
    },
    /// It is not what is expected.
    #[error("{variable}: {}: {why}", .file.display())]
    Content {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong, and how to mend it; no hash and no password.
        why: String,
    },
    /// A new entry is wrong.
    #[error("{0}")]
    Entry(String),
    /// A hash could not be computed.
    #[error(transparent)]
    Hash(#[from] PasswordError),
}

/// One entry for the file, to be shown as the text that belongs there.
#[derive(Debug)]
pub struct Entry(String);

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    user: Vec<UserEntry>,
    #[serde(default)]
    token: Vec<TokenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    name: String,
    password: String,
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    sha256: String,
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
}

impl Entry {
    /// The entry of a user; only the password's hash is in it.
    ///
    /// # Errors
    /// [`AccessError::Entry`] for an impossible name or pattern, [`AccessError::Hash`] without random numbers.
    pub async fn user(
        name: &str,
        password: &str,
        read: &[&str],
        write: &[&str],
    ) -> Result<Self, AccessError> {
        if name.is_empty() || name.contains(':') {
            return Err(AccessError::Entry(
                "the name of a user is not empty and has no colon, which Basic could not tell from the password".to_owned(),
            ));
        }
        if password.is_empty() || password.len() > super::MAX_SECRET / 2 {
            let most = super::MAX_SECRET / 2;
            return Err(AccessError::Entry(format!(
                "a password has 1 to {most} bytes, found {}",
                password.len()
            )));
        }
        let (read, write) = patterns(read, write)?;
        let hash = Hasher::new()?.hash(&password.to_owned().into()).await?;
        let user = UserEntry {
            name: name.to_owned(),
            password: hash,
            read,
            write,
        };
        Ok(Self::of(&Content {
            user: vec![user],
            token: Vec::new(),
        }))
    }

    /// A new token: 32 random bytes in base64url.
    ///
    /// # Errors
    /// [`AccessError::Hash`] without random numbers.
    pub fn new_token() -> Result<SecretString, AccessError> {
        Ok(password::generate()?)
    }

    /// The entry of a token; only the token's hash is in it.
    ///
    /// # Errors
    /// [`AccessError::Entry`] for a token that is too short, or an impossible pattern.
    pub fn token(name: &str, token: &str, read: &[&str], write: &[&str]) -> Result<Self, AccessError> {
        if token.len() < MIN_TOKEN {
            return Err(AccessError::Entry(format!(
                "a token has {MIN_TOKEN} bytes at least, found {}",
                token.len()
            )));
        }
        let (read, write) = patterns(read, write)?;
        let token = TokenEntry {
            name: name.to_owned(),
            sha256: hexadecimal(&Sha256::digest(token.as_bytes())),
            read,
            write,
        };
        Ok(Self::of(&Content {
            user: Vec::new(),
            token: vec![token],
        }))
    }

    fn of(content: &Content) -> Self {
        let quoted = |list: &[String]| {
            let items: Vec<String> = list.iter().map(|text| quoted(text)).collect();
            format!("[{}]", items.join(", "))
        };
        let users = content.user.iter().map(|user| {
            format!(
                "[[user]]\nname = {}\npassword = {}\nread = {}\nwrite = {}\n",
                self::quoted(&user.name),
                self::quoted(&user.password),
                quoted(&user.read),
                quoted(&user.write)
            )
        });
        let tokens = content.token.iter().map(|token| {
            format!(
                "[[token]]\nname = {}\nsha256 = {}\nread = {}\nwrite = {}\n",
                self::quoted(&token.name),
                self::quoted(&token.sha256),
                quoted(&token.read),
                quoted(&token.write)
            )
        });
        Self(users.chain(tokens).collect())
    }
}

/// A basic string of TOML: JSON's escapes are among TOML's, but for DEL.
fn quoted(text: &str) -> String {
    serde_json::to_string(text)
        .expect("text is always writable as JSON")
        .replace('\u{7f}', "\\u007F")
}

fn patterns(read: &[&str], write: &[&str]) -> Result<(Vec<String>, Vec<String>), AccessError> {
    let owned =
        |patterns: &[&str]| -> Vec<String> { patterns.iter().map(|pattern| (*pattern).to_owned()).collect() };
    let (read, write) = (owned(read), owned(write));
    match Permissions::new(&read, &write) {
        Ok(_) => Ok((read, write)),
        Err((pattern, error)) => Err(AccessError::Entry(format!("the pattern `{pattern}`: {error}"))),
    }
}

pub(super) fn text(file: &Path, variable: &'static str) -> Result<String, AccessError> {
    regular_file::read_text(file, MAX_FILE).map_err(|why| AccessError::Read {
        variable,
        file: file.to_owned(),
        why,
    })
}

/// What `text` says, which is that of `file`.
pub(super) fn parse(text: &str, file: &Path, variable: &'static str) -> Result<Access, AccessError> {
    let wrong = |why: String| AccessError::Content {
        variable,
        file: file.to_owned(),
        why,
    };
    let content: Content = toml::from_str(text).map_err(|error| {
        // The error's own text quotes the line, with the hash in it.
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        wrong(format!("line {line}: {}", error.message()))
    })?;
    if content.user.len() > MAX_ENTRIES || content.token.len() > MAX_ENTRIES {
        return Err(wrong(format!(
            "found more than {MAX_ENTRIES} users or tokens, expected at most that many"
        )));
    }
    if content.user.is_empty() && content.token.is_empty() {
        return Err(wrong(
            "found no user and no token, so that nobody could ever come in: add one with `syncline access`"
                .to_owned(),
        ));
    }
    let permissions = |name: &str, read: &[String], write: &[String]| {
        Permissions::new(read, write)
            .map_err(|(pattern, error)| wrong(format!("`{name}`: the pattern `{pattern}`: {error}")))
    };
    let mut users = HashMap::new();
    for entry in content.user {
        if !entry.password.starts_with("$argon2id$") {
            return Err(wrong(format!(
                "the password of `{}` is no argon2id hash: make one with `syncline access user`",
                entry.name
            )));
        }
        let permissions = permissions(&entry.name, &entry.read, &entry.write)?;
        let user = User::new(&entry.name, entry.password, permissions);
        if users.insert(entry.name.clone(), user).is_some() {
            return Err(wrong(format!("the user `{}` is there twice", entry.name)));
        }
    }
    let mut tokens = Vec::new();
    for entry in content.token {
        let sha256 = digest(&entry.sha256).ok_or_else(|| {
            wrong(format!(
                "the sha256 of `{}` is not 64 hexadecimal digits: make one with `syncline access token`",
                entry.name
            ))
        })?;
        tokens.push(Token {
            sha256,
            permissions: permissions(&entry.name, &entry.read, &entry.write)?,
        });
    }
    Ok(Access {
        users,
        tokens,
        hasher: Hasher::new()?,
        session_hasher: Hasher::new()?,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.toml");
        std::fs::write(&path, text).unwrap();
        Access::read(&path, "SYNCLINE_HTTP_AUTH").unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_file_is_refused_with_the_cure_and_without_its_hashes() {
        for (text, expected) in [
            ("", "syncline access"),
            ("[[user]]\nname = 'a'\n", "line 1: missing field `password`"),
            ("[[user]]\nname = 'a'\npassword = 's3cret'\n", "no argon2id hash"),
            (
                "[[user]]\nname = 'a'\npasword = 's3cret'\n",
                "unknown field `pasword`",
            ),
            (
                "[[token]]\nname = 'a'\nsha256 = 's3cret'\n",
                "64 hexadecimal digits",
            ),
            (
                "[[user]]\nname = 'a'\npassword = '$argon2id$s3cret'\nread = ['a/b+']\n",
                "the pattern `a/b+`",
            ),
            (
                "[[user]]\nname = 'a'\npassword = '$argon2id$s3cret'\n[[user]]\nname = 'a'\npassword = '$argon2id$x'\n",
                "there twice",
            ),
            ("[[user]\n", "line 1"),
        ] {
            let message = refused(text);
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn an_entry_that_nobody_could_use_is_not_made() {
        assert!(Entry::token("a", "short", &[], &[]).is_err());
        assert!(Entry::token("a", &"x".repeat(MIN_TOKEN), &["a#"], &[]).is_err());
    }

    #[test]
    fn names_with_quotes_survive_the_file() {
        let entry = Entry::token("a\"b\\\u{7f}\n", &"x".repeat(MIN_TOKEN), &["#"], &[]).unwrap();
        let content: Content = toml::from_str(&entry.to_string()).unwrap();
        assert_eq!(content.token[0].name, "a\"b\\\u{7f}\n");
    }
}
