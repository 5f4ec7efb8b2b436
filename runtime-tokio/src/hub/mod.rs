//! `syncline hub`: the place where agents register, for those who have no other, with a broker that knows them.
//!
//! A client registry over REST and over MQTT, an administrator's page, a certificate authority of its own, and a broker:
//! the embedded one, whose logins and rights come from the hub's directory, or a Mosquitto whose dynamic security plugin
//! follows it.

mod authority;
mod broker;
mod changes;
mod directory;
mod dynamic_security;
mod embedded;
mod limiter;
mod overview;
mod permission;
mod registry;
mod store;
mod web;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use syncline_core::session;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub use authority::AuthorityError;
pub use directory::ChangeError;
pub use store::StoreError;

use self::authority::{Authority, Identity, SERVER_CERTIFICATE, SERVER_KEY};
use self::broker::Broker;
use self::directory::{Directory, HUB_USERNAME};
use self::dynamic_security::DynamicSecurity;
use self::embedded::{Embedded, Listen, TlsFiles};
use self::overview::Overview;
use self::store::Store;
use crate::driver::{AgentHandle, Driver, GaveUp, StartError};
use crate::transport::{Dialer, Endpoint};

pub use crate::broker::BrokerError;

/// Time for connections of the page to end when the hub stops.
const STOP_TIME: Duration = Duration::from_secs(3);

/// What a hub is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of users, keys and certificates.
    pub data_dir: PathBuf,
    /// Where registry and page listen with TLS.
    pub https: Option<SocketAddr>,
    /// Where registry and page listen without TLS; a loopback address.
    pub http: Option<SocketAddr>,
    /// The broker.
    pub broker: BrokerSettings,
    /// Names by which agents reach the hub, for its certificate.
    pub names: Vec<String>,
    /// Make a new password for the administrator, whether there is one or not.
    pub new_password: bool,
}

/// Which broker a hub has.
#[derive(Debug, Clone)]
pub enum BrokerSettings {
    /// One in this process.
    Embedded {
        /// Where it listens without TLS.
        mqtt: SocketAddr,
        /// Where it listens with TLS.
        mqtts: Option<SocketAddr>,
    },
    /// A Mosquitto with its dynamic security plugin.
    Mosquitto {
        /// How it is reached.
        dialer: Dialer,
        /// An administrator of the plugin.
        username: String,
        /// Its password.
        password: SecretString,
    },
}

/// Why a hub cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A listener could not be opened.
    #[error(
        "cannot listen on {address}: {}; stop the program that uses this address, or give another with {flag}",
        crate::transport::text(source)
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that names it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A listener without TLS would be seen by others.
    #[error(
        "--http {0} is not a loopback address, and passwords would cross the network in the clear: use --https"
    )]
    Insecure(SocketAddr),
    /// Users cannot be kept.
    #[error(transparent)]
    Directory(#[from] ChangeError),
    /// Certificates cannot be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// TLS cannot be served with them.
    #[error("the hub's own certificate: {0}")]
    Tls(String),
    /// The broker did not start.
    #[error("{0}; is the address of --mqtt or --mqtts in use?")]
    Broker(#[from] BrokerError),
    /// Mosquitto cannot be administered.
    #[error("{0}")]
    Mosquitto(#[from] dynamic_security::Failed),
    /// The hub's own client did not start.
    #[error(transparent)]
    Client(#[from] StartError),
    /// Standard output was closed.
    #[error(
        "cannot write to standard output: {0}; a new password that was not shown is not kept: start again with an output that takes it"
    )]
    Output(io::Error),
}

impl HubError {
    /// Whether flags or the data folder are the cause.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::Output(_)) && !self.is_in_use()
    }

    /// Whether another process uses the data folder.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Directory(ChangeError::Store(StoreError::Locked(..))))
    }
}

/// What every part of the hub works on.
struct Hub {
    directory: Arc<Directory>,
    authority: Authority,
    broker: Broker,
    overview: Overview,
}

/// A hub whose tasks are running.
pub struct RunningHub {
    hub: Arc<Hub>,
    addresses: Addresses,
    stop: watch::Sender<bool>,
    web: Vec<JoinHandle<()>>,
    client: (AgentHandle, JoinHandle<Result<(), GaveUp>>),
}

