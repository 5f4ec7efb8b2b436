//! Rules with their parameters.

use std::time::Duration;

use syncline::rules::{Burst, Cov, DeadbandMode, Expression, Format, Rule};

use super::{Diagnostic, Severity, messages, plan};

/// A mapping with these rules, one a line from line 9 on.
fn with_rules(rules: &[&str]) -> String {
    let head = "metadata: {name: t}\nresources:\n  m:\n    type: Cybus::Mapping\n    properties:\n      mappings:\n        - subscribe: {topic: a/+x}\n          publish: {topic: 'b/{x}'}\n          rules:\n";
    let rules: String = rules
        .iter()
        .map(|rule| format!("            - {rule}\n"))
        .collect();
    format!("{head}{rules}")
}

#[test]
fn every_rule_is_read_with_its_parameters() {
    let planned = plan(&with_rules(&[
        "parse: {format: int16BE}",
        "transform: {expression: '$ + 1'}",
        "filter: {expression: $ > 0}",
        "cov: {key: value, deadband: 0.5, deadbandMode: relative}",
        "cov: {deadband: 2}",
        "burst: {interval: 100, maxSize: 10}",
        "burst:",
        "collect: {}",
        "collect:",
        "stash: {label: last}",
        "setContextVars: {vars: {a: '1', b: $context.vars.a}}",
    ]))
    .unwrap_or_else(|report| panic!("{report}"));
    let rules = &planned.plan.services[0].mappings[0].flows[0].rules;
    let expression = |text: &str| Expression::new(text).unwrap();
    let expected = [
        Rule::Parse(Format::Int16Be),
        Rule::Transform(expression("$ + 1")),
        Rule::Filter(expression("$ > 0")),
        Rule::Cov(Cov::new(Some("value".to_owned()), 0.5, DeadbandMode::Relative).unwrap()),
        Rule::Cov(Cov::new(None, 2.0, DeadbandMode::Absolute).unwrap()),
        Rule::Burst(Burst::new(Some(Duration::from_millis(100)), Some(10)).unwrap()),
        Rule::Burst(Burst::new(None, None).unwrap()),
        Rule::Collect,
        Rule::Collect,
        Rule::Stash("last".to_owned()),
        Rule::SetContextVars(vec![
            ("a".to_owned(), expression("1")),
            ("b".to_owned(), expression("$context.vars.a")),
        ]),
    ];
    assert_eq!(rules.rules(), expected);
}

#[test]
fn every_format_is_known_by_its_name() {
    for (name, format) in Format::ALL {
        let planned = plan(&with_rules(&[&format!("parse: {{format: {name}}}")])).expect(name);
        let rules = &planned.plan.services[0].mappings[0].flows[0].rules;
        assert_eq!(rules.rules(), [Rule::Parse(format)]);
    }
}

#[test]
fn what_is_wrong_with_rules_is_reported_in_one_run() {
    let text = with_rules(&[
        "parse: {format: int16}",
        "parse:",
        "transform: {expresion: $}",
        "transform: {expression: $sum(}",
        "filter: {expression: 1}",
        "cov: {key: a, deadband: -1}",
        "cov: {deadband: .inf, deadbandMode: percent}",
        "burst: {interval: 0, maxSize: 10001}",
        "collect: {label: a}",
        "stash: {label: [a]}",
        "setContextVars: {vars: [a]}",
        "setContextVars: {vars: {a: '{'}}",
    ]);
    let report = plan(&text).expect_err("mistakes");
    let formats = "expected `json`, `utf8`, `latin1`, `ascii`, `boolean`, `int8`, `int16BE`, `int16LE`, `int32BE`, `int32LE`, \
                   `uint8`, `uint16BE`, `uint16LE`, `uint32BE`, `uint32LE`, `floatBE`, `floatLE`, `doubleBE`, `doubleLE`, \
                   `toBase64` or `fromBase64`";
    let expected = [
        format!("10:31 `format`: found the text `int16`, {formats}"),
        "11:15 rule `parse`: expected `format`, found none".to_owned(),
        "12:26 rule `transform`: expected `expression`, found none".to_owned(),
        "12:27 rule `transform`: unknown key `expresion`, expected `expression`".to_owned(),
        "13:43 `expression`: not a JSONata expression: S0207: Unexpected end of expression".to_owned(),
        "14:36 `expression`: found the number 1, expected a text; put it in quotes".to_owned(),
        "15:39 `deadband`: found the number -1, expected a number, 0 or more".to_owned(),
        "16:31 `deadband`: found the number inf, expected a number, 0 or more".to_owned(),
        "16:51 `deadbandMode`: found the text `percent`, expected `absolute` or `relative`".to_owned(),
        "17:33 `interval`: found the number 0, expected an integer from 1 to 86400000".to_owned(),
        "17:45 `maxSize`: found the number 10001, expected an integer from 1 to 10000".to_owned(),
        "18:25 rule `collect`: unknown key `label`, expected nothing".to_owned(),
        "19:30 `label`: found a list, expected a text".to_owned(),
        "20:38 `vars`: found a list, expected a mapping from names to expressions".to_owned(),
        "21:43 `expression`: not a JSONata expression: S0207: Unexpected end of expression".to_owned(),
    ];
    assert_eq!(messages(&report, Severity::Error), expected);
}

