//! Files read together: the documented examples, and files that cannot be read. What each example is planned as stands in
//! `tests/golden/check`.

use std::path::PathBuf;

use syncline::service::{Context, Severity, plan_files};

use super::messages;

fn example(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(file)
}

#[test]
fn all_examples_run_together_on_one_base_path() {
    let files: Vec<PathBuf> = [
        "1-transaction.yml",
        "2-node-responds.yml",
        "3-node-with-error.yml",
        "4-timeout-code-and-message.yml",
        "5-full-flow-http.yml",
        "6-full-flow-opcua.yml",
        "7-other-broker.yml",
        "8-http-to-opcua.yml",
    ]
    .map(example)
    .into();
    let planned = plan_files(&files, &Context::default()).unwrap_or_else(|report| panic!("{report}"));
    let ids: Vec<&str> = planned
        .plan
        .services
        .iter()
        .map(|service| service.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "example1", "example2", "example3", "example4", "example5", "example6", "example7", "example8"
        ]
    );
}

#[test]
fn the_same_file_twice_collides_in_name_url_and_topic() {
    let files = [example("1-transaction.yml"), example("1-transaction.yml")];
    let report = plan_files(&files, &Context::default()).unwrap_err();
    assert_eq!(
        messages(&report, Severity::Error),
        [
            "4:9 the service id `example1` is already in use",
            "11:3 the topic `services/example1/exampleNode` is already that of another node",
            "16:14 GET `/data/FlowSync/example1` is already served by another node",
        ]
    );
    assert_eq!(report.to_string().matches("first here").count(), 3);
}

#[test]
fn a_file_that_cannot_be_read_is_reported_with_the_mistakes_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary.yml");
    let wrong = folder.path().join("wrong.yml");
    let large = folder.path().join("large.yml");
    std::fs::write(&binary, b"metadata: \xff").unwrap();
    std::fs::write(&wrong, "resources: {}\n").unwrap();
    std::fs::write(&large, vec![b'#'; 2 << 20]).unwrap();
    let files = [folder.path().join("absent.yml"), binary, wrong, large];
    let report = plan_files(&files, &Context::default()).unwrap_err();
    let messages = messages(&report, Severity::Error);
    assert_eq!(messages.len(), 4, "{report}");
    assert!(messages[0].starts_with("cannot read the file: "), "{report}");
    assert_eq!(
        messages[1],
        "the byte at offset 10 is not UTF-8, expected a text in UTF-8"
    );
    assert_eq!(
        messages[2],
        "the file is too large, expected at most 1048576 bytes"
    );
    assert_eq!(messages[3], "1:1 the top level: expected `metadata`, found none");
}
