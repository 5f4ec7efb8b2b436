//! Where values come from: flags, the environment, files that it names, the configuration file, and defaults, in this
//! order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::file::ConfigFile;
use super::variable::{CONFIG_FILE, VARIABLES, Variable};
use crate::nearest::nearest;
use crate::regular_file;

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
    /// The configuration file, with the line.
    ConfigFile(String),
    /// The default of the variable, which other variables may have a part in.
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
        let file = self.config_file(flags).unwrap_or_else(|wrong| {
            errors = wrong;
            ConfigFile::default()
        });
        let mut resolved = Vec::new();
        for variable in VARIABLES {
            let setting = match self.setting(variable, flags, &file) {
                Ok(setting) => setting,
                Err(error) => {
                    errors.push(error);
                    None
                }
            };
            resolved.push(Resolved { variable, setting });
        }
        compute_defaults(&mut resolved);
        warnings.extend(self.unknown());
        warnings.extend(file.warnings());
        (resolved, errors, warnings)
    }

    /// The configuration file that flags or environment name; an empty one when they name none.
    fn config_file(&self, flags: &Flags) -> Result<ConfigFile, Vec<String>> {
        let variable = VARIABLES.iter().find(|variable| variable.name == CONFIG_FILE);
        let setting = match variable {
            Some(variable) => self
                .setting(variable, flags, &ConfigFile::default())
                .map_err(|error| vec![error])?,
            None => None,
        };
        setting.map_or_else(
            || Ok(ConfigFile::default()),
            |setting| ConfigFile::read(setting.value.as_ref()),
        )
    }

    fn setting(
        &self,
        variable: &'static Variable,
        flags: &Flags,
        file: &ConfigFile,
    ) -> Result<Option<Setting>, String> {
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
        if let Some((value, place)) = file.value(variable) {
            return Ok(setting(value.to_owned(), Origin::ConfigFile(place)));
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
    pub fn name(&self) -> Cow<'_, str> {
        match &self.origin {
            Origin::Flag(name) | Origin::Environment(name) | Origin::File(name, _) => name.into(),
            Origin::ConfigFile(place) => format!("{place}: {}", self.variable.key()).into(),
            Origin::Default => self.variable.name.into(),
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
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => f.write_str(name),
            Self::ConfigFile(place) => f.write_str(place),
            Self::File(name, path) => write!(f, "{name} ({})", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Fills in the defaults that are worked out from other variables.
fn compute_defaults(resolved: &mut [Resolved]) {
    let values: BTreeMap<&str, String> = resolved
        .iter()
        .filter_map(|Resolved { variable, setting }| Some((variable.name, setting.as_ref()?.value.clone())))
        .collect();
    for Resolved { variable, setting } in resolved {
        if let (None, Some(compute)) = (&setting, variable.computed) {
            *setting = compute(&|name| values.get(name).cloned()).map(|value| Setting {
                value,
                origin: Origin::Default,
                variable,
            });
        }
    }
}

/// The content of a file without the line break that editors put at its end.
fn read_secret(path: &std::path::Path) -> Result<String, String> {
    let text = regular_file::read_text(path, MAX_SECRET_BYTES)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text {
        "" => Err("the file is empty, expected the value".to_owned()),
        text => Ok(text.to_owned()),
    }
}
