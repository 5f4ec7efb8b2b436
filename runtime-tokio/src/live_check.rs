//! The way to broker and registry, step by step, so that the first step that fails can be named with its cure.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use syncline_core::session;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::driver::{ProbeError, probe};
use crate::transport::{DIAL_TIME, Dialer, Endpoint, text};
use crate::visit::Visit;

/// One step of the way.
#[derive(Debug)]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// How long it took.
    pub time: Duration,
    /// What was found, or why the way ends here.
    pub outcome: Result<String, Obstacle>,
}

/// Why the way ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Whose it is to mend.
    pub blame: Blame,
    /// What happened, and what to do about it.
    pub message: String,
}

/// Whose it is to mend an obstacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The network between, or a server that is down.
    Network,
    /// The server does not want this agent.
    Server,
}

/// Goes the way to the broker: name, TCP, TLS where there is to be one, CONNECT. The last step is the one that failed, if
/// one did.
pub async fn broker(visit: &Visit) -> Vec<Step> {
    let endpoint = &visit.dialer.endpoint;
    let mut steps = Vec::new();
    let Some(addresses) = taken(&mut steps, "DNS", resolve(endpoint, "CYBUS_MQTT_HOST")).await else {
        return steps;
    };
    if taken(
        &mut steps,
        "TCP",
        connect(endpoint, &addresses, "CYBUS_MQTT_PORT"),
    )
    .await
    .is_none()
    {
        return steps;
    }
    if visit.dialer.tls.is_some() && taken(&mut steps, "TLS", handshake(&visit.dialer)).await.is_none() {
        return steps;
    }
    let login = login(&visit.dialer, visit.session.clone());
    taken(&mut steps, "CONNECT", login).await;
    steps
}

/// Goes the way to another server as far as TCP.
pub async fn server(endpoint: &Endpoint, variable: &'static str) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(addresses) = taken(&mut steps, "DNS", resolve(endpoint, variable)).await {
        taken(&mut steps, "TCP", connect(endpoint, &addresses, variable)).await;
    }
    steps
}

/// Takes a step, and notes how it went; what it gives beside its text is for the next one.
async fn taken<T>(
    steps: &mut Vec<Step>,
    name: &'static str,
    step: impl Future<Output = Result<(String, T), Obstacle>>,
) -> Option<T> {
    let begin = Instant::now();
    let (outcome, given) = match step.await {
        Ok((found, given)) => (Ok(found), Some(given)),
        Err(obstacle) => (Err(obstacle), None),
    };
    steps.push(Step {
        name,
        time: begin.elapsed(),
        outcome,
    });
    given
}

fn network(message: String) -> Obstacle {
    Obstacle {
        blame: Blame::Network,
        message,
    }
}

async fn resolve(endpoint: &Endpoint, variable: &str) -> Result<(String, Vec<SocketAddr>), Obstacle> {
    let found = timeout(DIAL_TIME, lookup_host((endpoint.host.as_str(), endpoint.port))).await;
    let cure = format!("see {variable} and the name servers of this machine");
    let addresses: Vec<_> = match found {
        Err(_) => {
            return Err(network(format!(
                "no answer within {} s; {cure}",
                DIAL_TIME.as_secs()
            )));
        }
        Ok(Err(error)) => {
            return Err(network(format!(
                "{} has no address: {}; {cure}",
                endpoint.host,
                text(&error)
            )));
        }
        Ok(Ok(addresses)) => addresses.collect(),
    };
    let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    match list.is_empty() {
        true => Err(network(format!("{} has no address; {cure}", endpoint.host))),
        false => Ok((list.join(", "), addresses)),
    }
}

async fn connect(
    endpoint: &Endpoint,
    addresses: &[SocketAddr],
    variable: &str,
) -> Result<(String, ()), Obstacle> {
    let mut last = String::new();
    for address in addresses {
        match timeout(DIAL_TIME, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok((address.to_string(), ())),
            Ok(Err(error)) => last = text(&error),
            Err(_) => last = format!("no answer within {} s", DIAL_TIME.as_secs()),
        }
    }
    Err(network(format!(
        "{endpoint}: {last}; see whether the server runs, whether a firewall is between, and {variable}"
    )))
}

async fn handshake(dialer: &Dialer) -> Result<(String, ()), Obstacle> {
    match dialer.dial().await {
        Ok(_) => Ok(("the server is who it says it is".to_owned(), ())),
        Err(error) => Err(Obstacle {
            blame: Blame::Server,
            message: error.to_string(),
        }),
    }
}

async fn login(dialer: &Dialer, session: session::Config) -> Result<(String, ()), Obstacle> {
    let user = match &session.username {
        Some(user) => format!("logged in as {user}"),
        None => "let in without a login".to_owned(),
    };
    match probe(dialer, session).await {
        Ok(()) => Ok((user, ())),
        Err(ProbeError::Unreachable(message)) => Err(network(message)),
        Err(ProbeError::Failed(message)) => Err(Obstacle {
            blame: Blame::Server,
            message: format!("{message}; register this agent, or see CYBUS_MQTT_USERNAME and its password"),
        }),
    }
}
