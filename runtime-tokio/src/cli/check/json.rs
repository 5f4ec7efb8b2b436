//! The plan for programs, in the shape that `docs/check.md` describes. No password and no header is in it.

use std::time::Duration;

use serde_json::{Value, json};
use syncline::service::plan::{
    ArgumentPlan, Capture, ConnectionPlan, ConnectionProtocol, EndpointOperation, EndpointPlan,
    EndpointTarget, FlowPlan, HttpNodePlan, HttpOperation, HttpScheme, HttpServerPlan, MappingPlan, NodeKind,
    OpcuaConnection, OpcuaNodePlan, OpcuaOperation, OpcuaParent, OpcuaServerPlan, Plan, RuleList,
    ServicePlan, TransactionPlan,
};
use syncline::service::{Diagnostic, Report, Severity};

/// The whole document.
pub(super) fn document(plan: Option<&Plan>, report: &Report) -> Value {
    let messages = |severity: Severity| -> Vec<Value> {
        let of_severity = report
            .diagnostics()
            .iter()
            .filter(|diagnostic| diagnostic.severity() == severity);
        of_severity.map(message).collect()
    };
    let subscriptions = plan.map(Plan::subscriptions).unwrap_or_default();
    let publications = plan.map(Plan::publications).unwrap_or_default();
    json!({
        "services": plan.map(|plan| all(&plan.services, service)).unwrap_or_default(),
        "subscriptions": all(&subscriptions, |subscription| json!({
            "service": subscription.service,
            "resource": subscription.resource,
            "filter": subscription.filter,
            "qos": subscription.qos as u8,
        })),
        "topics": all(&publications, |publication| json!({
            "service": publication.service,
            "resource": publication.resource,
            "topic": publication.topic,
            "qos": publication.qos as u8,
            "retain": publication.retain,
        })),
        "errors": messages(Severity::Error),
        "warnings": messages(Severity::Warning),
    })
}

fn all<T>(items: &[T], one: impl Fn(&T) -> Value) -> Vec<Value> {
    items.iter().map(one).collect()
}

fn message(diagnostic: &Diagnostic) -> Value {
    json!({
        "file": diagnostic.file(),
        "line": diagnostic.position().map(|position| position.line),
        "column": diagnostic.position().map(|position| position.column),
        "message": diagnostic.message(),
        "help": diagnostic.cure(),
    })
}

fn service(service: &ServicePlan) -> Value {
    json!({
        "id": service.id,
        "httpServers": all(&service.http_servers, http_server),
        "opcuaServers": all(&service.opcua_servers, opcua_server),
        "connections": all(&service.connections, connection),
        "mappings": all(&service.mappings, mapping),
    })
}

fn http_server(server: &HttpServerPlan) -> Value {
    json!({
        "resource": server.resource,
        "basePath": server.base_path,
        "requestMaxBodySize": server.request_max_body_size,
        "corsOrigins": server.cors_origins,
        "nodes": all(&server.nodes, |node| http_node(server, node)),
    })
}

fn http_node(server: &HttpServerPlan, node: &HttpNodePlan) -> Value {
    let mut shown = json!({
        "service": node.service,
        "resource": node.resource,
        "method": node.method.as_str(),
        "url": format!("{}{}", server.base_path, node.route),
        "operation": node.operation.name(),
        "topic": node.topic.as_str(),
        "qos": node.qos as u8,
        "rules": rules(&node.rules),
    });
    match &node.operation {
        HttpOperation::Transaction {
            treq,
            tres,
            transaction: patience,
        } => {
            shown["treq"] = treq.as_str().into();
            shown["tres"] = tres.as_str().into();
            shown["transaction"] = transaction(patience);
        }
        HttpOperation::Receive { retain } => shown["retain"] = (*retain).into(),
        HttpOperation::Provide => {}
    }
    shown
}

