//! Other plans for an agent that runs.

use serde_json::json;
use syncline::run::Changes;
use syncline::service::plan::Plan;
use syncline::service::{self, Source};

use crate::support::{Plant, SERVICE, soon};

fn plan(text: &str) -> Plan {
    let source = Source::new("plant.yml", text);
    let planned = service::plan_sources(vec![source], &service::Context::default());
    planned.unwrap().plan
}

/// More of everything that runs as a task.
const MORE: &str = "
  level: { type: Cybus::Node::Http, properties: { parent: !ref server, method: GET, route: /level, rules: [{ cov: { key: value } }] } }
  burst:
    type: Cybus::Node::Http
    properties: { parent: !ref server, method: POST, route: /burst, rules: [{ burst: { interval: 1000 } }] }
  flow: { type: Cybus::Mapping, properties: { mappings: [{ subscribe: { topic: a }, publish: { topic: b } }] } }
  http: { type: Cybus::Connection, properties: { protocol: Http, connection: { scheme: http, host: 127.0.0.1, port: 9 } } }
  poll: { type: Cybus::Endpoint, properties: { protocol: Http, connection: !ref http, subscribe: { path: /x } } }
  order: { type: Cybus::Endpoint, properties: { protocol: Http, connection: !ref http, write: { path: /x } } }
  other: { type: Cybus::Connection, properties: { protocol: Mqtt, connection: { host: 127.0.0.1, port: 9 } } }
  there: { type: Cybus::Endpoint, properties: { protocol: Mqtt, connection: !ref other, subscribe: { topic: x } } }
";

#[tokio::test]
async fn a_hundred_reloads_leave_no_task_behind() {
    let mut plant = Plant::start().await;
    let (without, with) = (plan(SERVICE), plan(&format!("{SERVICE}{MORE}")));
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    // One round shows what there is in either state.
    plant.agent.reload(&with).await.unwrap();
    plant.agent.reload(&without).await.unwrap();
    let before = tasks();
    for _ in 0..50 {
        let added = plant.agent.reload(&with).await.unwrap();
        assert_eq!((added.added, added.changed, added.removed), (8, 0, 0));
        assert!(tasks() > before, "{} tasks with everything", tasks());
        let removed = plant.agent.reload(&without).await.unwrap();
        assert_eq!((removed.added, removed.changed, removed.removed), (0, 0, 8));
    }
    soon("the last tasks to end", async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    plant.agent.stop().await;
    plant.broker.stop().await;
}

#[tokio::test]
async fn a_plan_that_cannot_be_run_leaves_what_runs_and_its_held_requests() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    client.get("/data/plant/read").await;
    let treq = plant.responder.next().await;
    // The certificate that it is to show does not exist.
    let broken = "
  http:
    type: Cybus::Connection
    properties: { protocol: Http, connection: { scheme: https, host: localhost, mutualAuthentication: true } }
";
    let text = SERVICE
        .replace("route: /Read", "route: /Moved")
        .replace("60000", "50000");
    let error = plant
        .agent
        .reload(&plan(&format!("{text}{broken}")))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("connection http of service plant: "),
        "{error}"
    );
    assert!(client.is_held());
    plant.responder.reply(&treq, "value", json!(1)).await;
    assert_eq!(client.answer().await.status, 200);
    let unchanged = plant.agent.reload(&plan(SERVICE)).await.unwrap();
    assert_eq!(
        unchanged,
        Changes {
            unchanged: 4,
            ..Changes::default()
        }
    );
    plant.agent.stop().await;
    plant.broker.stop().await;
}

#[tokio::test]
async fn a_key_of_a_request_lasts_as_long_as_its_node_has_the_path() {
    let mut plant = Plant::start().await;
    let mut client = plant.client().await;
    let ask = "POST /data/plant/write HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n\
               Content-Length: 1\r\n\r\n7";
    client.send(ask).await;
    let treq = plant.responder.next().await;
    plant.responder.reply(&treq, "value", json!("first")).await;
    assert_eq!(client.answer().await.body, "\"first\"");

    let slower = SERVICE.replace(
        "qos: 1, transaction: { timeout: 60000 }",
        "qos: 1, transaction: { timeout: 50000 }",
    );
    let changes = plant.agent.reload(&plan(&slower)).await.unwrap();
    assert_eq!((changes.changed, changes.unchanged), (1, 3));
    client.send(ask).await;
    assert_eq!(client.answer().await.body, "\"first\"");
    assert!(plant.responder.none_came());

    let renamed = slower.replace("  write:", "  other:");
    plant.agent.reload(&plan(&renamed)).await.unwrap();
    for node in plant.agent.served() {
        soon("the node to be ready", node.node.ready()).await.unwrap();
    }
    client.send(ask).await;
    let treq = plant.responder.next().await;
    assert_eq!(treq.topic, "services/plant/other/treq");
    plant.responder.reply(&treq, "value", json!("second")).await;
    assert_eq!(client.answer().await.body, "\"second\"");
    plant.agent.stop().await;
    plant.broker.stop().await;
}
