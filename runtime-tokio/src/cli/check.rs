//! `syncline check`: the plan as a table or as JSON, or every mistake.

use serde_json::{Value, json};
use syncline::config::{self, Environment};
use syncline::service::{self, Diagnostic, HttpNodePlan, HttpServerPlan, Plan, Planned, Report, Severity};

use super::exit::Exit;
use super::{live, output};

pub(super) fn main(check: super::Check, environment: &Environment) -> Exit {
    if check.live {
        return live::main(&check.overrides, environment);
    }
    let mut context = match config::load(&check.overrides.0, environment) {
        Ok(loaded) => {
            output::warnings(&loaded.warnings);
            loaded.config.service_context()
        }
        Err(error) => return output::configuration(&error),
    };
    context.parameters = check
        .set
        .into_iter()
        .map(|parameter| (parameter.name, parameter.value))
        .collect();
    let outcome = service::plan_files(&check.files, &context);
    if check.json {
        let (document, exit) = match &outcome {
            Ok(planned) => (json(Some(&planned.plan), &planned.warnings), Exit::Ok),
            Err(report) => (json(None, report), Exit::Configuration),
        };
        return match output::data(&format!("{document:#}\n")) {
            Exit::Ok => exit,
            unwritten => unwritten,
        };
    }
    match outcome {
        Ok(Planned { plan, warnings }) => {
            output::diagnostics(&warnings.render(output::paint()));
            let written = output::data(&text(&plan));
            if plan
                .services
                .iter()
                .any(|service| !service.http_servers.is_empty())
            {
                let files: Vec<String> = check
                    .files
                    .iter()
                    .map(|file| format!("--service {}", file.display()))
                    .collect();
                output::diagnostics(&format!("next: syncline run {}\n", files.join(" ")));
            }
            written
        }
        Err(report) => {
            output::diagnostics(&report.render(output::paint()));
            output::diagnostics(&summary(&report));
            Exit::Configuration
        }
    }
}

/// The last line of a failed check or start.
pub(super) fn summary(report: &Report) -> String {
    match report.errors() {
        1 => "1 error\n".to_owned(),
        errors => format!("{errors} errors\n"),
    }
}

fn text(plan: &Plan) -> String {
    let titles = [
        "SERVICE", "METHOD", "URL", "TOPIC", "QOS", "TIMEOUT", "THEN", "MAX HELD",
    ];
    let mut rows = vec![titles.map(str::to_owned)];
    for service in &plan.services {
        for server in &service.http_servers {
            rows.extend(server.nodes.iter().map(|node| {
                [
                    service.id.clone(),
                    node.method.to_string(),
                    url(server, node),
                    node.topic.clone(),
                    (node.qos as u8).to_string(),
                    format!("{} ms", node.transaction.timeout.as_millis()),
                    node.transaction.timeout_error_code.to_string(),
                    node.transaction.max_in_flight.to_string(),
                ]
            }));
        }
    }
    match rows.len() {
        1 => "nothing to run here\n".to_owned(),
        _ => output::table(&rows),
    }
}

fn url(server: &HttpServerPlan, node: &HttpNodePlan) -> String {
    format!("{}{}", server.base_path, node.route)
}

fn json(plan: Option<&Plan>, report: &Report) -> Value {
    let messages = |severity: Severity| -> Vec<Value> {
        let of_severity = report
            .diagnostics()
            .iter()
            .filter(|diagnostic| diagnostic.severity() == severity);
        of_severity.map(message).collect()
    };
    json!({
        "services": plan.map(services).unwrap_or_default(),
        "errors": messages(Severity::Error),
        "warnings": messages(Severity::Warning),
    })
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

fn services(plan: &Plan) -> Vec<Value> {
    let servers = |servers: &[HttpServerPlan]| -> Vec<Value> {
        let server = |server: &HttpServerPlan| {
            let nodes: Vec<Value> = server.nodes.iter().map(|planned| node(server, planned)).collect();
            json!({
                "resource": server.resource,
                "basePath": server.base_path,
                "requestMaxBodySize": server.request_max_body_size,
                "nodes": nodes,
            })
        };
        servers.iter().map(server).collect()
    };
    plan.services
        .iter()
        .map(|service| json!({ "id": service.id, "httpServers": servers(&service.http_servers) }))
        .collect()
}

fn node(server: &HttpServerPlan, node: &HttpNodePlan) -> Value {
    json!({
        "resource": node.resource,
        "method": node.method.as_str(),
        "url": url(server, node),
        "topic": node.topic,
        "treq": node.treq.as_str(),
        "tres": node.tres.as_str(),
        "qos": node.qos as u8,
        "transaction": {
            "timeout": u64::try_from(node.transaction.timeout.as_millis()).unwrap_or(u64::MAX),
            "timeoutErrorCode": node.transaction.timeout_error_code,
            "timeoutErrorMessage": node.transaction.timeout_error_message,
            "maxInFlight": node.transaction.max_in_flight,
        },
    })
}
