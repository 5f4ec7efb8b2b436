//! One running agent: its link to the broker and its HTTP listener, from start to orderly stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret as _;
use syncline_core::flowsync::{NodeConfig, NodeConfigError};
use syncline_core::registration::{self, Login, Mode};
use syncline_core::session::{self, VersionPolicy};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::admin::{self, Door, ServedSocket};
use crate::config::{AgentName, MqttVersion, RunConfig};
use crate::data::{self, CredentialsError, DataFolder};
use crate::driver::{
    AddNodeError, AgentHandle, Driver, Enrolment, GaveUp, Node, ProbeError, StartError, probe,
};
use crate::http::{Limits, RouteConflict, Router, serve};
use crate::login::{login, unissued};
use crate::presence::Presence;
use crate::registry::Registry;
use crate::service::plan::{HttpNodePlan, HttpServerPlan, Plan};
use crate::status::{Observer, Status, View};
use crate::tls;
use crate::transport::{Dialer, Endpoint};

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4096;
/// Time for the answers to requests that are cancelled when the drain time is over.
const CANCEL_TIME: Duration = Duration::from_secs(1);
/// Time for the orderly end of the link to the broker. The session has its own bound below this.
const DISCONNECT_TIME: Duration = Duration::from_secs(5);

/// What an agent needs besides its plan.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker.
    pub broker: Endpoint,
    /// TLS towards the broker; `None` for plain TCP.
    pub tls: Option<tls::Settings>,
    /// Time between two looks at the files for TLS, 3 s by default.
    pub tls_look_interval: Duration,
    /// The MQTT session. With a registration, user name and password in it are the ones that were given.
    pub session: session::Config,
    /// How to be let in; `None` to log in as `session` says and be refused.
    pub registration: Option<RegistrationSettings>,
    /// Folder of everything that is kept; `None` to keep nothing.
    pub data_dir: Option<PathBuf>,
    /// Address of the HTTP listener; port 0 has the system choose one.
    pub http_listen: SocketAddr,
    /// What the HTTP listener grants its clients.
    pub http_limits: Limits,
    /// Address of the admin listener; none by default.
    pub admin_listen: Option<SocketAddr>,
    /// Whose state is published; nobody's by default.
    pub presence_of: Option<AgentName>,
    /// Time that held requests have to end when the agent stops, 5 s by default.
    pub drain_time: Duration,
}

/// How an agent is let in where nobody knows it.
#[derive(Debug, Clone)]
pub struct RegistrationSettings {
    /// Where to register.
    pub mode: Mode,
    /// The client registry.
    pub registry: Registry,
    /// Login name.
    pub username: String,
}

impl Settings {
    /// The defaults for a broker without TLS, a session and a listener.
    #[must_use]
    pub fn new(broker: Endpoint, session: session::Config, http_listen: SocketAddr) -> Self {
        let drain_time = Duration::from_secs(5);
        Self {
            broker,
            tls: None,
            tls_look_interval: tls::LOOK_INTERVAL,
            session,
            registration: None,
            data_dir: None,
            http_listen,
            http_limits: Limits::default(),
            admin_listen: None,
            presence_of: None,
            drain_time,
        }
    }
}

