//! What refers to resources of another service.

use syncline::service::{Context, Planned, Report, Severity, Source, plan_sources};

use super::messages;

const FRONT: &str = "metadata: {name: front}
resources:
  server: {type: 'Cybus::Server::Http', properties: {basePath: /front}}
  backend: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {scheme: http, host: localhost}}}
  order: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref backend, write: {path: /order}}}
";

fn plan(texts: &[&str]) -> Result<Planned, Report> {
    let source = |(at, text): (usize, &&str)| Source::new(format!("{at}.yml"), *text);
    let sources = texts.iter().enumerate().map(source).collect();
    plan_sources(sources, &Context::default())
}

fn other(resources: &str) -> String {
    format!("metadata: {{name: line}}\nresources:\n{resources}")
}

#[test]
fn parents_endpoints_connections_and_transactions_of_another_service_are_found() {
    let line = other(
        "  node: {type: 'Cybus::Node::Http', properties: {parent: !ref front::server, route: /x, method: GET, operation: transaction}}
  read: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref front::backend, read: {path: /x}}}
  map: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {endpoint: !ref node}, publish: {endpoint: !ref front::order}}]}}
",
    );
    let back = "metadata: {name: back}\nresources:\n  map: {type: 'Cybus::Mapping', properties: {mappings: [\
                {subscribe: {endpoint: !ref front::order}, publish: {endpoint: !ref line::node}}]}}\n";
    for texts in [[FRONT, &line, back], [back, &line, FRONT]] {
        let plan = plan(&texts).unwrap().plan;
        let service = |id: &str| plan.services.iter().find(|service| service.id == id).unwrap();
        let node = &service("front").http_servers[0].nodes[0];
        assert_eq!(
            (node.service.as_str(), node.topic.as_str()),
            ("line", "services/line/node")
        );
        let endpoints = &service("front").connections[0].endpoints;
        assert_eq!(endpoints.len(), 2);
        let flow = &service("back").mappings[0].flows[0];
        assert_eq!(flow.subscribe[0].filter.as_str(), "services/front/order/res");
        assert_eq!(
            format!("{:?}", flow.publish.topic),
            format!("{:?}", {
                use syncline::service::plan::{TopicPart, TopicTemplate};
                TopicTemplate(vec![TopicPart::Text("services/line/node/tres".to_owned())])
            })
        );
    }
}

#[test]
fn nodes_of_two_services_that_answer_the_same_requests_are_a_mistake() {
    let node = |route: &str, id: &str| {
        format!(
            "  {id}: {{type: 'Cybus::Node::Http', properties: {{parent: !ref front::server, route: {route}, method: GET}}}}\n"
        )
    };
    for (one, two) in [
        ("/c", "/C"),
        ("/c", "/%43"),
        ("/%C3%A4", "/%c3%84"),
        ("/c/", "/c"),
    ] {
        let report = plan(&[FRONT, &other(&[node(one, "a"), node(two, "b")].concat())]).unwrap_err();
        let told = messages(&report, Severity::Error);
        assert!(
            told.len() == 1 && told[0].ends_with("is already served by another node"),
            "{one} {two}: {told:?}"
        );
    }
}

#[test]
fn a_service_that_was_not_given_is_told_with_those_that_were() {
    let map = "  map: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {endpoint: !ref plant::x}, publish: {topic: a}}]}}\n";
    let report = plan(&[FRONT, &other(map)]).unwrap_err().to_string();
    assert!(
        report.contains(
            "the files that were read are those of `front`, `line`: name the file of `plant` as well, all files are planned together"
        ),
        "{report}"
    );
    let near = plan(&[FRONT, &other(&map.replace("plant::x", "fornt::order"))]);
    assert!(near.unwrap_err().to_string().contains("did you mean `front`?"));
}

#[test]
fn a_wrong_resource_is_told_of_its_references_too() {
    let text = other(
        "  map: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {endpoint: !ref front::x}, publish: {topic: a, qos: 7}}]}}\n",
    );
    let report = plan(&[FRONT, &text]).unwrap_err();
    assert_eq!(
        messages(&report, Severity::Error),
        [
            "3:85 the service `front` has no resource `x`",
            "3:121 `qos`: found the number 7, expected an integer from 0 to 2"
        ]
    );
}

#[test]
fn a_wrong_value_by_reference_is_told_with_both_places() {
    let text = "metadata: {name: line}\nparameters:\n  most: {type: integer, default: 5}\nresources:\n  server: {type: 'Cybus::Server::Http'}\n  \
                node: {type: 'Cybus::Node::Http', properties: {parent: !ref server, route: /x, method: GET, qos: !ref most}}\n";
    let report = plan(&[text]).unwrap_err().to_string();
    assert!(report.starts_with("0.yml:6:"), "{report}");
    assert!(
        report.contains("the value is that of `most`, at 0.yml:3:34"),
        "{report}"
    );
}
