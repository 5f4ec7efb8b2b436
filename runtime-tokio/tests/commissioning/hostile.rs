//! Texts made to hurt: none may panic, none may take long, none may take much memory.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use syncline::service::Severity;

use super::{messages, plan};

/// Far above what a refused text needs in a debug build, far below what an unbounded reader would take.
const QUICK: Duration = Duration::from_secs(10);

const EXAMPLES: [&str; 3] = [
    include_str!("../../../examples/4-timeout-code-and-message.yml"),
    include_str!("../../../examples/5-full-flow-http.yml"),
    include_str!("../../../examples/6-full-flow-opcua.yml"),
];

/// The one error of a text that must be refused quickly.
fn refused(text: &str) -> String {
    let start = Instant::now();
    let report = plan(text).expect_err("the text must be refused");
    let elapsed = start.elapsed();
    assert!(elapsed < QUICK, "{elapsed:?}");
    let rendered = report.to_string();
    assert!(rendered.len() < 200_000, "{} bytes of messages", rendered.len());
    messages(&report, Severity::Error).into_iter().next().unwrap()
}

/// A file whose definitions are `line` for every number, each of which may use the one before.
fn chain(length: usize, first: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = format!("metadata: {{name: t}}\nresources: {{}}\ndefinitions:\n  d0: {first}\n");
    for number in 1..length {
        _ = writeln!(text, "  d{number}: {}", line(number));
    }
    text
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        (0..1_000).fold(String::new(), |text, level| {
            format!("{text}{}a:\n", " ".repeat(level))
        }),
    ] {
        let error = refused(&text);
        assert!(
            error.contains("nested too deep, expected at most 64 levels"),
            "{error}"
        );
    }
}

#[test]
fn deeply_nested_keys_are_refused() {
    refused(&"? ".repeat(100_000));
}

#[test]
fn an_alias_bomb_is_refused() {
    let line = |number: usize| {
        let alias = format!("*a{}, ", number - 1).repeat(9);
        format!("&a{number} [{alias}]")
    };
    let error = refused(&chain(20, "&a0 [x, x, x]", line));
    assert!(
        error.contains("more than 100000 values when its aliases are written out"),
        "{error}"
    );
}

#[test]
fn aliases_of_a_long_text_count_by_its_length() {
    let text = chain(2, &format!("&a {}", "x".repeat(500_000)), |_| {
        format!("[{}]", "*a, ".repeat(50))
    });
    let error = refused(&text);
    assert!(
        error.contains("more than 100000 values when its aliases are written out"),
        "{error}"
    );
}

#[test]
fn a_bomb_of_merge_keys_is_refused() {
    let wide: String = (0..1_000).fold(String::new(), |text, key| format!("{text}k{key}: x, "));
    let text = chain(2_000, &format!("&a0 {{{wide}}}"), |_| "{<<: *a0}".to_owned());
    let error = refused(&text);
    assert!(error.contains("more than 100000 values"), "{error}");
}

#[test]
fn a_bomb_of_references_is_refused() {
    let reference = |number: usize| format!("[{}]", format!("!ref d{}, ", number - 1).repeat(9));
    let error = refused(&chain(20, "[x, x, x]", reference));
    assert!(
        error.contains("more than 100000 values when `!ref` is carried out"),
        "{error}"
    );
}

#[test]
fn a_bomb_of_substitutions_is_refused() {
    let twice = |number: usize| format!("!sub '${{d{}}}${{d{}}}'", number - 1, number - 1);
    let error = refused(&chain(60, "xxxxxxxxxxxxxxxx", twice));
    assert!(error.contains("`!sub` makes more than 65536 bytes"), "{error}");
}

#[test]
fn long_chains_of_references_are_refused_in_both_directions() {
    let forward = chain(20_000, "!ref d1", |number| format!("!ref d{}", number + 1));
    let backward = chain(20_000, "[x]", |number| format!("[!ref d{}]", number - 1));
    for text in [forward, backward] {
        let error = refused(&text);
        assert!(
            error.contains("nested too deep, expected at most 64 levels"),
            "{error}"
        );
    }
}

#[test]
fn a_file_over_the_bound_is_refused() {
    let error = refused(&"#".repeat((1 << 20) + 1));
    assert_eq!(error, "1:1 the file has 1048577 bytes, expected at most 1048576");
}

#[test]
fn a_line_of_a_megabyte_does_not_fill_the_terminal() {
    refused(&format!(
        "metadata: {{name: {}, x: 1}}\nresources: {{}}\n",
        "a".repeat(1_000_000)
    ));
}

