//! Places of transaction nodes in the driver: asked for by a difference, taken once the driver has made them.

use syncline_core::codec::QoS;
use syncline_core::flowsync::{NodeConfig, NodeId};
use syncline_core::topic::TopicName;

use super::super::{NodeFault, RunError};
use super::table::{Difference, Kind, ResourceId, Table};
use crate::driver::Node;
use crate::service::plan::TransactionPlan;

/// A node's place in the driver, which holds its requests.
pub(super) enum Place {
    /// It needs none.
    None,
    /// It is to be asked for.
    Wanted(NodeConfig),
    /// It has one.
    Taken(Node),
}

/// A kind whose nodes may have a place.
pub(super) trait Placed: Kind {
    /// The place of one that is to be started.
    fn place(prepared: &mut Self::Prepared) -> &mut Place;

    /// The place of one that runs.
    fn node(running: &Self::Running) -> Option<&Node>;
}

impl Place {
    /// The place of the transaction node `id` with this topic.
    pub(super) fn wanted(
        id: &ResourceId,
        topic: &TopicName,
        qos: QoS,
        transaction: &TransactionPlan,
    ) -> Result<Self, RunError> {
        let config = NodeConfig::new(topic.as_str())
            .and_then(|config| config.timeout(transaction.timeout))
            .and_then(|config| config.max_in_flight(transaction.max_in_flight));
        let config = config.map_err(|cause| RunError::Node {
            service: id.service.clone(),
            resource: id.resource.clone(),
            cause: NodeFault::Config(cause),
        })?;
        let (code, message) = (transaction.timeout_error_code, &transaction.timeout_error_message);
        Ok(Self::Wanted(config.qos(qos).timeout_error(code, message)))
    }

    /// The node that the driver has made for one that wanted it.
    pub(super) fn node(&self) -> Option<&Node> {
        match self {
            Self::Taken(node) => Some(node),
            Self::None | Self::Wanted(_) => None,
        }
    }

    /// The same, for good.
    pub(super) fn into_node(self) -> Option<Node> {
        match self {
            Self::Taken(node) => Some(node),
            Self::None | Self::Wanted(_) => None,
        }
    }
}

/// What a difference asks of the driver: which nodes it should remove, and which add.
pub(super) fn asked<K: Placed>(
    table: &Table<K>,
    difference: &mut Difference<K>,
) -> (Vec<NodeId>, Vec<NodeConfig>) {
    let gone = difference.gone(table);
    let removed = gone.filter_map(|running| Some(K::node(running)?.id())).collect();
    let places = difference
        .begins
        .iter_mut()
        .map(|begin| K::place(&mut begin.prepared));
    let added = places.filter_map(|place| match place {
        Place::Wanted(config) => Some(config.clone()),
        Place::None | Place::Taken(_) => None,
    });
    (removed, added.collect())
}

/// Gives the next of `nodes`, which the driver has made, to each that wanted one.
pub(super) fn give<K: Placed>(difference: &mut Difference<K>, nodes: &mut impl Iterator<Item = Node>) {
    for begin in &mut difference.begins {
        let place = K::place(&mut begin.prepared);
        if matches!(place, Place::Wanted(_))
            && let Some(node) = nodes.next()
        {
            *place = Place::Taken(node);
        }
    }
}
