//! The plan for people: a table of servers, routes, nodes, endpoints, mappings and topics, each where there are any.

use std::net::SocketAddr;

use syncline::opcua;
use syncline::run::OpcuaListen;
use syncline::service::plan::{
    ConnectionProtocol, EndpointPlan, EndpointTarget, HttpNodePlan, HttpOperation, HttpScheme, NodeKind,
    OpcuaNodePlan, OpcuaOperation, Plan, RuleList, TransactionPlan,
};

use super::super::output;

/// The plan of an agent whose OPC UA server would listen there.
pub(super) fn text(plan: &Plan, listen: OpcuaListen) -> String {
    let sections = [
        section(
            "servers",
            ["SERVICE", "SERVER", "TYPE", "ADDRESS", "NODES"],
            servers(plan, listen),
        ),
        section(
            "routes",
            [
                "SERVICE",
                "METHOD",
                "URL",
                "OPERATION",
                "RULES",
                "TOPIC",
                "QOS",
                "TIMEOUT",
                "THEN",
                "MAX HELD",
            ],
            routes(plan),
        ),
        section(
            "opc ua nodes",
            [
                "SERVICE",
                "NODE ID",
                "TYPE",
                "OPERATION",
                "TOPIC",
                "QOS",
                "TIMEOUT",
                "THEN",
                "MAX HELD",
            ],
            opcua_nodes(plan),
        ),
        section(
            "endpoints",
            [
                "SERVICE",
                "ENDPOINT",
                "CONNECTION",
                "OPERATION",
                "TARGET",
                "RULES",
                "QOS",
            ],
            endpoints(plan),
        ),
        section(
            "mappings",
            ["SERVICE", "MAPPING", "FROM", "RULES", "TO", "QOS"],
            mappings(plan),
        ),
        section(
            "subscriptions",
            ["SERVICE", "RESOURCE", "FILTER", "QOS"],
            subscriptions(plan),
        ),
        section(
            "topics",
            ["SERVICE", "RESOURCE", "TOPIC", "QOS", "RETAIN"],
            publications(plan),
        ),
    ];
    let shown: Vec<String> = sections.into_iter().flatten().collect();
    match shown.is_empty() {
        true => "nothing to run here\n".to_owned(),
        false => shown.join("\n"),
    }
}

/// A title and a table, where there are rows.
fn section<const N: usize>(title: &str, heads: [&str; N], rows: Vec<[String; N]>) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let heads = heads.map(str::to_owned);
    let table = output::table(&[vec![heads], rows].concat());
    Some(format!("{title}\n{table}"))
}

fn servers(plan: &Plan, listen: OpcuaListen) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    for service in &plan.services {
        for server in &service.http_servers {
            let (address, nodes) = (server.base_path.clone(), server.nodes.len());
            rows.push(
                [
                    &service.id,
                    &server.resource,
                    "HTTP",
                    &address,
                    &nodes.to_string(),
                ]
                .map(str::to_owned),
            );
        }
        for server in &service.opcua_servers {
            let address = SocketAddr::new(listen.ip, listen.port.unwrap_or(server.port));
            let address = opcua::url(server, address);
            let nodes = server.nodes.len().to_string();
            rows.push([&service.id, &server.resource, "OPC UA", &address, &nodes].map(str::to_owned));
        }
    }
    rows
}

fn routes(plan: &Plan) -> Vec<[String; 10]> {
    let mut rows = Vec::new();
    for service in &plan.services {
        for server in &service.http_servers {
            for node in &server.nodes {
                let url = format!("{}{}", server.base_path, node.route);
                rows.push(route(&node.service, url, node));
            }
        }
    }
    rows
}

fn route(service: &str, url: String, node: &HttpNodePlan) -> [String; 10] {
    let [timeout, then, most] = match &node.operation {
        HttpOperation::Transaction { transaction, .. } => patience(transaction),
        HttpOperation::Receive { .. } | HttpOperation::Provide => no_patience(),
    };
    [
        service.to_owned(),
        node.method.to_string(),
        url,
        node.operation.name().to_owned(),
        rules(&node.rules),
        node.topic.as_str().to_owned(),
        (node.qos as u8).to_string(),
        timeout,
        then,
        most,
    ]
}

fn patience(transaction: &TransactionPlan) -> [String; 3] {
    [
        format!("{} ms", transaction.timeout.as_millis()),
        match transaction.timeout_error_code {
            code @ 0x8000_0000.. => opcua::status_name(code).unwrap_or_else(|| format!("0x{code:08X}")),
            code => code.to_string(),
        },
        transaction.max_in_flight.to_string(),
    ]
}

fn no_patience() -> [String; 3] {
    ["-", "-", "-"].map(str::to_owned)
}

