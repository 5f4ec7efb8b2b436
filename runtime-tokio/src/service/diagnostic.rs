//! What the reader has to say about a file: located messages, and their form on a terminal.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use unicode_width::UnicodeWidthChar;

use super::source::{Position, Source, Span};

/// Messages of each severity kept of one run; a file that has more mistakes than this is not a commissioning file.
const MAX_DIAGNOSTICS: usize = 200;
/// Columns of a source line that a message shows.
const SNIPPET_WIDTH: usize = 100;

/// How grave a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be run.
    Error,
    /// The file is run, but not all that it says.
    Warning,
}

/// One message about a commissioning file.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    severity: Severity,
    place: Place,
    message: String,
    related: Vec<(Place, String)>,
    help: Option<String>,
    /// Whether the line of the place may be shown, or has a secret in it.
    shows_line: bool,
}

/// Where something is: in a text, or in a file that could not be read at all.
#[derive(Debug, Clone)]
enum Place {
    Text(Arc<Source>, Span),
    File(String),
}

/// Whether a rendered message carries terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Colour,
}

/// All messages of one run over one or more files, in the order in which they were found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Diagnostic {
    pub(super) fn error(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self::at(Severity::Error, Place::Text(source.clone(), span), message.into())
    }

    pub(super) fn warning(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self::at(
            Severity::Warning,
            Place::Text(source.clone(), span),
            message.into(),
        )
    }

    pub(super) fn unreadable(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::at(Severity::Error, Place::File(file.into()), message.into())
    }

    /// A warning about what is no place of a text.
    pub(super) fn notice(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::at(Severity::Warning, Place::File(file.into()), message.into())
    }

    fn at(severity: Severity, place: Place, message: String) -> Self {
        Self {
            severity,
            place,
            message,
            related: Vec::new(),
            help: None,
            shows_line: true,
        }
    }

    /// Adds a second place that belongs to the message.
    #[must_use]
    pub(super) fn related(mut self, source: &Arc<Source>, span: Span, text: impl Into<String>) -> Self {
        self.related
            .push((Place::Text(source.clone(), span), text.into()));
        self
    }

    /// Where it is, as messages say it.
    pub(super) fn place_of(source: &Source, span: Span) -> String {
        let Position { line, column } = source.position(span.start);
        format!("{}:{line}:{column}", source.name())
    }

    /// Leaves out the line of the place, which has a secret in it.
    #[must_use]
    pub(super) fn without_line(mut self) -> Self {
        self.shows_line = false;
        self
    }

    /// Adds the cure.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the cure when there is one to offer.
    #[must_use]
    pub(super) fn maybe_help(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        self.place.file()
    }

    /// Place in the file; `None` when the file could not be read.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.place.position()
    }

    /// What was found and what was expected.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The cure, where one is known.
    #[must_use]
    pub fn cure(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The message on one line, for a log.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!("{}: {}", self.place, printable(&self.message));
        for (place, text) in &self.related {
            _ = write!(line, "; {} at {place}", printable(text));
        }
        if let Some(help) = &self.help {
            _ = write!(line, " ({})", printable(help));
        }
        line
    }

    /// The message with its source lines, ready to be printed; ends with a line break.
    #[must_use]
    pub fn render(&self, paint: Paint) -> String {
        let (style, word) = match self.severity {
            Severity::Error => ("\x1b[1;31m", "error"),
            Severity::Warning => ("\x1b[1;33m", "warning"),
        };
        let (start, bold, reset) = match paint {
            Paint::Plain => ("", "", ""),
            Paint::Colour => (style, "\x1b[1m", "\x1b[0m"),
        };
        let mut out = format!(
            "{bold}{}{reset}: {start}{word}{reset}: {}\n",
            self.place,
            printable(&self.message)
        );
        if self.shows_line {
            self.place.write_snippet(&mut out, start, reset);
        }
        for (place, text) in &self.related {
            _ = writeln!(out, "{bold}{place}{reset}: {}", printable(text));
            place.write_snippet(&mut out, bold, reset);
        }
        if let Some(help) = &self.help {
            _ = writeln!(out, "  = help: {}", printable(help));
        }
        out
    }
}

impl Place {
    fn file(&self) -> &str {
        match self {
            Self::Text(source, _) => source.name(),
            Self::File(name) => name,
        }
    }

    fn position(&self) -> Option<Position> {
        match self {
            Self::Text(source, span) => Some(source.position(span.start)),
            Self::File(_) => None,
        }
    }

    fn offset(&self) -> usize {
        match self {
            Self::Text(_, span) => span.start,
            Self::File(_) => 0,
        }
    }

