//! The table of variables as people read it: on a terminal and in `docs/configuration.md`.

use std::fmt::Write as _;

use super::variable::{CONFIG_FILE, VARIABLES, Variable};

/// The table as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from("| variable | flag | key | default | meaning |\n|---|---|---|---|---|\n");
    for variable in VARIABLES {
        let names: Vec<String> = std::iter::once(variable.name.to_owned())
            .chain(variable.names().into_iter().filter(|name| name != variable.name))
            .map(|name| format!("`{name}`"))
            .collect();
        let flag = variable
            .flag
            .map(|flag| format!("`--{flag}`"))
            .unwrap_or_default();
        let key = match variable.name {
            CONFIG_FILE => String::new(),
            _ => format!("`{}`", variable.key()),
        };
        let default = match variable.default {
            Some(default) => format!("`{default}`"),
            None => variable.default_shown.to_owned(),
        };
        _ = writeln!(
            out,
            "| {} | {flag} | {key} | {default} | {} |",
            names.join(", "),
            meaning(variable)
        );
    }
    out
}

/// The table as aligned columns: name, default, meaning.
#[must_use]
pub fn rows() -> Vec<[String; 3]> {
    VARIABLES
        .iter()
        .map(|variable| {
            [
                variable.name.to_owned(),
                variable.default_text().replace('`', ""),
                meaning(variable).replace('`', ""),
            ]
        })
        .collect()
}

/// The sentence of the table with what else is to know.
fn meaning(variable: &Variable) -> String {
    let mut out = variable.meaning.to_owned();
    if variable.required {
        out.push_str(" Required.");
    }
    if variable.secret {
        out.push_str(" Secret: also as `_FILE`.");
    }
    out
}