fn opcua_nodes(plan: &Plan) -> Vec<[String; 9]> {
    let mut rows = Vec::new();
    for service in &plan.services {
        for node in service.opcua_servers.iter().flat_map(|server| &server.nodes) {
            rows.push(opcua_node(node));
        }
    }
    rows
}

fn opcua_node(node: &OpcuaNodePlan) -> [String; 9] {
    let (kind, operation) = match &node.kind {
        NodeKind::Object => ("Object".to_owned(), None),
        NodeKind::Method { operation, .. } => ("Method".to_owned(), operation.as_ref()),
        NodeKind::Variable {
            data_type, operation, ..
        } => (format!("Variable {}", data_type.name()), operation.as_ref()),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let [timeout, then, most] = match operation {
        Some(OpcuaOperation::Transaction { transaction, .. }) => patience(transaction),
        Some(OpcuaOperation::Exchange { .. }) | None => no_patience(),
    };
    [
        node.service.clone(),
        node.node_id.clone(),
        kind,
        or_dash(operation.map(|operation| operation.name().to_owned())),
        or_dash(operation.map(|operation| operation.topic().as_str().to_owned())),
        or_dash(operation.map(|operation| (operation.qos() as u8).to_string())),
        timeout,
        then,
        most,
    ]
}

fn endpoints(plan: &Plan) -> Vec<[String; 7]> {
    let mut rows = Vec::new();
    for connection in plan.services.iter().flat_map(|service| &service.connections) {
        for endpoint in &connection.endpoints {
            rows.push([
                endpoint.service.clone(),
                endpoint.resource.clone(),
                connection.resource.clone(),
                endpoint.operation.name().to_owned(),
                target(&connection.protocol, endpoint),
                rules(&endpoint.rules),
                (endpoint.qos as u8).to_string(),
            ]);
        }
    }
    rows
}

/// What an endpoint does, with the address of the other side.
fn target(protocol: &ConnectionProtocol, endpoint: &EndpointPlan) -> String {
    let origin = match protocol {
        ConnectionProtocol::Http(http) => {
            let scheme = match http.scheme {
                HttpScheme::Http => "http",
                HttpScheme::Https => "https",
            };
            format!("{scheme}://{}:{}{}", host(&http.host), http.port, http.prefix)
        }
        ConnectionProtocol::Mqtt(mqtt) => {
            format!("{}://{}:{}", mqtt.scheme.name(), host(&mqtt.host), mqtt.port)
        }
        ConnectionProtocol::Opcua(opcua) => opcua.url(),
    };
    match &endpoint.target {
        EndpointTarget::Http(request) => format!("{} {origin}{}", request.method, request.path),
        EndpointTarget::MqttSubscribe { filter, .. } => format!("{origin} {}", filter.as_str()),
        EndpointTarget::MqttPublish { topic, .. } => format!("{origin} {}", topic.as_str()),
        EndpointTarget::Opcua(item) => format!("{origin} {}", item.node.text()),
    }
}

fn host(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

fn rules(rules: &RuleList) -> String {
    match rules.is_empty() {
        true => "-".to_owned(),
        false => rules.names().collect::<Vec<_>>().join(", "),
    }
}

fn mappings(plan: &Plan) -> Vec<[String; 6]> {
    let mut rows = Vec::new();
    for service in &plan.services {
        for mapping in &service.mappings {
            for flow in &mapping.flows {
                // One row a subscription; what all of them share stands in the first.
                for (index, source) in flow.subscribe.iter().enumerate() {
                    let shared = |text: String| if index == 0 { text } else { String::new() };
                    rows.push([
                        shared(service.id.clone()),
                        shared(mapping.resource.clone()),
                        source.filter.as_str().to_owned(),
                        shared(rules(&flow.rules)),
                        shared(flow.publish.topic.to_string()),
                        shared((flow.publish.qos as u8).to_string()),
                    ]);
                }
            }
        }
    }
    rows
}

fn subscriptions(plan: &Plan) -> Vec<[String; 4]> {
    let subscriptions = plan.subscriptions().into_iter();
    let row = |subscription: syncline::service::plan::Subscription| {
        let qos = (subscription.qos as u8).to_string();
        [
            subscription.service,
            subscription.resource,
            subscription.filter,
            qos,
        ]
    };
    subscriptions.map(row).collect()
}

fn publications(plan: &Plan) -> Vec<[String; 5]> {
    let publications = plan.publications().into_iter();
    let row = |publication: syncline::service::plan::Publication| {
        let qos = (publication.qos as u8).to_string();
        let retain = if publication.retain { "yes" } else { "no" };
        [
            publication.service,
            publication.resource,
            publication.topic,
            qos,
            retain.to_owned(),
        ]
    };
    publications.map(row).collect()
}
