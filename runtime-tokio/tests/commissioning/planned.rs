//! What correct nodes, connections, endpoints and mappings are planned as: defaults, topics, references, placement.

use std::time::Duration;

use syncline::service::plan::{
    ConnectionProtocol, EndpointTarget, HttpConnection, HttpOperation, HttpScheme, MqttScheme, NodeKind,
    OpcuaOperation, Plan, ServicePlan,
};
use syncline::service::{Context, Planned, Severity, Source, plan_sources};

use super::{messages, plan, plan_with};

const NODES: &str = "metadata: {name: t}
resources:
  h: {type: 'Cybus::Server::Http'}
  held: {type: 'Cybus::Node::Http', properties: {parent: !ref h, method: POST, route: /held, operation: transaction}}
  taken: {type: 'Cybus::Node::Http', properties: {parent: !ref h, method: PUT, route: /taken, retain: true, topic: a/b}}
  given: {type: 'Cybus::Node::Http', properties: {parent: !ref h, method: GET, route: /given}}
  s: {type: 'Cybus::Server::Opcua'}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  set: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Double, operation: transaction}}
  shown: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Variable, dataType: Double, operation: serverProvides}}
  c: {type: 'Cybus::Connection', properties: {protocol: Http, connection: {host: a, port: 8080}}}
  polled: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, subscribe: {path: x, interval: 500}}}
  asked: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, read: {path: /x}, topic: y}}
  written: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref c, write: {path: /x, method: put}}}
";

fn planned(text: &str) -> Planned {
    plan_with(text, &Context::default()).unwrap_or_else(|report| panic!("{report}"))
}

fn service(text: &str) -> ServicePlan {
    planned(text).plan.services.remove(0)
}

/// A mapping from a topic to each of `targets`, and from each of `sources` to a topic.
fn mapping(sources: &[&str], targets: &[&str]) -> String {
    let from = sources
        .iter()
        .map(|source| format!("{{subscribe: {{endpoint: !ref {source}}}, publish: {{topic: x}}}}"));
    let to = targets
        .iter()
        .map(|target| format!("{{subscribe: {{topic: x}}, publish: {{endpoint: !ref {target}}}}}"));
    let items: Vec<String> = from.chain(to).collect();
    format!(
        "  m: {{type: 'Cybus::Mapping', properties: {{mappings: [{}]}}}}\n",
        items.join(", ")
    )
}

#[test]
fn a_mapping_uses_the_topic_that_a_resource_has_for_its_direction() {
    let sources = [
        "held", "taken", "given", "set", "shown", "polled", "asked", "written",
    ];
    let targets = ["held", "taken", "given", "set", "shown", "asked", "written"];
    let service = service(&format!("{NODES}{}", mapping(&sources, &targets)));
    let topics: Vec<String> = service.mappings[0]
        .flows
        .iter()
        .map(|flow| match flow.subscribe[0].filter.as_str() {
            "x" => format!("> {}", flow.publish.topic),
            filter => format!("< {filter}"),
        })
        .collect();
    let expected = [
        "< services/t/held/treq",
        "< services/t/a/b",
        "< services/t/given",
        "< services/t/set/treq",
        "< services/t/shown",
        "< services/t/polled",
        "< services/t/y/res",
        "< services/t/written/res",
        "> services/t/held/tres",
        "> services/t/a/b",
        "> services/t/given",
        "> services/t/set/tres",
        "> services/t/shown",
        "> services/t/y/req",
        "> services/t/written/set",
    ];
    assert_eq!(topics, expected);
}

#[test]
fn without_operation_post_and_put_receive_and_get_provides() {
    let service = service(NODES);
    let operations: Vec<_> = service.http_servers[0]
        .nodes
        .iter()
        .map(|node| (node.operation.name(), node.topic.as_str()))
        .collect();
    assert_eq!(
        operations,
        [
            ("transaction", "services/t/held"),
            ("receive", "services/t/a/b"),
            ("provide", "services/t/given"),
        ]
    );
    let receive = &service.http_servers[0].nodes[1].operation;
    assert_eq!(*receive, HttpOperation::Receive { retain: true });
}

fn http(text: &str) -> HttpConnection {
    match service(text).connections.remove(0).protocol {
        ConnectionProtocol::Http(http) => *http,
        ConnectionProtocol::Mqtt(_) | ConnectionProtocol::Opcua(_) => panic!("expected HTTP"),
    }
}

fn http_with(connection: &str) -> HttpConnection {
    http(&format!(
        "metadata: {{name: t}}\nresources:\n  c: {{type: 'Cybus::Connection', properties: {{protocol: Http, connection: {{host: a{connection}}}}}}}\n"
    ))
}

