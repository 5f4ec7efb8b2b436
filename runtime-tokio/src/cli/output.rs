//! What leaves the process: data on stdout, everything else on stderr, and exit codes.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use syncline::config::ConfigError;
use syncline::service::Paint;

/// Exit codes, after sysexits.h where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Ok,
    Usage,
    /// A bug of this program.
    Software,
    /// The data folder cannot be read.
    DataFolder,
    /// Another agent uses the data folder.
    Temporary,
    /// The broker refuses this agent.
    Refused,
    /// Configuration or a commissioning file is wrong.
    Configuration,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Usage => 2,
            Exit::Software => 70,
            Exit::DataFolder => 74,
            Exit::Temporary => 75,
            Exit::Refused => 77,
            Exit::Configuration => 78,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        })
    }
}

/// Prints data. A reader that has gone away, as `head` does, is no reason to complain.
pub(super) fn data(text: &str) {
    _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Prints what is not data, complete with its line break.
pub(super) fn diagnostics(text: &str) {
    _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints one warning.
pub(super) fn warning(text: &str) {
    diagnostics(&format!("warning: {text}\n"));
}

/// Prints one error.
pub(super) fn error(text: &str) {
    diagnostics(&format!("error: {text}\n"));
}

/// Prints what is wrong with the configuration, and the way on.
pub(super) fn configuration(wrong: &ConfigError) -> Exit {
    for message in wrong.messages() {
        error(message);
    }
    diagnostics("next: syncline config env\n");
    Exit::Configuration
}

/// Whether stderr wants colours.
pub(super) fn paint() -> Paint {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_some_and(|terminal| terminal == "dumb");
    match std::io::stderr().is_terminal() && set("NO_COLOR").is_none() && !dumb {
        true => Paint::Colour,
        false => Paint::Plain,
    }
}

/// Rows as columns two spaces apart; the last column is not padded.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    });
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}
