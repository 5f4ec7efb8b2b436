//! Flags made from the table of variables, and values for parameters.

use std::str::FromStr;

use clap::{Arg, ArgMatches, Command};
use syncline::config::{Flags, VARIABLES, Variable};

/// Where `--help` shows the flags of variables.
pub(super) const HEADING: &str = "Configuration";

/// Values that go before the environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides(pub(super) Flags);

/// `NAME=VALUE` for a parameter of a commissioning file.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: String,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected NAME=VALUE".to_owned()),
        }
    }
}

impl clap::FromArgMatches for Overrides {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut overrides = Self::default();
        overrides.update_from_arg_matches(matches)?;
        Ok(overrides)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for variable in VARIABLES.iter().filter(|variable| variable.flag.is_some()) {
            if let Some(value) = matches.get_one::<String>(variable.name) {
                self.0.insert(variable.name, value.clone());
            }
        }
        Ok(())
    }
}

impl clap::Args for Overrides {
    fn augment_args(command: Command) -> Command {
        VARIABLES.iter().filter_map(flag).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(variable: &'static Variable) -> Option<Arg> {
    let flag = variable.flag?;
    let mut help = variable.meaning.trim_end_matches('.').replace('`', "");
    help.push_str(&format!(" [env: {}]", variable.name));
    let default = variable.default_text().replace('`', "");
    if !default.is_empty() {
        help.push_str(&format!(" [default: {default}]"));
    }
    let arg = Arg::new(variable.name)
        .long(flag)
        .help(help)
        .value_name("VALUE")
        .help_heading(HEADING);
    Some(match variable.default {
        Some("true" | "false") => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        _ => arg,
    })
}