/// Where a hub listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Registry and page with TLS.
    pub https: Option<SocketAddr>,
    /// Registry and page without TLS.
    pub http: Option<SocketAddr>,
    /// The embedded broker without TLS.
    pub mqtt: Option<SocketAddr>,
    /// The embedded broker with TLS.
    pub mqtts: Option<SocketAddr>,
}

/// Runs a hub until `shutdown` completes; says on `out` where it is, and once the password of its administrator.
///
/// # Errors
/// [`HubError`] when it cannot start.
pub async fn run(
    settings: Settings,
    out: &mut (dyn Write + Send),
    shutdown: impl Future<Output = ()>,
) -> Result<(), HubError> {
    let mut shutdown = std::pin::pin!(shutdown);
    let (running, password) = tokio::select! {
        started = start(settings) => started?,
        // Nothing runs yet: what has been opened closes as it is dropped.
        () = &mut shutdown => return Ok(()),
    };
    let Addresses {
        https,
        http,
        mqtt,
        mqtts,
    } = running.addresses;
    let keeps_nothing = mqtt.is_some();
    let mut lines = String::new();
    let mut line = |name: &str, scheme: &str, address: Option<SocketAddr>| {
        if let Some(address) = address {
            lines.push_str(&format!("{name:<9}{scheme}://{address}\n"));
        }
    };
    line("page", "https", https);
    line("page", "http", http);
    line("broker", "mqtts", mqtts);
    line("broker", "mqtt", mqtt);
    lines.push_str(match keeps_nothing {
        true => "\nThe broker keeps no messages and no sessions over a restart; with --mosquitto a Mosquitto does.\n",
        false => "\nMosquitto tells nobody whom it refuses: agents register here over REST, not over MQTT alone.\n",
    });
    let is_new = password.is_some();
    if let Some(password) = password {
        lines.push_str(&format!(
            "\npassword {}\n\nThis password of the page is shown once; `syncline hub --new-password` makes another.\n",
            password.expose_secret()
        ));
    }
    let told = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    let mut outcome = told.map_err(HubError::Output);
    if outcome.is_ok() && is_new {
        outcome = running.keep_password().await;
    }
    if outcome.is_ok() {
        shutdown.await;
    }
    running.stop().await;
    outcome
}

/// Starts a hub. With it comes the administrator's password where that is new: once it has been shown,
/// [`RunningHub::keep_password`] has it outlast this process.
///
/// # Errors
/// [`HubError`] when it cannot start.
pub async fn start(settings: Settings) -> Result<(RunningHub, Option<SecretString>), HubError> {
    if let Some(http) = settings.http.filter(|http| !http.ip().is_loopback()) {
        return Err(HubError::Insecure(http));
    }
    let store = Store::open(&settings.data_dir).map_err(ChangeError::Store)?;
    let authority = Authority::open(&store)?;
    let identity = authority.server(&authority::server_names(&settings.names, &addresses(&settings)))?;
    let tls = identity.write(&store)?;
    let directory = Arc::new(Directory::open(store)?);

    // The listeners first: what can fail fails before anything runs.
    let (stop, stopped) = watch::channel(false);
    let mut listeners = Vec::new();
    let mut bound = [None, None];
    let wanted = [
        (settings.https, "--https", Some(acceptor(&identity)?)),
        (settings.http, "--http", None),
    ];
    for (index, (address, flag, acceptor)) in wanted.into_iter().enumerate() {
        if let Some(address) = address {
            let listener = listen(address, flag).await?;
            bound[index] = listener.local_addr().ok();
            listeners.push((listener, acceptor));
        }
    }
    let password = directory.make_admin(settings.new_password).await?;
    let overview = Overview::default();
    let (broker, dialer, session) = open_broker(settings.broker, tls, &directory).await?;
    let mut driver = Driver::new(dialer, session)?;
    driver.react_with(Box::new(overview.clone()));
    let client = (driver.handle(), tokio::spawn(driver.run()));
    let (mqtt, mqtts) = match &broker {
        Broker::Embedded(embedded) => (Some(embedded.address()), embedded.tls_address()),
        Broker::Mosquitto(_) => (None, None),
    };
    let addresses = Addresses {
        https: bound[0],
        http: bound[1],
        mqtt,
        mqtts,
    };
    let hub = Arc::new(Hub {
        directory,
        authority,
        broker,
        overview,
    });
    let web = listeners
        .into_iter()
        .map(|(listener, acceptor)| {
            tokio::spawn(web::serve(listener, acceptor, Arc::clone(&hub), stopped.clone()))
        })
        .collect();
    let running = RunningHub {
        hub,
        addresses,
        stop,
        web,
        client,
    };
    Ok((running, password))
}