#[test]
fn ten_thousand_mistakes_are_counted_and_cut() {
    let mut text = "metadata: {name: t}\nresources:\n".to_owned();
    for number in 0..10_000 {
        _ = writeln!(text, "  r-{number}: {{type: 'Cybus::Container'}}");
    }
    let start = Instant::now();
    let report = plan(&text).unwrap_err();
    assert!(start.elapsed() < QUICK);
    assert_eq!(report.errors(), 10_000);
    assert!(report.to_string().ends_with("more\n"));
}

#[test]
fn suggestions_for_many_and_for_long_names_stay_cheap() {
    let mut text = chain(8_000, "x", |_| "x".to_owned());
    for number in 0..8_000 {
        _ = writeln!(text, "  r{number}: !ref zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz{number}");
    }
    let long = "z".repeat(200_000);
    for text in [text, chain(20_000, &format!("!ref {long}"), |_| "x".to_owned())] {
        let error = refused(&text);
        assert!(
            error.contains("is not a parameter, a definition or a resource of this file"),
            "{error}"
        );
    }
}

#[test]
fn escapes_that_hide_a_substitution_stay_cheap() {
    let hidden = "\\x24{a}".repeat(100_000);
    let text =
        format!("metadata: {{name: t}}\nresources: {{}}\ndefinitions: {{a: x, b: !sub \"{hidden}\"}}\n");
    let error = refused(&text);
    assert!(error.contains("`!sub` makes more than 65536 bytes"), "{error}");
}

/// Pieces of commissioning files in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "metadata:",
        "name:",
        "resources:",
        "definitions:",
        "parameters:",
        "type:",
        "properties:",
        "parent:",
        "Cybus::Server::Http",
        "Cybus::Node::Http",
        "operation: transaction",
        "!ref ",
        "!sub ",
        "!merge ",
        "'${a}'",
        "${Cybus::MqttRoot}",
        "&a ",
        "*a ",
        "<<: ",
        "- ",
        "? ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\n",
        "\n  ",
        "\n    ",
        "|",
        ">-",
        "'",
        "\"",
        "#",
        "---",
        "...",
        "%TAG ! x",
        "\t",
        "a",
        "1",
        "null",
        "é",
        "\u{feff}",
        "\u{0}",
        "\r",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

/// An example with pieces cut out, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, ".{0,4}"), 1..6);
    (prop::sample::select(&EXAMPLES[..]), edits).prop_map(|(text, edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (index, cut, insert) in edits {
            let at = index.index(characters.len());
            let end = (at + cut).min(characters.len());
            characters.splice(at..end, insert.chars());
        }
        characters.into_iter().collect()
    })
}

/// Whatever the text says, the answer comes, and every message stands at a place of the text.
fn assert_harmless(text: &str) -> Result<(), TestCaseError> {
    let start = Instant::now();
    let report = match plan(text) {
        Ok(planned) => planned.warnings,
        Err(report) => {
            prop_assert!(report.errors() > 0);
            report
        }
    };
    let printed = report.to_string();
    prop_assert!(!printed.contains(['\u{1b}', '\u{0}']), "{:?}", printed);
    let lines = text.split(['\n', '\r']).count();
    for diagnostic in report.diagnostics() {
        let position = diagnostic.position().expect("a text always has a place");
        prop_assert!(position.line <= lines, "{}", position);
    }
    prop_assert!(start.elapsed() < QUICK);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_harmless(text in "(?s).{0,400}") {
        assert_harmless(&text)?;
    }

    #[test]
    fn pieces_in_any_order_are_harmless(text in soup()) {
        assert_harmless(&text)?;
    }

    #[test]
    fn mutated_examples_are_harmless(text in mutated()) {
        assert_harmless(&text)?;
    }
}

#[test]
fn loops_of_thousands_of_mappings_are_looked_for_in_bounded_time() {
    let item = |number: usize| {
        format!("        - {{subscribe: {{topic: +/+/{number}/#}}, publish: {{topic: {number}/x/y}}}}\n")
    };
    let mapping = |mapping: usize| {
        let items: String = (0..1_000)
            .map(|item_number| item(mapping * 1_000 + item_number))
            .collect();
        format!("  m{mapping}:\n    type: Cybus::Mapping\n    properties:\n      mappings:\n{items}")
    };
    let text = format!(
        "metadata: {{name: t}}\nresources:\n{}",
        (0..11).map(mapping).collect::<String>()
    );
    let begun = Instant::now();
    plan(&text).unwrap_or_else(|report| panic!("{report}"));
    assert!(begun.elapsed() < QUICK, "{:?}", begun.elapsed());
}
