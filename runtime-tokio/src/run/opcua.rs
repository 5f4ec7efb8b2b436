//! The OPC UA server: there while the plan has one, over every change of its nodes. Other settings take a new server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use super::listener::listen;
use super::{OpcuaListen, RunError, Settings};
use crate::http::{Admission, Patience};
use crate::opcua::{Content, Gate, OpcuaError, Running, Server, ServerSettings, last_namespace};
use crate::service::plan::{OpcuaServerPlan, Plan};
use crate::task::Task;

/// Time for the answers to what a server holds that ends.
const CANCEL_TIME: Duration = Duration::from_secs(1);

/// The OPC UA server, where there is one, and what it takes to make it.
#[derive(Debug)]
pub(super) struct OpcuaFront {
    /// Name of this agent.
    agent: String,
    listen: OpcuaListen,
    /// The data folder.
    data: Option<PathBuf>,
    /// File of those who may log in.
    access: Option<PathBuf>,
    look_interval: Duration,
    allow_insecure: bool,
    /// Servers since the start.
    generations: u64,
    open: Option<Open>,
}

/// A server at work.
#[derive(Debug)]
struct Open {
    plan: OpcuaServerPlan,
    door: Arc<Door>,
    site: Site,
    server: Running,
    admission: Option<Arc<Admission>>,
    /// Keeps it up to date.
    _look: Option<Task>,
}

/// Where clients come in: it may outlive a server.
#[derive(Debug)]
struct Door {
    /// As it was asked for.
    wanted: SocketAddr,
    /// As the system has it.
    actual: SocketAddr,
    gate: Gate,
}

/// A server as its nodes see it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) content: Content,
    /// Which of this agent's servers it is: what belongs to one does not belong to the next.
    pub(super) generation: u64,
}

/// What becomes of the server; nothing of it is done yet.
#[derive(Debug)]
pub(super) enum OpcuaChange {
    /// There is none then.
    Closed,
    /// It stays.
    Kept(Site),
    /// Another one comes.
    New(Box<NewServer>),
}

/// A server that is yet to be served.
#[derive(Debug)]
pub(super) struct NewServer {
    plan: OpcuaServerPlan,
    /// That of the server before, where the address is the same.
    door: Arc<Door>,
    /// Where the gate leads.
    inner: (TcpListener, SocketAddr),
    site: Site,
    server: Server,
    admission: Option<Arc<Admission>>,
}

impl OpcuaChange {
    /// The server that there is then.
    pub(super) fn site(&self) -> Option<&Site> {
        match self {
            Self::Closed => None,
            Self::Kept(site) => Some(site),
            Self::New(new) => Some(&new.site),
        }
    }
}

