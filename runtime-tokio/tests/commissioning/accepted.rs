//! What a correct file means: names, tags, parameters, placement.

use syncline::service::plan::{HttpNodePlan, HttpOperation, TransactionPlan};
use syncline::service::{Context, Planned, Severity};

use super::{messages, plan, plan_with};

const SERVER: &str = "  s: {type: 'Cybus::Server::Http', properties: {basePath: /b}}\n";

/// A file with the server `s` and one transaction node; `properties` are further ones of the node.
fn file(sections: &str, properties: &str) -> String {
    format!(
        "metadata: {{name: Azure IoT Hub Test_1.0}}\n{sections}resources:\n{SERVER}  n:\n    \
         type: Cybus::Node::Http\n    properties:\n      parent: !ref s\n      method: GET\n      route: /r\n      \
         operation: transaction\n{properties}"
    )
}

fn planned(text: &str, context: &Context) -> Planned {
    plan_with(text, context).unwrap_or_else(|report| panic!("{report}"))
}

fn node(text: &str, context: &Context) -> HttpNodePlan {
    planned(text, context).plan.services[0].http_servers[0].nodes[0].clone()
}

fn topic(sections: &str, properties: &str, context: &Context) -> String {
    node(&file(sections, properties), context)
        .topic
        .as_str()
        .to_owned()
}

fn transaction(text: &str, context: &Context) -> TransactionPlan {
    transaction_of(&node(text, context))
}

fn transaction_of(node: &HttpNodePlan) -> TransactionPlan {
    match &node.operation {
        HttpOperation::Transaction { transaction, .. } => transaction.clone(),
        other => panic!("expected a transaction, found {other:?}"),
    }
}

fn agent(name: &str) -> Context {
    Context {
        agent_name: Some(name.to_owned()),
        ..Context::default()
    }
}

fn with_parameter(name: &str, value: &str) -> Context {
    Context {
        parameters: [(name.to_owned(), value.to_owned())].into(),
        ..Context::default()
    }
}

#[test]
fn the_service_id_keeps_letters_and_digits_in_lower_case() {
    let planned = planned(&file("", ""), &Context::default());
    assert_eq!(planned.plan.services[0].id, "azureiothubtest10");
}

#[test]
fn the_topic_is_the_property_or_the_resource_id_below_the_root() {
    let context = Context::default();
    assert_eq!(topic("", "", &context), "services/azureiothubtest10/n");
    assert_eq!(
        topic("", "      topic: a/B\n", &context),
        "services/azureiothubtest10/a/B"
    );
    assert_eq!(
        topic("definitions: {CYBUS_MQTT_ROOT: plant/a}\n", "", &context),
        "plant/a/n"
    );
    let root = "definitions:\n  site: {unused: 1}\n  CYBUS_MQTT_ROOT: !sub 'plant/${Cybus::ServiceId}'\n";
    assert_eq!(topic(root, "", &context), "plant/azureiothubtest10/n");
}

#[test]
fn the_root_is_put_into_a_topic_without_sub_and_the_repetition_is_a_warning() {
    let planned = planned(
        &file("", "      topic: '${Cybus::MqttRoot}/x'\n"),
        &Context::default(),
    );
    let node = &planned.plan.services[0].http_servers[0].nodes[0];
    assert_eq!(
        node.topic.as_str(),
        "services/azureiothubtest10/services/azureiothubtest10/x"
    );
    assert_eq!(
        messages(&planned.warnings, Severity::Warning),
        ["11:14 `topic` begins with the topic root, which is put in front of it once more"]
    );
}

#[test]
fn a_topic_that_mqtt_does_not_allow_is_an_error_at_its_place() {
    let wildcard = plan(&file("definitions: {CYBUS_MQTT_ROOT: plant/+}\n", "")).unwrap_err();
    assert_eq!(
        messages(&wildcard, Severity::Error),
        ["5:3 the topic of `n`: topic name contains a wildcard at byte 6: name one topic, without + and #"]
    );
    let long = plan(&file("", &format!("      topic: {}\n", "x".repeat(65_536)))).unwrap_err();
    let messages = messages(&long, Severity::Error);
    assert!(
        messages[0].starts_with("11:14 ") && messages[0].contains("at most 65535"),
        "{messages:?}"
    );
}

