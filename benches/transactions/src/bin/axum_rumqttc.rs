//! The peer that a Rust team would write by hand: axum for HTTP, rumqttc for MQTT, a map of waiters between them.
//!
//! `axum-rumqttc HTTP-PORT MQTT-PORT BASE`

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router, routing};
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_secs(10);

type Waiters = Arc<Mutex<HashMap<Uuid, oneshot::Sender<Box<RawValue>>>>>;

#[derive(Clone)]
struct Gateway {
    mqtt: AsyncClient,
    waiters: Waiters,
    treq: Arc<str>,
}

#[derive(Serialize)]
struct Request<'a> {
    id: Uuid,
    timestamp: u128,
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Reply {
    id: Uuid,
    value: Box<RawValue>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || {
        args.next()
            .context("usage: axum-rumqttc HTTP-PORT MQTT-PORT BASE")
    };
    let (http_port, mqtt_port, base): (u16, u16, String) = (next()?.parse()?, next()?.parse()?, next()?);
    let mut options = MqttOptions::new("axum-rumqttc", "127.0.0.1", mqtt_port);
    options.set_keep_alive(Duration::from_secs(60));
    let (mqtt, events) = AsyncClient::new(options, 20_000);
    let waiters = Waiters::default();
    mqtt.subscribe(format!("{base}/tres"), QoS::AtMostOnce).await?;
    tokio::spawn(receive(events, Arc::clone(&waiters)));
    let gateway = Gateway {
        mqtt,
        waiters,
        treq: format!("{base}/treq").into(),
    };
    let routes = Router::new()
        .route("/data/order", routing::post(order))
        .with_state(gateway);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, http_port)).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // A stream that is gone already needs no option.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, routes).await?)
}

async fn receive(mut events: EventLoop, waiters: Waiters) {
    events.network_options.set_tcp_nodelay(true);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::Publish(publish))) => {
                let Ok(reply) = serde_json::from_slice::<Reply>(&publish.payload) else {
                    continue;
                };
                let waiter = waiters
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&reply.id);
                // A client that has gone does not wait any more.
                let _ = waiter.map(|waiter| waiter.send(reply.value));
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn order(State(gateway): State<Gateway>, Json(value): Json<Box<RawValue>>) -> Response {
    let id = Uuid::new_v4();
    let timestamp = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis());
    let request = Request {
        id,
        timestamp,
        value: &value,
    };
    let Ok(payload) = serde_json::to_vec(&request) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (waiter, reply) = oneshot::channel();
    let lock = || gateway.waiters.lock().unwrap_or_else(PoisonError::into_inner);
    lock().insert(id, waiter);
    if gateway
        .mqtt
        .try_publish(&*gateway.treq, QoS::AtMostOnce, false, payload)
        .is_err()
    {
        lock().remove(&id);
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match tokio::time::timeout(TIMEOUT, reply).await {
        Ok(Ok(value)) => (
            [(header::CONTENT_TYPE, "application/json")],
            value.get().to_owned(),
        )
            .into_response(),
        _ => {
            lock().remove(&id);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
