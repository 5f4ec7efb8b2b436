//! One OPC UA server: made from its plan, filled with nodes one by one, served on a listener, and stopped in order.

use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use opcua::crypto::SecurityPolicy as Policy;
use opcua::server::address_space::{AddressSpace, add_namespaces};
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::ServerContext;
use opcua::server::node_manager::memory::{CoreNodeManagerBuilder, InMemoryNodeManagerBuilder};
use opcua::server::{ServerBuilder, ServerEndpoint, ServerHandle};
use opcua::types::{BuildInfo, DateTime, MessageSecurityMode, UAString};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::authentication::Users;
use super::certificates::Certificates;
use super::channel::Channels;
use super::content::Content;
use super::gate::{Gate, Inside};
use super::identity::Identity;
use super::limits;
use super::nodes::{Nodes, Space};
use super::opening::Offer;
use super::protection;
use super::rejected::Rejected;
use super::text::parse_node_id;
use crate::http::Admission;
use crate::service::plan::{OpcuaNodePlan, OpcuaServerPlan, SecurityMode, SecurityPolicy};
use crate::task::Task;

/// What a client may ask for as lifetime of its channel's keys, in milliseconds: from the second renewal on the library closes a
/// connection on which a request by the keys before arrives after it, so the longest that there is.
const KEY_LIFETIME: u32 = u32::MAX;

/// Why a server cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpcuaError {
    /// There is nowhere to keep its key.
    #[error("OPC UA keeps its key in the data folder, and there is none: set SYNCLINE_DATA_DIR")]
    NoDataFolder,
    /// Its key pair cannot be read or made.
    #[error("the key pair for OPC UA in {folder} cannot be used: {cause}; see docs/opcua.md")]
    Identity {
        /// Where it is kept.
        folder: String,
        /// What went wrong.
        cause: String,
    },
    /// Nobody could ever log in.
    #[error(
        "nobody can log in to the OPC UA server: name a file of users by SYNCLINE_HTTP_AUTH, which `syncline access user` makes, \
         or set the server's `allowAnonymous: true`"
    )]
    NobodyMayLogIn,
    /// Users could only log in with their passwords for everyone to read.
    #[error(
        "nobody can log in to the OPC UA server: passwords are not taken without encryption, and `None` is its only security \
         policy; add another one to its `securityPolicies`, or set its `allowAnonymous: true`"
    )]
    NothingProtectsPasswords,
    /// Everyone on the network could log in, unseen.
    #[error(
        "the OPC UA server would listen on {address}, which is not a loopback address, and let in {whom}: leave out its \
         `allowAnonymous: true` and name a file of users by SYNCLINE_HTTP_AUTH, listen on 127.0.0.1 by SYNCLINE_OPCUA_LISTEN, or \
         set SYNCLINE_ALLOW_INSECURE=true"
    )]
    Insecure {
        /// Where it would listen.
        address: SocketAddr,
        /// Whom it would let in.
        whom: &'static str,
    },
    /// The library refuses its configuration.
    #[error("the OPC UA server cannot be configured: {0}")]
    Configuration(String),
    /// Two nodes have one id, or it is none.
    #[error("the node id {0} cannot be used")]
    NodeId(String),
}

/// What a server needs besides its plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerSettings<'a> {
    /// Name of this agent.
    pub(crate) agent: &'a str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Folder of everything that the agent keeps.
    pub(crate) data: Option<&'a Path>,
    /// Users with their passwords.
    pub(crate) admission: Option<&'a Arc<Admission>>,
    /// Whether it may be reached from other machines without protection.
    pub(crate) allow_insecure: bool,
}

/// A server that is yet to be served.
pub(crate) struct Server {
    library: opcua::server::Server,
    handle: ServerHandle,
    space: Arc<Space>,
    content: Content,
    channels: Channels,
    offer: Arc<Offer>,
    path: Arc<str>,
    /// Where clients find it.
    port: u16,
    rejected: Rejected,
}

/// A server that is served. It ends when this is dropped.
pub(crate) struct Running {
    handle: ServerHandle,
    space: Arc<Space>,
    task: JoinHandle<()>,
    _rejected: Task,
    _sessions: Task,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.content).finish()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Running").field(self.space.inner()).finish()
    }
}

