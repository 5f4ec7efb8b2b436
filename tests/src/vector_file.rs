//! Files of `tests/vectors`, a step a line; `tests/vectors/README.md` describes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syncline_core::codec::QoS;

use crate::workspace;

/// One line of a vector: its first word, its fields, and the words that are none.
#[derive(Debug)]
pub struct Line {
    /// File and line.
    pub place: String,
    /// All of it but its comment.
    pub text: String,
    /// The words that are no fields, of which there is one at least.
    pub words: Vec<String>,
    /// The words `name=value`.
    pub fields: BTreeMap<String, String>,
}

impl Line {
    /// Its first word.
    #[must_use]
    pub fn keyword(&self) -> &str {
        &self.words[0]
    }

    /// The value of a field.
    ///
    /// # Panics
    /// When the line lacks it.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        let value = self.fields.get(name);
        value.unwrap_or_else(|| panic!("{}: `{}` lacks {name}=", self.place, self.text))
    }

    /// The number that `text`, a part of this line, is.
    ///
    /// # Panics
    /// When it is none of that type.
    #[must_use]
    pub fn number<T: TryFrom<u64>>(&self, text: &str) -> T {
        let number = text.parse::<u64>().ok().and_then(|it| T::try_from(it).ok());
        number.unwrap_or_else(|| panic!("{}: {text} is no such number", self.place))
    }

    /// Whether a field is 1.
    ///
    /// # Panics
    /// When the line lacks it, or it is no number.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.number::<u8>(self.field(name)) == 1
    }

    /// The field `qos`.
    ///
    /// # Panics
    /// As [`Line::flag`], and for numbers beyond 2.
    #[must_use]
    pub fn qos(&self) -> QoS {
        quality(self.number(self.field("qos")))
    }

    /// The pairs to the line's end.
    ///
    /// # Panics
    /// When they are none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.hex(&self.words[1..].concat())
    }

    /// The bytes that hexadecimal digits stand for, none for `-`.
    ///
    /// # Panics
    /// For anything else.
    #[must_use]
    pub fn hex(&self, digits: &str) -> Vec<u8> {
        let digits = if digits == "-" { "" } else { digits };
        (0..digits.len())
            .step_by(2)
            .map(|at| {
                let pair = digits
                    .get(at..at + 2)
                    .and_then(|pair| u8::from_str_radix(pair, 16).ok());
                pair.unwrap_or_else(|| panic!("{}: {digits} is not hexadecimal", self.place))
            })
            .collect()
    }
}

/// The vectors whose names begin with `kind`.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn vectors(kind: &str) -> Vec<(String, Vec<Line>)> {
    let folder = workspace().join("tests/vectors");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("a folder of vectors")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "hex"))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(kind))
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no {kind}*.hex in {}", folder.display());
    paths.into_iter().map(|path| (name(&path), read(&path))).collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a file has a name")
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).expect("a readable vector");
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let text = without_comment(line).trim().to_owned();
            let (fields, words): (Vec<_>, Vec<_>) =
                text.split_whitespace().partition(|word| word.contains('='));
            let fields = fields.into_iter().filter_map(|word| word.split_once('='));
            let fields = fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let words: Vec<_> = words.into_iter().map(str::to_owned).collect();
            (!words.is_empty()).then(|| Line {
                place: format!("{}:{}", name(path), index + 1),
                text: text.clone(),
                words,
                fields,
            })
        })
        .collect()
}

/// A comment begins where a word does: `#` within one is a wildcard.
fn without_comment(line: &str) -> &str {
    let begin = line
        .match_indices('#')
        .find(|(at, _)| *at == 0 || line[..*at].ends_with(' '));
    begin.map_or(line, |(at, _)| &line[..at])
}

/// The Quality of Service of that number.
///
/// # Panics
/// Beyond 2.
#[must_use]
pub fn quality(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        _ => panic!("QoS {qos}"),
    }
}