#[test]
fn what_expressions_name_and_nothing_sets_is_reported_with_what_was_meant() {
    let text = with_rules(&[
        "stash: {label: before}",
        "transform: {expression: '$summ(a) + $mapp(b, $string)'}",
        "filter: {expression: '$last(\"befor\").x'}",
        "transform: {expression: '($x := 1; $y + $contxt.topic)'}",
        "setContextVars: {vars: {a: '$last(\"else\")', b: '$nowhere()'}}",
    ]);
    let report = plan(&text).expect_err("mistakes");
    let errors = [
        "11:40 `expression`: `$summ` is no function",
        "11:51 `expression`: `$mapp` is no function",
        "14:63 `expression`: `$nowhere` is no function",
    ];
    assert_eq!(messages(&report, Severity::Error), errors);
    let warnings = [
        "13:50 `expression`: nothing sets `$y`, so it is always undefined",
        "13:55 `expression`: nothing sets `$contxt`, so it is always undefined",
    ];
    assert_eq!(messages(&report, Severity::Warning), warnings);
    let cures: Vec<_> = report.diagnostics().iter().map(Diagnostic::cure).collect();
    let expected = [
        Some("did you mean `$sum`?"),
        Some("did you mean `$map`?"),
        Some("did you mean `$x`?"),
        Some("did you mean `$context`?"),
        None,
    ];
    assert_eq!(cures, expected);
}

#[test]
fn a_label_that_last_is_asked_for_and_no_rule_stashes_is_reported() {
    let text = with_rules(&[
        "stash: {label: before}",
        "filter: {expression: '$last(\"befor\").x'}",
        "transform: {expression: '$last(\"before\")'}",
        "setContextVars: {vars: {a: '$last(\"else\")'}}",
    ]);
    let report = plan(&text).expect_err("mistakes");
    let nothing = "so there is never anything under it";
    let expected = [
        format!("11:15 `$last`: no rule `stash` of this list has the label `befor`, {nothing}"),
        format!("13:15 `$last`: no rule `stash` of this list has the label `else`, {nothing}"),
    ];
    assert_eq!(messages(&report, Severity::Error), expected);
    let cures: Vec<_> = report.diagnostics().iter().filter_map(Diagnostic::cure).collect();
    assert_eq!(cures, ["did you mean `before`?", "add `- stash: {label: else}`"]);
}

#[test]
fn a_mistake_in_an_expression_of_several_lines_is_shown_in_its_line() {
    for style in ["|", ">-"] {
        let rule = format!(
            "transform:\n                expression: {style}\n                  {{\"a\": 1,\n                   \"b\": }}"
        );
        let report = plan(&with_rules(&[&rule])).expect_err("a mistake");
        let found = messages(&report, Severity::Error);
        let expected =
            "13:25 `expression`: not a JSONata expression: S0211: found `}`, expected a value".to_owned();
        assert_eq!(found, [expected], "{style}");
    }
    let rule = "transform:\n                expression: |\n                  ($a := 1;\n                   $summ(b))";
    let report = plan(&with_rules(&[rule])).expect_err("a mistake");
    assert_eq!(
        messages(&report, Severity::Error),
        ["13:20 `expression`: `$summ` is no function"]
    );
}

#[test]
fn a_regular_expression_that_cannot_be_used_is_reported_at_its_place() {
    let report = plan(&with_rules(&["filter: {expression: '$match($.a, /a(/)'}"])).expect_err("a mistake");
    assert_eq!(
        messages(&report, Severity::Error),
        ["10:49 `expression`: the regular expression /a(/ cannot be used: unclosed group"]
    );
}

#[test]
fn what_context_never_has_is_a_warning_with_what_was_meant() {
    let planned = plan(&with_rules(&[
        "transform: {expression: '$context.topik & $context.label & $context.vars.x'}",
        "transform: {expression: '($context := {\"own\": 1}; $context.own)'}",
    ]))
    .unwrap_or_else(|report| panic!("{report}"));
    let warnings = messages(&planned.warnings, Severity::Warning);
    assert_eq!(
        warnings,
        [
            "10:40 `expression`: `$context` has no `topik`, so it is always undefined, expected `label`, `topic` or `vars`"
        ]
    );
}