impl Server {
    /// A server without nodes. Where its key pair does not exist yet, it is made, which takes a moment.
    pub(crate) fn new(plan: &OpcuaServerPlan, settings: ServerSettings<'_>) -> Result<Self, OpcuaError> {
        for warning in protection::check(plan, settings)? {
            tracing::warn!("{warning}");
        }
        let host = host(plan, settings.address.ip());
        let url = url(plan, settings.address);
        let uri = plan
            .application_uri
            .clone()
            .unwrap_or_else(|| format!("urn:syncline:{}", settings.agent));
        let data = settings.data.ok_or(OpcuaError::NoDataFolder)?;
        let identity = Identity::prepare(data, &uri, plan, &host)?;
        let namespaces = namespaces(&uri, last_namespace(&plan.nodes));
        let channels = Channels::default();
        let known = channels.clone();
        let users = Arc::new(Users::new(plan.allow_anonymous, settings.admission.cloned()));
        let authenticator = Arc::clone(&users);
        let nodes = move |context: ServerContext, space: &mut AddressSpace| {
            let uris: Vec<&str> = namespaces.iter().map(String::as_str).collect();
            let indices = add_namespaces(&context, space, &uris);
            let metadata = uris.iter().zip(indices).map(|(uri, index)| NamespaceMetadata {
                namespace_uri: (*uri).to_owned(),
                namespace_index: index,
                ..NamespaceMetadata::default()
            });
            Nodes::new(metadata.collect(), known, users)
        };
        let mut builder = ServerBuilder::new()
            // The library's node of diagnostics would claim every node of the namespace 1.
            .without_node_managers()
            .with_node_manager(InMemoryNodeManagerBuilder::new(CoreNodeManagerBuilder))
            .with_node_manager(InMemoryNodeManagerBuilder::new(nodes))
            .with_authenticator(authenticator)
            .application_name("Syncline")
            .application_uri(&uri)
            .product_uri("urn:syncline")
            .build_info(build_info())
            .host(&host)
            .port(settings.address.port())
            .discovery_urls(vec![url.clone()])
            .pki_dir(&identity.folder)
            .certificate_path(&identity.certificate)
            .private_key_path(&identity.key)
            // The client's own hint alone counts; the library would take the longer of the two.
            .max_timeout_ms(0)
            .max_secure_channel_token_lifetime_ms(KEY_LIFETIME)
            .max_session_timeout_ms(limits::SESSION_TIME)
            .hello_timeout(limits::HELLO_TIME)
            .diagnostics_enabled(true);
        let offered = protection::endpoints(plan);
        let offer = Offer::new(offered.iter().map(|(policy, _)| *policy));
        for (policy, mode) in offered {
            // Who may log in by it is asked elsewhere.
            let endpoint = ServerEndpoint::new(&plan.resource_path, policy, mode, &[]);
            builder = builder.add_endpoint(format!("{policy} {mode}"), endpoint);
        }
        limits::apply(builder.limits_mut());
        let (library, handle) = builder.build().map_err(OpcuaError::Configuration)?;
        let space = handle.node_managers().get_of_type::<Space>();
        let space = space.ok_or_else(|| OpcuaError::Configuration("it has no nodes".to_owned()))?;
        Ok(Self {
            content: Content::new(handle.clone(), Arc::clone(&space), &plan.resource, url),
            library,
            handle,
            space,
            channels,
            offer: Arc::new(offer),
            path: plan.resource_path.as_str().into(),
            port: settings.address.port(),
            rejected: Rejected::new(Certificates::of(data)),
        })
    }

    /// What it serves.
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Serves the clients that `gate` takes in from now on; `inner` is where it leads them.
    pub(crate) async fn serve(self, inner: (TcpListener, SocketAddr), gate: &Gate) -> Running {
        let Self {
            library,
            handle,
            space,
            channels,
            offer,
            path,
            port,
            rejected,
            ..
        } = self;
        let (listener, address) = inner;
        let info = Arc::clone(handle.info());
        let (starts, started) = oneshot::channel();
        let mut starts = Some(starts);
        let task = tokio::spawn(async move {
            let mut run = pin!(library.run_with(listener));
            let ended = poll_fn(|context| {
                let polled = run.as_mut().poll(context);
                // It would tell clients the port of its own listener.
                info.port.store(port, Ordering::Relaxed);
                drop(starts.take());
                polled
            });
            if let Err(error) = ended.await {
                tracing::error!(%error, "the OPC UA server has ended");
            }
        });
        // What comes is the end of the sender.
        let _: Result<(), _> = started.await;
        gate.lead(Inside {
            address,
            channels,
            offer,
            path,
        });
        let sessions = Arc::clone(&space.inner().sessions);
        Running {
            handle,
            space,
            task,
            _sessions: Task::start(sessions.look_after()),
            _rejected: Task::start(rejected.look_after()),
        }
    }
}

