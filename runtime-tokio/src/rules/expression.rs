//! A JSONata expression: parsed once, when the commissioning file is read.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jsonata_core::ast::AstNode;
use jsonata_core::parser;

use super::limits::EXPRESSION_LENGTH;
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
    #[error("not a JSONata expression: {0}")]
    Syntax(String),
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
        match catch_unwind(AssertUnwindSafe(|| parser::parse(&source))) {
            Ok(Ok(tree)) => Ok(Self {
                source,
                tree: Arc::new(tree),
            }),
            Ok(Err(error)) => Err(ExpressionError::Syntax(error.to_string())),
            Err(_) => Err(ExpressionError::Unreadable),
        }
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
    fn an_expression_nested_without_end_is_refused() {
        for part in ["(", "[", "{\"a\":", "a[", "-", "function($x){"] {
            let source = part.repeat(20_000 / part.len());
            assert!(
                matches!(Expression::new(source), Err(ExpressionError::Syntax(_))),
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
