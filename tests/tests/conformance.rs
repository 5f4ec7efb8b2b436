//! `conformance.toml` maps every numbered statement of the specifications to what shows it; this holds the map to its word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syncline_tests::workspace;
use toml::{Table, Value};

/// Numbers that the specifications themselves leave out.
const NEVER_GIVEN: [(&str, &str); 1] = [("mqtt_5_0", "MQTT-2.2.1-1")];

/// The last id of each section that has statements, in the order of appendix B.
const SECTIONS: [(&str, &str); 2] = [
    (
        "mqtt_5_0",
        "\
    1.5.4-3 1.5.5-1 1.5.7-1 2.1.3-1 2.2.1-6 2.2.2-1 3.1.0-2 3.1.2-30 3.1.3-12 3.1.4-6 3.2.0-2 3.2.2-22 3.3.1-13 \
    3.3.2-20 3.3.4-10 3.4.2-3 3.5.2-3 3.6.1-1 3.6.2-3 3.7.2-3 3.8.1-1 3.8.3-5 3.8.4-8 3.9.2-2 3.9.3-2 3.10.1-1 \
    3.10.3-2 3.10.4-6 3.11.2-2 3.11.3-2 3.12.4-1 3.14.0-1 3.14.1-1 3.14.2-4 3.14.4-3 3.15.1-1 3.15.2-3 4.1.0-2 \
    4.2.0-1 4.3.1-1 4.3.2-5 4.3.3-13 4.4.0-2 4.5.0-2 4.6.0-6 4.7.0-1 4.7.1-2 4.7.2-1 4.7.3-4 4.8.2-6 4.9.0-3 \
    4.12.0-7 4.12.1-2 4.13.1-1 4.13.2-1 6.0.0-4",
    ),
    (
        "mqtt_3_1_1",
        "\
    1.5.3-3 2.2.2-2 2.3.1-7 3.1.0-2 3.1.2-24 3.1.3-11 3.1.4-5 3.2.0-1 3.2.2-6 3.3.1-12 3.3.2-3 3.3.4-1 3.3.5-2 \
    3.6.1-1 3.8.1-1 3.8.3-4 3.8.4-6 3.9.3-2 3.10.1-1 3.10.3-2 3.10.4-6 3.12.4-1 3.14.1-1 3.14.4-3 4.1.0-2 \
    4.3.1-1 4.3.2-2 4.3.3-2 4.4.0-1 4.5.0-2 4.6.0-6 4.7.1-3 4.7.2-1 4.7.3-4 4.8.0-2 6.0.0-4 7.0.0-2 7.1.1-1 \
    7.1.2-1",
    ),
];

/// Every id of a specification.
fn ids(specification: &str, sections: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for last in sections.split_whitespace() {
        let (section, count) = last.split_once('-').expect("a section and its last number");
        let count: u32 = count.parse().expect("a number");
        ids.extend((1..=count).map(|number| format!("MQTT-{section}-{number}")));
    }
    for (of, id) in NEVER_GIVEN {
        assert!(of != specification || ids.remove(id), "{id} is in no section");
    }
    ids
}

/// How a statement that binds a client is dealt with.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    Tests(Vec<String>),
    NotApplicable,
    Open(String),
}

/// One specification's part of the map.
struct Statements {
    client: BTreeMap<String, Evidence>,
    server: Vec<String>,
}

fn statements(specification: &str) -> Statements {
    let path = workspace().join("tests/conformance.toml");
    let text = std::fs::read_to_string(&path).expect("a readable map");
    // A second entry for an id is an error of the format itself.
    let map: Table = text
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let part = map[specification]
        .as_table()
        .expect("a table for each specification");
    let client = part["client"].as_table().expect("a table of statements");
    Statements {
        client: client
            .iter()
            .map(|(id, entry)| (id.clone(), evidence(id, entry)))
            .collect(),
        server: strings(&part["server"]),
    }
}

fn evidence(id: &str, entry: &Value) -> Evidence {
    let entry = entry
        .as_table()
        .unwrap_or_else(|| panic!("{id}: a table is expected"));
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    assert!(
        text("rule").is_some_and(|rule| !rule.is_empty()),
        "{id} does not say its rule"
    );
    assert_eq!(
        entry.len(),
        2,
        "{id}: besides its rule, a statement has one of tests, na and open"
    );
    match (entry.get("tests"), text("na"), text("open")) {
        (Some(tests), None, None) => {
            let tests = strings(tests);
            assert!(!tests.is_empty(), "{id} names no test");
            Evidence::Tests(tests)
        }
        (None, Some(_), None) => Evidence::NotApplicable,
        (None, None, Some(missing)) => Evidence::Open(missing),
        _ => panic!("{id}: one of tests, na and open is expected"),
    }
}

fn strings(value: &Value) -> Vec<String> {
    let values = value.as_array().expect("an array");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    values.iter().map(text).collect()
}

/// Names of all Rust tests of the core and of this package.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["core/src", "tests/src", "tests/tests"] {
        collect_tests(&workspace().join(folder), &mut names);
    }
    names
}

fn collect_tests(path: &Path, names: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a readable folder") {
            collect_tests(&entry.expect("a readable entry").path(), names);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = std::fs::read_to_string(path).expect("a readable file");
        let after_attribute = text.split("#[test]").skip(1);
        let name = |rest: &str| Some(rest.split_once("fn ")?.1.split_once('(')?.0.to_owned());
        names.extend(after_attribute.filter_map(name));
    }
}

#[test]
fn every_test_in_the_map_exists() {
    let tests = tests();
    let mut dangling = Vec::new();
    for (specification, _) in SECTIONS {
        for (id, evidence) in statements(specification).client {
            if let Evidence::Tests(named) = evidence {
                let missing = named.into_iter().filter(|name| !tests.contains(name));
                dangling.extend(missing.map(|name| format!("{specification} {id}: {name}")));
            }
        }
    }
    assert!(
        dangling.is_empty(),
        "there is no such test:\n  {}",
        dangling.join("\n  ")
    );
}

#[test]
fn every_statement_is_in_the_map_once_and_nothing_else_is() {
    for (specification, sections) in SECTIONS {
        let Statements { client, server } = statements(specification);
        let mut mapped = BTreeSet::new();
        for id in client.into_keys().chain(server) {
            assert!(mapped.insert(id.clone()), "{specification}: {id} is there twice");
        }
        let given = ids(specification, sections);
        let missing: Vec<_> = given.difference(&mapped).collect();
        let invented: Vec<_> = mapped.difference(&given).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "{specification}: missing {missing:?}, not in the specification {invented:?}"
        );
    }
}

#[test]
fn the_specifications_have_as_many_statements_as_others_count() {
    let counts = SECTIONS.map(|(specification, sections)| ids(specification, sections).len());
    assert_eq!(counts, [251, 141]);
}

#[test]
fn the_map_tells_what_is_shown_and_what_is_open() {
    for (specification, _) in SECTIONS {
        let Statements { client, server } = statements(specification);
        let mut open = Vec::new();
        let (mut shown, mut not_applicable) = (0, 0);
        for (id, evidence) in &client {
            match evidence {
                Evidence::Tests(_) => shown += 1,
                Evidence::NotApplicable => not_applicable += 1,
                Evidence::Open(missing) => open.push(format!("{id}: {missing}")),
            }
        }
        println!(
            "{specification}: of {} statements {} bind a client: {shown} shown, {not_applicable} not applicable, {} open",
            client.len() + server.len(),
            client.len(),
            open.len()
        );
        for line in &open {
            println!("  {line}");
        }
        assert!(shown > client.len() / 2, "most of {specification} is shown");
    }
}
