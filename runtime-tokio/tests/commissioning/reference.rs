//! `docs/commissioning.md` beside the reader: its tables have every key that is read and no other, with the defaults and the limits
//! that hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syncline::service::{Planned, Report, Severity};

use super::{messages, plan};

const SERVER: &str = "  server: {type: 'Cybus::Server::Http'}\n";
const OPCUA: &str = "  machine: {type: 'Cybus::Server::Opcua'}\n";
const HTTP: &str =
    "  http: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: h}}}\n";
const MQTT: &str =
    "  mqtt: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: h}}}\n";
const OTHER: &str =
    "  opcua: {type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {host: h}}}\n";

/// A key that no table has.
const UNKNOWN: &str = "zzzzzzzz";

/// A place of a file that a table of the documentation is about.
struct Place {
    /// The heading of the table.
    heading: &'static str,
    /// Resources that have to be there.
    others: &'static str,
    /// The resource up to the mapping, and what closes it.
    around: (&'static str, &'static str),
    /// The least that the mapping has to have.
    least: &'static str,
    /// What it has where the keys are asked for that it lacks.
    bare: &'static str,
}

const fn place(
    heading: &'static str,
    others: &'static str,
    around: (&'static str, &'static str),
    least: &'static str,
) -> Place {
    Place {
        heading,
        others,
        around,
        least,
        bare: "",
    }
}

/// The properties of a resource.
const fn properties(opening: &'static str) -> (&'static str, &'static str) {
    (opening, "}")
}

/// A mapping in its properties.
const fn nested(opening: &'static str) -> (&'static str, &'static str) {
    (opening, "}}")
}

