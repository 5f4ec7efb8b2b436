//! Where values come from: flags, the environment, files named by the environment, and defaults, in this order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::variable::{Support, VARIABLES, Variable};
use crate::nearest::nearest;

/// Longest secret that is read from a file.
const MAX_SECRET_BYTES: usize = 64 * 1024;

/// Ending of a variable that names the file with a secret.
const FILE_SUFFIX: &str = "_FILE";

/// A snapshot of the process's environment.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

/// Values given by flags, by the name of their variable.
pub type Flags = BTreeMap<&'static str, String>;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag, with its dashes.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A file that an environment variable names.
    File(String, PathBuf),
    /// The default of the variable.
    Default,
}

/// The value of a variable, still a text.
#[derive(Clone)]
pub struct Setting {
    pub(super) value: String,
    pub(super) origin: Origin,
    variable: &'static Variable,
}

/// A variable and its value, when it has one.
#[derive(Clone)]
pub struct Resolved {
    /// The variable.
    pub variable: &'static Variable,
    /// Its value; `None` when it is unset and has no default.
    pub setting: Option<Setting>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }

    /// A variable's value; empty is unset.
    fn value(&self, name: &str) -> Option<Result<&str, String>> {
        let value = self.0.get(name).filter(|value| !value.is_empty())?;
        Some(
            value
                .to_str()
                .ok_or_else(|| format!("{name}: the value is not UTF-8, expected a text in UTF-8")),
        )
    }

    /// Reads every variable of the table. Errors are of values that cannot be had at all; warnings name variables that
    /// have no effect.
    pub(super) fn resolve(&self, flags: &Flags) -> (Vec<Resolved>, Vec<String>, Vec<String>) {
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        let mut resolved = Vec::new();
        for variable in VARIABLES {
            let setting = match self.setting(variable, flags) {
                Ok(setting) => setting,
                Err(error) => {
                    errors.push(error);
                    None
                }
            };
            if let Some(setting) = setting.as_ref().filter(|setting| !setting.is_off()) {
                match variable.support {
                    Support::Read => {}
                    Support::Unread => {
                        warnings.push(format!("{} is not read by this version", setting.name()));
                    }
                    Support::Refused => errors.push(format!(
                        "{} is not supported by this version, and going on without it would be less safe: unset it",
                        setting.name()
                    )),
                }
            }
            resolved.push(Resolved { variable, setting });
        }
        warnings.extend(self.unknown());
        (resolved, errors, warnings)
    }

    fn setting(&self, variable: &'static Variable, flags: &Flags) -> Result<Option<Setting>, String> {
        let setting = |value: String, origin| {
            Some(Setting {
                value,
                origin,
                variable,
            })
        };
        if let (Some(value), Some(flag)) = (flags.get(variable.name), variable.flag) {
            return Ok(setting(value.clone(), Origin::Flag(format!("--{flag}"))));
        }
        for name in variable.names() {
            if let Some(value) = self.value(&name) {
                return Ok(setting(value?.to_owned(), Origin::Environment(name)));
            }
        }
        for name in variable
            .names()
            .into_iter()
            .filter(|_| variable.secret)
            .map(|name| name + FILE_SUFFIX)
        {
            if let Some(path) = self.value(&name) {
                let path = PathBuf::from(path?);
                let value =
                    read_secret(&path).map_err(|error| format!("{name}: {}: {error}", path.display()))?;
                return Ok(setting(value, Origin::File(name, path)));
            }
        }
        Ok(variable
            .default
            .and_then(|default| setting(default.to_owned(), Origin::Default)))
    }

    /// A warning for every variable with one of our prefixes that means nothing here.
    fn unknown(&self) -> Vec<String> {
        let known: Vec<String> = VARIABLES.iter().flat_map(Variable::names).collect();
        let secret = VARIABLES.iter().filter(|variable| variable.secret);
        let files: Vec<String> = secret
            .flat_map(Variable::names)
            .map(|name| name + FILE_SUFFIX)
            .collect();
        let set = self
            .0
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name);
        set.filter(|name| !known.contains(name) && !files.contains(name))
            .filter_map(|name| {
                let (prefix, stem) = split_prefix(name)?;
                if let Some(base) = name
                    .strip_suffix(FILE_SUFFIX)
                    .filter(|base| known.iter().any(|name| name == base))
                {
                    return Some(format!(
                        "{name} has no effect, {base} is not a secret: set {base} itself"
                    ));
                }
                let stems = known
                    .iter()
                    .filter_map(|name| split_prefix(name))
                    .map(|(_, stem)| stem);
                let Some(nearest) = nearest(stem, stems) else {
                    return Some(format!(
                        "{name} is not a variable of this agent; `syncline config env` lists them all"
                    ));
                };
                let same_prefix = format!("{prefix}{nearest}");
                let meant = match known.contains(&same_prefix) {
                    true => same_prefix,
                    false => format!("SYNCLINE_{nearest}"),
                };
                Some(format!(
                    "{name} is not a variable of this agent, did you mean {meant}?"
                ))
            })
            .collect()
    }
}

/// A name of ours as prefix and stem; other programs' variables are none of our business.
fn split_prefix(name: &str) -> Option<(&'static str, &str)> {
    ["CYBUS_", "SYNCLINE_"]
        .into_iter()
        .find_map(|prefix| Some((prefix, name.strip_prefix(prefix)?)))
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl Setting {
    /// What the operator typed to set it.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.origin {
            Origin::Flag(name) | Origin::Environment(name) | Origin::File(name, _) => name,
            Origin::Default => self.variable.name,
        }
    }

    /// Where the value came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The value as it may be shown: not at all when it is a secret.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.variable.secret {
            "********"
        } else {
            &self.value
        }
    }

    /// The message for a value that breaks its rule.
    pub(super) fn refuse(&self, expected: &str) -> String {
        match self.variable.secret {
            true => format!("{}: the value is not {expected}", self.name()),
            false => format!(
                "{}: found `{}`, expected {expected}",
                self.name(),
                self.value.escape_debug()
            ),
        }
    }

    /// `false` asks for nothing.
    fn is_off(&self) -> bool {
        super::value::boolean(&self.value) == Ok(false)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => f.write_str(name),
            Self::File(name, path) => write!(f, "{name} ({})", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The content of a file without the line break that editors put at its end.
fn read_secret(path: &std::path::Path) -> Result<String, String> {
    use std::io::Read as _;

    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES as u64 + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot read the file: {error}"))?;
    if text.len() > MAX_SECRET_BYTES {
        return Err(format!(
            "the file is too large, expected at most {MAX_SECRET_BYTES} bytes"
        ));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text {
        "" => Err("the file is empty, expected the value".to_owned()),
        text => Ok(text.to_owned()),
    }
}
