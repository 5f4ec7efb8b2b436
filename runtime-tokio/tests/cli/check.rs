//! `syncline check`: the plan of each documented example as it is printed, and mistakes as they are told.

use std::path::{Path, PathBuf};

use super::{code, folder_with, stderr, stdout, syncline};

const EXAMPLES: [&str; 8] = [
    "1-transaction",
    "2-node-responds",
    "3-node-with-error",
    "4-timeout-code-and-message",
    "5-full-flow-http",
    "6-full-flow-opcua",
    "7-other-broker",
    "8-http-to-opcua",
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/check")
        .join(name)
}

/// Compares with the file, or writes it where `SYNCLINE_BLESS` is set.
fn assert_golden(name: &str, printed: &str) {
    let path = golden(name);
    if std::env::var_os("SYNCLINE_BLESS").is_some() {
        std::fs::write(&path, printed).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(
        printed, expected,
        "{name} differs: if that is meant, run the test with SYNCLINE_BLESS=1 and read the difference"
    );
}

#[test]
fn check_prints_the_plan_of_each_example_with_what_is_not_started() {
    for example in EXAMPLES {
        let file = format!("examples/{example}.yml");
        let output = syncline(&["check", &file], &[]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let printed = format!(
            "$ syncline check {file}\n{}\nstderr:\n{}",
            stdout(&output),
            stderr(&output)
        );
        assert_golden(&format!("{example}.txt"), &printed);
    }
}

#[test]
fn check_as_json_has_the_documented_shape_for_each_example() {
    for example in EXAMPLES {
        let output = syncline(&["check", "--json", &format!("examples/{example}.yml")], &[]);
        assert_eq!((code(&output), stderr(&output)), (0, ""));
        assert_golden(&format!("{example}.json"), stdout(&output));
    }
}

#[test]
fn check_shows_no_credential_of_a_connection() {
    let folder = folder_with(
        "a.yml",
        "metadata: {name: t}\nresources:\n  c:\n    type: Cybus::Connection\n    properties:\n      protocol: Http\n      \
         connection: {host: a, auth: {username: u, password: s3cret}, headers: {Authorization: s3cret}, query: {key: s3cret}}\n",
    );
    let file = folder.path().join("a.yml");
    let file = file.to_str().unwrap();
    for arguments in [&["check", file][..], &["check", "--json", file]] {
        let output = syncline(arguments, &[]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let printed = format!("{}{}", stdout(&output), stderr(&output));
        assert!(!printed.contains("s3cret"), "{printed}");
    }
}

#[test]
fn check_names_every_mistake_with_its_place_and_ends_with_78() {
    let folder = folder_with(
        "a.yml",
        "metadata: {name: t}\nresources:\n  s-1: {type: 'Cybus::Server::Htp'}\n",
    );
    let file = folder.path().join("a.yml");
    let file = file.to_str().unwrap();
    let output = syncline(&["check", file], &[]);
    assert_eq!((code(&output), stdout(&output)), (78, ""));
    let expected = format!(
        "{file}:3:3: error: resource id `s-1`: expected a letter or digit, then letters, digits, `_` and `.`\n  |\n\
         3 |   s-1: {{type: 'Cybus::Server::Htp'}}\n  |   ^^^\n\
         {file}:3:15: error: `type`: found `Cybus::Server::Htp`, expected a resource type\n  |\n\
         3 |   s-1: {{type: 'Cybus::Server::Htp'}}\n  |               ^^^^^^^^^^^^^^^^^^^^\n  \
         = help: did you mean `Cybus::Server::Http`?\n2 errors\n"
    );
    assert_eq!(stderr(&output), expected);

    let output = syncline(&["check", "--json", file], &[]);
    assert_eq!((code(&output), stderr(&output)), (78, ""));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["errors"][1]["column"], 15);
    assert_eq!(
        document["errors"][1]["help"],
        "did you mean `Cybus::Server::Http`?"
    );
}
