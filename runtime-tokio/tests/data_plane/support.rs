//! An agent with its broker and its responder, and a client that sees every byte.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mqtt5::MqttClient;
use serde_json::{Value, json};
use syncline::demo::EmbeddedBroker;
use syncline::run::{self, RunningAgent, Settings};
use syncline::service::{self, Source};
use syncline::transport::Endpoint;
use syncline_core::session;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// No step takes this long unless it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const SERVICE: &str = "
metadata: { name: plant }
resources:
  server:
    type: Cybus::Server::Http
    properties: { basePath: /Plant, requestMaxBodySize: 1000, corsOrigins: ['https://plant.example'] }
  read:
    type: Cybus::Node::Http
    properties: { parent: !ref server, method: GET, route: /Read, operation: transaction, transaction: { timeout: 60000 } }
  write:
    type: Cybus::Node::Http
    properties: { parent: !ref server, method: POST, route: /Write, operation: transaction, qos: 1, transaction: { timeout: 60000 } }
  hasty:
    type: Cybus::Node::Http
    properties:
      parent: !ref server
      method: GET
      route: /hasty
      operation: transaction
      transaction: { timeout: 200, timeoutErrorCode: 408, timeoutErrorMessage: too late }
  narrow:
    type: Cybus::Node::Http
    properties: { parent: !ref server, method: GET, route: /narrow, operation: transaction, transaction: { timeout: 60000, maxInFlight: 1 } }
";

/// Fails the test instead of hanging.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// A treq as the responder got it.
#[derive(Debug)]
pub(crate) struct Treq {
    pub(crate) topic: String,
    pub(crate) id: String,
    pub(crate) value: Value,
}

/// The responder: another implementation of MQTT.
pub(crate) struct Responder {
    client: MqttClient,
    treqs: mpsc::UnboundedReceiver<Treq>,
}

impl Responder {
    pub(crate) async fn start(broker: SocketAddr) -> Self {
        let client = MqttClient::new("responder");
        client.connect(&format!("mqtt://{broker}")).await.unwrap();
        let (sender, treqs) = mpsc::unbounded_channel();
        let on_message = move |message: mqtt5::types::Message| {
            let mut treq: Value = serde_json::from_slice(&message.payload).unwrap();
            assert!(treq["timestamp"].is_u64(), "{treq}");
            let id = treq["id"].as_str().unwrap().to_owned();
            let _ = sender.send(Treq {
                topic: message.topic.to_string(),
                id,
                value: treq["value"].take(),
            });
        };
        client
            .subscribe("services/plant/+/treq", on_message)
            .await
            .unwrap();
        Self { client, treqs }
    }

    pub(crate) async fn next(&mut self) -> Treq {
        soon("a treq", self.treqs.recv()).await.unwrap()
    }

    pub(crate) fn none_came(&mut self) -> bool {
        self.treqs.try_recv().is_err()
    }

    pub(crate) async fn reply(&self, treq: &Treq, member: &str, content: Value) {
        let topic = treq.topic.replace("/treq", "/tres");
        let tres = json!({"id": treq.id, "timestamp": 1, member: content});
        self.client.publish(topic, tres.to_string()).await.unwrap();
    }
}

/// An agent that is ready, unless it was started without its broker.
pub(crate) struct Plant {
    pub(crate) broker: EmbeddedBroker,
    pub(crate) agent: RunningAgent,
    pub(crate) responder: Responder,
}

impl Plant {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let broker = broker_at(loopback()).await;
        let agent = agent(broker.address(), adjust).await;
        for node in agent.served() {
            soon("the node to be ready", node.node.ready()).await.unwrap();
        }
        let responder = Responder::start(broker.address()).await;
        Self {
            broker,
            agent,
            responder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.agent)
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address()).await
    }
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

pub(crate) async fn broker_at(address: SocketAddr) -> EmbeddedBroker {
    let (tap, _) = mpsc::unbounded_channel();
    EmbeddedBroker::start(address, tap).await.unwrap()
}

pub(crate) async fn agent(broker: SocketAddr, adjust: impl FnOnce(&mut Settings)) -> RunningAgent {
    let source = Source::new("plant.yml", SERVICE);
    let plan = service::plan_sources(vec![source], &service::Context::default())
        .unwrap()
        .plan;
    let endpoint = Endpoint {
        host: broker.ip().to_string(),
        port: broker.port(),
    };
    let mut settings = Settings::new(endpoint, session::Config::new("agent"), loopback());
    adjust(&mut settings);
    run::start(settings, &plan).await.unwrap()
}

pub(crate) fn address(agent: &RunningAgent) -> SocketAddr {
    let url = &agent.served()[0].url;
    let (authority, _) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    authority.parse().unwrap()
}

/// An answer, read by its own rules and not by hyper's.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// One TCP connection to the agent.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: plant\r\n\r\n"))
            .await;
    }

    pub(crate) async fn post(&mut self, path: &str, content_type: &str, body: &str) {
        let length = body.len();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: plant\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    }

    /// Whether nothing has come yet.
    pub(crate) fn is_held(&self) -> bool {
        let mut byte = [0];
        match self.stream.try_read(&mut byte) {
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            Ok(_) => false,
        }
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(
                self.read_more().await,
                "closed within a head: {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields: HashMap<_, _> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = match method {
            "HEAD" => 0,
            _ => fields
                .get("content-length")
                .map_or(0, |length| length.parse().unwrap()),
        };
        while self.unread.len() < length {
            assert!(self.read_more().await, "closed within a body");
        }
        let body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        Answer { status, fields, body }
    }

    /// Waits for the end of the connection; nothing may come before it.
    pub(crate) async fn closed(&mut self) {
        assert!(
            !self.read_more().await,
            "{:?} instead of the end",
            String::from_utf8_lossy(&self.unread)
        );
    }

    async fn read_more(&mut self) -> bool {
        match soon("bytes or the end", self.stream.read_buf(&mut self.unread)).await {
            Ok(count) => count > 0,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }
}
