//! `syncline status`, `health` and `flow`: what a running agent is asked over the socket in its data folder.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use syncline::admin::{AskError, LOOK_TIME, ask};
use syncline::config::{self, Config, Environment};
use syncline::status::Snapshot;

use super::exit::Exit;
use super::flags::Overrides;
use super::{Flow, FlowCommand, Health, Probe, Status, output, progress, run};

/// Time for a call whatever its node allows.
const CALL_TIME: Duration = Duration::from_secs(60 * 60);

pub(super) fn status(status: &Status, environment: &Environment) -> Exit {
    match snapshot(&status.overrides, environment) {
        Err(exit) => exit,
        Ok((_, bytes)) if status.json => output::data(&String::from_utf8_lossy(&bytes)),
        Ok((snapshot, _)) => output::data(&snapshot.to_string()),
    }
}

pub(super) fn health(health: &Health, environment: &Environment) -> Exit {
    let target = match health.probe {
        Probe::Live => "/livez",
        Probe::Ready => "/readyz",
    };
    let answer = request(&health.overrides, environment, |config| {
        run::one_shot(exchange(&config, Method::GET, target, Bytes::new(), LOOK_TIME))
    });
    match answer {
        Err(exit) => exit,
        Ok((StatusCode::OK, _)) => Exit::Ok,
        Ok((_, body)) => {
            let reasons = serde_json::from_slice::<Value>(&body).unwrap_or_default();
            for reason in reasons["reasons"].as_array().into_iter().flatten() {
                output::error(reason.as_str().unwrap_or_default());
            }
            Exit::Failure
        }
    }
}

pub(super) fn flow(flow: &Flow, environment: &Environment) -> Exit {
    match &flow.command {
        FlowCommand::List { json, overrides } => match snapshot(overrides, environment) {
            Err(exit) => exit,
            Ok((snapshot, _)) if *json => match serde_json::to_string(&served(&snapshot)) {
                Ok(nodes) => output::data(&format!("{nodes}\n")),
                Err(error) => run::failed(&error.to_string()),
            },
            Ok((snapshot, _)) => output::data(&nodes(&snapshot)),
        },
        FlowCommand::Call {
            node,
            value,
            overrides,
        } => call(node, value, overrides, environment),
    }
}

fn call(node: &str, value: &str, overrides: &Overrides, environment: &Environment) -> Exit {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("node", node)
        .finish();
    let body = Bytes::copy_from_slice(value.as_bytes());
    let answer = request(overrides, environment, |config| {
        let target = format!("/call?{query}");
        let call = exchange(&config, Method::POST, &target, body, CALL_TIME);
        run::one_shot(progress::shown("waiting for the answer", call))
    });
    match answer {
        Err(exit) => exit,
        Ok((StatusCode::OK, value)) => output::data(&format!("{}\n", String::from_utf8_lossy(&value))),
        Ok((status, body)) => {
            let said = serde_json::from_slice::<Value>(&body).unwrap_or_default();
            output::error(said["error"].as_str().unwrap_or(status.as_str()));
            match status {
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::PAYLOAD_TOO_LARGE => {
                    Exit::Usage
                }
                StatusCode::SERVICE_UNAVAILABLE => Exit::Temporary,
                _ => Exit::Failure,
            }
        }
    }
}

/// All nodes: those that hold requests can be called.
fn served(snapshot: &Snapshot) -> Vec<Value> {
    let transactions = snapshot.nodes.iter().filter_map(|node| {
        let mut node = serde_json::to_value(node).ok()?;
        node["operation"] = "transaction".into();
        Some(node)
    });
    let exchanges = snapshot.exchanges.iter();
    transactions
        .chain(exchanges.filter_map(|node| serde_json::to_value(node).ok()))
        .collect()
}

fn nodes(snapshot: &Snapshot) -> String {
    let names = [
        "SERVICE",
        "NODE",
        "OPERATION",
        "METHOD",
        "URL",
        "TOPIC",
        "HELD",
        "STATE",
    ];
    let state = |ready| if ready { "ready" } else { "waits for the broker" }.to_owned();
    let mut rows = vec![names.map(str::to_owned)];
    rows.extend(snapshot.nodes.iter().map(|node| {
        [
            node.service.clone(),
            node.resource.clone(),
            "transaction".to_owned(),
            node.method.clone(),
            node.url.clone(),
            node.topic.clone(),
            node.in_flight.to_string(),
            state(node.ready),
        ]
    }));
    rows.extend(snapshot.exchanges.iter().map(|node| {
        [
            node.service.clone(),
            node.resource.clone(),
            node.operation.clone(),
            node.method.clone(),
            node.url.clone(),
            node.topic.clone(),
            "-".to_owned(),
            state(node.ready),
        ]
    }));
    match rows.len() {
        1 => "the agent runs no node\n".to_owned(),
        _ => output::table(&rows),
    }
}

fn snapshot(overrides: &Overrides, environment: &Environment) -> Result<(Snapshot, Bytes), Exit> {
    let (_, body) = request(overrides, environment, |config| {
        run::one_shot(exchange(&config, Method::GET, "/status", Bytes::new(), LOOK_TIME))
    })?;
    match serde_json::from_slice(&body) {
        Ok(snapshot) => Ok((snapshot, body)),
        Err(_) => {
            output::error("the agent's answer is not understood: it is of another version than this command");
            Err(Exit::Unreachable)
        }
    }
}

async fn exchange(
    config: &Config,
    method: Method,
    target: &str,
    body: Bytes,
    time: Duration,
) -> Result<(StatusCode, Bytes), AskError> {
    ask(&config.data_dir, method, target, body, time).await
}

/// Asks with the configuration at hand; what goes wrong has been told when this returns.
fn request(
    overrides: &Overrides,
    environment: &Environment,
    ask: impl FnOnce(Config) -> Result<Result<(StatusCode, Bytes), AskError>, Exit>,
) -> Result<(StatusCode, Bytes), Exit> {
    let loaded = config::load(&overrides.0, environment).map_err(|error| output::configuration(&error))?;
    output::warnings(&loaded.warnings);
    ask(loaded.config)?.map_err(|error| {
        output::error(&error.to_string());
        match error {
            AskError::Socket(..) => Exit::InputOutput,
            _ => Exit::Unreachable,
        }
    })
}
