//! `POST /call`: one request through a node, as an HTTP client of the data plane would make it.

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::json;
use serde_json::value::RawValue;
use syncline_core::flowsync::Outcome;

use super::routes::{Answer, json_answer, with_type};
use crate::run::ServedNode;
use crate::status::View;

/// Largest value, as the data plane's default.
const MAX_BODY: usize = 512 * 1024;

/// Answers with the value, or with the reason why there is none.
pub(super) async fn answer(view: &View, request: Request<Incoming>) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let name = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "node");
    let inventory = view.inventory.load();
    let node = match find(&inventory.nodes, name.as_ref().map_or("", |(_, name)| name)) {
        Ok(node) => node.node.clone(),
        Err(message) => return refused(StatusCode::NOT_FOUND, &message),
    };
    let Ok(body) = Limited::new(request.into_body(), MAX_BODY).collect().await else {
        return refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the value may have {MAX_BODY} bytes"),
        );
    };
    let Ok(value) = serde_json::from_slice::<Box<RawValue>>(&body.to_bytes()) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "the value is not JSON: put a text in double quotes",
        );
    };
    drop(inventory);
    match node.request(value, None).await {
        Ok(Outcome::Replied { value }) => with_type(StatusCode::OK, value, "application/json"),
        Ok(Outcome::Failed { code, message }) => {
            refused(StatusCode::BAD_GATEWAY, &format!("{code}: {message}"))
        }
        Ok(Outcome::TimedOut { code, message }) => {
            refused(StatusCode::GATEWAY_TIMEOUT, &format!("{code}: {message}"))
        }
        Ok(Outcome::Cancelled) => refused(StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping"),
        Ok(Outcome::Undeliverable(why)) => refused(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()),
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// The one node with this resource id, or with `service/resource`.
fn find<'a>(nodes: &'a [ServedNode], name: &str) -> Result<&'a ServedNode, String> {
    let named = |node: &&ServedNode| match name.split_once('/') {
        Some((service, resource)) => node.service == service && node.resource == resource,
        None => node.resource == name,
    };
    let mut found = nodes.iter().filter(named);
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node),
        (Some(_), Some(_)) => Err(format!(
            "several services have a node {name}: name it as SERVICE/NODE"
        )),
        (None, _) => Err(format!("there is no node {name}: see `syncline flow list`")),
    }
}

fn refused(status: StatusCode, message: &str) -> Answer {
    json_answer(status, &json!({ "error": message }))
}
