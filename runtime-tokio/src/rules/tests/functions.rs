//! The functions of JSONata: each of them runs, and those that are our own do what the reference does.

use super::super::functions::FUNCTIONS;
use super::*;

/// A call of each, and its result as the reference gives it; `None` is undefined.
const CALLS: [(&str, &str, Option<&str>); 65] = [
    ("abs", "$abs(-1)", Some("1")),
    ("append", "$append(1, 2)", Some("[1,2]")),
    ("assert", "$assert(true)", None),
    ("average", "$average([1, 3])", Some("2")),
    ("base64decode", "$base64decode('YQ==')", Some("\"a\"")),
    ("base64encode", "$base64encode('a')", Some("\"YQ==\"")),
    ("boolean", "$boolean(1)", Some("true")),
    ("ceil", "$ceil(1.5)", Some("2")),
    ("clone", "$clone($)", Some("{\"a\":1}")),
    ("contains", "$contains('ab', /B/i)", Some("true")),
    ("count", "$count([1, 2])", Some("2")),
    ("decodeUrl", "$decodeUrl('%C3%A4')", Some("\"ä\"")),
    ("decodeUrlComponent", "$decodeUrlComponent('%3D')", Some("\"=\"")),
    ("distinct", "$distinct([1, 1])", Some("[1]")),
    (
        "each",
        "$each({'x': 1, 'y': 2}, function($v, $k) { $k & $v })",
        Some("[\"x1\",\"y2\"]"),
    ),
    ("encodeUrl", "$encodeUrl('ä')", Some("\"%C3%A4\"")),
    ("encodeUrlComponent", "$encodeUrlComponent('=')", Some("\"%3D\"")),
    ("error", "false ? $error('x') : 1", Some("1")),
    ("eval", "$eval('1 + 1')", Some("2")),
    ("exists", "$exists(a)", Some("true")),
    (
        "filter",
        "$filter([1, 2, 3], function($v) { $v > 1 })",
        Some("[2,3]"),
    ),
    ("floor", "$floor(1.5)", Some("1")),
    ("formatBase", "$formatBase(255, 16)", Some("\"ff\"")),
    ("formatInteger", "$formatInteger(12, 'w')", Some("\"twelve\"")),
    (
        "formatNumber",
        "$formatNumber(1234.5, '#,##0.00')",
        Some("\"1,234.50\""),
    ),
    (
        "fromMillis",
        "$fromMillis(0)",
        Some("\"1970-01-01T00:00:00.000Z\""),
    ),
    ("join", "$join(['a', 'b'], '-')", Some("\"a-b\"")),
    ("keys", "$keys({'x': 1, 'y': 2})", Some("[\"x\",\"y\"]")),
    ("length", "$length('ab')", Some("2")),
    ("lookup", "$lookup($, 'a')", Some("1")),
    ("lowercase", "$lowercase('A')", Some("\"a\"")),
    ("map", "$map([1, 2], function($v) { $v * 2 })", Some("[2,4]")),
    ("match", "$match('ab', /b/).index", Some("1")),
    ("max", "$max([1, 2])", Some("2")),
    ("merge", "$merge([{'x': 1}, {'y': 2}])", Some("{\"x\":1,\"y\":2}")),
    ("millis", "$millis() > 1.7e12", Some("true")),
    ("min", "$min([1, 2])", Some("1")),
    ("not", "$not(true)", Some("false")),
    ("now", "$length($now())", Some("24")),
    ("number", "$number('1.5')", Some("1.5")),
    ("pad", "$pad('a', 3, '-')", Some("\"a--\"")),
    ("parseInteger", "$parseInteger('012', '000')", Some("12")),
    ("power", "$power(2, 3)", Some("8")),
    ("random", "($x := $random(); $x >= 0 and $x < 1)", Some("true")),
    (
        "reduce",
        "$reduce([1, 2, 3], function($x, $y) { $x + $y })",
        Some("6"),
    ),
    ("replace", "$replace('aab', /a/, 'c', 1)", Some("\"cab\"")),
    ("reverse", "$reverse([1, 2])", Some("[2,1]")),
    ("round", "$round(2.345, 2)", Some("2.34")),
    ("shuffle", "$sort($shuffle([2, 1]))", Some("[1,2]")),
    (
        "sift",
        "$sift({'x': 1, 'y': 2}, function($v) { $v > 1 })",
        Some("{\"y\":2}"),
    ),
    ("single", "$single([1, 2], function($v) { $v = 2 })", Some("2")),
    ("sort", "$sort([2, 1])", Some("[1,2]")),
    ("split", "$split('a b', ' ')", Some("[\"a\",\"b\"]")),
    (
        "spread",
        "$spread({'x': 1, 'y': 2})",
        Some("[{\"x\":1},{\"y\":2}]"),
    ),
    ("sqrt", "$sqrt(4)", Some("2")),
    ("string", "$string(1)", Some("\"1\"")),
    ("substring", "$substring('abc', 1, 1)", Some("\"b\"")),
    ("substringAfter", "$substringAfter('a-b', '-')", Some("\"b\"")),
    ("substringBefore", "$substringBefore('a-b', '-')", Some("\"a\"")),
    ("sum", "$sum([1, 2])", Some("3")),
    ("toMillis", "$toMillis('1970-01-01T00:00:00.001Z')", Some("1")),
    ("trim", "$trim(' a ')", Some("\"a\"")),
    ("type", "$type(1)", Some("\"number\"")),
    ("uppercase", "$uppercase('a')", Some("\"A\"")),
    ("zip", "$zip([1, 2], [3, 4])", Some("[[1,3],[2,4]]")),
];

