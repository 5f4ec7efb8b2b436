//! The rules of a node, an endpoint or a mapping.

use serde_json::Value;

use crate::service::Position;

/// An ordered list of rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleList(pub Vec<Rule>);

/// One rule: what it is, and what the file says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `parse`, `transform`, `filter`, `cov`, `burst`, `collect`, `stash` or `setContextVars`.
    pub name: &'static str,
    /// Its parameters, as written.
    pub parameters: Value,
    /// Where it stands in its file.
    pub place: Position,
}

impl RuleList {
    /// Whether messages pass unchanged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the rules, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|rule| rule.name)
    }
}
