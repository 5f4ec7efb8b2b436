//! The rule `cov`: whether a field has changed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::definition::{Cov, DeadbandMode};
use super::json::Json;
use super::limits::COV_TOPICS;

/// The last passed value of each topic.
#[derive(Debug, Default)]
pub(super) struct LastValues {
    by_topic: HashMap<Arc<str>, Last>,
    clock: u64,
}

#[derive(Debug)]
struct Last {
    /// `None`: the field was absent.
    field: Option<String>,
    seen: u64,
}

impl LastValues {
    /// Whether `payload` passes; if so, its field is the one that the next is compared with.
    pub(super) fn passes(&mut self, rule: &Cov, topic: &Arc<str>, payload: &Json) -> bool {
        self.clock += 1;
        let seen = self.clock;
        let field = field(payload.as_str(), rule.key());
        if let Some(last) = self.by_topic.get_mut(topic) {
            last.seen = seen;
            let passes = has_changed(rule, last.field.as_deref(), field);
            if passes {
                last.field = field.map(str::to_owned);
            }
            return passes;
        }
        if self.by_topic.len() >= COV_TOPICS {
            let silent = self.by_topic.iter().min_by_key(|(_, last)| last.seen);
            if let Some(topic) = silent.map(|(topic, _)| Arc::clone(topic)) {
                self.by_topic.remove(&topic);
            }
        }
        let field = field.map(str::to_owned);
        self.by_topic.insert(Arc::clone(topic), Last { field, seen });
        true
    }
}

/// The text of the member `key`: of one that is named so, else of `b` inside `a` for `a.b`.
fn field<'p>(payload: &'p str, key: Option<&str>) -> Option<&'p str> {
    let Some(key) = key else {
        return Some(payload);
    };
    member(payload, key).or_else(|| {
        let (outer, inner) = key.split_once('.')?;
        field(member(payload, outer)?, Some(inner))
    })
}

fn member<'p>(payload: &'p str, name: &str) -> Option<&'p str> {
    let members: HashMap<Cow<'p, str>, &'p RawValue> = serde_json::from_str(payload).ok()?;
    members.get(name).map(|value| value.get())
}

fn has_changed(rule: &Cov, last: Option<&str>, now: Option<&str>) -> bool {
    let (Some(last), Some(now)) = (last, now) else {
        return last != now;
    };
    if last == now {
        return false;
    }
    if let (Ok(last), Ok(now)) = (last.parse::<i128>(), now.parse::<i128>())
        && rule.deadband() == 0.0
    {
        return last != now;
    }
    match (number(last), number(now)) {
        (Some(last), Some(now)) => {
            let threshold = match rule.mode() {
                DeadbandMode::Absolute => rule.deadband(),
                DeadbandMode::Relative => percentage(last.abs(), rule.deadband()),
            };
            (now - last).abs() > threshold
        }
        (None, None) => value(last).is_none_or(|last| value(now) != Some(last)),
        _ => true,
    }
}

/// `percent` of `quantity`, also where the product of both is beyond what a double holds.
fn percentage(quantity: f64, percent: f64) -> f64 {
    let product = quantity * percent;
    if product.is_finite() {
        product / 100.0
    } else {
        quantity / 100.0 * percent
    }
}

/// `None` too for a number beyond what a double holds: from infinity every other is equally far, so it is compared as a text is.
fn number(text: &str) -> Option<f64> {
    let begins = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let number: Option<f64> = begins.then(|| text.parse().ok()).flatten();
    number.filter(|number| number.is_finite())
}

