//! A JSONata expression: parsed once, when the commissioning file is read.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use jsonata_core::ast::AstNode;
use jsonata_core::parser::{self, ParserError};

use super::limits::EXPRESSION_LENGTH;
use super::mistake;
use super::names::{self, Names};

/// A JSONata expression without mistakes of syntax. Cloning is cheap.
#[derive(Clone)]
pub struct Expression {
    source: Arc<str>,
    tree: Arc<AstNode>,
}

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// It breaks JSONata's syntax.
    #[error("not a JSONata expression: {message}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where, as the number of bytes before the last character that can be read with what stands before it.
        at: usize,
    },
    /// A regular expression in it cannot be used; there are no back-references and no look-around, for these can take for ever.
    #[error("the regular expression {written} cannot be used: {reason}")]
    Regex {
        /// As it stands there.
        written: String,
        /// What is wrong.
        reason: String,
        /// Where, as the number of bytes before it.
        at: usize,
    },
    /// It is longer than an expression may be.
    #[error("{length} bytes long, an expression has at most {EXPRESSION_LENGTH}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Reading it brought the parser down.
    #[error("an expression that the JSONata parser cannot read")]
    Unreadable,
}

impl Expression {
    /// Parses `source`.
    ///
    /// # Errors
    /// [`ExpressionError`] with what JSONata says about it.
    pub fn new(source: impl Into<Arc<str>>) -> Result<Self, ExpressionError> {
        let source = source.into();
        let length = source.len();
        if length > EXPRESSION_LENGTH {
            return Err(ExpressionError::TooLong { length });
        }
        let tree = match read(&source) {
            Ok(Ok(tree)) => tree,
            Ok(Err(error)) => {
                let at = mistake::place(&source, &error.to_string(), |part| match read(part) {
                    Ok(Err(error)) => Some(error.to_string()),
                    _ => None,
                });
                let message = mistake::in_words(&error);
                return Err(ExpressionError::Syntax { message, at });
            }
            Err(_) => return Err(ExpressionError::Unreadable),
        };
        if let Some((written, reason)) = Names::of(&tree).broken_regex() {
            let at = source.find(&written).unwrap_or_default();
            return Err(ExpressionError::Regex { written, reason, at });
        }
        Ok(Self {
            source,
            tree: Arc::new(tree),
        })
    }

    /// The text as it was given.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names in it.
    pub(crate) fn names(&self) -> Names<'_> {
        Names::of(&self.tree)
    }

    /// Whether it has a result whatever it is given, unless it fails.
    pub(crate) fn always_has_result(&self) -> bool {
        names::always_has_result(&self.tree)
    }

    pub(super) fn tree(&self) -> &AstNode {
        &self.tree
    }

    /// Whether `name` can occur in it; `$eval` can make any name occur.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.source.contains(name) || self.source.contains("eval")
    }
}

impl ExpressionError {
    /// Where in the expression, in bytes.
    pub(crate) fn at(&self) -> Option<usize> {
        match self {
            Self::Syntax { at, .. } | Self::Regex { at, .. } => Some(*at),
            Self::TooLong { .. } | Self::Unreadable => None,
        }
    }
}

/// The tree of `source`; the outer error is that reading it brought the parser down.
fn read(source: &str) -> thread::Result<Result<AstNode, ParserError>> {
    catch_unwind(AssertUnwindSafe(|| parser::parse(source)))
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_with_a_mistake_is_refused_with_what_jsonata_says() {
        let error = Expression::new("$sum(a").unwrap_err().to_string();
        assert!(error.starts_with("not a JSONata expression: "), "{error}");
        assert!(Expression::new("").is_err());
        assert_eq!(Expression::new("$.a").unwrap().source(), "$.a");
    }

    #[test]
    fn a_mistake_of_syntax_is_told_in_the_words_of_its_writer_and_at_its_place() {
        for (source, message, before) in [
            ("{\"a\": }", "S0211: found `}`, expected a value", "{\"a\": "),
            ("(1; 2]", "S0202: found `]`, expected `)`", "(1; 2"),
            ("$sum(a", "S0203: expected `)` before the end", "$sum("),
            (
                "a\n+ b\n$c",
                "S0201: found `$c`, expected an operator or the end",
                "a\n+ b\n$",
            ),
            (
                "a 'it''s'",
                "S0201: found a text, expected an operator or the end",
                "a 'it",
            ),
            (
                "ä + 1.5 2.5",
                "S0201: found `2.5`, expected an operator or the end",
                "ä + 1.5 2.",
            ),
            ("1 ! 2", "S0204: Unknown operator: !", "1 "),
            ("a + ", "S0207: Unexpected end of expression", "a "),
        ] {
            let Err(ExpressionError::Syntax { message: found, at }) = Expression::new(source) else {
                panic!("{source}");
            };
            assert_eq!((found.as_str(), &source[..at]), (message, before), "{source}");
        }
        assert!(matches!(
            Expression::new(""),
            Err(ExpressionError::Syntax { at: 0, .. })
        ));
    }

    #[test]
    fn a_regular_expression_that_cannot_be_used_is_refused_with_the_reason() {
        for (source, error) in [
            (
                "$match(a, /a(/)",
                "the regular expression /a(/ cannot be used: unclosed group",
            ),
            (
                "a ~> $replace(/b(?=c)/i, \"\")",
                "the regular expression /b(?=c)/i cannot be used: look-around, including look-ahead and look-behind, is not supported",
            ),
        ] {
            let refused = Expression::new(source).unwrap_err();
            assert_eq!(refused.to_string(), error);
            assert_eq!(refused.at(), source.find('/'));
        }
        assert!(Expression::new("$match(a, /\\d+(b)/im)").is_ok());
    }

    #[test]
    fn an_expression_nested_without_end_is_refused() {
        for part in ["(", "[", "{\"a\":", "a[", "-", "function($x){"] {
            let source = part.repeat(20_000 / part.len());
            assert!(
                matches!(Expression::new(source), Err(ExpressionError::Syntax { .. })),
                "{part}"
            );
        }
    }

    #[test]
    fn an_expression_at_the_limit_of_length_is_taken_and_a_longer_one_is_not() {
        let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert!(Expression::new(text(EXPRESSION_LENGTH)).is_ok());
        assert_eq!(
            Expression::new(text(EXPRESSION_LENGTH + 1)),
            Err(ExpressionError::TooLong {
                length: EXPRESSION_LENGTH + 1
            })
        );
    }
}
