//! Mappings that feed each other for ever.

use super::{Severity, messages, plan};

/// Mappings of one item each, one a line from line 3 on: what they subscribe to, where they publish, and their rules.
fn mappings(items: &[(&str, &str, &str)]) -> String {
    let mappings = items
        .iter()
        .zip('a'..)
        .map(|((subscribe, publish, rules), name)| {
            format!(
                "  {name}: {{type: Cybus::Mapping, properties: {{mappings: [{{subscribe: [{subscribe}], publish: {{topic: '{publish}'}}, rules: [{rules}]}}]}}}}\n"
            )
        });
    format!(
        "metadata: {{name: t}}\nresources:\n{}",
        mappings.collect::<String>()
    )
}

fn warnings(text: &str) -> Vec<String> {
    let planned = plan(text).unwrap_or_else(|report| panic!("{report}"));
    messages(&planned.warnings, Severity::Warning)
}

/// Whether the mappings are warned of as a loop.
fn goes_round(items: &[(&str, &str, &str)]) -> bool {
    let warnings = warnings(&mappings(items));
    assert!(warnings.len() <= 1, "{warnings:?}");
    !warnings.is_empty()
}

#[test]
fn a_mapping_that_takes_in_what_it_publishes_is_told_at_the_place_of_its_topic() {
    let text = mappings(&[("{topic: x/#}", "x/y", "")]);
    assert_eq!(
        warnings(&text),
        ["3:91 messages go round for ever: mapping `a` publishes on `x/y`, which it subscribes to"]
    );
}

#[test]
fn a_chain_of_mappings_that_ends_where_it_begins_is_told_once_with_each_link_and_its_place() {
    let text = mappings(&[
        ("{topic: before}", "one", ""),
        ("{topic: one}", "two", ""),
        ("{topic: '+/two'}, {topic: two}", "three", "stash: {label: x}"),
        (
            "{topic: $share/group/three}",
            "one",
            "transform: {expression: '{\"a\": $}'}",
        ),
        ("{topic: three}", "after", ""),
    ]);
    let planned = plan(&text).unwrap_or_else(|report| panic!("{report}"));
    let [warning] = planned.warnings.diagnostics() else {
        panic!("{}", planned.warnings)
    };
    assert_eq!(
        warning.line(),
        "case.yml:4:91: messages go round for ever: mapping `b` publishes on `two`, mapping `c` publishes on `three`, \
         mapping `d` publishes on `one`, which mapping `b` subscribes to; mapping `c` publishes here at case.yml:5:109; \
         mapping `d` publishes here at case.yml:6:106 (publish on a topic that none of them subscribes to, or stop what has \
         come round by a rule: `filter` or `cov`)"
    );
}

#[test]
fn a_loop_over_an_endpoint_and_another_service_is_found() {
    let one = "metadata: {name: one}\nresources:\n  server: {type: Cybus::Connection, properties: {protocol: Http, connection: {scheme: http, host: h, port: 80}}}\n  \
               set: {type: Cybus::Endpoint, properties: {protocol: Http, connection: !ref server, write: {path: /, method: POST}}}\n";
    let two = "metadata: {name: two}\nresources:\n  m:\n    type: Cybus::Mapping\n    properties:\n      mappings:\n        \
               - {subscribe: {topic: x}, publish: {topic: y}}\n        \
               - {subscribe: {endpoint: !ref one::set}, publish: {endpoint: !ref one::set}}\n";
    let sources =
        [("one.yml", one), ("two.yml", two)].map(|(name, text)| syncline::service::Source::new(name, text));
    let planned = syncline::service::plan_sources(sources.into(), &super::Context::default());
    let planned = planned.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(
        messages(&planned.warnings, Severity::Warning),
        [
            "8:75 messages go round for ever: mapping `m`, item 2 publishes on `services/one/set/set`, endpoint `set` publishes on \
          `services/one/set/res`, which mapping `m`, item 2 subscribes to"
        ]
    );
}

#[test]
fn what_may_end_by_a_rule_or_only_meets_by_the_value_of_a_variable_is_no_loop() {
    let round = |rules: &str| goes_round(&[("{topic: x}", "y", ""), ("{topic: y}", "x", rules)]);
    for rules in [
        "",
        "burst: {maxSize: 10}",
        "collect:",
        "parse: {format: json}",
        "transform: {expression: '{\"n\": n + 1}'}",
        "setContextVars: {vars: {a: '1'}}",
    ] {
        assert!(round(rules), "{rules}");
    }
    for rules in [
        "filter: {expression: a}",
        "cov: {key: a}",
        "transform: {expression: a}",
    ] {
        assert!(!round(rules), "{rules}");
    }
    assert!(goes_round(&[("{topic: x/+line/#}", "x/{line}/y", "")]));
    assert!(goes_round(&[("{topic: +a/+b}", "{b}/{a}", "")]));
    assert!(!goes_round(&[(
        "{topic: x/+line}, {topic: z/+line}",
        "y/{line}",
        ""
    )]));
    assert!(!goes_round(&[("{topic: +line/in}", "{line}/out", "")]));
    assert!(!goes_round(&[("{topic: '#'}", "$own/x", "")]));
    assert!(!goes_round(&[("{topic: x}", "y", ""), ("{topic: y}", "z", "")]));
}

#[test]
fn each_of_several_loops_is_told() {
    let text = mappings(&[
        ("{topic: x}", "x", ""),
        ("{topic: y}", "z", ""),
        ("{topic: z}", "y", ""),
    ]);
    let lines: Vec<_> = warnings(&text)
        .iter()
        .map(|warning| warning[..2].to_owned())
        .collect();
    assert_eq!(lines, ["3:", "4:"]);
}