#[test]
fn the_scheme_follows_the_port_and_the_port_the_scheme() {
    for (connection, scheme, port) in [
        ("", HttpScheme::Https, 443),
        (", port: 443", HttpScheme::Https, 443),
        (", port: 8080", HttpScheme::Http, 8080),
        (", scheme: http", HttpScheme::Http, 80),
        (", scheme: https, port: 8443", HttpScheme::Https, 8443),
    ] {
        let http = http_with(connection);
        assert_eq!((http.scheme, http.port), (scheme, port), "{connection}");
    }
}

#[test]
fn a_connection_has_the_documented_defaults() {
    let http = http_with("");
    assert_eq!(http.prefix, "");
    assert_eq!(
        (http.probe.interval, http.probe.timeout),
        (Duration::from_secs(10), None)
    );
    assert_eq!(http.probe.path, "/");
    let strategy = service(NODES).connections[0].strategy;
    assert_eq!(
        (
            strategy.initial_delay,
            strategy.increment_factor,
            strategy.max_delay
        ),
        (Duration::from_secs(1), 2.0, Duration::from_secs(30))
    );
}

#[test]
fn credentials_are_read_and_never_shown() {
    let text = ", auth: {username: u, password: s3cret}, headers: {Authorization: Bearer s3cret}, query: {key: s3cret}";
    let http = http_with(text);
    assert_eq!(http.auth.as_ref().unwrap().password.expose(), "s3cret");
    assert_eq!(http.headers[0].1.expose(), "Bearer s3cret");
    assert!(!format!("{http:?}").contains("s3cret"));
    let wrong = "metadata: {name: t}\ndefinitions: {pin: 4711}\nresources:\n  c: {type: 'Cybus::Connection', properties: {protocol: \
                 Http, connection: {host: a, auth: {username: u, password: !ref pin}}}}\n";
    let report = plan_with(wrong, &Context::default()).unwrap_err();
    assert_eq!(
        messages(&report, Severity::Error),
        ["4:120 `password`: expected a text; put it in quotes"]
    );
}

#[test]
fn another_broker_is_subscribed_to_with_wildcards_and_published_to_without() {
    let service = service(
        "metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: b, scheme: tls, port: 8883, username: u}}}
  in: {type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref c, subscribe: {topic: 'a/+/#', qos: 1}}}
  out: {type: 'Cybus::Endpoint', properties: {protocol: Mqtt, connection: !ref c, write: {topic: d, retain: true}, qos: 2}}
",
    );
    let connection = &service.connections[0];
    let ConnectionProtocol::Mqtt(mqtt) = &connection.protocol else {
        panic!("expected MQTT");
    };
    assert_eq!((mqtt.scheme, mqtt.port), (MqttScheme::Mqtts, 8883));
    let targets: Vec<String> = connection
        .endpoints
        .iter()
        .map(|endpoint| match &endpoint.target {
            EndpointTarget::MqttSubscribe { filter, qos, .. } => {
                format!("{} {}", filter.as_str(), *qos as u8)
            }
            EndpointTarget::MqttPublish { topic, qos, retain } => {
                format!("{} {} {retain}", topic.as_str(), *qos as u8)
            }
            EndpointTarget::Http(_) | EndpointTarget::Opcua(_) => panic!("expected MQTT"),
        })
        .collect();
    assert_eq!(targets, ["a/+/# 1", "d 0 true"]);
}

#[test]
fn a_url_goes_before_host_port_and_scheme() {
    let text = "metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {url: 'mqtts://b:8883', host: a, cleanSession: false}}}
";
    let Planned { plan, warnings } = plan(text).unwrap();
    let ConnectionProtocol::Mqtt(mqtt) = &plan.services[0].connections[0].protocol else {
        panic!("expected MQTT");
    };
    assert_eq!(
        (mqtt.scheme, mqtt.host.as_str(), mqtt.port, mqtt.clean_session),
        (MqttScheme::Mqtts, "b", 8883, false)
    );
    assert_eq!(
        messages(&warnings, Severity::Warning),
        ["3:99 `host` has no effect beside `url`"]
    );
}

#[test]
fn what_tls_and_a_will_say_of_another_broker_is_planned() {
    let text = "metadata: {name: t}
resources:
  c:
    type: Cybus::Connection
    properties:
      protocol: Mqtt
      connection:
        {host: b, scheme: mqtts, mutualAuthentication: true, will: {topic: a/gone, payload: bye, qos: 1, retain: true}}
  plain: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: b, trustAllCertificates: true}}}
