//! Connections to other systems: one that changes is stopped before it is made anew, for both have one name at the other side.

use super::super::RunError;
use super::table::{Difference, Kind, OneByOne, ResourceId, Table};
use crate::endpoint::{Connection, Means, PreparedConnection};
use crate::service::plan::{ConnectionPlan, ConnectionProtocol, Plan, RetryStrategy};

/// Connections, with what they need.
pub(super) struct Connections {
    pub(super) means: Means,
}

/// All that a connection depends on.
#[derive(Clone, PartialEq)]
pub(super) struct Link {
    protocol: ConnectionProtocol,
    strategy: RetryStrategy,
}

/// The connections that `plan` has, and how they differ from those that are in use.
pub(super) fn compare(
    table: &Table<Connections>,
    plan: &Plan,
    means: &Means,
) -> Result<Difference<Connections>, RunError> {
    let links = all(plan).map(|(id, connection)| (id, Link::of(connection)));
    // A connection is prepared of its plan, of which a link is a part.
    let planned = |wanted: &ResourceId| all(plan).find(|(id, _)| id == wanted);
    table.compare(links.collect(), |id, _| {
        let (_, connection) = planned(id).expect("it was found in this plan");
        PreparedConnection::new(means, &id.service, connection).map_err(|cause| RunError::Connection {
            service: id.service.clone(),
            resource: id.resource.clone(),
            cause,
        })
    })
}

/// The connections of `plan`, in its order.
pub(super) fn all(plan: &Plan) -> impl Iterator<Item = (ResourceId, &ConnectionPlan)> {
    plan.services.iter().flat_map(|service| {
        service
            .connections
            .iter()
            .map(|connection| (ResourceId::new(&service.id, &connection.resource), connection))
    })
}

impl Link {
    pub(super) fn of(plan: &ConnectionPlan) -> Self {
        Self {
            protocol: plan.protocol.clone(),
            strategy: plan.strategy,
        }
    }
}

impl Kind for Connections {
    type Settings = Link;
    type Prepared = PreparedConnection;
    /// `None` where the system lacked what a session needs.
    type Running = Option<Connection>;
}

impl OneByOne for Connections {
    async fn start(
        &self,
        id: &ResourceId,
        _: &Link,
        prepared: PreparedConnection,
        before: Option<Option<Connection>>,
    ) -> Option<Connection> {
        if let Some(before) = before {
            Self::stop(before).await;
        }
        let opened = prepared.open(&self.means, &id.service, &id.resource);
        opened
            .inspect_err(|error| {
                tracing::error!("connection {} of service {}: {error}", id.resource, id.service);
            })
            .ok()
    }

    async fn stop(running: Option<Connection>) {
        if let Some(connection) = running {
            connection.stop().await;
        }
    }
}
