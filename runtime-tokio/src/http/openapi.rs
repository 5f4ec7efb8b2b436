//! `/openapi.json`: what the HTTP servers of a plan take and answer, as an `OpenAPI` 3.1 document.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::service::plan::{HttpNodePlan, HttpOperation, HttpServerPlan, Plan};

/// Where it is served.
pub(super) const PATH: &str = "/openapi.json";

/// Media types that a node takes.
const TEXT_TYPES: [&str; 4] = ["text/plain", "text/xml", "application/xml", "text/csv"];

/// The document of all HTTP nodes of `plan`; `protected` says whether they need a login.
#[must_use]
pub fn document(plan: &Plan, protected: bool) -> Bytes {
    let mut paths = Map::new();
    for service in &plan.services {
        for server in &service.http_servers {
            for node in &server.nodes {
                let path = format!("{}{}", server.base_path, node.route);
                let operation = operation(&node.service, server, node);
                let method = node.method.as_str().to_ascii_lowercase();
                let entry = paths.entry(path).or_insert_with(|| json!({}));
                entry[method] = operation;
            }
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "syncline", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {
                        "error": {
                            "type": "object",
                            "required": ["code", "message"],
                            "properties": { "code": { "type": "integer" }, "message": { "type": "string" } },
                        },
                    },
                },
            },
        },
    });
    if protected {
        document["components"]["securitySchemes"] = json!({
            "basic": { "type": "http", "scheme": "basic" },
            "bearer": { "type": "http", "scheme": "bearer" },
        });
        document["security"] = json!([{ "basic": [] }, { "bearer": [] }]);
    }
    document.to_string().into()
}

fn operation(service: &str, server: &HttpServerPlan, node: &HttpNodePlan) -> Value {
    let mut responses = json!({ "default": error("another error") });
    let summary = match &node.operation {
        HttpOperation::Transaction { transaction, .. } => {
            responses["200"] = any_json("the value of the reply");
            responses[transaction.timeout_error_code.to_string()] = error(&transaction.timeout_error_message);
            format!(
                "publishes the request and is held until its reply has come, {} ms at most",
                transaction.timeout.as_millis()
            )
        }
        HttpOperation::Receive { .. } => {
            responses["200"] = json!({ "description": "the broker has the message" });
            if !node.rules.is_empty() {
                responses["202"] = json!({ "description": "the message waits for its batch" });
                responses["204"] = json!({ "description": "a rule stopped the message" });
            }
            "publishes what is sent".to_owned()
        }
        HttpOperation::Provide => {
            responses["200"] = any_json("the last value");
            responses["404"] = error("there is no value yet");
            "answers with the last value".to_owned()
        }
    };
    if !(node.rules.is_empty() || matches!(node.operation, HttpOperation::Provide)) {
        responses["422"] = error("the node's rules do not let it pass");
    }
    responses["503"] = error(
        "there is no connection to the broker or it has not confirmed the node's subscription, too many requests are held, or this agent \
         is stopping; `Retry-After` says when to try again, and without it the request may have been carried out or published: find out \
         before sending it again",
    );
    let mut operation = json!({
        "operationId": format!("{service}.{}", node.resource),
        "tags": [service],
        "summary": summary,
        "responses": responses,
    });
    let has_body = !matches!(
        node.method,
        http::Method::GET | http::Method::HEAD | http::Method::TRACE
    );
    if has_body && !matches!(node.operation, HttpOperation::Provide) {
        let mut content = Map::new();
        content.insert("application/json".to_owned(), json!({ "schema": true }));
        for name in TEXT_TYPES {
            content.insert(name.to_owned(), json!({ "schema": { "type": "string" } }));
        }
        content.insert("application/octet-stream".to_owned(), json!({}));
        operation["requestBody"] = json!({
            "description": format!("at most {} bytes", server.request_max_body_size),
            "content": content,
        });
    }
    operation
}

fn any_json(description: &str) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": true } } })
}

fn error(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Error" });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Context, Source, plan_sources};

    const SERVICE: &str = "metadata: {name: plant}
resources:
  s: {type: 'Cybus::Server::Http', properties: {basePath: /p, requestMaxBodySize: 7}}
  ask: {type: 'Cybus::Node::Http', properties: {parent: !ref s, method: PUT, route: /x, operation: transaction, transaction: {timeoutErrorCode: 504}}}
  read: {type: 'Cybus::Node::Http', properties: {parent: !ref s, method: GET, route: /x}}
  write: {type: 'Cybus::Node::Http', properties: {parent: !ref s, method: POST, route: /x, rules: [{cov: {}}]}}
";

    fn documented(protected: bool) -> Value {
        let planned = plan_sources(vec![Source::new("a.yml", SERVICE)], &Context::default()).unwrap();
        serde_json::from_slice(&document(&planned.plan, protected)).unwrap()
    }

    #[test]
    fn every_node_is_an_operation_of_its_path() {
        let document = documented(false);
        let path = &document["paths"]["/data/p/x"];
        assert_eq!(path["put"]["operationId"], "plant.ask");
        assert_eq!(
            path["put"]["responses"]["504"]["description"],
            "Request timed out while waiting for response"
        );
        assert_eq!(path["put"]["requestBody"]["description"], "at most 7 bytes");
        assert_eq!(path["get"]["operationId"], "plant.read");
        assert!(path["get"]["requestBody"].is_null());
        assert!(document["security"].is_null());
    }

    #[test]
    fn what_rules_answer_is_documented_where_there_are_rules() {
        let document = documented(false);
        let statuses = |method: &str| -> Vec<String> {
            let responses = &document["paths"]["/data/p/x"][method]["responses"];
            let mut statuses: Vec<_> = responses.as_object().unwrap().keys().cloned().collect();
            statuses.sort();
            statuses
        };
        assert_eq!(statuses("post"), ["200", "202", "204", "422", "503", "default"]);
        assert_eq!(statuses("get"), ["200", "404", "503", "default"]);
        assert_eq!(statuses("put"), ["200", "503", "504", "default"]);
    }

    #[test]
    fn a_login_is_documented_where_one_is_needed() {
        assert_eq!(
            documented(true)["security"],
            json!([{ "basic": [] }, { "bearer": [] }])
        );
    }
}
