//! `conformance.toml` maps every numbered statement of the specifications to what shows it; this holds the map to its word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syncline_tests::workspace;
use toml::{Table, Value};

/// Numbers that the specifications themselves leave out.
const NEVER_GIVEN: [(&str, &str); 1] = [("mqtt_5_0", "MQTT-2.2.1-1")];

/// How many statements each specification has.
const STATEMENTS: [(&str, usize); 2] = [("mqtt_5_0", 251), ("mqtt_3_1_1", 141)];

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

/// An id as its section and number: `MQTT-3.1.2-11` is (`MQTT-3.1.2`, 11).
fn parts(id: &str) -> (&str, u32) {
    let (section, number) = id.rsplit_once('-').expect("an id");
    (section, number.parse().expect("an id ends with a number"))
}

#[test]
fn every_test_in_the_map_exists() {
    let tests = tests();
    let mut dangling = Vec::new();
    for (specification, _) in STATEMENTS {
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
fn every_statement_is_in_the_map_once() {
    for (specification, count) in STATEMENTS {
        let Statements { client, server } = statements(specification);
        let mut ids = BTreeSet::new();
        for id in client.keys().chain(&server) {
            assert!(ids.insert(id.as_str()), "{specification}: {id} is there twice");
        }
        for id in &ids {
            let (section, number) = parts(id);
            for earlier in (1..number).map(|number| format!("{section}-{number}")) {
                let given = !NEVER_GIVEN.contains(&(specification, earlier.as_str()));
                assert!(
                    !given || ids.contains(earlier.as_str()),
                    "{specification}: {earlier} is missing"
                );
            }
        }
        assert_eq!(ids.len(), count, "statements of {specification}");
    }
}

#[test]
fn the_map_tells_what_is_shown_and_what_is_open() {
    for (specification, _) in STATEMENTS {
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