fn text_of(source: &str) -> String {
    let value = value_of(source, "{\"a\":1}").unwrap_or_else(|cause| panic!("{source}: {cause}"));
    value.unwrap_or_default()
}

#[test]
fn every_function_of_jsonata_runs() {
    let called: Vec<_> = CALLS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(called, FUNCTIONS);
    for (name, source, result) in CALLS {
        assert!(source.contains(&format!("${name}(")), "{source}");
        assert_eq!(
            value_of(source, "{\"a\":1}"),
            Ok(result.map(str::to_owned)),
            "{source}"
        );
    }
}

#[test]
fn random_numbers_differ_wherever_they_are_drawn() {
    for source in [
        "$random() != $random()",
        "$count($distinct($map([1..20], function() { $random() }))) = 20",
        "$count($distinct($map([1..20], $random))) = 20",
        "($draw := $random; $draw() != $draw())",
        "$eval('$random() != $random()')",
    ] {
        assert_eq!(text_of(source), "true", "{source}");
    }
}

#[test]
fn now_takes_a_picture_and_a_time_zone_and_is_one_moment_throughout_an_evaluation() {
    for source in [
        "$now() = $fromMillis($millis())",
        "$now('[Y0001]-[M01]-[D01]', '+0100') = $fromMillis($millis(), '[Y0001]-[M01]-[D01]', '+0100')",
        "$now(nothing, '+0100') = $fromMillis($millis(), nothing, '+0100')",
        "$substringAfter($now('[H01] [Z]', '-0500'), ' ') = '-05:00'",
        "(  $then := $millis(); $reduce([1..999], function($x, $y) { $x + $y }); $then = $millis() )",
        "$eval(\"$now('[Y]')\") = $now('[Y]')",
    ] {
        assert_eq!(text_of(source), "true", "{source}");
    }
    for source in ["$now(1)", "$now(null)", "$now('[Y]', '+01', 'x')", "$millis(1)"] {
        let cause = value_of(source, "{}").unwrap_err();
        assert_eq!(cause, Cause::Jsonata("T0410".to_owned()), "{source}");
    }
}

#[test]
fn a_clone_is_the_same_object_or_list_and_there_is_none_of_a_text() {
    assert_eq!(text_of("$clone([1, {'b': $}])"), "[1,{\"b\":{\"a\":1}}]");
    assert_eq!(text_of("$ ~> $clone()"), "{\"a\":1}");
    assert_eq!(text_of("$map([{'x': 1}], $clone)"), "{\"x\":1}");
    assert_eq!(value_of("$clone(nothing)", "{}"), Ok(None));
    let cause = value_of("$clone('a')", "{}").unwrap_err();
    assert_eq!(cause, Cause::Jsonata("T0410".to_owned()));
}
