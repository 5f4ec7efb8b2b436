//! The way to broker and registry, step by step, so that the first step that fails can be named with its cure.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use syncline_core::limits::REGISTRY_TIMEOUT;
use syncline_core::registration::Failure;
use syncline_core::registration::version::{self, Likeness};
use syncline_core::session;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::driver::{ProbeError, probe};
use crate::registry::{Registry, Reply};
use crate::tls::Fault;
use crate::transport::{DIAL_TIME, DialError, Dialer, Endpoint, text};
use crate::visit::Visit;

const REGISTRY_URL: &str = "SYNCLINE_REGISTRY_URL";

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
    /// What this agent was told of the server, or who the server says it is.
    Configuration,
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

/// Goes the way to the client registry: name, TCP, TLS where there is to be one, and a request that changes nothing there:
/// for its version, which is held against this agent's. The last step is the one that failed, if one did.
pub async fn registry(registry: &Registry, likeness: Option<Likeness>) -> Vec<Step> {
    let endpoint = registry.url().endpoint();
    let mut steps = Vec::new();
    let Some(addresses) = taken(&mut steps, "DNS", resolve(endpoint, REGISTRY_URL)).await else {
        return steps;
    };
    if taken(&mut steps, "TCP", connect(endpoint, &addresses, REGISTRY_URL))
        .await
        .is_none()
    {
        return steps;
    }
    if registry.url().is_secure() {
        let handshake = async {
            let dialer = registry.dialer().await.map_err(misconfigured)?;
            handshake(&dialer).await
        };
        if taken(&mut steps, "TLS", handshake).await.is_none() {
            return steps;
        }
    }
    taken(&mut steps, "GET", version(registry, likeness)).await;
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

fn refused(message: String) -> Obstacle {
    Obstacle {
        blame: Blame::Server,
        message,
    }
}

fn misconfigured(message: String) -> Obstacle {
    Obstacle {
        blame: Blame::Configuration,
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
            blame: match &error {
                DialError::Tls(failure) => match failure.fault() {
                    Fault::Configuration => Blame::Configuration,
                    Fault::Refusal => Blame::Server,
                    Fault::Network => Blame::Network,
                },
                DialError::Resolve(_) | DialError::Connect(_) => Blame::Network,
            },
            message: error.to_string(),
        }),
    }
}

async fn version(registry: &Registry, likeness: Option<Likeness>) -> Result<(String, ()), Obstacle> {
    let asked = timeout(REGISTRY_TIMEOUT, registry.exchange(version::question()));
    let answer = match asked.await {
        Err(_) => {
            return Err(network(format!(
                "no answer within {} s; see whether this is a client registry, and {REGISTRY_URL}",
                REGISTRY_TIMEOUT.as_secs()
            )));
        }
        Ok(Err((failure @ Failure::NotHttp, _))) => return Err(misconfigured(failure.to_string())),
        Ok(Err((_, message))) => return Err(network(message)),
        Ok(Ok(answer)) => answer,
    };
    let Reply::Response { status, body, .. } = answer else {
        return Err(network("no answer".to_owned()));
    };
    let own = env!("CARGO_PKG_VERSION");
    match (status, version::version_told(status, &body)) {
        (_, Some(central)) if likeness.is_some_and(|likeness| !likeness.is_version(&central)) => Ok((
            format!(
                "a server is there, which tells no version that could be compared with this agent's {own}"
            ),
            (),
        )),
        (_, Some(central)) => match likeness.and_then(|likeness| likeness.mismatch(own, &central)) {
            Some(mismatch) => Err(misconfigured(mismatch.to_string())),
            None => Ok((format!("the central has version {central}, this agent {own}"), ())),
        },
        (300..=399, None) => Err(misconfigured(format!(
            "the server redirects with {status}, which is not followed with a password: set {REGISTRY_URL} to where it leads"
        ))),
        (500.., None) => Err(network(format!(
            "the server answers with {status}: its log says more"
        ))),
        (status, None) => Ok((
            format!("a server is there, which tells no version ({status})"),
            (),
        )),
    }
}

async fn login(dialer: &Dialer, session: session::Config) -> Result<(String, ()), Obstacle> {
    let has_certificate = dialer.tls.as_ref().is_some_and(|tls| tls.identity().is_some());
    let user = match &session.username {
        Some(user) => format!("logged in as {user}"),
        None if has_certificate => "let in by certificate".to_owned(),
        None => "let in without a login".to_owned(),
    };
    let error = match probe(dialer, session).await {
        Ok(()) => return Ok((user, ())),
        Err(error) => error,
    };
    let address = match &dialer.tls {
        Some(_) => "see CYBUS_MQTT_HOST and CYBUS_MQTT_PORT",
        None => "if it speaks TLS, set CYBUS_MQTT_SCHEME=mqtts, else see CYBUS_MQTT_PORT",
    };
    Err(match error {
        ProbeError::Unreachable(message) => network(message),
        ProbeError::NotMqtt(message) => misconfigured(format!(
            "whoever listens there does not speak MQTT, {message}: {address}"
        )),
        ProbeError::Unanswered(message) if dialer.tls.is_none() => network(format!(
            "no answer to a CONNECT, {message}: see whether that is an MQTT broker; {address}"
        )),
        ProbeError::Login(message) => refused(format!(
            "{message}; register this agent, or see CYBUS_MQTT_USERNAME and its password"
        )),
        // With TLS this is how the client's certificate is refused.
        ProbeError::Unanswered(message) | ProbeError::Failed(message) => refused(message),
    })
}