impl OpcuaFront {
    /// As `settings` say, of the agent of this name; without a server.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            agent: settings.session.client_id.clone(),
            listen: settings.opcua_listen,
            data: settings.data_dir.clone(),
            access: settings.http_access.clone(),
            look_interval: settings.tls_look_interval,
            allow_insecure: settings.allow_insecure,
            generations: 0,
            open: None,
        }
    }

    /// Makes the server that `plan` needs, where there is none or one with other settings.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the server is not to be run so.
    pub(super) async fn prepare(&mut self, plan: &Plan) -> Result<OpcuaChange, RunError> {
        let mut servers = plan.services.iter().flat_map(|service| &service.opcua_servers);
        let Some(plan) = servers.next() else {
            return Ok(OpcuaChange::Closed);
        };
        if let Some(open) = &self.open
            && open.suits(plan)
        {
            return Ok(OpcuaChange::Kept(open.site.clone()));
        }
        let wanted = SocketAddr::new(self.listen.ip, self.listen.port.unwrap_or(plan.port));
        let door = match &self.open {
            Some(open) if open.door.wanted == wanted => Arc::clone(&open.door),
            _ => {
                let (listener, actual) = listen("SYNCLINE_OPCUA_LISTEN", wanted)?;
                let gate = Gate::open(listener);
                Arc::new(Door { wanted, actual, gate })
            }
        };
        let inner = listen("SYNCLINE_OPCUA_LISTEN", (Ipv4Addr::LOCALHOST, 0).into())?;
        let admission = |file| Admission::open(file, "SYNCLINE_HTTP_AUTH").map(Arc::new);
        let admission = self.access.clone().map(admission).transpose()?;
        let server = self.make(plan.clone(), door.actual, admission.clone()).await?;
        self.generations += 1;
        Ok(OpcuaChange::New(Box::new(NewServer {
            plan: plan.clone(),
            door,
            inner,
            site: Site {
                content: server.content().clone(),
                generation: self.generations,
            },
            server,
            admission,
        })))
    }

    /// On another thread, for it may make a key pair, and has the thousands of nodes that every server has.
    async fn make(
        &self,
        plan: OpcuaServerPlan,
        address: SocketAddr,
        admission: Option<Arc<Admission>>,
    ) -> Result<Server, RunError> {
        let (agent, data, allow_insecure) = (self.agent.clone(), self.data.clone(), self.allow_insecure);
        let made = tokio::task::spawn_blocking(move || {
            let settings = ServerSettings {
                agent: &agent,
                address,
                data: data.as_deref(),
                admission: admission.as_ref(),
                allow_insecure,
            };
            Server::new(&plan, settings)
        });
        let made = made
            .await
            .unwrap_or_else(|panic| Err(OpcuaError::Configuration(panic.to_string())));
        Ok(made?)
    }

    /// Carries `change` out; its nodes are there already.
    pub(super) async fn adopt(&mut self, change: OpcuaChange) {
        match change {
            OpcuaChange::Kept(_) => {}
            OpcuaChange::Closed => {
                if let Some(open) = self.open.take() {
                    tracing::info!(
                        "closing the OPC UA server at {}: no service has one",
                        open.site.content.url()
                    );
                    open.end().await;
                }
            }
            OpcuaChange::New(new) => {
                let before = self.open.replace(new.open(self.look_interval).await);
                if let Some(before) = before {
                    before.end().await;
                }
            }
        }
    }

    /// What the server serves, where there is one.
    pub(super) fn content(&self) -> Option<&Content> {
        self.open.as_ref().map(|open| &open.site.content)
    }

    /// Looks at once whether those who may log in are others now.
    pub(super) async fn look(&self) {
        if let Some(admission) = self.open.as_ref().and_then(|open| open.admission.as_ref()) {
            admission.look(Patience::AtOnce).await;
        }
    }

    /// Waits for an end that nobody has asked for; for ever while there is no server.
    pub(super) async fn ended(&mut self) {
        match &mut self.open {
            Some(open) => open.server.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Takes no more Writes and Calls; those that are held go on.
    pub(super) fn stop_taking(&self) {
        if let Some(open) = &self.open {
            open.server.stop_taking();
        }
    }

    /// Waits until no Write and no Call is held.
    pub(super) async fn drained(&self) {
        if let Some(open) = &self.open {
            open.server.drained().await;
        }
    }

    /// Closes the server, after all that is held has ended.
    pub(super) async fn close(self) {
        if let Some(open) = self.open {
            open.close().await;
        }
    }
}

impl NewServer {
    async fn open(self: Box<Self>, interval: Duration) -> Open {
        let Self {
            plan,
            door,
            inner,
            site,
            server,
            admission,
        } = *self;
        let server = server.serve(inner, &door.gate).await;
        tracing::info!("serving OPC UA at {}", site.content.url());
        let look = admission
            .clone()
            .map(|admission| Task::start(async move { admission.keep_up_to_date(interval).await }));
        Open {
            plan,
            door,
            site,
            server,
            admission,
            _look: look,
        }
    }
}

impl Open {
    /// Whether it can do all that `plan` asks for, besides nodes that come and go.
    fn suits(&self, plan: &OpcuaServerPlan) -> bool {
        // The library learns of namespaces at its start alone.
        settings(plan) == settings(&self.plan)
            && last_namespace(&plan.nodes) <= last_namespace(&self.plan.nodes)
    }

    /// Ends while the agent goes on: its nodes have let go of what they held.
    async fn end(self) {
        self.server.stop_taking();
        let _ = timeout(CANCEL_TIME, self.server.drained()).await;
        self.close().await;
    }

    async fn close(self) {
        // Clients that take in nothing are not waited for.
        let _ = timeout(CANCEL_TIME, self.server.close()).await;
        // Unless the next server has it.
        if let Some(door) = Arc::into_inner(self.door) {
            door.gate.close().await;
        }
    }
}

/// All that a server depends on besides its nodes.
fn settings(plan: &OpcuaServerPlan) -> OpcuaServerPlan {
    OpcuaServerPlan {
        nodes: Vec::new(),
        ..plan.clone()
    }
}
