//! Texts that are no YAML, or YAML that this reader refuses.

use super::{Case, assert_reported, plan};

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("an empty file", "", &[
        r"1:1 the file is empty, expected a mapping with `metadata` and `resources`",
    ]),
    ("only a comment", "# nothing\n", &[
        r"2:1 the file is empty, expected a mapping with `metadata` and `resources`",
    ]),
    ("a text instead of a mapping", "hello\n", &[
        r"1:1 expected a mapping with `version`, `description`, `metadata`, `parameters`, `definitions` or `resources`",
    ]),
    ("a list instead of a mapping", "- a\n", &[
        r"1:1 expected a mapping with `version`, `description`, `metadata`, `parameters`, `definitions` or `resources`",
    ]),
    ("an unclosed flow list", r"metadata: {name: t}
resources: [
", &[
        r"2:12 not valid YAML: unclosed bracket '['",
    ]),
    ("a tab as indentation", "metadata:\n\tname: t\n", &[
        r"2:2 not valid YAML: tabs disallowed within this context (block indentation)",
    ]),
    ("wrong indentation", r"metadata:
  name: t
 version: 1
", &[
        r"3:2 not valid YAML: while parsing a block mapping, did not find expected key",
    ]),
    ("a second document", r"metadata: {name: t}
resources: {}
---
a: b
", &[
        r"3:1 found a second document, expected one document in the file",
    ]),
    ("an unknown alias", r"metadata: {name: t}
resources: *x
", &[
        r"2:12 not valid YAML: while parsing node, found unknown anchor",
    ]),
    ("an alias inside its own node", r"metadata: {name: t}
resources: {}
definitions: &a
  b: *a
", &[
        r"4:6 alias `*a` stands inside the node that it names",
    ]),
    ("a duplicate key", r"metadata: {name: t}
resources: {}
description: a
description: b
", &[
        r"4:1 duplicate key `description`, expected each key once",
    ]),
    ("a list as a key", r"metadata: {name: t}
resources:
  ? [a]
  : b
", &[
        r"3:5 found a collection as a key, expected a plain text",
    ]),
    ("a tag on a key", r"metadata: {name: t}
resources:
  !x a: b
", &[
        r"3:3 found a tag on a key, expected a plain text",
    ]),
    ("a merge key of a text", r"metadata: {name: t}
resources: {}
definitions:
  a:
    <<: text
", &[
        r"5:5 `<<` takes an alias of a mapping or a list of such aliases",
    ]),
];

#[test]
fn text_that_is_not_acceptable_yaml_is_refused_at_its_place() {
    assert_reported(CASES);
}

#[test]
fn the_usual_mistakes_of_yaml_come_with_their_cure() {
    let cases = [
        (
            "metadata:\n  name: line: 1\n",
            "put a text that contains `: ` in quotes",
        ),
        ("metadata:\n\tname: t\n", "indent with spaces"),
        ("metadata: {name: t\nresources: {}\n", "close `{` with `}`"),
        ("resources: [\n", "close each `[` with `]`"),
        (
            "metadata:\n  name: t\n version: 1\n",
            "indent the keys of one mapping alike",
        ),
    ];
    for (text, expected) in cases {
        let report = plan(text).expect_err(text);
        let cure = report.diagnostics()[0].cure().unwrap_or_default();
        assert!(cure.contains(expected), "{text}: {cure}");
    }
}