impl RunningHub {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Keeps the administrator's new password.
    ///
    /// # Errors
    /// [`HubError::Directory`] when the data folder cannot be written to.
    pub async fn keep_password(&self) -> Result<(), HubError> {
        Ok(self.hub.directory.keep_admin().await?)
    }

    /// Stops: page first, then the broker.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for mut task in self.web {
            if timeout(STOP_TIME, &mut task).await.is_err() {
                task.abort();
                // Cancelled, as just asked for.
                let _ = task.await;
            }
        }
        let (handle, task) = self.client;
        handle.stop();
        let abort = task.abort_handle();
        if timeout(STOP_TIME, task).await.is_err() {
            abort.abort();
        }
        // Connections of the page that outlived their listener hold the hub; then the process's end closes the broker.
        if let Some(hub) = Arc::into_inner(self.hub) {
            hub.broker.stop().await;
        }
    }
}

impl Identity {
    fn write(&self, store: &Store) -> Result<TlsFiles, AuthorityError> {
        store.write(SERVER_KEY, self.key.as_bytes())?;
        store.write(SERVER_CERTIFICATE, self.certificate.as_bytes())?;
        Ok(TlsFiles {
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            certificate: store.path(SERVER_CERTIFICATE),
            key: store.path(SERVER_KEY),
        })
    }
}

fn addresses(settings: &Settings) -> Vec<IpAddr> {
    let (mqtt, mqtts) = match &settings.broker {
        BrokerSettings::Embedded { mqtt, mqtts } => (Some(*mqtt), *mqtts),
        BrokerSettings::Mosquitto { .. } => (None, None),
    };
    let all = [settings.https, settings.http, mqtt, mqtts];
    all.into_iter().flatten().map(|address| address.ip()).collect()
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, HubError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| HubError::Listen {
            address,
            flag,
            source,
        })
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor, HubError> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let failed = |error: &dyn std::fmt::Display| HubError::Tls(error.to_string());
    let certificates = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| failed(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Starts or finds the broker; with it comes how the hub's own client, which listens for what agents say of themselves,
/// gets there.
async fn open_broker(
    settings: BrokerSettings,
    tls: TlsFiles,
    directory: &Arc<Directory>,
) -> Result<(Broker, Dialer, session::Config), HubError> {
    match settings {
        BrokerSettings::Embedded { mqtt, mqtts } => {
            let listen = Listen {
                plain: mqtt,
                tls: mqtts.map(|address| TlsFiles { address, ..tls }),
            };
            let embedded = Embedded::start(listen, Arc::clone(directory)).await?;
            let mut session = session::Config::new(HUB_USERNAME);
            session.clean_start = true;
            session.session_expiry = 0;
            session.username = Some(HUB_USERNAME.to_owned());
            session.password = Some(Bytes::copy_from_slice(
                directory.hub_password().expose_secret().as_bytes(),
            ));
            let dialer = Dialer::from(reachable(embedded.address()));
            Ok((Broker::Embedded(embedded), dialer, session))
        }
        BrokerSettings::Mosquitto {
            dialer,
            username,
            password,
        } => {
            let mosquitto = DynamicSecurity {
                dialer: dialer.clone(),
                username,
                password,
            };
            mosquitto.check().await?;
            let session = mosquitto.session("overview");
            Ok((Broker::Mosquitto(mosquitto), dialer, session))
        }
    }
}

/// How a listener of this process is reached from within.
fn reachable(address: SocketAddr) -> Endpoint {
    let host = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    Endpoint {
        host: host.to_string(),
        port: address.port(),
    }
}