";
    let Planned { plan, warnings } = plan(text).unwrap();
    let ConnectionProtocol::Mqtt(mqtt) = &plan.services[0].connections[0].protocol else {
        panic!("expected MQTT");
    };
    assert!(mqtt.tls.mutual_authentication && mqtt.tls.identity.is_none());
    let will = mqtt.will.as_ref().expect("a will");
    assert_eq!(
        (
            will.topic.as_str(),
            &will.payload[..],
            will.qos as u8,
            will.retain
        ),
        ("a/gone", &b"bye"[..], 1, true)
    );
    assert_eq!(
        messages(&warnings, Severity::Warning),
        [
            "8:9 no port is named, so TLS is tried on port 1883, which mostly goes without; add `port: 8883`",
            "9:89 `trustAllCertificates` has no effect without `scheme: mqtts`",
        ]
    );
}

#[test]
fn a_warning_is_given_where_rules_may_put_an_end_to_what_goes_round() {
    let text = "metadata: {name: t}
resources:
  c: {type: 'Cybus::Connection', properties: {protocol: Mqtt, connection: {host: 127.0.0.1}}}
  in:
    type: Cybus::Endpoint
    properties: {protocol: Mqtt, connection: !ref c, subscribe: {topic: '#'}, rules: [filter: {expression: 'fresh'}]}
";
    let context = Context {
        mqtt_host: Some("localhost".to_owned()),
        mqtt_port: Some(1883),
        ..Context::default()
    };
    let Planned { warnings, .. } = plan_with(text, &context).unwrap();
    assert_eq!(
        messages(&warnings, Severity::Warning),
        [
            "4:3 messages of `in` would go round for ever: its broker is the agent's own, and what it publishes on \
             `services/t/in` is what it subscribes to"
        ]
    );
    let elsewhere = Context {
        mqtt_port: Some(1884),
        ..context
    };
    let Planned { warnings, .. } = plan_with(text, &elsewhere).unwrap();
    assert_eq!(messages(&warnings, Severity::Warning), Vec::<String>::new());
}

#[test]
fn a_topic_has_named_wildcards_and_variables() {
    let service = service(
        "metadata: {name: t}
resources:
  m:
    type: Cybus::Mapping
    properties:
      mappings:
        - subscribe:
            - {topic: 'line/+line/+/+machine', label: first}
            - {topic: '${Cybus::MqttRoot}/x', qos: 2}
          publish: {topic: 'out/{line}-{machine}/{kind}{', qos: 1, retain: true}
          rules:
            - setContextVars: {vars: {kind: $.kind}}
",
    );
    let flow = &service.mappings[0].flows[0];
    let source = &flow.subscribe[0];
    assert_eq!(source.filter.as_str(), "line/+/+/+");
    let captures: Vec<_> = source
        .captures
        .iter()
        .map(|capture| (capture.level, capture.name.as_str()))
        .collect();
    assert_eq!(captures, [(1, "line"), (3, "machine")]);
    assert_eq!(source.label.as_deref(), Some("first"));
    assert_eq!(flow.subscribe[1].filter.as_str(), "services/t/x");
    assert_eq!(flow.publish.topic.to_string(), "out/{line}-{machine}/{kind}{");
    assert_eq!(
        flow.publish.topic.variables().collect::<Vec<_>>(),
        ["line", "machine", "kind"]
    );
    assert!(flow.publish.retain && flow.publish.qos as u8 == 1);
}

#[test]
fn services_refer_to_each_other_in_any_order() {
    let other = "metadata: {name: Back End}\nresources:\n  c: {type: 'Cybus::Connection', properties: {protocol: Http, \
                 connection: {host: a}}}\n";
    let own = "metadata: {name: t}\nresources:\n  e: {type: 'Cybus::Endpoint', properties: {protocol: Http, connection: !ref \
               'backend::c', write: {path: /}}}\n";
    let mapping = "metadata: {name: glue}\nresources:\n  m: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: \
                   {topic: a}, publish: {endpoint: !ref 't::e'}}]}}\n";
    for order in [[other, own, mapping], [mapping, own, other]] {
        let sources = order.map(|text| Source::new("case.yml", text)).into();
        let plan: Plan = plan_sources(sources, &Context::default())
            .unwrap_or_else(|report| panic!("{report}"))
            .plan;
        let connection = plan
            .services
            .iter()
            .flat_map(|service| &service.connections)
            .next()
            .unwrap();
        let endpoint = &connection.endpoints[0];
        assert_eq!(
            (endpoint.service.as_str(), endpoint.resource.as_str()),
            ("t", "e")
        );
        let flow = &plan
            .services
            .iter()
            .flat_map(|service| &service.mappings)
            .next()
            .unwrap()
            .flows[0];
        assert_eq!(flow.publish.topic.to_string(), "services/t/e/set");
    }
}