fn value(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rule: &Cov, payloads: &[&'static str]) -> Vec<bool> {
        let mut last = LastValues::default();
        let topic = Arc::from("a/b");
        payloads
            .iter()
            .map(|payload| {
                let payload = Json::new(payload.as_bytes().into()).expect("JSON");
                last.passes(rule, &topic, &payload)
            })
            .collect()
    }

    fn cov(key: Option<&str>, deadband: f64, mode: DeadbandMode) -> Cov {
        Cov::new(key.map(str::to_owned), deadband, mode).expect("a valid deadband")
    }

    #[test]
    fn the_first_passes_and_then_what_has_changed() {
        let rule = cov(Some("value"), 0.0, DeadbandMode::Absolute);
        let payloads = [
            "{\"value\":1,\"t\":1}",
            "{\"value\":1,\"t\":2}",
            "{\"value\":2}",
            "{\"value\":1}",
        ];
        assert_eq!(run(&rule, &payloads), [true, false, true, true]);
    }

    #[test]
    fn an_absolute_deadband_is_a_difference_to_the_last_passed_value() {
        let rule = cov(None, 1.0, DeadbandMode::Absolute);
        // 10.6 and 11 stay within 1 of 10, however small the steps; 11.1 does not.
        let payloads = ["10", "10.6", "11", "11.1", "10.2", "10.05"];
        assert_eq!(run(&rule, &payloads), [true, false, false, true, false, true]);
    }

    #[test]
    fn a_relative_deadband_is_a_percentage_of_the_last_passed_value() {
        let rule = cov(None, 10.0, DeadbandMode::Relative);
        assert_eq!(
            run(&rule, &["100", "109", "111", "121", "123"]),
            [true, false, true, false, true]
        );
        assert_eq!(run(&rule, &["-100", "-91", "-89"]), [true, false, true]);
        assert_eq!(run(&rule, &["0", "0.0", "0.001"]), [true, false, true]);
    }

    #[test]
    fn a_number_that_no_double_holds_differs_from_every_other_and_stops_none_that_follows() {
        for mode in [DeadbandMode::Absolute, DeadbandMode::Relative] {
            let rule = cov(None, 10.0, mode);
            for huge in ["1e400", "-1e400"] {
                let payloads = ["100", huge, huge, "5", "6000", "1e401", huge];
                let passes = [true, true, false, true, true, true, true];
                assert_eq!(run(&rule, &payloads), passes, "{mode:?}");
            }
        }
        let rule = cov(None, 50.0, DeadbandMode::Relative);
        assert_eq!(run(&rule, &["1e308", "6e307", "4e307"]), [true, false, true]);
    }

    #[test]
    fn integers_are_compared_digit_by_digit() {
        let rule = cov(None, 0.0, DeadbandMode::Absolute);
        assert_eq!(
            run(&rule, &["9007199254740992", "9007199254740993"]),
            [true, true]
        );
        assert_eq!(run(&rule, &["1", "1.0", "1e0"]), [true, false, false]);
    }

    #[test]
    fn other_values_change_when_they_differ_and_not_by_how_they_are_written() {
        let rule = cov(Some("v"), 5.0, DeadbandMode::Absolute);
        for (payloads, passes) in [
            (
                ["{\"v\":\"a\"}", "{\"v\":\"\\u0061\"}", "{\"v\":\"b\"}"],
                [true, false, true],
            ),
            (
                ["{\"v\":true}", "{\"v\":false}", "{\"v\":false}"],
                [true, true, false],
            ),
            (
                [
                    "{\"v\":{\"a\":1,\"b\":2}}",
                    "{\"v\":{ \"b\":2, \"a\":1 }}",
                    "{\"v\":[]}",
                ],
                [true, false, true],
            ),
            (["{\"v\":1}", "{}", "{\"w\":2}"], [true, true, false]),
            (["{\"v\":1}", "{\"v\":\"1\"}", "{\"v\":null}"], [true, true, true]),
        ] {
            assert_eq!(run(&rule, &payloads), passes, "{payloads:?}");
        }
    }

    #[test]
    fn a_key_with_dots_names_a_member_or_one_inside_another() {
        let rule = cov(Some("a.b"), 0.0, DeadbandMode::Absolute);
        assert_eq!(
            run(
                &rule,
                &[
                    "{\"a\":{\"b\":1}}",
                    "{\"a\":{\"b\":1,\"c\":2}}",
                    "{\"a\":{\"b\":2}}"
                ]
            ),
            [true, false, true]
        );
        assert_eq!(
            run(&rule, &["{\"a.b\":1}", "{\"a.b\":1,\"a\":{\"b\":2}}"]),
            [true, false]
        );
    }

    #[test]
    fn topics_are_compared_each_with_itself_and_the_silent_ones_are_forgotten() {
        let rule = cov(None, 0.0, DeadbandMode::Absolute);
        let one = Json::integer(1);
        let topic = |at: usize| Arc::from(format!("t/{at}"));
        let mut last = LastValues::default();
        for at in 0..COV_TOPICS {
            assert!(last.passes(&rule, &topic(at), &one));
        }
        assert!(!last.passes(&rule, &topic(0), &one));
        assert!(last.passes(&rule, &topic(COV_TOPICS), &one));
        assert_eq!(last.by_topic.len(), COV_TOPICS);
        assert!(!last.passes(&rule, &topic(0), &one), "it was heard of lately");
        assert!(last.passes(&rule, &topic(1), &one), "it was silent longest");
    }
}
