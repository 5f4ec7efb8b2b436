//! The OPC UA server: there while the plan has one, over every change of its nodes. Other settings take a new server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use super::listener::listen;
use super::logins::{Logins, OpenLogins};
use super::{OpcuaListen, RunError, Settings};
use crate::http::{Admission, Patience};
use crate::opcua::{Content, Gate, OpcuaError, Running, Server, ServerSettings, last_namespace};
use crate::service::plan::{OpcuaServerPlan, Plan};

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
    logins: Logins,
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
    /// Those who may log in.
    logins: Option<Arc<OpenLogins>>,
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
    logins: Option<Arc<OpenLogins>>,
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
    /// As `settings` say, for those of `logins`; without a server.
    pub(super) fn new(settings: &Settings, logins: &Logins) -> Self {
        Self {
            agent: settings.session.client_id.clone(),
            listen: settings.opcua_listen,
            data: settings.data_dir.clone(),
            logins: logins.clone(),
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
        let logins = self.logins.open()?;
        let admission = logins.as_ref().map(|logins| Arc::clone(&logins.admission));
        let server = self.make(plan.clone(), door.actual, admission).await?;
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
            logins,
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
                let before = self.open.replace(new.open().await);
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
        if let Some(logins) = self.open.as_ref().and_then(|open| open.logins.as_ref()) {
            logins.admission.look(Patience::AtOnce).await;
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

    /// How many Writes wait for the broker to confirm their value.
    pub(super) fn publishing(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.server.publishing())
    }

    /// Has those Writes answered that wait for the broker.
    pub(super) fn give_up(&self) {
        if let Some(open) = &self.open {
            open.server.give_up();
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
    async fn open(self: Box<Self>) -> Open {
        let Self {
            plan,
            door,
            inner,
            site,
            server,
            logins,
        } = *self;
        let server = server.serve(inner, &door.gate).await;
        tracing::info!("serving OPC UA at {}", site.content.url());
        Open {
            plan,
            door,
            site,
            server,
            logins,
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
        if timeout(CANCEL_TIME, self.server.drained()).await.is_err() {
            self.server.give_up();
            let _ = timeout(CANCEL_TIME, self.server.drained()).await;
        }
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