    /// The line of the place and a line of carets below it, cut to a window around them.
    fn write_snippet(&self, out: &mut String, start: &str, reset: &str) {
        let Self::Text(source, span) = self else { return };
        let (line, line_start) = source.line_at(span.start);
        let from = source.slice(Span::new(line_start, span.start)).chars().count();
        let count = source
            .slice(Span::new(
                span.start,
                span.end.min(line_start + line.len()).max(span.start),
            ))
            .chars()
            .count()
            .clamp(1, SNIPPET_WIDTH / 2);
        let skipped = (from + count).saturating_sub(SNIPPET_WIDTH * 3 / 4);
        let shown: String = line
            .chars()
            .skip(skipped)
            .take(SNIPPET_WIDTH)
            .map(visible)
            .collect();
        let width =
            |text: &mut dyn Iterator<Item = char>| -> usize { text.map(|c| c.width().unwrap_or(1)).sum() };
        let indent = width(&mut shown.chars().take(from - skipped));
        let carets = width(&mut shown.chars().skip(from - skipped).take(count)).max(1);
        let number = source.position(span.start).line.to_string();
        let gutter = " ".repeat(number.len());
        _ = writeln!(out, "{gutter} |\n{number} | {shown}");
        _ = writeln!(
            out,
            "{gutter} | {}{start}{}{reset}",
            " ".repeat(indent),
            "^".repeat(carets)
        );
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position() {
            Some(position) => write!(f, "{}:{position}", self.file()),
            None => f.write_str(self.file()),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Paint::Plain))
    }
}

impl Report {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether a further error would only be counted: not worth the work of a suggestion.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= MAX_DIAGNOSTICS
    }

    /// Puts the messages of each text into the order of the text; files stay in the order in which they were read.
    pub(super) fn sort(&mut self) {
        let mut files: Vec<String> = Vec::new();
        for diagnostic in &self.diagnostics {
            if !files.iter().any(|file| file == diagnostic.file()) {
                files.push(diagnostic.file().to_owned());
            }
        }
        self.diagnostics.sort_by_cached_key(|diagnostic| {
            (
                files.iter().position(|file| file == diagnostic.file()),
                diagnostic.place.offset(),
            )
        });
    }

    /// The messages, at most 200 of each severity.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The errors among the messages.
    pub fn mistakes(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many of the messages are errors, counting those that were not kept.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// All messages with their source lines, ready to be printed.
    #[must_use]
    pub fn render(&self, paint: Paint) -> String {
        let mut out: String = self
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.render(paint))
            .collect();
        let omitted = self.errors + self.warnings - self.diagnostics.len();
        if omitted > 0 {
            _ = writeln!(out, "and {omitted} more");
        }
        out
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Paint::Plain))
    }
}

impl std::error::Error for Report {}

/// A quoted piece of the file for use in a message: cut when long, so that a message stays a line.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        None => format!("`{text}`"),
        Some((end, _)) => format!("`{}…`", &text[..end]),
    }
}

/// Control characters of a file must not reach the operator's terminal.
fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source::new("a.yml", text))
    }

    #[test]
    fn one_line_names_every_place_and_the_cure() {
        let (old, new) = (source("name: x\n"), Arc::new(Source::new("b.yml", "name: x\n")));
        let diagnostic = Diagnostic::error(&new, Span::new(0, 4), "`x` is already in use")
            .related(&old, Span::new(0, 4), "first here")
            .help("choose another name");
        assert_eq!(
            diagnostic.line(),
            "b.yml:1:1: `x` is already in use; first here at a.yml:1:1 (choose another name)"
        );
    }

    #[test]
    fn a_message_shows_place_line_caret_and_cure() {
        let source = source("metadata:\n  nam: x\n");
        let diagnostic =
            Diagnostic::error(&source, Span::new(12, 15), "unknown key `nam`").help("did you mean `name`?");
        assert_eq!(
            diagnostic.to_string(),
            "a.yml:2:3: error: unknown key `nam`\n  |\n2 |   nam: x\n  |   ^^^\n  = help: did you mean `name`?\n"
        );
    }

    #[test]
    fn carets_stand_below_wide_characters() {
        let source = source("日本: x");
        let rendered = Diagnostic::error(&source, Span::new(8, 9), "m").to_string();
        assert!(rendered.contains("1 | 日本: x\n  |       ^\n"), "{rendered}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}HERE{}", "a".repeat(5_000), "b".repeat(5_000));
        let rendered = Diagnostic::error(&source(&text), Span::new(5_000, 5_004), "m").to_string();
        assert!(rendered.contains("HERE") && rendered.len() < 500, "{rendered}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let source = source("a: \u{1b}[31m");
        let rendered = Diagnostic::error(&source, Span::new(3, 4), "found \u{1b}").to_string();
        assert!(!rendered.contains('\u{1b}'), "{rendered:?}");
    }

    #[test]
    fn a_report_counts_what_it_does_not_keep() {
        let source = source("x");
        let mut report = Report::default();
        for _ in 0..MAX_DIAGNOSTICS + 3 {
            report.push(Diagnostic::error(&source, Span::default(), "m"));
        }
        assert_eq!(
            (report.diagnostics().len(), report.errors()),
            (MAX_DIAGNOSTICS, MAX_DIAGNOSTICS + 3)
        );
        assert!(report.to_string().ends_with("and 3 more\n"));
    }
}