impl From<&RunConfig> for Settings {
    /// The agent's name is its Client Identifier.
    fn from(config: &RunConfig) -> Self {
        let mqtt = &config.mqtt;
        let broker = Endpoint {
            host: mqtt.host.as_str().to_owned(),
            port: mqtt.port,
        };
        let mut session = session::Config::new(config.agent_name.as_str());
        session.version = match mqtt.version {
            MqttVersion::V5 => VersionPolicy::V5,
            MqttVersion::V3_1_1 => VersionPolicy::V3_1_1,
            MqttVersion::Auto => VersionPolicy::Auto,
        };
        if let Some(password) = &mqtt.password {
            session.username = Some(mqtt.username.clone());
            session.password = Some(Bytes::copy_from_slice(password.expose_secret().as_bytes()));
        }
        Self {
            tls: mqtt.tls.clone(),
            registration: Some(RegistrationSettings {
                mode: config.registration.mode,
                registry: config.registration.registry.clone(),
                username: mqtt.username.clone(),
            }),
            data_dir: Some(config.data_dir.clone()),
            admin_listen: config.admin_listen,
            presence_of: Some(config.agent_name.clone()),
            drain_time: config.drain_time,
            ..Self::new(broker, session, config.http_listen)
        }
    }
}

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A listener could not be opened.
    #[error(
        "cannot listen on {address}: {source}; stop the program that uses this address, or set {variable}"
    )]
    Listen {
        /// The variable that names it.
        variable: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent uses the data folder.
    #[error(transparent)]
    DataFolder(#[from] data::OpenError),
    /// What the data folder holds cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The registration contradicts itself.
    #[error(transparent)]
    Registration(#[from] registration::ConfigError),
    /// The files for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::LoadError),
    /// The agent could not be made.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A node of the plan cannot be run.
    #[error("node {resource} of service {service}: {cause}")]
    Node {
        /// `serviceId`.
        service: String,
        /// Resource id.
        resource: String,
        /// What is wrong with it.
        cause: NodeFault,
    },
    /// Two nodes answer the same requests.
    #[error(transparent)]
    Route(#[from] RouteConflict),
    /// The broker does not want this agent any more.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// A task ended that ends only when the agent stops.
    #[error("the {task} ended by itself, which is a bug in syncline, its log says more")]
    Ended {
        /// Which one.
        task: &'static str,
    },
}

impl RunError {
    /// Whether the operator's files or variables are the cause.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Listen { .. }
            | Self::Node { .. }
            | Self::Route(_)
            | Self::Registration(_)
            | Self::Tls(_)
            | Self::Credentials(CredentialsError::Newer { .. })
            | Self::Start(StartError::Config(_)) => true,
            Self::Start(StartError::Entropy(_) | StartError::Session(_) | StartError::Thread(_))
            | Self::DataFolder(_)
            | Self::Credentials(_)
            | Self::GaveUp(_)
            | Self::Ended { .. } => false,
        }
    }
}

/// Why a node cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// Its configuration is out of range.
    #[error("{0}")]
    Config(NodeConfigError),
    /// The agent did not take it.
    #[error("{0}")]
    Refused(AddNodeError),
}

/// A URL that is served, and the node behind it.
#[derive(Debug, Clone)]
pub struct ServedNode {
    /// `serviceId`.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// Request method.
    pub method: http::Method,
    /// Absolute URL.
    pub url: String,
    /// Topic that `treq` and `tres` are appended to.
    pub topic: String,
    /// The node itself.
    pub node: Node,
}

/// An agent whose tasks are running.
#[derive(Debug)]
pub struct RunningAgent {
    served: Vec<ServedNode>,
    agent: AgentHandle,
    driver: JoinHandle<Result<(), GaveUp>>,
    status: Status,
    /// Absent where the plan has no HTTP server.
    http: Option<JoinHandle<()>>,
    /// Absent where nobody asked for it.
    admin: Option<JoinHandle<()>>,
    /// Absent where the data folder cannot hold it.
    socket: Option<ServedSocket>,
    stop_http: watch::Sender<bool>,
    drain_time: Duration,
    /// TLS towards the broker, and what keeps it up to date.
    tls: Option<(Arc<tls::Client>, JoinHandle<()>)>,
    /// Held until all tasks have ended.
    folder: Option<Arc<DataFolder>>,
}

/// Runs `plan` until `shutdown` completes, then stops in order.
///
/// # Errors
/// [`RunError`] when the agent cannot start, or ends by itself.
pub async fn run(
    settings: Settings,
    plan: &Plan,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let mut running = start(settings, plan).await?;
    let failure = tokio::select! {
        () = shutdown => None,
        failure = running.ended() => Some(failure),
    };
    running.stop().await;
    failure.map_or(Ok(()), Err)
}

