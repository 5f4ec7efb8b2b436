//! Expressions and payloads that mean no good: each costs its message and nothing else.

use super::*;

/// Date and number pictures that bring the evaluator down.
const PANICS: [&str; 3] = [
    "$fromMillis(1521801216617,'[Da] [λMA] [Yi]')",
    "$toMillis(\"201802\",\"[,*-][M01]\")",
    "$parseInteger('１#$i２３４０','###…０')",
];

#[test]
fn a_panic_of_the_evaluator_is_an_ordinary_failure() {
    for source in PANICS {
        assert_eq!(value_of(source, "{}"), Err(Cause::Panicked), "{source}");
        assert_eq!(value_of("1 + 1", "{}"), Ok(Some("2".to_owned())));
    }
}

#[test]
fn a_regular_expression_that_is_made_while_evaluating_and_cannot_be_used_is_told_in_words() {
    let cause = value_of("$eval('$match(\"a\", /a(/)')", "{}").unwrap_err();
    assert_eq!(cause, Cause::Regex);
    assert_eq!(
        cause.to_string(),
        "the expression makes a regular expression that cannot be read"
    );
}

#[test]
fn an_expression_that_never_ends_ends_at_its_limit() {
    for source in [
        "( $f := function() { $f() }; $f() )",
        "$map([1..99999], function($a) { $map([1..99999], function($b) { $a * $b }) })",
        "$sort([1..99999], function($a, $b) { $reduce([1..999], function($x, $y) { $x + $y }) > 0 })",
    ] {
        let begun = std::time::Instant::now();
        let result = evaluate(
            &evaluation(source, "1"),
            Duration::from_millis(50),
            CancelToken::new(),
        );
        assert_eq!(result, Err(Cause::TimeLimit), "{source}");
        assert!(begun.elapsed() < PATIENCE, "{source}");
    }
}

#[test]
fn a_cancelled_evaluation_ends_before_its_limit() {
    let cancel = CancelToken::new();
    cancel.cancel();
    let result = evaluate(
        &evaluation("( $f := function() { $f() }; $f() )", "1"),
        PATIENCE,
        cancel,
    );
    assert_eq!(result, Err(Cause::TimeLimit));
}

#[test]
fn recursion_ends_at_its_depth() {
    let deep = "( $f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f($) )";
    assert_eq!(value_of(deep, "100"), Ok(Some("100".to_owned())));
    assert_eq!(value_of(deep, "100000"), Err(Cause::Depth));
}

#[test]
fn sequences_end_at_their_length() {
    for source in [
        "[1..10000000]",
        "$append([1..99999], [1..99999])",
        "( $s := function($x, $n) { $n = 0 ? $x : $s($append($x, $x), $n - 1) }; $s([1..8], 26) )",
    ] {
        assert_eq!(value_of(source, "1"), Err(Cause::Sequence), "{source}");
    }
}

#[test]
fn results_end_at_their_size() {
    let at = |length: usize| format!("$pad('', {length}, 'x')");
    let quotes = 2;
    let longest = limits::EVALUATION_OUTPUT - quotes;
    assert_eq!(
        value_of(&at(longest), "1").unwrap().unwrap().len(),
        limits::EVALUATION_OUTPUT
    );
    assert_eq!(value_of(&at(longest + 1), "1"), Err(Cause::OutputTooLong));
}

#[test]
fn payloads_end_at_their_size() {
    let at = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    assert!(value_of("1", &at(limits::EVALUATION_INPUT)).is_ok());
    assert_eq!(
        value_of("1", &at(limits::EVALUATION_INPUT + 1)),
        Err(Cause::InputTooLong)
    );
}

#[test]
fn values_nested_without_end_neither_overflow_the_stack_coming_nor_going() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(value_of("$count($)", &nested(127)).is_ok());
    assert_eq!(value_of("$count($)", &nested(100_000)), Err(Cause::Unfit));
    assert!(value_of("$reduce([1..90000], function($a, $b) { {'a': $a} })", "1").is_ok());
}

#[test]
fn a_pattern_that_backtracks_elsewhere_takes_no_time_here() {
    let text = format!("\"{}\"", "x".repeat(5_000));
    assert_eq!(
        value_of("$contains($, /^(x+x+)+y$/)", &text),
        Ok(Some("false".to_owned()))
    );
}