#[test]
fn what_another_agent_runs_keeps_its_topics() {
    let text = format!(
        "{}{}",
        NODES.replace(
            "{host: a, port: 8080}",
            "{host: a, port: 8080}, agentName: press-2"
        ),
        mapping(&["polled"], &[])
    );
    let context = Context {
        agent_name: Some("press-1".to_owned()),
        ..Context::default()
    };
    let planned = plan_with(&text, &context).unwrap_or_else(|report| panic!("{report}"));
    let service = &planned.plan.services[0];
    assert!(service.connections.is_empty());
    assert_eq!(
        service.mappings[0].flows[0].subscribe[0].filter.as_str(),
        "services/t/polled"
    );
    let warnings = messages(&planned.warnings, Severity::Warning);
    for expected in [
        "11:3 resource `c` is not run here: it belongs to the agent `press-2`",
        "12:3 resource `polled` is not run here: its connection `c` is left out",
    ] {
        assert!(warnings.iter().any(|warning| warning == expected), "{warnings:?}");
    }
}

#[test]
fn a_protocol_that_is_not_spoken_is_named_and_its_endpoints_keep_their_topics() {
    let planned = planned(&format!(
        "metadata: {{name: t}}
resources:
  c: {{type: 'Cybus::Connection', properties: {{protocol: Modbus, connection: {{host: a, unitId: 1}}}}}}
  own: {{type: 'Cybus::Connection', properties: {{protocol: Mtsics, connection: {{host: a}}}}}}
  e: {{type: 'Cybus::Endpoint', properties: {{protocol: Modbus, connection: !ref c, subscribe: {{fc: 3, address: 100}}}}}}
{}",
        mapping(&["e"], &[])
    ));
    let warnings = messages(&planned.warnings, Severity::Warning);
    for expected in [
        "3:3 resource `c` is not run here: the protocol `Modbus` is not spoken, only `Http`, `Mqtt` or `Opcua`",
        "4:3 resource `own` is not run here: the protocol `Mtsics` is not spoken, only `Http`, `Mqtt` or `Opcua`",
        "5:3 resource `e` is not run here: its connection `c` is left out",
    ] {
        assert!(warnings.iter().any(|warning| warning == expected), "{warnings:?}");
    }
    let flow = &planned.plan.services[0].mappings[0].flows[0];
    assert_eq!(flow.subscribe[0].filter.as_str(), "services/t/e");
}

#[test]
fn opc_ua_nodes_come_after_their_parents_and_have_names_by_default() {
    let text = "metadata: {name: t}
resources:
  leaf: {type: 'Cybus::Node::Opcua', properties: {parent: !ref branch, nodeType: Variable, dataType: Int64, initialValue: '9007199254740993'}}
  branch: {type: 'Cybus::Node::Opcua', properties: {parent: !ref root, nodeType: Object, nodeId: 'ns=2;i=7', browseName: Branch}}
  root: {type: 'Cybus::Node::Opcua', properties: {parent: !ref s, nodeType: Object}}
  s: {type: 'Cybus::Server::Opcua', properties: {hostname: plant, allowAnonymous: true}}
";
    let server = service(text).opcua_servers.remove(0);
    assert_eq!(
        (server.port, server.resource_path.as_str()),
        (4841, "/UA/CybusOpcuaServer")
    );
    let nodes: Vec<_> = server
        .nodes
        .iter()
        .map(|node| {
            (
                node.node_id.as_str(),
                node.browse_name.as_str(),
                node.parent.as_ref().map(|parent| parent.resource.as_str()),
            )
        })
        .collect();
    assert_eq!(
        nodes,
        [
            ("ns=1;s=root", "root", None),
            ("ns=2;i=7", "Branch", Some("root")),
            ("ns=1;s=leaf", "leaf", Some("branch")),
        ]
    );
}

#[test]
fn a_timeout_code_that_opc_ua_would_read_as_good_is_replaced_with_a_warning() {
    let text = NODES.replace(
        "dataType: Double, operation: transaction",
        "dataType: Double, operation: transaction, transaction: {timeoutErrorCode: 500}",
    );
    let planned = planned(&text);
    let node = planned.plan.services[0].opcua_servers[0]
        .nodes
        .iter()
        .find(|node| node.resource == "set")
        .unwrap();
    let NodeKind::Variable {
        operation: Some(OpcuaOperation::Transaction { transaction, .. }),
        ..
    } = &node.kind
    else {
        panic!("expected a transaction, found {node:?}");
    };
    assert_eq!(transaction.timeout_error_code, 0x800A_0000);
    let warnings = messages(&planned.warnings, Severity::Warning);
    let expected = "9:131 `timeoutErrorCode`: 500 is no StatusCode of the severity Bad, clients are told BadTimeout (2148139008)";
    assert!(warnings.iter().any(|warning| warning == expected), "{warnings:?}");
}
