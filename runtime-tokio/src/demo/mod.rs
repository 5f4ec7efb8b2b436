//! `syncline demo`: broker, agent and responder in one process, and one request that goes all the way.

mod broker;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use syncline_core::session;
use syncline_core::topic::TopicFilter;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use broker::Seen;

pub use crate::broker::{BrokerError, EmbeddedBroker};
use crate::driver::{AgentHandle, Driver, GaveUp, StartError};
use crate::responder::{self, Options, Request as Asked, Responder};
use crate::run::{self, RunError, RunningAgent, ServedNode, Settings};
use crate::service::{self, Report, Source};
use crate::transport::Endpoint;

/// The commissioning file that the demo runs.
pub const SERVICE: &str = include_str!("service.yml");
/// Query of the demo's own request.
const QUERY: &str = "order=4711";
/// Time for everything to be ready.
const READY_TIME: Duration = Duration::from_secs(10);

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The embedded broker did not start.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The demo's commissioning file was not accepted.
    #[error("the demo's own service file is wrong, which is a bug in syncline: {0}")]
    Service(Report),
    /// The agent did not start.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The responder did not start.
    #[error("the responder did not start: {0}")]
    Responder(#[from] StartError),
    /// Agent or responder did not reach the broker.
    #[error("agent and responder did not reach the embedded broker within {} s, the log says why", READY_TIME.as_secs())]
    NotReady,
    /// The request itself failed.
    #[error("the request to {url} failed: {cause}")]
    Request {
        /// Where it went.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// The request was not answered with 200.
    #[error("the request to {url} was answered with {status}, 200 was expected")]
    Status {
        /// Where it went.
        url: String,
        /// What came.
        status: StatusCode,
    },
    /// Standard output was closed.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// Runs the demo: shows one request from end to end on `out`, then with `once` stops, else goes on until `shutdown`.
///
/// # Errors
/// [`DemoError`] when any part of it fails.
pub async fn run(
    once: bool,
    out: &mut (dyn Write + Send),
    shutdown: impl Future<Output = ()>,
) -> Result<(), DemoError> {
    let (tap, seen) = mpsc::unbounded_channel();
    let broker = EmbeddedBroker::start(loopback(), tap).await?;
    let agent = start_agent(broker.address()).await?;
    let [node] = agent.served() else {
        unreachable!("the demo's service has one node")
    };
    let mut other = OtherSide::start(broker.address(), node)?;
    writeln!(out, "broker     mqtt://{}, embedded", broker.address())?;
    writeln!(out, "agent      {} {}", node.method, node.url)?;
    writeln!(out, "responder  {}/treq -> {}/tres\n", node.topic, node.topic)?;
    let result = tokio::select! {
        result = show(node, &mut other, seen, once, out) => result,
        () = shutdown => Ok(()),
    };
    agent.stop().await;
    other.stop().await;
    broker.stop().await;
    result
}

async fn show(
    node: &ServedNode,
    other: &mut OtherSide,
    mut seen: mpsc::UnboundedReceiver<Seen>,
    once: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), DemoError> {
    let ready = async { other.ready().await && node.node.ready().await.is_ok() };
    if !timeout(READY_TIME, ready).await.unwrap_or(false) {
        return Err(DemoError::NotReady);
    }
    let url = format!("{}?{QUERY}", node.url);
    let (answer, duration) = ask(&url, &mut seen, out).await?;
    writeln!(
        out,
        "  200   {answer} after {:.1} ms\n",
        duration.as_secs_f64() * 1e3
    )?;
    if !once {
        writeln!(
            out,
            "Ask yourself; each request is held until the responder has answered:\n\n  curl '{url}'\n"
        )?;
        writeln!(out, "Stop with Ctrl-C.\n")?;
        out.flush()?;
        while let Some(message) = seen.recv().await {
            print(out, &message)?;
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(())
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

async fn start_agent(broker: SocketAddr) -> Result<RunningAgent, DemoError> {
    let source = Source::new("syncline demo", SERVICE);
    let planned =
        service::plan_sources(vec![source], &service::Context::default()).map_err(DemoError::Service)?;
    let session = session::Config::new("syncline-demo-agent");
    let settings = Settings::new(endpoint(broker), session, loopback());
    Ok(run::start(settings, &planned.plan).await?)
}

/// The other side: a second MQTT client, which confirms every request.
struct OtherSide {
    responder: Responder,
    handle: AgentHandle,
    task: JoinHandle<Result<(), GaveUp>>,
}

impl OtherSide {
    fn start(broker: SocketAddr, node: &ServedNode) -> Result<Self, DemoError> {
        let driver = Driver::new(endpoint(broker), session::Config::new("syncline-demo-responder"))?;
        let filter =
            TopicFilter::try_from(format!("{}/treq", node.topic)).map_err(|_| DemoError::NotReady)?;
        let handle = driver.handle();
        Ok(Self {
            responder: Responder::start(&handle, Options::new(filter), confirm),
            handle,
            task: tokio::spawn(driver.run()),
        })
    }

    /// Waits until requests reach it; false if they never will.
    async fn ready(&mut self) -> bool {
        tokio::select! {
            () = self.responder.ready() => true,
            _ = &mut self.task => false,
        }
    }

    async fn stop(self) {
        self.handle.stop();
        // A panic of it has been logged by the runtime.
        let _ = self.task.await;
    }
}

/// Answers with `{"confirmed": <value>}`.
async fn confirm(request: Asked) -> Result<BTreeMap<&'static str, Box<RawValue>>, responder::Error> {
    Ok(BTreeMap::from([("confirmed", request.value)]))
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        host: address.ip().to_string(),
        port: address.port(),
    }
}

/// Sends the request over HTTP like any client; shows the messages that it causes as they pass.
async fn ask(
    url: &str,
    seen: &mut mpsc::UnboundedReceiver<Seen>,
    out: &mut (dyn Write + Send),
) -> Result<(String, Duration), DemoError> {
    writeln!(out, "  GET   {url}")?;
    out.flush()?;
    let started = Instant::now();
    let (status, body) = fetch(url).await.map_err(|cause| DemoError::Request {
        url: url.to_owned(),
        cause: cause.to_string(),
    })?;
    let duration = started.elapsed();
    // The broker shows a message before it delivers it: with the answer here, both are in the channel.
    while let Ok(message) = seen.try_recv() {
        print(out, &message)?;
    }
    if status != StatusCode::OK {
        return Err(DemoError::Status {
            url: url.to_owned(),
            status,
        });
    }
    Ok((String::from_utf8_lossy(&body).into_owned(), duration))
}

async fn fetch(url: &str) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let uri: Uri = url.parse()?;
    let authority = uri.authority().ok_or("no host in the URL")?.clone();
    let stream = TcpStream::connect(authority.as_str()).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(http::header::HOST, authority.as_str())
        .body(Empty::<Bytes>::new())?;
    // It ends when the sender and the body are gone; an error of it is an error of theirs too.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, body))
}

fn print(out: &mut (dyn Write + Send), message: &Seen) -> io::Result<()> {
    let kind = message.topic.rsplit('/').next().unwrap_or_default();
    writeln!(
        out,
        "  {kind:<5} {} {}",
        message.topic,
        String::from_utf8_lossy(&message.payload)
    )
}
