//! The `transaction` block of a node.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::plan::TransactionPlan;
use super::record::Record;
use super::value::{Data, Reporter, Value, did_you_mean};

/// Which codes a node's protocol has for a timeout.
pub(super) struct Codes {
    pub(super) range: RangeInclusive<u32>,
    /// Those that have a name.
    pub(super) names: Option<Names>,
    /// Code where the block has none.
    pub(super) default: u32,
}

/// Names that codes of a protocol have.
pub(super) struct Names {
    /// What a name stands for.
    pub(super) code: fn(&str) -> Option<u32>,
    /// All of them.
    pub(super) all: fn() -> Vec<String>,
    /// What messages call such a code.
    pub(super) kind: &'static str,
}

/// `transaction`, with its defaults where absent.
pub(super) fn read(record: &mut Record<'_, '_, '_>, codes: &Codes) -> TransactionPlan {
    record
        .optional("transaction", |reporter, value| block(reporter, value, codes))
        .unwrap_or_else(|| defaults(codes))
}

fn defaults(codes: &Codes) -> TransactionPlan {
    TransactionPlan {
        timeout: Duration::from_millis(2000),
        timeout_error_code: codes.default,
        timeout_error_message: "Request timed out while waiting for response".to_owned(),
        max_in_flight: 10_000,
    }
}

fn block(reporter: &mut Reporter<'_>, value: &Value, codes: &Codes) -> Option<TransactionPlan> {
    let defaults = defaults(codes);
    let mut record = Record::of("transaction", value, reporter)?;
    let plan = TransactionPlan {
        timeout: record
            .milliseconds("timeout", 1..=600_000)
            .unwrap_or(defaults.timeout),
        timeout_error_code: record
            .optional("timeoutErrorCode", |reporter, value| code(reporter, value, codes))
            .unwrap_or(defaults.timeout_error_code),
        timeout_error_message: record
            .text("timeoutErrorMessage")
            .unwrap_or(defaults.timeout_error_message),
        max_in_flight: record
            .integer("maxInFlight", 1..=1_000_000)
            .unwrap_or(defaults.max_in_flight),
    };
    record.finish()?;
    Some(plan)
}

fn code(reporter: &mut Reporter<'_>, value: &Value, codes: &Codes) -> Option<u32> {
    const KEY: &str = "timeoutErrorCode";
    let (Data::String(name), Some(names)) = (&value.data, &codes.names) else {
        return reporter.integer(KEY, value, codes.range.clone());
    };
    let code = (names.code)(name);
    if code.is_none() {
        let all = (names.all)();
        let nearest = reporter.nearest(name, all.iter().map(String::as_str));
        let help = nearest.map(did_you_mean);
        let message = format!(
            "`{KEY}`: found {}, expected {} by its name, or its number without quotes",
            reporter.describe(value),
            names.kind
        );
        reporter.error_with_help(value.span, message, help);
    }
    code
}
