//! What a commissioning file says about rules.

use std::time::Duration;

use super::expression::Expression;
use super::limits::{BURST_INTERVAL, BURST_MESSAGES, RULES};
use super::parse::Format;

/// An ordered list of rules, at most [`RULES`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleList(Vec<Rule>);

/// One rule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// Makes a value of the bytes of the payload.
    Parse(Format),
    /// Makes the result of an expression the payload; without a result the message stops.
    Transform(Expression),
    /// Stops messages for which an expression is not true.
    Filter(Expression),
    /// Stops messages whose field has not changed.
    Cov(Cov),
    /// Makes one message of several.
    Burst(Burst),
    /// Makes an object of the latest message of each subscription.
    Collect,
    /// Keeps the payload for `$last` of later messages under this label.
    Stash(String),
    /// Sets variables, one after the other, to the results of expressions.
    SetContextVars(Vec<(String, Expression)>),
}

/// When a field counts as changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Cov {
    key: Option<String>,
    deadband: f64,
    mode: DeadbandMode,
}

/// What a deadband is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeadbandMode {
    /// Nothing: it is a difference.
    #[default]
    Absolute,
    /// Of the last passed value: it is a percentage.
    Relative,
}

/// When a batch is complete: whichever comes first. With neither, messages pass unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    interval: Option<Duration>,
    max_size: Option<usize>,
}

impl RuleList {
    /// The names of all rules, as commissioning files spell them.
    pub const NAMES: [&str; 8] = [
        "parse",
        "transform",
        "filter",
        "cov",
        "burst",
        "collect",
        "stash",
        "setContextVars",
    ];

    /// Takes over `rules`; `None` if they are more than [`RULES`].
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Option<Self> {
        (rules.len() <= RULES).then_some(Self(rules))
    }

    /// Whether messages pass unchanged, unseen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules, in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// The names of the rules, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(Rule::name)
    }

    /// Whether any rule has an expression.
    #[must_use]
    pub fn has_expression(&self) -> bool {
        self.0.iter().any(|rule| {
            matches!(
                rule,
                Rule::Transform(_) | Rule::Filter(_) | Rule::SetContextVars(_)
            )
        })
    }

    /// Whether they may stop a message.
    pub(crate) fn may_stop(&self) -> bool {
        self.0.iter().any(Rule::may_stop)
    }

    /// The labels that the rules stash under.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|rule| match rule {
            Rule::Stash(label) => Some(label.as_str()),
            _ => None,
        })
    }

    /// The names of the variables that the rules set.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .flat_map(|rule| match rule {
                Rule::SetContextVars(variables) => variables.as_slice(),
                _ => &[],
            })
            .map(|(name, _)| name.as_str())
    }
}

impl Rule {
    /// The expressions that it has.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let (one, named): (_, &[(String, Expression)]) = match self {
            Self::Transform(expression) | Self::Filter(expression) => (Some(expression), &[]),
            Self::SetContextVars(variables) => (None, variables),
            _ => (None, &[]),
        };
        one.into_iter()
            .chain(named.iter().map(|(_, expression)| expression))
    }

    /// Whether it may stop a message without failing.
    fn may_stop(&self) -> bool {
        match self {
            Self::Filter(_) | Self::Cov(_) => true,
            Self::Transform(expression) => !expression.always_has_result(),
            Self::Parse(_) | Self::Burst(_) | Self::Collect | Self::Stash(_) | Self::SetContextVars(_) => {
                false
            }
        }
    }

    /// Whether it makes one message of several.
    #[must_use]
    pub fn joins(&self) -> bool {
        matches!(self, Self::Burst(_) | Self::Collect)
    }

    /// The name as commissioning files spell it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Parse(_) => "parse",
            Self::Transform(_) => "transform",
            Self::Filter(_) => "filter",
            Self::Cov(_) => "cov",
            Self::Burst(_) => "burst",
            Self::Collect => "collect",
            Self::Stash(_) => "stash",
            Self::SetContextVars(_) => "setContextVars",
        }
    }
}

impl Cov {
    /// Looks at the member `key` of the payload, `a.b` for one inside another, or at all of it. `deadband` is not negative and
    /// finite, else `None`.
    #[must_use]
    pub fn new(key: Option<String>, deadband: f64, mode: DeadbandMode) -> Option<Self> {
        let is_valid = deadband >= 0.0 && deadband.is_finite();
        is_valid.then_some(Self { key, deadband, mode })
    }

    /// The member that is looked at; `None` for the payload itself.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Changes up to this are none: a difference or a percentage.
    #[must_use]
    pub fn deadband(&self) -> f64 {
        self.deadband
    }

    /// Which of both.
    #[must_use]
    pub fn mode(&self) -> DeadbandMode {
        self.mode
    }
}

impl Burst {
    /// Completes a batch `interval` after its first message, and with its `max_size`th message. `None` when one is zero or
    /// beyond [`BURST_INTERVAL`] or [`BURST_MESSAGES`].
    #[must_use]
    pub fn new(interval: Option<Duration>, max_size: Option<usize>) -> Option<Self> {
        let in_range = interval.is_none_or(|interval| !interval.is_zero() && interval <= BURST_INTERVAL)
            && max_size.is_none_or(|size| (1..=BURST_MESSAGES).contains(&size));
        in_range.then_some(Self { interval, max_size })
    }

    /// Longest time that the first message of a batch waits.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Messages that make a batch complete.
    #[must_use]
    pub fn max_size(&self) -> Option<usize> {
        self.max_size
    }
}
