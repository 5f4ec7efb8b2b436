//! What leaves the process: data on stdout, everything else on stderr.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use syncline::config::ConfigError;
use syncline::service::Paint;

use super::exit::Exit;

/// What became of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Whole,
    /// The reader has gone away, as `head` does, which is no reason to complain.
    NoReader,
    /// Somebody goes without an answer; the error has been told.
    Failed,
}

/// Prints data as it is.
#[must_use]
pub(super) fn bytes(bytes: &[u8]) -> Written {
    end_progress();
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Written::Whole,
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Written::NoReader,
        Err(cause) => {
            error(&format!("cannot write to the standard output: {cause}"));
            Written::Failed
        }
    }
}

/// Prints data, and says how a command that did nothing else ends.
#[must_use]
pub(super) fn data(text: &str) -> Exit {
    match bytes(text.as_bytes()) {
        Written::Whole | Written::NoReader => Exit::Ok,
        Written::Failed => Exit::InputOutput,
    }
}

/// Whether the last line on stderr tells of progress, and is to give way to whatever comes next.
static PROGRESS: AtomicBool = AtomicBool::new(false);

/// Returns the cursor to the begin of a line and erases it.
const ERASE: &[u8] = b"\r\x1b[K";

/// stderr, on which a line of progress gives way.
#[derive(Debug)]
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if PROGRESS.swap(false, Ordering::Relaxed) {
            stderr.write_all(ERASE)?;
        }
        stderr.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Prints what is not data, complete with its line break.
pub(super) fn diagnostics(text: &str) {
    _ = Stderr.write_all(text.as_bytes());
}

/// Shows how long something has taken so far, in the place of what was shown of that before.
pub(super) fn progress(text: &str) {
    let mut stderr = io::stderr().lock();
    _ = stderr
        .write_all(ERASE)
        .and_then(|()| stderr.write_all(text.as_bytes()));
    PROGRESS.store(true, Ordering::Relaxed);
}

/// Takes the line of progress away, if there is one.
pub(super) fn end_progress() {
    let mut stderr = io::stderr().lock();
    if PROGRESS.swap(false, Ordering::Relaxed) {
        _ = stderr.write_all(ERASE);
    }
}

/// Prints one warning.
pub(super) fn warning(text: &str) {
    diagnostics(&format!("warning: {text}\n"));
}

/// Prints all warnings of the configuration.
pub(super) fn warnings(texts: &[String]) {
    texts.iter().for_each(|text| warning(text));
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
    match io::stderr().is_terminal() && set("NO_COLOR").is_none() && !dumb {
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