#[test]
fn sub_takes_parameters_definitions_and_globals() {
    let sections = "parameters:\n  line: {type: integer, default: 7}\n  on: {type: boolean, default: true}\n\
                    definitions:\n  area: !sub 'area-${line}'\n";
    let properties = "      topic: !sub '${area}/${on}/${Cybus::MqttHost}/${Cybus::MqttPort}/$x'\n";
    let context = Context {
        mqtt_host: Some("broker".to_owned()),
        mqtt_port: Some(1883),
        ..Context::default()
    };
    assert_eq!(
        topic(sections, properties, &context),
        "services/azureiothubtest10/area-7/true/broker/1883/$x"
    );
}

#[test]
fn a_global_without_value_names_its_variable() {
    let report = plan(&file("", "      topic: !sub 'x/${Cybus::MqttHost}'\n")).unwrap_err();
    assert_eq!(
        messages(&report, Severity::Error),
        ["11:22 `Cybus::MqttHost` has no value here: set CYBUS_MQTT_HOST"]
    );
}

#[test]
fn an_operator_s_value_goes_before_the_default_and_is_checked() {
    let sections = "parameters:\n  line: {type: integer, default: 7, minimum: 1}\n";
    let properties = "      topic: !sub 'line-${line}'\n";
    assert!(topic(sections, properties, &with_parameter("line", "12")).ends_with("/line-12"));
    for wrong in ["0", "x", "1.5", ""] {
        let report = plan_with(&file(sections, properties), &with_parameter("line", wrong)).unwrap_err();
        assert_eq!(report.errors(), 1, "{wrong}: {report}");
        assert!(report.to_string().contains("--set line="), "{wrong}: {report}");
    }
}

