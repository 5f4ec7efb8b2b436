//! Lists of rules: each with its parameters, checked one by one.

use std::collections::BTreeSet;
use std::time::Duration;

use super::diagnostic::quoted;
use super::record::Record;
use super::source::Span;
use super::value::{Data, Field, Reporter, Value, did_you_mean, one_of};
use crate::rules::limits::{BURST_INTERVAL, BURST_MESSAGES, RULES};
use crate::rules::{Burst, Context, Cov, DeadbandMode, Expression, Format, Names, Rule, RuleList};

/// Unknown names of one expression that are told.
const NAMES_TOLD: usize = 10;

const DEADBAND_MODES: [(&str, DeadbandMode); 2] = [
    ("absolute", DeadbandMode::Absolute),
    ("relative", DeadbandMode::Relative),
];

/// `rules`, empty where absent.
pub(super) fn read(record: &mut Record<'_, '_, '_>) -> RuleList {
    record.optional("rules", list).unwrap_or_default()
}

fn list(reporter: &mut Reporter<'_>, value: &Value) -> Option<RuleList> {
    let items = reporter.list("rules", value)?;
    if items.len() > RULES {
        let message = format!("`rules`: found {} rules, expected at most {RULES}", items.len());
        reporter.error(value.span, message);
        return None;
    }
    let rules: Vec<_> = items.iter().map(|item| rule(reporter, item)).collect();
    let rules = RuleList::new(rules.into_iter().collect::<Option<_>>()?)?;
    check_labels(reporter, items, &rules)?;
    Some(rules)
}

/// Every label that `$last` is asked for is stashed under by one of the same rules.
fn check_labels(reporter: &mut Reporter<'_>, items: &[Value], rules: &RuleList) -> Option<()> {
    let known: BTreeSet<&str> = rules.labels().collect();
    let mut sound = true;
    for (item, rule) in items.iter().zip(rules.rules()) {
        let names: Vec<_> = rule.expressions().map(Expression::names).collect();
        let asked: BTreeSet<&str> = names.iter().flat_map(Names::labels).collect();
        for label in asked.difference(&known) {
            sound = false;
            let message = format!(
                "`$last`: no rule `stash` of this list has the label {}, so there is never anything under it",
                quoted(label)
            );
            let help = match reporter.nearest(label, known.iter().copied()) {
                Some(nearest) => did_you_mean(nearest),
                None => format!("add `- stash: {{label: {label}}}`"),
            };
            reporter.error_with_help(item.span, message, Some(help));
        }
    }
    sound.then_some(())
}

fn rule(reporter: &mut Reporter<'_>, item: &Value) -> Option<Rule> {
    let Data::Mapping(fields) = &item.data else {
        let expected = format!("a mapping with one of {}", one_of(RuleList::NAMES));
        reporter.mismatch("rules", item, expected);
        return None;
    };
    let [field] = fields.as_slice() else {
        let message = format!(
            "`rules`: found {} keys in one item, expected one rule an item",
            fields.len()
        );
        let help = Some("begin each rule with `- `".to_owned());
        reporter.error_with_help(item.span, message, help);
        return None;
    };
    match field.key.as_str() {
        "parse" => parameters(reporter, field, |record| {
            let format = record.required("format", |reporter, value| {
                reporter.choice("format", value, &Format::ALL)
            });
            format.map(Rule::Parse)
        }),
        "transform" => parameters(reporter, field, |record| {
            record.required("expression", expression).map(Rule::Transform)
        }),
        "filter" => parameters(reporter, field, |record| {
            record.required("expression", expression).map(Rule::Filter)
        }),
        "cov" => parameters(reporter, field, cov),
        "burst" => parameters(reporter, field, burst),
        "collect" => parameters(reporter, field, |_| Some(Rule::Collect)),
        "stash" => parameters(reporter, field, |record| {
            record.required_text("label").map(Rule::Stash)
        }),
        "setContextVars" => parameters(reporter, field, |record| {
            record.required("vars", variables).map(Rule::SetContextVars)
        }),
        name => {
            let help = reporter.nearest(name, RuleList::NAMES).map(did_you_mean);
            let message = format!(
                "unknown rule {}, expected {}",
                quoted(name),
                one_of(RuleList::NAMES)
            );
            reporter.error_with_help(field.key_span, message, help);
            None
        }
    }
}

