//! Lists of rules: their shape, the names of the rules and where they stand.

use super::diagnostic::quoted;
use super::plan::{Rule, RuleList};
use super::record::Record;
use super::value::{Data, Reporter, Value, did_you_mean, one_of};

const RULES: [&str; 8] = [
    "parse",
    "transform",
    "filter",
    "cov",
    "burst",
    "collect",
    "stash",
    "setContextVars",
];
/// Longest list of rules.
const MAX_RULES: usize = 100;

/// `rules`, empty where absent.
pub(super) fn read(record: &mut Record<'_, '_, '_>) -> RuleList {
    record.optional("rules", list).unwrap_or_default()
}

fn list(reporter: &mut Reporter<'_>, value: &Value) -> Option<RuleList> {
    let items = reporter.list("rules", value)?;
    if items.len() > MAX_RULES {
        let message = format!(
            "`rules`: found {} rules, expected at most {MAX_RULES}",
            items.len()
        );
        reporter.error(value.span, message);
        return None;
    }
    let rules: Vec<_> = items.iter().map(|item| rule(reporter, item)).collect();
    rules.into_iter().collect::<Option<_>>().map(RuleList)
}

fn rule(reporter: &mut Reporter<'_>, item: &Value) -> Option<Rule> {
    let Data::Mapping(fields) = &item.data else {
        reporter.mismatch(
            "rules",
            item,
            format_args!("a mapping with one of {}", one_of(RULES)),
        );
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
    let Some(name) = RULES.into_iter().find(|name| *name == field.key) else {
        let help = reporter.nearest(&field.key, RULES).map(did_you_mean);
        let message = format!("unknown rule {}, expected {}", quoted(&field.key), one_of(RULES));
        reporter.error_with_help(field.key_span, message, help);
        return None;
    };
    Some(Rule {
        name,
        parameters: reporter.json(name, &field.value)?,
        place: reporter.source.position(field.key_span.start),
    })
}
