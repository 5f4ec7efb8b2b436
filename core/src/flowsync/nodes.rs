//! The nodes of a requester: slots that are used again, and handles that never name a later node.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::node::{NodeConfig, NodeId};
use crate::limits::MAX_NODES;
use crate::topic::TopicName;

/// Why nodes were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Another node reads the same replies.
    #[error("another node reads its replies from {0}: give one of them a topic of its own")]
    Taken(TopicName),
    /// There would be more than [`MAX_NODES`].
    #[error("there would be more than {MAX_NODES} transaction nodes: run some of them on another agent")]
    TooMany,
}

/// All nodes of a requester.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    slots: Vec<Slot>,
    /// Slots whose node was removed.
    free: Vec<u32>,
    by_tres: BTreeMap<TopicName, u32>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    node: Option<Node>,
}

/// A node, and how many of its transactions wait for a reply.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) config: NodeConfig,
    pub(super) open: usize,
}

impl Nodes {
    pub(super) fn at(&self, id: NodeId) -> Option<&Node> {
        let slot = self.slots.get(id.index as usize)?;
        slot.node.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(super) fn at_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        let slot = self.slots.get_mut(id.index as usize)?;
        slot.node.as_mut().filter(|_| slot.generation == id.generation)
    }

    /// The node that reads its replies from `topic`.
    pub(super) fn reading(&self, topic: &str) -> Option<(NodeId, &Node)> {
        let index = *self.by_tres.get(topic)?;
        let Slot { generation, node } = self.slots.get(index as usize)?;
        let id = NodeId {
            index,
            generation: *generation,
        };
        Some((id, node.as_ref()?))
    }

    /// `None` if another node reads the same tres, or [`MAX_NODES`] exist.
    pub(super) fn add(&mut self, config: NodeConfig) -> Option<NodeId> {
        if self.by_tres.contains_key(&config.tres) {
            return None;
        }
        let index = match self.free.pop() {
            Some(free) => free,
            None if self.slots.len() < MAX_NODES => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot::default());
                index
            }
            None => return None,
        };
        let slot = &mut self.slots[index as usize];
        self.by_tres.insert(config.tres.clone(), index);
        slot.node = Some(Node { config, open: 0 });
        Some(NodeId {
            index,
            generation: slot.generation,
        })
    }

    /// Frees the slot of a node. Its transactions have to have ended.
    pub(super) fn remove(&mut self, id: NodeId) -> Option<NodeConfig> {
        self.at(id)?;
        let slot = &mut self.slots[id.index as usize];
        let config = slot.node.take()?.config;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        self.by_tres.remove(&config.tres);
        Some(config)
    }

    /// Whether `added` fit where `removed`, which are all there, are gone.
    pub(super) fn check(&self, removed: &BTreeSet<NodeId>, added: &[NodeConfig]) -> Result<(), ChangeError> {
        let mut read: BTreeSet<&TopicName> = BTreeSet::new();
        for NodeConfig { tres, .. } in added {
            let reader = self.reading(tres.as_str()).map(|(id, _)| id);
            if reader.is_some_and(|id| !removed.contains(&id)) || !read.insert(tres) {
                return Err(ChangeError::Taken(tres.clone()));
            }
        }
        match self.by_tres.len() - removed.len() + added.len() > MAX_NODES {
            true => Err(ChangeError::TooMany),
            false => Ok(()),
        }
    }
}
