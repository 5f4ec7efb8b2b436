//! An agent whose central is of another version, on a clock that the test moves.

use std::net::SocketAddr;
use std::time::Duration;

use mqtt5::MqttClient;
use serde_json::Value;
use syncline::config::AgentName;
use syncline::registry::{Registry, RegistryUrl};
use syncline::tls::Trust;
use syncline_core::registration::version::Likeness;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::support::{agent, broker_at, loopback, soon};

/// The core asks again after 60 s ± 20 %.
const NEXT_LOOK: Duration = Duration::from_secs(73);

/// A central that tells the version that the sender says; the receiver counts those who ask.
async fn central(version: &str) -> (SocketAddr, watch::Sender<String>, watch::Receiver<u32>) {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (version, told) = watch::channel(version.to_owned());
    let (count, asked) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let mut client = BufReader::new(client);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                client.read_line(&mut head).await.unwrap();
            }
            assert!(head.starts_with("GET /api/system/info "), "{head}");
            let body = format!("{{\"version\":\"{}\"}}", *told.borrow());
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            client.write_all(answer.as_bytes()).await.unwrap();
            count.send_modify(|count| *count += 1);
        }
    });
    (address, version, asked)
}

#[tokio::test]
async fn an_agent_comes_online_by_itself_once_its_central_is_of_its_version() {
    let (address, version, asked) = central("99.1.0").await;
    let broker = broker_at(loopback()).await;
    let observer = MqttClient::new("observer");
    observer
        .connect(&format!("mqtt://{}", broker.address()))
        .await
        .unwrap();
    let (sender, mut states) = mpsc::unbounded_channel();
    let on_message = move |message: mqtt5::types::Message| {
        let state: Value = serde_json::from_slice(&message.payload).unwrap();
        sender.send(state["status"].as_str().unwrap().to_owned()).unwrap();
    };
    observer
        .subscribe("syncline/agents/line-1/state", on_message)
        .await
        .unwrap();
    let url: RegistryUrl = format!("http://{address}").parse().unwrap();
    let agent = agent(broker.address(), |settings| {
        settings.presence_of = Some(AgentName::parse("line-1").unwrap());
        settings.version_check = Some((Likeness::Compatible, Registry::new(url, Trust::Anyone)));
    })
    .await;
    for expected in ["online", "offline"] {
        assert_eq!(soon("a state", states.recv()).await.unwrap(), expected);
    }
    let node = &agent.served()[0].node;
    soon("the node to be out of reach", node.not_ready()).await;
    assert_eq!(*asked.borrow(), 1);

    version.send(env!("CARGO_PKG_VERSION").to_owned()).unwrap();
    tokio::time::pause();
    tokio::time::advance(NEXT_LOOK).await;
    tokio::time::resume();
    assert_eq!(soon("a state", states.recv()).await.unwrap(), "online");
    soon("the node to be ready", node.ready()).await.unwrap();
    // Once at the first connection, once when it was time, and once at the next connection.
    let mut asked = asked;
    soon("the central to be asked", asked.wait_for(|count| *count == 3))
        .await
        .unwrap();
    agent.stop().await;
}
