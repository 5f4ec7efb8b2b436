//! The configuration file: TOML, one key for each variable of the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::variable::{CONFIG_FILE, VARIABLES, Variable};
use crate::nearest::nearest;
use crate::regular_file;

/// Largest configuration file.
const MAX_BYTES: usize = 1024 * 1024;

/// The values of a configuration file by their keys.
#[derive(Default)]
pub(super) struct ConfigFile {
    path: PathBuf,
    values: BTreeMap<String, Entry>,
    /// Whether other users of this machine can read it.
    is_shared: bool,
}

struct Entry {
    line: usize,
    value: String,
}

impl ConfigFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Every value that is none, each with its place; a text that is not TOML with its first mistake. No message holds a
    /// value, which may be a secret.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let text = regular_file::read_text(path, MAX_BYTES)
            .map_err(|error| vec![format!("{}: {error}", path.display())])?;
        let mut file = Self::parse(path, &text)?;
        file.is_shared = is_shared(path);
        Ok(file)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Vec<String>> {
        let place = |at: usize| format!("{}:{}", path.display(), line_of(text, at));
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![format!("{}: not TOML: {}", place(at), error.message().trim())]
        })?;
        let mut file = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let mut errors = Vec::new();
        for (key, value) in table.into_inner() {
            let at = key.span().start;
            match text_of(&value) {
                Ok(value) => {
                    let line = line_of(text, at);
                    file.values
                        .insert(key.into_inner().into_owned(), Entry { line, value });
                }
                Err(found) => errors.push(format!(
                    "{}: `{}`: found {found}, expected a string, a number, `true` or `false`",
                    place(at),
                    key.get_ref().escape_debug()
                )),
            }
        }
        match errors.is_empty() {
            true => Ok(file),
            false => Err(errors),
        }
    }

    /// The value of a variable, and where it stands; an empty one is unset.
    pub(super) fn value(&self, variable: &Variable) -> Option<(&str, String)> {
        let entry = self
            .values
            .get(&variable.key())
            .filter(|entry| !entry.value.is_empty() && variable.name != CONFIG_FILE)?;
        Some((&entry.value, format!("{}:{}", self.path.display(), entry.line)))
    }

    /// What has no effect, and secrets that others can read.
    pub(super) fn warnings(&self) -> Vec<String> {
        let known: Vec<String> = VARIABLES
            .iter()
            .filter(|variable| variable.name != CONFIG_FILE)
            .map(Variable::key)
            .collect();
        let path = self.path.display();
        let unknown = self
            .values
            .iter()
            .filter(|(key, _)| !known.contains(key))
            .map(|(key, entry)| {
                let place = format!("{path}:{}: `{}` is not a key", entry.line, key.escape_debug());
                match nearest(key, known.iter().map(String::as_str)) {
                    Some(nearest) => format!("{place}, did you mean `{nearest}`?"),
                    None => format!("{place}; `syncline config env` lists all variables"),
                }
            });
        let exposed = VARIABLES
            .iter()
            .filter(|variable| self.is_shared && variable.secret && self.value(variable).is_some())
            .map(|variable| {
                format!(
                    "{path} holds the secret `{}` and other users can read it: chmod 600 {path}",
                    variable.key()
                )
            });
        unknown.chain(exposed).collect()
    }
}

/// A value as the environment would hold it, or what it is instead.
fn text_of(value: &Spanned<DeValue<'_>>) -> Result<String, &'static str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        other => Err(other.type_str()),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn is_shared(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, Vec<String>> {
        ConfigFile::parse(Path::new("a.toml"), text)
    }

    fn variable(name: &str) -> &'static Variable {
        VARIABLES.iter().find(|variable| variable.name == name).unwrap()
    }

    #[test]
    fn strings_numbers_and_booleans_are_values_and_keys_are_names_without_prefix() {
        let file =
            parse("mqtt-port = 8_883\nuse-mutual-tls = true\n\nagent-name = 'line-1'\nca = ''\n").unwrap();
        let value = |name| file.value(variable(name));
        assert_eq!(value("CYBUS_MQTT_PORT"), Some(("8883", "a.toml:1".to_owned())));
        assert_eq!(value("USE_MUTUAL_TLS"), Some(("true", "a.toml:2".to_owned())));
        assert_eq!(value("CYBUS_AGENT_NAME"), Some(("line-1", "a.toml:4".to_owned())));
        assert_eq!(value("CA"), None);
    }

    #[test]
    fn a_mistake_is_named_by_its_line_and_never_by_its_value() {
        let errors = parse("mqtt-port = 1\n\nagent-name = ['s3cret']\nca = 1.5\n")
            .err()
            .unwrap();
        assert_eq!(
            errors,
            [
                "a.toml:3: `agent-name`: found array, expected a string, a number, `true` or `false`",
                "a.toml:4: `ca`: found float, expected a string, a number, `true` or `false`"
            ]
        );
        let errors = parse("ca = 'x'\nprotocol-mapper-password = s3cret\n")
            .err()
            .unwrap();
        assert!(errors[0].starts_with("a.toml:2: not TOML: "), "{errors:?}");
        assert!(!errors[0].contains("s3cret"), "{errors:?}");
    }

    #[test]
    fn a_key_without_effect_is_a_warning_with_the_nearest() {
        let file = parse("mqtt-hsot = 'x'\nzebra = 1\nconfig = 'b.toml'").unwrap();
        assert_eq!(
            file.warnings(),
            [
                "a.toml:3: `config` is not a key; `syncline config env` lists all variables",
                "a.toml:1: `mqtt-hsot` is not a key, did you mean `mqtt-host`?",
                "a.toml:2: `zebra` is not a key; `syncline config env` lists all variables",
            ]
        );
    }

    #[test]
    fn a_secret_that_others_can_read_is_a_warning() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "protocol-mapper-password = 's3cret'").unwrap();
        for (mode, warnings) in [(0o644, 1), (0o640, 1), (0o600, 0)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let file = ConfigFile::read(&path)
                .map_err(|errors| errors.join("\n"))
                .unwrap();
            let found = file.warnings();
            assert_eq!(found.len(), warnings, "{mode:o}: {found:?}");
            assert!(found.iter().all(|warning| warning.contains("chmod 600")));
        }
    }
}
