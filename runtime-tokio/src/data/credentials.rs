//! `credentials.json`: the login that this agent was granted, or is asking for.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::layer::{FileLayer, replace};
use crate::tls::Moment;
use crate::transport::text;

/// Name of the file.
const NAME: &str = "credentials.json";
/// Name for a file that holds no credentials, so that someone may look at it; a number follows where the name is taken.
const BROKEN: &str = "credentials.json.broken";
/// Most files of such names; beyond that the last one is replaced.
const MAX_BROKEN: usize = 9;
/// Version of the file's format.
const VERSION: u32 = 1;
/// Longest file: a user name and a password of the length that MQTT allows, with every byte escaped.
const MAX_BYTES: u64 = 1 << 20;

/// A login name with its password, and when they were made.
#[derive(Clone)]
pub struct StoredCredentials {
    /// Login name.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// When they were made, as in RFC 3339; for whoever reads the file.
    pub created_at: String,
}

/// Why credentials were not read or not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// They are there and cannot be read.
    #[error("cannot read {}: {}; let this user read it, or delete it to register anew", .file.display(), text(.source))]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// They were written by a version that came after this one.
    #[error(
        "{} has format {found}, this version knows {VERSION}: use the version of syncline that wrote it, or delete it to \
         register anew", .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
    },
    /// They could not be made durable.
    #[error("cannot store the credentials in {}: {}; they last until this agent ends", .file.display(), text(.source))]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The file's form.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form<'a> {
    version: u32,
    username: &'a str,
    password: &'a str,
    created_at: &'a str,
}

/// What every version of the form has.
#[derive(Deserialize)]
struct AnyForm {
    version: u32,
}

/// As [`Form`], owned: a text with escapes cannot be borrowed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnedForm {
    username: String,
    password: String,
    created_at: String,
}

impl StoredCredentials {
    /// Credentials that are made now.
    #[must_use]
    pub fn new(username: impl Into<String>, password: SecretString) -> Self {
        Self {
            username: username.into(),
            password,
            created_at: Moment::now().rfc3339(),
        }
    }
}

impl fmt::Debug for StoredCredentials {
    /// Leaves out the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCredentials")
            .field("username", &self.username)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

pub(super) fn load(
    layer: &dyn FileLayer,
    folder: &Path,
) -> Result<Option<StoredCredentials>, CredentialsError> {
    let content = layer
        .read(NAME, MAX_BYTES)
        .map_err(|source| CredentialsError::Read {
            file: folder.join(NAME),
            source,
        })?;
    let Some(content) = content else { return Ok(None) };
    match parse(&content) {
        Ok(credentials) => Ok(Some(credentials)),
        Err(Fault::Newer(found)) => Err(CredentialsError::Newer {
            file: folder.join(NAME),
            found,
        }),
        Err(Fault::Broken) => {
            let aside = free_name(layer);
            let moved = layer.rename(NAME, &aside).and_then(|()| layer.sync_folder());
            let whereto = match moved {
                Ok(()) => format!("it is {aside} now"),
                Err(error) => format!("it cannot be moved aside: {}", text(&error)),
            };
            tracing::error!(
                "{} holds no credentials, somebody or something has changed it; {whereto}, and this agent registers anew",
                folder.join(NAME).display()
            );
            Ok(None)
        }
    }
}

/// Has the file for its owner alone, as it is made; tells who could read it where it was not.
pub(super) fn protect(folder: &Path) {
    let file = folder.join(NAME);
    // What cannot be looked at cannot be read either, which is told then.
    let Ok(metadata) = fs::metadata(&file) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return;
    }
    let file = file.display();
    let cure = match fs::set_permissions(folder.join(NAME), Permissions::from_mode(0o600)) {
        Ok(()) => "it is for its owner alone now".to_owned(),
        Err(error) => format!("that cannot be changed: {}; run `chmod 600 {file}`", text(&error)),
    };
    tracing::warn!(
        "{file} has mode {mode:04o}, other users of this machine may have read the password: {cure}; if they may have, delete the \
         file, and the user at the central, to register with a new one"
    );
}

