//! What is counted of the rules of nodes: by resource, so that an edit does not set it back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::table::ResourceId;
use crate::rules::Counters;

/// The counters of the nodes that have rules.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleCounters(Arc<Mutex<BTreeMap<ResourceId, Arc<Counters>>>>);

impl RuleCounters {
    /// Those of the node with this id, which begin at zero where it had none before.
    pub(super) fn of(&self, id: &ResourceId) -> Arc<Counters> {
        Arc::clone(self.all().entry(id.clone()).or_default())
    }

    /// Those of the node with this id, where it has any.
    pub(super) fn find(&self, id: &ResourceId) -> Option<Arc<Counters>> {
        self.all().get(id).cloned()
    }

    /// Forgets all nodes but these.
    pub(super) fn keep(&self, ids: &BTreeSet<ResourceId>) {
        self.all().retain(|id, _| ids.contains(id));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<ResourceId, Arc<Counters>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
