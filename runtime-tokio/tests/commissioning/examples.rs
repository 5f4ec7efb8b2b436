//! The documented examples, planned exactly.

use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use syncline::service::{
    Context, HttpNodePlan, HttpServerPlan, Plan, Planned, ServicePlan, Severity, TransactionPlan, plan_files,
};
use syncline_core::codec::QoS;
use syncline_core::topic::TopicName;

use super::messages;

fn example(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(file)
}

fn planned(file: &str) -> Planned {
    plan_files(&[example(file)], &Context::default()).unwrap_or_else(|report| panic!("{report}"))
}

fn service(id: &str, method: Method, node: &str, transaction: TransactionPlan) -> Plan {
    let topic = format!("services/{id}/{node}");
    Plan {
        services: vec![ServicePlan {
            id: id.to_owned(),
            http_servers: vec![HttpServerPlan {
                resource: "testServer".to_owned(),
                base_path: "/data/FlowSync".to_owned(),
                request_max_body_size: 100_000,
                nodes: vec![HttpNodePlan {
                    resource: node.to_owned(),
                    method,
                    route: format!("/{id}"),
                    treq: TopicName::new(format!("{topic}/treq")).unwrap(),
                    tres: TopicName::new(format!("{topic}/tres")).unwrap(),
                    topic,
                    qos: QoS::AtMostOnce,
                    transaction,
                }],
            }],
        }],
    }
}

fn defaults() -> TransactionPlan {
    TransactionPlan {
        timeout: Duration::from_secs(2),
        timeout_error_code: 500,
        timeout_error_message: "Request timed out while waiting for response".to_owned(),
        max_in_flight: 10_000,
    }
}

#[test]
fn example_1_is_one_node_with_every_default() {
    let planned = planned("1-transaction.yml");
    assert_eq!(
        planned.plan,
        service("example1", Method::GET, "exampleNode", defaults())
    );
    assert!(planned.warnings.diagnostics().is_empty());
}

#[test]
fn example_4_has_its_own_timeout_code_and_message() {
    let planned = planned("4-timeout-code-and-message.yml");
    let transaction = TransactionPlan {
        timeout_error_code: 408,
        timeout_error_message: "No answer came in time".to_owned(),
        ..defaults()
    };
    assert_eq!(
        planned.plan,
        service("example4", Method::GET, "exampleNode", transaction)
    );
    assert!(planned.warnings.diagnostics().is_empty());
}

#[test]
fn examples_2_and_3_run_without_the_mapping_that_is_reported() {
    for (file, id, mapping) in [
        ("2-node-responds.yml", "example2", "answer"),
        ("3-node-with-error.yml", "example3", "refuse"),
    ] {
        let planned = planned(file);
        assert_eq!(
            planned.plan,
            service(id, Method::GET, "exampleNode", defaults()),
            "{file}"
        );
        assert_eq!(
            messages(&planned.warnings, Severity::Warning),
            [format!(
                "19:11 `Cybus::Mapping` is not run here yet: `{mapping}` is left out"
            )],
            "{file}"
        );
    }
}

#[test]
fn example_5_runs_its_node_and_names_every_resource_that_is_left_out() {
    let planned = planned("5-full-flow-http.yml");
    let transaction = TransactionPlan {
        timeout: Duration::from_secs(5),
        timeout_error_code: 504,
        timeout_error_message: "The back end did not answer".to_owned(),
        ..defaults()
    };
    assert_eq!(
        planned.plan,
        service("example5", Method::POST, "orderNode", transaction)
    );
    assert_eq!(
        messages(&planned.warnings, Severity::Warning),
        [
            "31:11 `Cybus::Connection` is not run here yet: `backend` is left out",
            "40:11 `Cybus::Endpoint` is not run here yet: `putOrder` is left out",
            "48:11 `Cybus::Mapping` is not run here yet: `forward` is left out",
        ]
    );
}

#[test]
fn example_6_has_nothing_to_run_yet_and_says_so() {
    let planned = planned("6-full-flow-opcua.yml");
    assert_eq!(
        planned.plan,
        Plan {
            services: vec![ServicePlan {
                id: "example6".to_owned(),
                http_servers: vec![]
            }]
        }
    );
    assert_eq!(messages(&planned.warnings, Severity::Warning).len(), 5);
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
            "example1", "example2", "example3", "example4", "example5", "example6"
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