/// Starts the agent's tasks: from now on its URLs answer, with 503 until the broker has been reached.
///
/// # Errors
/// [`RunError`] when the agent cannot start.
pub async fn start(mut settings: Settings, plan: &Plan) -> Result<RunningAgent, RunError> {
    let folder = settings.data_dir.as_deref().map(DataFolder::open).transpose()?;
    let folder = folder.map(Arc::new);
    let login = match &settings.registration {
        Some(registration) => Some(login(registration, folder.as_deref(), &settings)?),
        None => None,
    };
    let csr = unissued(&settings)
        .map(tls::IdentityFiles::certificate_request)
        .transpose()?;
    let client = match &settings.tls {
        // Until the certificate is issued there is none to show.
        Some(tls) if csr.is_some() => {
            let identity = None;
            let without = tls::Settings {
                identity,
                ..tls.clone()
            };
            Some(Arc::new(tls_client(&settings.broker, &without)?))
        }
        Some(tls) => Some(Arc::new(tls_client(&settings.broker, tls)?)),
        None => None,
    };
    // What keeps the certificate up to date begins where there is one.
    let issued = Arc::new(Notify::new());
    if csr.is_none() {
        issued.notify_one();
    }
    let has_http = plan
        .services
        .iter()
        .any(|service| !service.http_servers.is_empty());
    let listener = if has_http {
        Some(listen("SYNCLINE_HTTP_LISTEN", settings.http_listen)?)
    } else {
        None
    };
    let address = listener
        .as_ref()
        .map_or(settings.http_listen, |(_, address)| *address);

    let admin = settings
        .admin_listen
        .map(|address| listen("SYNCLINE_ADMIN_LISTEN", address))
        .transpose()?;

    let services = plan.services.iter().map(|service| service.id.clone()).collect();
    let presence = settings.presence_of.map(|name| Presence::new(&name, services));
    settings.session.will = presence.as_ref().map(Presence::will);
    let status = Status::new(settings.session.client_id.clone(), settings.broker.to_string());
    let dialer = Dialer {
        endpoint: settings.broker.clone(),
        tls: client.clone(),
    };
    let trial = BrokerTrial {
        endpoint: settings.broker,
        session: on_trial(&settings.session, login.as_ref()),
    };
    let tls = settings.tls;
    let mut driver = match folder.as_deref().and_then(DataFolder::session) {
        Some(stored) => Driver::restore(dialer, settings.session, stored)?,
        None => Driver::new(dialer, settings.session)?,
    };
    if let (Some(settings), Some(login)) = (settings.registration, login) {
        let RegistrationSettings {
            mode,
            registry,
            username,
        } = settings;
        let mut enrolment = Enrolment::new(registry, username, folder.clone());
        if let (Some(_), Some(client), Some(tls)) = (&csr, client.clone(), tls.clone()) {
            let issued = Arc::clone(&issued);
            enrolment = enrolment.installing(Box::new(move |certificate| {
                client
                    .install(&tls, certificate)
                    .map_err(|error| error.to_string())?;
                issued.notify_one();
                Ok(())
            }));
        }
        let config = registration::Config { mode, login, csr };
        driver.register_with(config, enrolment)?;
    }
    driver.react_with(Box::new(Observer::new(status.clone(), presence)));
    let mut router = Router::default();
    let mut served = Vec::new();
    for service in &plan.services {
        for server in &service.http_servers {
            for plan in &server.nodes {
                let node = add_node(&mut driver, plan).map_err(|cause| RunError::Node {
                    service: service.id.clone(),
                    resource: plan.resource.clone(),
                    cause,
                })?;
                router.add(server, plan, node.clone())?;
                served.push(ServedNode {
                    service: service.id.clone(),
                    resource: plan.resource.clone(),
                    method: plan.method.clone(),
                    url: url(address, server, plan),
                    topic: plan.topic.clone(),
                    node,
                });
            }
        }
    }
    for node in &served {
        tracing::info!(method = %node.method, url = node.url, topic = node.topic, "serving a transaction node");
    }

    let agent = driver.handle();
    let (stop_http, stop) = watch::channel(false);
    let http =
        listener.map(|(listener, _)| tokio::spawn(serve(listener, router, settings.http_limits, stop)));
    let driver = tokio::spawn(driver.run());
    let view = View {
        status: status.clone(),
        agent: agent.clone(),
        nodes: served.clone().into(),
        tls: client.clone(),
    };
    let admin = admin.map(|(listener, address)| {
        tracing::info!("status page at http://{address}/");
        tokio::spawn(admin::serve(Door::Listener(listener), view.clone()))
    });
    let socket = folder
        .as_ref()
        .and_then(|folder| admin::open_socket(folder.path(), view));
    let tls = client.zip(tls).map(|(client, files)| {
        let reload = tls::Reload::new(Arc::clone(&client), files, trial, settings.tls_look_interval);
        let task = tokio::spawn(async move {
            issued.notified().await;
            reload.run().await;
        });
        (client, task)
    });
    Ok(RunningAgent {
        served,
        agent,
        driver,
        status,
        http,
        admin,
        socket,
        stop_http,
        drain_time: settings.drain_time,
        tls,
        folder,
    })
}

impl RunningAgent {
    /// The URLs that are served, in the order of the plan.
    #[must_use]
    pub fn served(&self) -> &[ServedNode] {
        &self.served
    }