/// The first name for a broken file that nothing has, or the last.
fn free_name(layer: &dyn FileLayer) -> String {
    let name = |number| match number {
        1 => BROKEN.to_owned(),
        number => format!("{BROKEN}.{number}"),
    };
    (1..MAX_BROKEN)
        .map(name)
        .find(|name| matches!(layer.read(name, 0), Ok(None)))
        .unwrap_or_else(|| name(MAX_BROKEN))
}

pub(super) fn store(
    layer: &dyn FileLayer,
    folder: &Path,
    credentials: &StoredCredentials,
) -> Result<(), CredentialsError> {
    let failed = |source| CredentialsError::Write {
        file: folder.join(NAME),
        source,
    };
    let form = Form {
        version: VERSION,
        username: &credentials.username,
        password: credentials.password.expose_secret(),
        created_at: &credentials.created_at,
    };
    let mut content = serde_json::to_vec_pretty(&form).map_err(|error| failed(error.into()))?;
    content.push(b'\n');
    replace(layer, NAME, &content).map_err(failed)
}

enum Fault {
    Newer(u32),
    Broken,
}

fn parse(content: &[u8]) -> Result<StoredCredentials, Fault> {
    let AnyForm { version } = serde_json::from_slice(content).map_err(|_| Fault::Broken)?;
    match version {
        VERSION => {}
        newer if newer > VERSION => return Err(Fault::Newer(newer)),
        _ => return Err(Fault::Broken),
    }
    let form: OwnedForm = serde_json::from_slice(content).map_err(|_| Fault::Broken)?;
    if form.username.is_empty() || form.password.is_empty() {
        return Err(Fault::Broken);
    }
    Ok(StoredCredentials {
        username: form.username,
        password: form.password.into(),
        created_at: form.created_at,
    })
}

#[cfg(test)]
mod tests {
    use super::super::crash::{CrashLayer, Fault};
    use super::*;

    fn credentials(username: &str) -> StoredCredentials {
        StoredCredentials::new(username, format!("password of \"{username}\"").into())
    }

    fn put(layer: &CrashLayer, username: &str) -> Result<(), CredentialsError> {
        store(layer, Path::new("/data"), &credentials(username))
    }

    /// Whose credentials are found; checks that the password is whole.
    fn found(layer: &CrashLayer) -> Option<String> {
        let found = load(layer, Path::new("/data")).unwrap()?;
        let expected = credentials(&found.username);
        assert_eq!(found.password.expose_secret(), expected.password.expose_secret());
        Some(found.username)
    }

    /// A folder with the credentials that were stored before, if any.
    fn folder(before: Option<&str>) -> CrashLayer {
        let layer = CrashLayer::default();
        if let Some(username) = before {
            put(&layer, username).unwrap();
        }
        layer
    }

    fn steps_of_storing() -> usize {
        let layer = folder(None);
        layer.fail_at(usize::MAX, Fault::Stop);
        put(&layer, "new").unwrap();
        layer.steps()
    }

    #[test]
    fn credentials_are_read_as_they_were_stored() {
        let layer = folder(Some("line-1"));
        let found = load(&layer, Path::new("/data")).unwrap().unwrap();
        assert_eq!(found.username, "line-1");
        assert_eq!(found.password.expose_secret(), "password of \"line-1\"");
        assert!(found.created_at.starts_with("20") && found.created_at.ends_with('Z'));
        assert!(load(&folder(None), Path::new("/data")).unwrap().is_none());
    }

    #[test]
    fn stopped_at_any_step_and_with_any_loss_the_old_or_the_new_are_found() {
        let mut points = 0;
        for before in [None, Some("old")] {
            for fault in [Fault::Stop, Fault::StopHalfway] {
                for step in 0..steps_of_storing() {
                    let layer = folder(before);
                    layer.fail_at(step, fault);
                    put(&layer, "new").unwrap_err();
                    assert!(layer.stopped());
                    for after in layer.after_crash() {
                        let found = found(&after);
                        assert!(
                            found.as_deref() == before || found.as_deref() == Some("new"),
                            "{fault:?} at step {step} with {before:?} before left {found:?}"
                        );
                        // The next start stores again, whatever was left behind.
                        put(&after, "newer").unwrap();
                        assert!(
                            after
                                .after_crash()
                                .iter()
                                .all(|after| self::found(after).as_deref() == Some("newer"))
                        );
                        points += 1;
                    }
                }
            }
            let layer = folder(before);
            put(&layer, "new").unwrap();
            assert!(
                layer
                    .after_crash()
                    .iter()
                    .all(|after| found(after).as_deref() == Some("new"))
            );
        }
        assert!(points > 70, "only {points} states were looked at");
    }