fn places() -> Vec<Place> {
    vec![
        place(
            "`Cybus::Server::Http`",
            "",
            properties("type: 'Cybus::Server::Http', properties: {"),
            "",
        ),
        place(
            "`Cybus::Node::Http`",
            SERVER,
            properties("type: 'Cybus::Node::Http', properties: {"),
            "parent: !ref server, route: r, method: POST",
        ),
        place(
            "`transaction`",
            SERVER,
            (
                "type: 'Cybus::Node::Http', properties: {parent: !ref server, route: r, method: GET, operation: transaction, \
                 transaction: {",
                "}}",
            ),
            "",
        ),
        place(
            "`Cybus::Server::Opcua`",
            "",
            properties("type: 'Cybus::Server::Opcua', properties: {"),
            "",
        ),
        Place {
            bare: "nodeType: Variable",
            ..place(
                "`Cybus::Node::Opcua`",
                OPCUA,
                properties("type: 'Cybus::Node::Opcua', properties: {"),
                "parent: !ref machine, nodeType: Variable, dataType: Int32",
            )
        },
        Place {
            bare: "nodeType: Method",
            ..place(
                "`Cybus::Node::Opcua`",
                OPCUA,
                properties("type: 'Cybus::Node::Opcua', properties: {"),
                "parent: !ref machine, nodeType: Method",
            )
        },
        place(
            "`Cybus::Node::Opcua`",
            OPCUA,
            properties("type: 'Cybus::Node::Opcua', properties: {"),
            "parent: !ref machine, nodeType: Object",
        ),
        place(
            "Arguments of a method",
            OPCUA,
            (
                "type: 'Cybus::Node::Opcua', properties: {parent: !ref machine, nodeType: Method, inputArguments: [{",
                "}]}",
            ),
            "name: a, dataType: Int32",
        ),
        place(
            "`Cybus::Connection`",
            "",
            properties("type: 'Cybus::Connection', properties: {"),
            "protocol: Http, connection: {host: h}",
        ),
        place(
            "`connectionStrategy`",
            "",
            (
                "type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: h}, connectionStrategy: {",
                "}}",
            ),
            "",
        ),
        place(
            "`connection` of an HTTP server",
            "",
            nested("type: 'Cybus::Connection', properties: {protocol: Http, connection: {"),
            "host: h",
        ),
        place(
            "`auth`",
            "",
            (
                "type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: h, auth: {",
                "}}}",
            ),
            "username: u, password: p",
        ),
        place(
            "`connection` of another broker",
            "",
            nested("type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {"),
            "host: h",
        ),
        place(
            "`will`",
            "",
            (
                "type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: h, will: {",
                "}}}",
            ),
            "topic: t",
        ),
        place(
            "`connection` of an OPC UA server",
            "",
            nested("type: 'Cybus::Connection', properties: {protocol: Opcua, connection: {"),
            "host: h",
        ),
        place(
            "`Cybus::Endpoint`",
            HTTP,
            properties("type: 'Cybus::Endpoint', properties: {"),
            "protocol: Http, connection: !ref http, subscribe: {path: /}",
        ),
        place(
            "`subscribe`, `read` and `write` of an HTTP server",
            HTTP,
            (
                "type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref http, subscribe: {",
                "}}",
            ),
            "path: /",
        ),
        place(
            "`subscribe` and `write` of another broker",
            MQTT,
            (
                "type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref mqtt, write: {",
                "}}",
            ),
            "topic: t",
        ),
        place(
            "`subscribe` and `write` of another broker",
            MQTT,
            (
                "type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref mqtt, subscribe: {",
                "}}",
            ),
            "topic: t",
        ),
        place(
            "`subscribe`, `read` and `write` of an OPC UA server",
            OTHER,
            (
                "type: 'Cybus::Endpoint', properties: {protocol: Opcua, connection: !ref opcua, subscribe: {",
                "}}",
            ),
            "nodeId: ns=2;s=n",
        ),
        place(
            "`Cybus::Mapping`",
            "",
            properties("type: 'Cybus::Mapping', properties: {"),
            "mappings: [{subscribe: {topic: a}, publish: {topic: b}}]",
        ),
        place(
            "Items of `mappings`",
            "",
            ("type: 'Cybus::Mapping', properties: {mappings: [{", "}]}"),
            "subscribe: {topic: a}, publish: {topic: b}",
        ),
        place(
            "`subscribe` of an item",
            "",
            (
                "type: 'Cybus::Mapping', properties: {mappings: [{publish: {topic: b}, subscribe: {",
                "}}]}",
            ),
            "topic: a",
        ),
        place(
            "`publish` of an item",
            "",
            (
                "type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {topic: a}, publish: {",
                "}}]}",
            ),
            "topic: b",
        ),
    ]
}

impl Place {
    /// What comes of a file whose mapping has these pairs.
    fn plan(&self, pairs: &[&str]) -> Result<Planned, Report> {
        let pairs: Vec<&str> = pairs.iter().copied().filter(|pair| !pair.is_empty()).collect();
        let (opening, closing) = self.around;
        plan(&format!(
            "metadata: {{name: t}}\nresources:\n{}  subject: {{{opening}{}{closing}}}\n",
            self.others,
            pairs.join(", ")
        ))
    }

    fn errors(&self, pairs: &[&str]) -> Vec<String> {
        match self.plan(pairs) {
            Ok(_) => Vec::new(),
            Err(report) => messages(&report, Severity::Error),
        }
    }

    /// The keys that are read here.
    fn keys(&self) -> BTreeSet<String> {
        let errors = self.errors(&[self.least, &format!("{UNKNOWN}: 1")]);
        let marker = format!("unknown key `{UNKNOWN}`, expected ");
        let expected = errors.iter().find_map(|error| error.split_once(&marker));
        let (_, expected) = expected.unwrap_or_else(|| panic!("{}: {errors:?}", self.heading));
        quoted(expected)
    }

    /// The keys without which nothing comes of it.
    fn required(&self) -> BTreeSet<String> {
        let errors = self.errors(&[self.bare]);
        let missing = errors.iter().filter_map(|error| {
            let (_, name) = error.strip_suffix("`, found none")?.rsplit_once("expected `")?;
            (!name.contains('`')).then(|| name.to_owned())
        });
        missing.collect()
    }