impl Running {
    /// Takes no more Writes and Calls; those that are held go on.
    pub(crate) fn stop_taking(&self) {
        self.space.inner().stop();
    }

    /// How many Writes wait for the broker to confirm their value.
    pub(crate) fn publishing(&self) -> usize {
        self.space.inner().unconfirmed.count()
    }

    /// Has those Writes answered that wait for the broker.
    pub(crate) fn give_up(&self) {
        self.space.inner().unconfirmed.give_up();
    }

    /// Waits until no Write and no Call is held.
    pub(crate) async fn drained(&self) {
        self.space.inner().held.none().await;
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Tells the clients that the server ends, closes their connections, and waits for that.
    pub(crate) async fn close(mut self) {
        // The library may keep its nodes for longer, and their rules end with them.
        self.space.inner().clear();
        self.handle.cancel();
        self.ended().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.cancel();
        self.task.abort();
    }
}

/// The host in URLs: the plan's, else the address, else this machine's name.
fn host(plan: &OpcuaServerPlan, address: IpAddr) -> String {
    match (&plan.hostname, address) {
        (Some(host), _) => host.clone(),
        (None, address) if address.is_unspecified() => {
            crate::host_name().unwrap_or_else(|| "localhost".to_owned())
        }
        (None, IpAddr::V6(address)) => format!("[{address}]"),
        (None, IpAddr::V4(address)) => address.to_string(),
    }
}

/// The URL that clients of a server on this address connect to.
#[must_use]
pub fn url(plan: &OpcuaServerPlan, address: SocketAddr) -> String {
    let host = host(plan, address.ip());
    format!("opc.tcp://{host}:{}{}", address.port(), plan.resource_path)
}

pub(crate) fn library_policy(policy: SecurityPolicy) -> Policy {
    match policy {
        SecurityPolicy::None => Policy::None,
        SecurityPolicy::Basic128Rsa15 => Policy::Basic128Rsa15,
        SecurityPolicy::Basic256 => Policy::Basic256,
        SecurityPolicy::Basic256Sha256 => Policy::Basic256Sha256,
        SecurityPolicy::Aes128Sha256RsaOaep => Policy::Aes128Sha256RsaOaep,
        SecurityPolicy::Aes256Sha256RsaPss => Policy::Aes256Sha256RsaPss,
    }
}

pub(crate) fn library_mode(mode: SecurityMode) -> MessageSecurityMode {
    match mode {
        SecurityMode::None => MessageSecurityMode::None,
        SecurityMode::Sign => MessageSecurityMode::Sign,
        SecurityMode::SignAndEncrypt => MessageSecurityMode::SignAndEncrypt,
    }
}

/// The last namespace that a node is in.
pub(crate) fn last_namespace(nodes: &[OpcuaNodePlan]) -> u16 {
    let ids = nodes.iter().filter_map(|node| parse_node_id(&node.node_id));
    ids.map(|id| id.namespace).max().unwrap_or(1).max(1)
}

/// The names of the namespaces 1 to the last; the first is the server's own (Part 3, §8.2.2).
fn namespaces(uri: &str, last: u16) -> Vec<String> {
    let name = |index: u16| match index {
        1 => uri.to_owned(),
        index => format!("{uri}:{index}"),
    };
    (1..=last).map(name).collect()
}

fn build_info() -> BuildInfo {
    BuildInfo {
        product_uri: UAString::from("urn:syncline"),
        manufacturer_name: UAString::from("Syncline"),
        product_name: UAString::from("Syncline"),
        software_version: UAString::from(env!("CARGO_PKG_VERSION")),
        build_number: UAString::null(),
        build_date: DateTime::null(),
    }
}
