//! The text of a commissioning file, and places in it.

use std::fmt;

/// One commissioning file: its name as the operator gave it, and its text.
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

/// A range of bytes of a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A place as editors count it: both numbers begin at 1, the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Source {
    /// Takes over a text; `name` is what messages call it.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        let bytes = text.as_bytes();
        let breaks = bytes.iter().enumerate().filter_map(|(at, byte)| match byte {
            b'\n' => Some(at + 1),
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => Some(at + 1),
            _ => None,
        });
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self {
            name: name.into(),
            text,
            line_starts,
        }
    }

    /// The name that messages use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text, without a byte order mark.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of `span`, empty when the span is no range of this text.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The place of the character at byte `at` of `text`, which the scalar at `span` says; `None` where the scalar says it with
    /// escapes, or says something else. White space may differ, as it does where lines are folded or indented.
    pub(crate) fn inside(&self, span: Span, text: &str, at: usize) -> Option<Span> {
        let written = self.slice(span);
        let body = match written.chars().next()? {
            '|' | '>' => written.split_once('\n')?.1,
            '"' | '\'' => &written[1..written.len().max(2) - 1],
            _ => written,
        };
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<Vec<_>>();
        if visible(body) != visible(text) {
            return None;
        }
        let before = visible(text.get(..at)?).len();
        let mut characters = body.char_indices().filter(|(_, c)| !c.is_whitespace());
        let (offset, character) = characters.nth(before)?;
        let header = written.len() - body.len() - usize::from(written.starts_with(['"', '\'']));
        let start = span.start + header + offset;
        Some(Span::new(start, start + character.len_utf8()))
    }

    /// Line and column of a byte offset; an offset past the end is the end.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.line_index(offset);
        let before = self.slice(Span::new(self.line_starts[line], offset.min(self.text.len())));
        Position {
            line: line + 1,
            column: before.chars().count() + 1,
        }
    }

    /// The line that holds `offset`, without its line break, and the byte offset at which it begins.
    pub(crate) fn line_at(&self, offset: usize) -> (&str, usize) {
        let line = self.line_index(offset);
        let start = self.line_starts[line];
        let end = self.line_starts.get(line + 1).copied().unwrap_or(self.text.len());
        (
            self.slice(Span::new(start, end)).trim_end_matches(['\n', '\r']),
            start,
        )
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_know_all_three_line_breaks() {
        let source = Source::new("f", "\u{feff}a\nä€x\r\nb\rc");
        let at = |needle: char| source.position(source.text().find(needle).unwrap());
        assert_eq!(at('a'), Position { line: 1, column: 1 });
        assert_eq!(at('x'), Position { line: 2, column: 3 });
        assert_eq!(at('b'), Position { line: 3, column: 1 });
        assert_eq!(at('c'), Position { line: 4, column: 1 });
        assert_eq!(source.position(999), Position { line: 4, column: 2 });
        assert_eq!(source.line_at(source.text().find('x').unwrap()), ("ä€x", 2));
    }

    #[test]
    fn an_empty_text_has_one_empty_line() {
        let source = Source::new("f", "");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.line_at(0), ("", 0));
    }
}