    /// Whether a file has to have this key here anyway.
    fn has(&self, key: &str) -> bool {
        self.least
            .split(", ")
            .any(|pair| pair.starts_with(&format!("{key}:")))
    }
}

/// What stands in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A row of a table.
#[derive(Debug)]
struct Row {
    key: String,
    default: String,
    limit: String,
}

/// The rows of all tables, by the heading above.
fn tables() -> BTreeMap<String, Vec<Row>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commissioning.md");
    let text = std::fs::read_to_string(path).expect("the documentation");
    let mut tables: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut heading = String::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("##") {
            title.trim_start_matches('#').trim().clone_into(&mut heading);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, keys, _, default, limit, _, _] = cells.as_slice() else {
            continue;
        };
        for key in quoted(keys) {
            tables.entry(heading.clone()).or_default().push(Row {
                key,
                default: (*default).to_owned(),
                limit: (*limit).to_owned(),
            });
        }
    }
    tables
}

/// The range that a limit names, where it is one of integers.
fn range(limit: &str) -> Option<(i128, i128)> {
    let (least, most) = limit.split_once(" to ")?;
    Some((least.parse().ok()?, most.parse().ok()?))
}

#[test]
fn the_tables_have_every_key_that_is_read_and_no_other_and_tell_which_are_required() {
    let tables = tables();
    let mut read: BTreeMap<&str, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for place in places() {
        let (keys, required) = read.entry(place.heading).or_default();
        keys.extend(place.keys());
        required.extend(place.required());
    }
    assert_eq!(
        tables.keys().map(String::as_str).collect::<Vec<_>>(),
        read.keys().copied().collect::<Vec<_>>()
    );
    for (heading, (keys, required)) in read {
        let rows = &tables[heading];
        let told: BTreeSet<String> = rows.iter().map(|row| row.key.clone()).collect();
        assert_eq!(told, keys, "{heading}");
        let told = rows.iter().filter(|row| row.default.starts_with("required"));
        let told: BTreeSet<String> = told.map(|row| row.key.clone()).collect();
        assert_eq!(told, required, "required of {heading}");
    }
}

#[test]
fn the_defaults_of_the_tables_make_the_same_plan_as_no_key() {
    let tables = tables();
    let mut checked = 0;
    for place in places() {
        let keys = place.keys();
        let without = place
            .plan(&[place.least])
            .unwrap_or_else(|report| panic!("{report}"));
        for row in tables[place.heading].iter().filter(|row| keys.contains(&row.key)) {
            let default = row
                .default
                .strip_prefix('`')
                .and_then(|rest| rest.strip_suffix('`'));
            let Some(default) = default.filter(|default| !default.contains('`') && !place.has(&row.key))
            else {
                continue;
            };
            let pair = format!("{}: {default}", row.key);
            let with = place
                .plan(&[place.least, &pair])
                .unwrap_or_else(|report| panic!("{pair}: {report}"));
            assert_eq!(with.plan, without.plan, "{}: {pair}", place.heading);
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} defaults");
}

#[test]
fn the_limits_of_the_tables_are_those_of_the_reader() {
    let tables = tables();
    let mut checked = 0;
    for place in places() {
        let keys = place.keys();
        for row in tables[place.heading].iter().filter(|row| keys.contains(&row.key)) {
            let Some((least, most)) = range(&row.limit) else {
                continue;
            };
            let expected = format!("expected an integer from {least} to {most}");
            for (value, is_within) in [(least, true), (most, true), (least - 1, false), (most + 1, false)] {
                let errors = place.errors(&[place.least, &format!("{}: {value}", row.key)]);
                let is_told = errors
                    .iter()
                    .any(|error| error.contains("expected an integer from"));
                assert_eq!(
                    is_told, !is_within,
                    "{}: {} {value}: {errors:?}",
                    place.heading, row.key
                );
                let is_exact = errors.iter().any(|error| error.contains(&expected));
                assert_eq!(is_exact, !is_within, "{}: {}: {errors:?}", place.heading, row.key);
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} limits");
}