    #[test]
    fn after_an_error_at_any_step_the_old_or_the_new_are_found_and_storing_again_succeeds() {
        for before in [None, Some("old")] {
            for step in 0..steps_of_storing() {
                for fault in [
                    Fault::Error(io::ErrorKind::StorageFull),
                    Fault::ErrorHalfway(io::ErrorKind::StorageFull),
                    Fault::Error(io::ErrorKind::ReadOnlyFilesystem),
                ] {
                    let layer = folder(before);
                    layer.fail_at(step, fault);
                    let error = put(&layer, "new").unwrap_err();
                    assert!(error.to_string().contains("/data/credentials.json"), "{error}");
                    assert!(!error.to_string().contains("password of"), "{error}");
                    for after in layer.after_crash().iter().chain([&layer]) {
                        let found = found(after);
                        assert!(
                            found.as_deref() == before || found.as_deref() == Some("new"),
                            "{found:?}"
                        );
                    }
                    put(&layer, "newer").unwrap();
                    assert!(
                        layer
                            .after_crash()
                            .iter()
                            .all(|after| found(after).as_deref() == Some("newer"))
                    );
                }
            }
        }
    }

    #[test]
    fn a_file_that_holds_no_credentials_is_moved_aside() {
        for content in [
            "",
            "{",
            "[]",
            "{\"version\":1}",
            "{\"version\":0,\"username\":\"a\",\"password\":\"b\",\"createdAt\":\"\"}",
            "{\"version\":1,\"username\":\"\",\"password\":\"b\",\"createdAt\":\"\"}",
            "\0\0\0\0",
        ] {
            let layer = CrashLayer::default();
            layer.create(NAME, content.as_bytes()).unwrap();
            assert!(load(&layer, Path::new("/data")).unwrap().is_none(), "{content}");
            assert_eq!(layer.read(NAME, 99).unwrap(), None);
            assert_eq!(
                layer.read(BROKEN, 99).unwrap().as_deref(),
                Some(content.as_bytes())
            );
        }
    }

    #[test]
    fn broken_files_are_numbered_and_their_number_is_bounded() {
        let layer = CrashLayer::default();
        let last = MAX_BROKEN + 2;
        for number in 1..=last {
            layer.create(NAME, format!("broken {number}").as_bytes()).unwrap();
            assert!(load(&layer, Path::new("/data")).unwrap().is_none());
        }
        let content = |name: &str| {
            let content = layer.read(name, 99).unwrap()?;
            Some(String::from_utf8(content).unwrap())
        };
        assert_eq!(content(BROKEN).as_deref(), Some("broken 1"));
        assert_eq!(content(&format!("{BROKEN}.2")).as_deref(), Some("broken 2"));
        assert_eq!(
            content(&format!("{BROKEN}.{MAX_BROKEN}")),
            Some(format!("broken {last}"))
        );
        assert_eq!(content(&format!("{BROKEN}.{}", MAX_BROKEN + 1)), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_for_its_owner_alone_after_a_look_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        protect(folder.path());
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        protect(folder.path());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn credentials_of_a_newer_version_are_left_alone() {
        let layer = CrashLayer::default();
        let content = "{\"version\":2,\"username\":\"a\",\"token\":\"b\"}";
        layer.create(NAME, content.as_bytes()).unwrap();
        let error = load(&layer, Path::new("/data")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("/data/credentials.json has format 2, this version knows 1"),
            "{error}"
        );
        assert_eq!(layer.read(NAME, 99).unwrap().as_deref(), Some(content.as_bytes()));
    }

    #[test]
    fn debug_output_keeps_the_password() {
        assert!(!format!("{:?}", credentials("line-1")).contains("password of"));
    }
}