/// The parameters of one rule; `null` is a rule without any.
fn parameters<'r>(
    reporter: &mut Reporter<'r>,
    field: &Field,
    read: impl FnOnce(&mut Record<'_, '_, 'r>) -> Option<Rule>,
) -> Option<Rule> {
    let none = Value {
        span: field.key_span,
        data: Data::Mapping(Vec::new()),
    };
    let value = match field.value.data {
        Data::Null => &none,
        _ => &field.value,
    };
    let mut record = Record::of(&format!("rule `{}`", field.key), value, reporter)?;
    let rule = read(&mut record);
    record.finish()?;
    rule
}

fn expression(reporter: &mut Reporter<'_>, value: &Value) -> Option<Expression> {
    let text = reporter.text("expression", value)?;
    let expression = Expression::new(text)
        .map_err(|error| {
            let place = error
                .at()
                .and_then(|at| reporter.source.inside(value.span, text, at));
            reporter.error(place.unwrap_or(value.span), format!("`expression`: {error}"));
        })
        .ok()?;
    let is_sound = check_names(reporter, value.span, &expression);
    is_sound.then_some(expression)
}

/// Tells of what is called and is no function, which is a mistake, and of what is read and is always undefined.
fn check_names(reporter: &mut Reporter<'_>, span: Span, expression: &Expression) -> bool {
    let mut is_sound = true;
    let names = expression.names();
    let meant = |reporter: &Reporter<'_>, name: &str| {
        let nearest = reporter.nearest(name, names.known())?;
        Some(did_you_mean(&format!("${nearest}")))
    };
    let place = |reporter: &Reporter<'_>, name: &str| {
        let text = expression.source();
        let at = variable_in(text, name);
        at.and_then(|at| reporter.source.inside(span, text, at))
            .unwrap_or(span)
    };
    for name in names.unknown_functions().take(NAMES_TOLD) {
        is_sound = false;
        let message = format!("`expression`: {} is no function", quoted(&format!("${name}")));
        let help = meant(reporter, name);
        reporter.error_with_help(place(reporter, name), message, help);
    }
    for name in names.unknown_variables().take(NAMES_TOLD) {
        let message = format!(
            "`expression`: nothing sets {}, so it is always undefined",
            quoted(&format!("${name}"))
        );
        let help = meant(reporter, name);
        reporter.warning_with_help(place(reporter, name), message, help);
    }
    for member in names.unknown_context().take(NAMES_TOLD) {
        let message = format!(
            "`expression`: `$context` has no {}, so it is always undefined, expected {}",
            quoted(member),
            one_of(Context::MEMBERS)
        );
        let help = reporter.nearest(member, Context::MEMBERS).map(did_you_mean);
        reporter.warning_with_help(place(reporter, "context"), message, help);
    }
    is_sound
}

/// Where `$name` stands first in `text`, in bytes.
fn variable_in(text: &str, name: &str) -> Option<usize> {
    let variable = format!("${name}");
    let mut found = text
        .match_indices(&variable)
        .map(|(at, found)| (at, at + found.len()));
    let goes_on = |end: usize| text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    found.find(|(_, end)| !goes_on(*end)).map(|(at, _)| at)
}

fn cov(record: &mut Record<'_, '_, '_>) -> Option<Rule> {
    let key = record.text("key");
    let deadband = record.optional("deadband", |reporter, value| {
        let number = number(value).filter(|number| *number >= 0.0 && number.is_finite());
        if number.is_none() {
            reporter.mismatch("deadband", value, "a number, 0 or more");
        }
        number
    });
    let mode = record.choice("deadbandMode", &DEADBAND_MODES);
    Cov::new(key, deadband.unwrap_or(0.0), mode.unwrap_or_default()).map(Rule::Cov)
}

#[expect(clippy::cast_precision_loss, reason = "a deadband is a quantity, not a count")]
fn number(value: &Value) -> Option<f64> {
    match value.data {
        Data::Integer(number) => Some(number as f64),
        Data::Float(number) => Some(number),
        _ => None,
    }
}

fn burst(record: &mut Record<'_, '_, '_>) -> Option<Rule> {
    let longest = u64::try_from(BURST_INTERVAL.as_millis()).unwrap_or(u64::MAX);
    let interval = record.integer("interval", 1..=longest).map(Duration::from_millis);
    let max_size = record.integer("maxSize", 1..=BURST_MESSAGES);
    Burst::new(interval, max_size).map(Rule::Burst)
}

fn variables(reporter: &mut Reporter<'_>, value: &Value) -> Option<Vec<(String, Expression)>> {
    let Data::Mapping(fields) = &value.data else {
        reporter.mismatch("vars", value, "a mapping from names to expressions");
        return None;
    };
    let variables: Vec<_> = fields
        .iter()
        .map(|field| Some((field.key.clone(), expression(reporter, &field.value)?)))
        .collect();
    variables.into_iter().collect()
}
