//! What is counted of nodes: by resource, so that an edit does not set it back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::table::ResourceId;
use crate::opcua::Misfits;
use crate::rules::Counters;

/// The counters of all nodes.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeCounters {
    /// Of the nodes that have rules.
    pub(super) rules: ByResource<Counters>,
    /// Of the OPC UA nodes that messages or replies have to fit.
    pub(super) misfits: ByResource<Misfits>,
}

/// Counters of one kind.
#[derive(Debug)]
pub(super) struct ByResource<T>(Arc<Mutex<BTreeMap<ResourceId, Arc<T>>>>);

impl NodeCounters {
    /// Forgets all nodes but these.
    pub(super) fn keep(&self, ids: &BTreeSet<ResourceId>) {
        self.rules.keep(ids);
        self.misfits.keep(ids);
    }
}

impl<T> Clone for ByResource<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for ByResource<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Default> ByResource<T> {
    /// Those of the node with this id, which begin at zero where it had none before.
    pub(super) fn of(&self, id: &ResourceId) -> Arc<T> {
        Arc::clone(self.all().entry(id.clone()).or_default())
    }

    /// Those of the node with this id, where it has any.
    pub(super) fn find(&self, id: &ResourceId) -> Option<Arc<T>> {
        self.all().get(id).cloned()
    }

    fn keep(&self, ids: &BTreeSet<ResourceId>) {
        self.all().retain(|id, _| ids.contains(id));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<ResourceId, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