    /// TLS towards the broker, where there is any.
    #[must_use]
    pub fn tls(&self) -> Option<&tls::Client> {
        self.tls.as_ref().map(|(client, _)| &**client)
    }

    /// Waits for a task that ends although nobody has stopped the agent, and tells why.
    pub async fn ended(&mut self) -> RunError {
        let http = async {
            match &mut self.http {
                Some(http) => drop(http.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut self.driver => match ended {
                Ok(Err(gave_up)) => gave_up.into(),
                _ => RunError::Ended { task: "link to the broker" },
            },
            () = http => RunError::Ended { task: "HTTP listener" },
        }
    }

    /// Stops: is not ready any more, takes no more connections, lets held requests end for the drain time, answers the rest with 503,
    /// publishes `offline` and disconnects from the broker.
    pub async fn stop(self) {
        let Self {
            agent,
            driver,
            status,
            http,
            admin,
            socket,
            stop_http,
            drain_time,
            tls,
            folder,
            ..
        } = self;
        status.stopping();
        if let Some((_, reload)) = tls {
            reload.abort();
        }
        stop_http.send_replace(true);
        if let Some(mut http) = http.filter(|http| !http.is_finished())
            && timeout(drain_time, &mut http).await.is_err()
        {
            tracing::info!("cancelling the requests that are still held");
            agent.cancel_all();
            if timeout(CANCEL_TIME, &mut http).await.is_err() {
                http.abort();
            }
        }
        agent.stop();
        if !driver.is_finished() {
            let abort = driver.abort_handle();
            if timeout(DISCONNECT_TIME, driver).await.is_err() {
                abort.abort();
            }
        }
        if let Some(admin) = admin {
            admin.abort();
        }
        drop(socket);
        // From here on the next agent may have it.
        drop(folder);
    }
}

fn tls_client(broker: &Endpoint, settings: &tls::Settings) -> Result<tls::Client, tls::LoadError> {
    let now = tls::Moment::now();
    let client = tls::Client::new(&broker.host, settings, &settings.read()?, now)?;
    if let Some(warning) = client.identity().and_then(|identity| identity.warning(now)) {
        tracing::warn!("{warning}");
    }
    Ok(client)
}

/// Certificates are tried on a connection beside the agent's own, which goes on meanwhile.
struct BrokerTrial {
    endpoint: Endpoint,
    session: session::Config,
}

impl tls::Trial for BrokerTrial {
    async fn run(&self, candidate: Arc<tls::Client>) -> Result<(), tls::TrialError> {
        let dialer = Dialer {
            endpoint: self.endpoint.clone(),
            tls: Some(candidate),
        };
        probe(&dialer, self.session.clone())
            .await
            .map_err(|error| match error {
                ProbeError::Unreachable(why) => tls::TrialError::Unreachable(why),
                ProbeError::Failed(why) => tls::TrialError::Refused(why),
            })
    }
}

/// `session` as one that may stand beside it and leaves no trace, with the credentials that are known by now.
fn on_trial(session: &session::Config, login: Option<&Login>) -> session::Config {
    let mut session = session.clone();
    if let Some(Login::Stored(known) | Login::Given(known)) = login {
        session.username = Some(known.username().to_owned());
        session.password = Some(Bytes::copy_from_slice(known.password().as_bytes()));
    }
    session.client_id.push_str("-trial");
    session.clean_start = true;
    session.session_expiry = 0;
    session.will = None;
    session
}

fn listen(variable: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), RunError> {
    let bind = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        // A port in TIME_WAIT of the run before is free.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| RunError::Listen {
        variable,
        address,
        source,
    })
}

fn add_node(driver: &mut Driver, plan: &HttpNodePlan) -> Result<Node, NodeFault> {
    let transaction = &plan.transaction;
    let config = NodeConfig::new(&plan.topic)
        .and_then(|config| config.timeout(transaction.timeout))
        .and_then(|config| config.max_in_flight(transaction.max_in_flight))
        .map_err(NodeFault::Config)?
        .qos(plan.qos)
        .timeout_error(
            transaction.timeout_error_code.into(),
            &transaction.timeout_error_message,
        );
    driver.add_node(config).map_err(NodeFault::Refused)
}

fn url(address: SocketAddr, server: &HttpServerPlan, node: &HttpNodePlan) -> String {
    format!("http://{address}{}{}", server.base_path, node.route)
}
