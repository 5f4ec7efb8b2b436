//! What a server serves: nodes that come and go while clients use others, and their values.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use opcua::server::ServerHandle;
use opcua::types::{DataValue, NodeId, VariableId, Variant};

use super::address_space;
use super::authentication::Places;
use super::nodes::{Behaviour, Space};
use super::server::OpcuaError;
use super::text::parse_node_id;
use crate::service::plan::OpcuaNodePlan;

/// Where the library counts its sessions.
const CURRENT_SESSION_COUNT: VariableId =
    VariableId::Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSessionCount;

/// The nodes of one server. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Content {
    handle: ServerHandle,
    space: Arc<Space>,
    resource: Arc<str>,
    url: Arc<str>,
}

/// How much goes on at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Connections with a secure channel.
    pub(crate) channels: usize,
    pub(crate) sessions: u32,
    /// Writes and Calls that are held.
    pub(crate) held: usize,
    /// Those that were one too many, since the start of the server.
    pub(crate) refused: u64,
    /// Passwords that were nobody's, since the start of the server.
    pub(crate) refused_logins: u64,
}

/// A node that is to be served.
#[derive(Debug)]
pub(crate) struct NewNode<'p> {
    pub(crate) plan: &'p OpcuaNodePlan,
    pub(crate) id: NodeId,
    /// The node above; none for the server's root node.
    pub(crate) parent: Option<NodeId>,
    /// Its first value.
    pub(crate) initial: Option<Variant>,
    pub(crate) behaviour: Behaviour,
}

/// A node that stays, below one that does not.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) id: NodeId,
    pub(crate) parent: NodeId,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("url", &self.url)
            .field("nodes", self.space.inner())
            .finish_non_exhaustive()
    }
}

/// The ids of these nodes, in their order.
///
/// # Errors
/// [`OpcuaError::NodeId`] for the first that cannot be used, or that another one has.
pub(crate) fn ids(plans: &[OpcuaNodePlan]) -> Result<Vec<NodeId>, OpcuaError> {
    let mut known = HashSet::new();
    let mut ids = Vec::with_capacity(plans.len());
    for plan in plans {
        let unfit = || OpcuaError::NodeId(plan.node_id.clone());
        // The namespace 0 is OPC UA's own.
        let id = parse_node_id(&plan.node_id).filter(|id| id.namespace > 0);
        let id = id.ok_or_else(unfit)?;
        for own in address_space::ids(&id, plan) {
            if !known.insert(own) {
                return Err(unfit());
            }
        }
        ids.push(id);
    }
    Ok(ids)
}

impl Content {
    /// Those of the server with this resource id.
    pub(super) fn new(handle: ServerHandle, space: Arc<Space>, resource: &str, url: String) -> Self {
        Self {
            handle,
            space,
            resource: resource.into(),
            url: url.into(),
        }
    }

    /// The resource id of the server.
    pub(crate) fn resource(&self) -> &str {
        &self.resource
    }

    /// The URL that clients connect to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How much goes on.
    pub(crate) fn activity(&self) -> Activity {
        let nodes = self.space.inner();
        let sessions = self.handle.info().diagnostics.get(CURRENT_SESSION_COUNT);
        let (held, refused) = nodes.held.counts();
        Activity {
            channels: nodes.channels.count(),
            sessions: match sessions.and_then(|sessions| sessions.value) {
                Some(Variant::UInt32(sessions)) => sessions,
                _ => 0,
            },
            held,
            refused,
            refused_logins: nodes.users.refused(),
        }
    }

    /// Takes nodes away and adds others in one step, of which no client sees a part. The ids are those of [`ids`], each node comes after
    /// its parent; `places` are those of all nodes then. Sessions and subscriptions stay; who monitors a node that is gone is told `BadNodeIdUnknown`.
    pub(crate) fn exchange(
        &self,
        removed: &[NodeId],
        added: Vec<NewNode<'_>>,
        kept: &[Kept],
        places: Places,
    ) {
        let mut space = self.space.address_space().write();
        let mut concerned: HashSet<NodeId> = removed.iter().cloned().collect();
        for id in removed {
            address_space::remove(&mut space, id);
        }
        let mut behaviours = Vec::with_capacity(added.len());
        for node in added {
            let NewNode {
                plan,
                id,
                parent,
                initial,
                behaviour,
            } = node;
            if !address_space::insert(&mut space, plan, &id, parent.as_ref(), initial) {
                tracing::error!("the node id {id} is in use, this is a bug in syncline");
            }
            concerned.insert(id.clone());
            behaviours.push((id, behaviour));
        }
        for Kept { id, parent } in kept {
            address_space::hold(&mut space, parent, id);
        }
        let nodes = self.space.inner();
        nodes.users.replace(places);
        nodes.exchange(removed, behaviours);
        // Under the lock, so that clients hear of values in the order in which the nodes take them.
        for id in &concerned {
            nodes.watchers.tell(self.handle.subscriptions(), &space, id);
        }
    }

    /// Gives a variable a value, and tells everyone who monitors it. A node that is gone takes none.
    pub(super) fn set(&self, id: &NodeId, value: DataValue) {
        let mut space = self.space.address_space().write();
        let nodes = self.space.inner();
        nodes.take(self.handle.subscriptions(), &mut space, id, value);
    }
}