fn transaction(transaction: &TransactionPlan) -> Value {
    json!({
        "timeout": milliseconds(transaction.timeout),
        "timeoutErrorCode": transaction.timeout_error_code,
        "timeoutErrorMessage": transaction.timeout_error_message,
        "maxInFlight": transaction.max_in_flight,
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn rules(rules: &RuleList) -> Vec<&'static str> {
    rules.names().collect()
}

fn opcua_server(server: &OpcuaServerPlan) -> Value {
    json!({
        "resource": server.resource,
        "port": server.port,
        "resourcePath": server.resource_path,
        "hostname": server.hostname,
        "alternateHostname": server.alternate_hostname,
        "applicationUri": server.application_uri,
        "allowAnonymous": server.allow_anonymous,
        "securityPolicies": server.security_policies.iter().map(|policy| policy.name()).collect::<Vec<_>>(),
        "securityModes": server.security_modes.iter().map(|mode| mode.name()).collect::<Vec<_>>(),
        "nodes": all(&server.nodes, opcua_node),
    })
}

fn opcua_node(node: &OpcuaNodePlan) -> Value {
    let parent =
        node.parent.as_ref().map(
            |OpcuaParent { service, resource }| match *service == node.service {
                true => resource.clone(),
                false => format!("{service}::{resource}"),
            },
        );
    let mut shown = json!({
        "service": node.service,
        "resource": node.resource,
        "parent": parent,
        "nodeId": node.node_id,
        "browseName": node.browse_name,
        "path": node.path,
    });
    let operation = match &node.kind {
        NodeKind::Object => {
            shown["nodeType"] = "Object".into();
            None
        }
        NodeKind::Variable {
            data_type,
            value_rank,
            initial_value,
            operation,
        } => {
            shown["nodeType"] = "Variable".into();
            shown["dataType"] = data_type.name().into();
            shown["valueRank"] = (*value_rank).into();
            shown["initialValue"] = initial_value.clone().unwrap_or_default();
            operation.as_ref()
        }
        NodeKind::Method {
            input,
            output,
            operation,
        } => {
            shown["nodeType"] = "Method".into();
            shown["inputArguments"] = all(input, argument).into();
            shown["outputArguments"] = all(output, argument).into();
            operation.as_ref()
        }
    };
    if let Some(operation) = operation {
        shown["operation"] = opcua_operation(operation);
    }
    shown
}

fn argument(argument: &ArgumentPlan) -> Value {
    json!({
        "name": argument.name,
        "dataType": argument.data_type.name(),
        "valueRank": argument.value_rank,
        "description": argument.description,
    })
}

fn opcua_operation(operation: &OpcuaOperation) -> Value {
    match operation {
        OpcuaOperation::Transaction {
            topic,
            treq,
            tres,
            qos,
            transaction: patience,
            rules: list,
        } => json!({
            "kind": "transaction",
            "topic": topic.as_str(),
            "treq": treq.as_str(),
            "tres": tres.as_str(),
            "qos": *qos as u8,
            "transaction": transaction(patience),
            "rules": rules(list),
        }),
        OpcuaOperation::Exchange {
            topic,
            provides,
            receives,
            qos,
            rules: list,
        } => json!({
            "kind": "exchange",
            "topic": topic.as_str(),
            "provides": provides,
            "receives": receives,
            "qos": *qos as u8,
            "rules": rules(list),
        }),
    }
}

fn connection(connection: &ConnectionPlan) -> Value {
    let (protocol, scheme, host, port, prefix) = match &connection.protocol {
        ConnectionProtocol::Http(http) => {
            let scheme = match http.scheme {
                HttpScheme::Http => "http",
                HttpScheme::Https => "https",
            };
            ("Http", scheme, &http.host, http.port, Some(&http.prefix))
        }
        ConnectionProtocol::Mqtt(mqtt) => ("Mqtt", mqtt.scheme.name(), &mqtt.host, mqtt.port, None),
        ConnectionProtocol::Opcua(opcua) => (
            "Opcua",
            OpcuaConnection::SCHEME,
            &opcua.host,
            opcua.port,
            Some(&opcua.path),
        ),
    };
    let strategy = &connection.strategy;
    let session = match &connection.protocol {
        ConnectionProtocol::Http(_) => Value::Null,
        ConnectionProtocol::Mqtt(mqtt) => json!({
            "clientId": mqtt.client_id,
            "cleanSession": mqtt.clean_session,
            "keepalive": mqtt.keep_alive.as_secs(),
            "will": mqtt.will.as_ref().map(|will| json!({
                "topic": will.topic.as_str(),
                "qos": will.qos as u8,
                "retain": will.retain,
            })),
        }),
        ConnectionProtocol::Opcua(opcua) => json!({
            "securityPolicy": opcua.policy.name(),
            "securityMode": opcua.mode.name(),
            "username": opcua.login.as_ref().map(|login| login.username.as_str()),
        }),
    };
    json!({
        "resource": connection.resource,
        "protocol": protocol,
        "scheme": scheme,
        "host": host,
        "port": port,
        "prefix": prefix,
        "session": session,
        "connectionStrategy": {
            "initialDelay": milliseconds(strategy.initial_delay),
            "incrementFactor": strategy.increment_factor,
            "maxDelay": milliseconds(strategy.max_delay),
        },
        "endpoints": all(&connection.endpoints, endpoint),
    })
}

fn endpoint(endpoint: &EndpointPlan) -> Value {
    let target = match &endpoint.target {
        EndpointTarget::Http(request) => {
            let repeats = matches!(endpoint.operation, EndpointOperation::Subscribe { .. });
            json!({
                "method": request.method.as_str(),
                "path": request.path,
                "interval": repeats.then(|| milliseconds(request.interval)),
            })
        }
        EndpointTarget::MqttSubscribe {
            filter,
            captures,
            qos,
        } => json!({
            "filter": filter.as_str(),
            "captures": all(captures, capture),
            "qos": *qos as u8,
        }),
        EndpointTarget::MqttPublish { topic, qos, retain } => {
            json!({ "topic": topic.as_str(), "qos": *qos as u8, "retain": retain })
        }
        EndpointTarget::Opcua(item) => {
            let follows = matches!(endpoint.operation, EndpointOperation::Subscribe { .. });
            json!({
                "node": item.node.text(),
                "publishInterval": follows.then(|| milliseconds(item.publish_interval)),
                "samplingInterval": item.sampling_interval.filter(|_| follows).map(milliseconds),
            })
        }
    };
    json!({
        "service": endpoint.service,
        "resource": endpoint.resource,
        "operation": endpoint.operation.name(),
        "listensTo": endpoint.operation.listens_to().map(|topic| topic.as_str()),
        "publishesTo": endpoint.operation.publishes_to().as_str(),
        "qos": endpoint.qos as u8,
        "retain": endpoint.retain,
        "target": target,
        "rules": rules(&endpoint.rules),
    })
}

fn capture(capture: &Capture) -> Value {
    json!({ "level": capture.level, "name": capture.name })
}

fn mapping(mapping: &MappingPlan) -> Value {
    json!({ "resource": mapping.resource, "flows": all(&mapping.flows, flow) })
}

fn flow(flow: &FlowPlan) -> Value {
    let source = |source: &syncline::service::plan::FlowSource| {
        json!({
            "filter": source.filter.as_str(),
            "captures": all(&source.captures, capture),
            "qos": source.qos as u8,
            "label": source.label,
        })
    };
    json!({
        "subscribe": all(&flow.subscribe, source),
        "rules": rules(&flow.rules),
        "publish": {
            "topic": flow.publish.topic.to_string(),
            "qos": flow.publish.qos as u8,
            "retain": flow.publish.retain,
        },
    })
}