#[test]
fn a_parameter_can_be_a_mapping_given_as_flow_yaml() {
    let sections = "parameters:\n  times: {type: object}\n";
    let properties = "      transaction: !ref times\n";
    let text = file(sections, properties);
    let transaction = transaction(&text, &with_parameter("times", "{timeout: 50}"));
    assert_eq!(transaction.timeout.as_millis(), 50);
    let report = plan_with(&text, &with_parameter("times", "{timeout: 0}")).unwrap_err();
    assert_eq!(
        messages(&report, Severity::Error),
        ["3:3 `timeout`: found the number 0, expected an integer from 1 to 600000"]
    );
    for wrong in ["{", "[]", "!ref x"] {
        assert!(
            plan_with(&text, &with_parameter("times", wrong)).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn a_value_that_came_by_reference_is_never_shown() {
    let sections = "parameters:\n  key: {type: string}\n";
    let context = with_parameter("key", "s3cret");
    let report = plan_with(&file(sections, "      qos: !ref key\n"), &context).unwrap_err();
    assert_eq!(
        messages(&report, Severity::Error),
        ["13:17 `qos`: found a text, expected an integer from 0 to 2"]
    );
    let sections = "parameters:\n  key: {type: integer}\n";
    let report = plan_with(&file(sections, ""), &context).unwrap_err();
    assert!(!report.to_string().contains("s3cret"), "{report}");
}

#[test]
fn a_value_for_an_undeclared_parameter_is_an_error() {
    let sections = "parameters:\n  machine: {type: string, default: a}\n";
    let report = plan_with(&file(sections, ""), &with_parameter("machin", "x")).unwrap_err();
    assert_eq!(
        report.to_string(),
        "--set: error: no file declares the parameter `machin`\n  = help: did you mean `machine`?\n"
    );
}

#[test]
fn merge_is_shallow_and_the_last_mapping_wins() {
    let sections = "definitions:\n  slow: {timeout: 9000, timeoutErrorCode: 504}\n";
    let properties = "      transaction: !merge [!ref slow, {timeout: 100}]\n";
    let transaction = transaction(&file(sections, properties), &Context::default());
    assert_eq!(
        (transaction.timeout.as_millis(), transaction.timeout_error_code),
        (100, 504)
    );
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let properties = "      transaction: &fast {timeout: 10, maxInFlight: 3}\n  m:\n    type: Cybus::Node::Http\n    \
                      properties: {parent: !ref s, method: GET, route: /m, operation: transaction, \
                      transaction: {<<: *fast, timeout: 20}}\n  o:\n    type: Cybus::Node::Http\n    properties: \
                      {parent: !ref s, method: GET, route: /o, operation: transaction, transaction: *fast}\n";
    let planned = planned(&file("", properties), &Context::default());
    let nodes = &planned.plan.services[0].http_servers[0].nodes;
    let times: Vec<_> = nodes
        .iter()
        .map(transaction_of)
        .map(|transaction| (transaction.timeout.as_millis(), transaction.max_in_flight))
        .collect();
    assert_eq!(times, [(10, 3), (20, 3), (10, 3)]);
}

#[test]
fn a_resource_of_another_agent_is_left_out_with_all_below_it() {
    let text = file("", "").replace("basePath: /b", "basePath: /b, agentName: press-1");
    let nodes = |context: &Context| -> usize {
        planned(&text, context).plan.services[0]
            .http_servers
            .iter()
            .map(|server| server.nodes.len())
            .sum()
    };
    assert_eq!(nodes(&agent("press-1")), 1);
    assert_eq!(nodes(&Context::default()), 1);
    assert_eq!(nodes(&agent("press-2")), 0);
    assert_eq!(
        messages(&planned(&text, &agent("press-2")).warnings, Severity::Warning),
        [
            "3:3 resource `s` is not run here: it belongs to the agent `press-1`",
            "4:3 resource `n` is not run here: its server `s` is left out",
        ]
    );
}

#[test]
fn a_mapping_that_names_no_agent_in_a_file_that_names_others_is_told_of() {
    let mapping = |agent: &str| {
        let items = "mappings: [{subscribe: {topic: a}, publish: {topic: b}}]";
        format!(
            "{}  m: {{type: 'Cybus::Mapping', properties: {{{agent}{items}}}}}\n",
            file("", "").replace("basePath: /b", "basePath: /b, agentName: press-1")
        )
    };
    let told = |text: &str, context: &Context| {
        let warnings = planned(text, context).warnings;
        let warnings = messages(&warnings, Severity::Warning);
        warnings.iter().any(|warning| {
            warning.contains("mapping `m` has no `agentName`") && warning.contains("agent `press-1`")
        })
    };
    for (context, expected) in [
        (Context::default(), true),
        (agent("press-2"), true),
        (agent("press-1"), false),
    ] {
        assert_eq!(told(&mapping(""), &context), expected);
        assert!(!told(&mapping("agentName: press-2, "), &context));
    }
}

#[test]
fn a_disabled_resource_is_left_out() {
    let planned = planned(&file("", "      targetState: disabled\n"), &Context::default());
    assert!(planned.plan.services[0].http_servers[0].nodes.is_empty());
    assert_eq!(
        messages(&planned.warnings, Severity::Warning),
        ["4:3 resource `n` is not run here: its `targetState` switches it off"]
    );
}

#[test]
fn what_this_version_does_not_do_is_left_out_by_name_and_never_run_half() {
    let container = format!(
        "{}  c: {{type: 'Cybus::Container', properties: {{image: x}}}}\n",
        file("", "")
    );
    let planned = planned(&container, &Context::default());
    assert_eq!(planned.plan.services[0].http_servers[0].nodes.len(), 1);
    assert_eq!(
        messages(&planned.warnings, Severity::Warning),
        ["11:13 `Cybus::Container` is not run here: `c` is left out"]
    );
}

#[test]
fn a_node_keeps_its_rules_in_their_order() {
    let properties = "      rules: [{parse: {format: utf8}}, {filter: {expression: $}}, {cov: {}}]\n";
    let node = node(&file("", properties), &Context::default());
    let names: Vec<_> = node.rules.names().collect();
    assert_eq!(names, ["parse", "filter", "cov"]);
}

#[test]
fn the_edges_of_every_range_are_accepted() {
    let properties =
        "      qos: 2\n      transaction: {timeout: 600000, timeoutErrorCode: 599, maxInFlight: 1}\n";
    let upper = node(&file("", properties), &Context::default());
    assert_eq!(
        (
            upper.qos as u8,
            transaction_of(&upper).timeout.as_millis(),
            transaction_of(&upper).timeout_error_code
        ),
        (2, 600_000, 599)
    );
    let lower = node(
        &file("", "      transaction: {timeout: 1, timeoutErrorCode: 400}\n"),
        &Context::default(),
    );
    assert_eq!(
        (
            transaction_of(&lower).timeout.as_millis(),
            transaction_of(&lower).timeout_error_code
        ),
        (1, 400)
    );
}

#[test]
fn a_path_gets_its_slash_and_loses_the_one_at_the_end_of_the_base() {
    let text = file("", "")
        .replace("basePath: /b", "basePath: Flow/Sync/")
        .replace("route: /r", "route: r");
    let planned = planned(&text, &Context::default());
    let server = &planned.plan.services[0].http_servers[0];
    assert_eq!(
        (server.base_path.as_str(), server.nodes[0].route.as_str()),
        ("/data/Flow/Sync", "/r")
    );
}
