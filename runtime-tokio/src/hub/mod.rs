//! `syncline hub`: the place where agents register, for those who have no other, with a broker that knows them.
//!
//! A client registry over REST and over MQTT, an administrator's page, a certificate authority of its own, and a broker:
//! the embedded one, whose logins and rights come from the hub's directory.

mod authority;
mod broker;
mod directory;
mod limiter;
mod overview;
mod password;
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
use secrecy::ExposeSecret as _;
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
use self::broker::{Broker, Listen, TlsFiles};
use self::directory::{Directory, HUB_USERNAME};
use self::overview::Overview;
use self::store::Store;
use crate::driver::{AgentHandle, Driver, GaveUp, StartError};
use crate::transport::Endpoint;

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
    /// Where the broker listens without TLS.
    pub mqtt: SocketAddr,
    /// Where the broker listens with TLS.
    pub mqtts: Option<SocketAddr>,
    /// Names by which agents reach the hub, for its certificate.
    pub names: Vec<String>,
    /// Make a new password for the administrator, whether there is one or not.
    pub new_password: bool,
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
    /// The hub's own client did not start.
    #[error(transparent)]
    Client(#[from] StartError),
    /// Standard output was closed.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl HubError {
    /// Whether flags or the data folder are the cause.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::Output(_))
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
    /// The broker without TLS.
    pub mqtt: SocketAddr,
    /// The broker with TLS.
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
    let (running, password) = start(settings).await?;
    let Addresses {
        https,
        http,
        mqtt,
        mqtts,
    } = running.addresses;
    let mut lines = String::new();
    let mut line = |name: &str, scheme: &str, address: Option<SocketAddr>| {
        if let Some(address) = address {
            lines.push_str(&format!("{name:<9}{scheme}://{address}\n"));
        }
    };
    line("page", "https", https);
    line("page", "http", http);
    line("broker", "mqtts", mqtts);
    line("broker", "mqtt", Some(mqtt));
    if let Some(password) = password {
        lines.push_str(&format!(
            "\npassword {}\n\nThis password of the page is shown once; `syncline hub --new-password` makes another.\n",
            password.expose_secret()
        ));
    }
    let told = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    if told.is_ok() {
        shutdown.await;
    }
    running.stop().await;
    told.map_err(HubError::Output)
}

/// Starts a hub. With it comes the administrator's password where that is new.
///
/// # Errors
/// [`HubError`] when it cannot start.
pub async fn start(settings: Settings) -> Result<(RunningHub, Option<secrecy::SecretString>), HubError> {
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
    let broker = Broker::start(
        Listen {
            plain: settings.mqtt,
            tls: settings.mqtts.map(|address| TlsFiles { address, ..tls }),
        },
        Arc::clone(&directory),
    )
    .await?;
    let addresses = Addresses {
        https: bound[0],
        http: bound[1],
        mqtt: broker.address(),
        mqtts: broker.tls_address(),
    };
    let overview = Overview::default();
    let client = watch_agents(addresses.mqtt, &directory, overview.clone())?;
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
    // Last, for whoever is not shown a new password has none.
    match running.hub.directory.make_admin(settings.new_password).await {
        Ok(password) => Ok((running, password)),
        Err(error) => {
            running.stop().await;
            Err(error.into())
        }
    }
}

impl RunningHub {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
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
    let all = [settings.https, settings.http, Some(settings.mqtt), settings.mqtts];
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

/// Starts the hub's own client, which listens for what agents say of themselves.
fn watch_agents(
    broker: SocketAddr,
    directory: &Directory,
    overview: Overview,
) -> Result<(AgentHandle, JoinHandle<Result<(), GaveUp>>), HubError> {
    let host = match broker.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let endpoint = Endpoint {
        host: host.to_string(),
        port: broker.port(),
    };
    let mut config = session::Config::new(HUB_USERNAME);
    config.clean_start = true;
    config.session_expiry = 0;
    config.username = Some(HUB_USERNAME.to_owned());
    config.password = Some(Bytes::copy_from_slice(
        directory.hub_password().expose_secret().as_bytes(),
    ));
    let mut driver = Driver::new(endpoint, config)?;
    driver.react_with(Box::new(overview));
    let handle = driver.handle();
    Ok((handle, tokio::spawn(driver.run())))
}
