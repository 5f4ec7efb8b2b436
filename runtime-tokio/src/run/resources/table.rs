//! What runs of one kind of resource, and how that becomes what another plan asks for.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;

use super::super::RunError;

/// Which resource of which service. Two plans mean the same one by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceId {
    pub(crate) service: String,
    pub(crate) resource: String,
    /// Which item of the resource, counted from 1; 0 for the resource itself.
    pub(crate) item: usize,
}

impl ResourceId {
    /// The resource itself.
    pub(super) fn new(service: &str, resource: &str) -> Self {
        Self {
            service: service.to_owned(),
            resource: resource.to_owned(),
            item: 0,
        }
    }
}

/// A kind of resource: when one is the same as before, and how it begins and ends.
///
/// One whose settings are equal in the new plan is not touched, whatever else changes. Every other one is stopped, and what is new
/// is started.
pub(super) trait Kind {
    /// All that its behaviour depends on.
    type Settings: PartialEq;
    /// What may fail about its start, done.
    type Prepared;
    /// One that runs.
    type Running;
}

/// A kind whose resources begin and end each by itself.
pub(super) trait OneByOne: Kind {
    /// Starts one, in the place of `before` where there was one with other settings: here it is decided which of the two steps comes
    /// first.
    async fn start(
        &self,
        id: &ResourceId,
        settings: &Self::Settings,
        prepared: Self::Prepared,
        before: Option<Self::Running>,
    ) -> Self::Running;

    /// Ends one; the future waits until that is done. It takes no more from the moment of the call on.
    fn stop(running: Self::Running) -> impl Future<Output = ()> + Send + 'static;
}

/// All that runs of one kind.
pub(super) struct Table<K: Kind>(BTreeMap<ResourceId, (K::Settings, K::Running)>);

impl<K: Kind> Default for Table<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What a plan asks for beyond what runs, and what it does not ask for any more. It has no effect until it is carried out, first
/// what [ends](Table::end), then what [begins](Table::begin).
pub(super) struct Difference<K: Kind> {
    /// In the order of the plan.
    pub(super) begins: Vec<Begin<K>>,
    /// Those that go for good.
    pub(super) ends: Vec<ResourceId>,
    unchanged: usize,
}

impl<K: Kind> Default for Difference<K> {
    fn default() -> Self {
        Self {
            begins: Vec::new(),
            ends: Vec::new(),
            unchanged: 0,
        }
    }
}

/// One that is to be started.
pub(super) struct Begin<K: Kind> {
    pub(super) id: ResourceId,
    pub(super) settings: K::Settings,
    pub(super) prepared: K::Prepared,
    /// Whether one with other settings runs in its place.
    pub(super) replaces: bool,
}

/// How many resources have changed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Those that were not there before.
    pub added: usize,
    /// Those that were started anew, for their settings are others.
    pub changed: usize,
    /// Those that are gone.
    pub removed: usize,
    /// Those that were not touched.
    pub unchanged: usize,
}

impl<K: Kind> Table<K> {
    /// Holds what runs against what is `wanted`; `prepare` does what may fail about a start.
    pub(super) fn compare(
        &self,
        wanted: Vec<(ResourceId, K::Settings)>,
        mut prepare: impl FnMut(&ResourceId, &K::Settings) -> Result<K::Prepared, RunError>,
    ) -> Result<Difference<K>, RunError> {
        let known: BTreeSet<&ResourceId> = wanted.iter().map(|(id, _)| id).collect();
        let ends = self.0.keys().filter(|id| !known.contains(id));
        let mut difference = Difference {
            begins: Vec::new(),
            ends: ends.cloned().collect(),
            unchanged: 0,
        };
        for (id, settings) in wanted {
            let before = self.0.get(&id).map(|(settings, _)| settings);
            if before == Some(&settings) {
                difference.unchanged += 1;
                continue;
            }
            difference.begins.push(Begin {
                prepared: prepare(&id, &settings)?,
                replaces: before.is_some(),
                settings,
                id,
            });
        }
        Ok(difference)
    }

    /// Has one that was started by other means run with this id.
    pub(super) fn insert(&mut self, id: ResourceId, settings: K::Settings, running: K::Running) {
        self.0.insert(id, (settings, running));
    }

    /// The one that runs with this id, and not any more in this table.
    pub(super) fn remove(&mut self, id: &ResourceId) -> Option<K::Running> {
        self.0.remove(id).map(|(_, running)| running)
    }

    /// All that run of one resource, with their ids.
    pub(super) fn of<'t>(
        &'t self,
        service: &'t str,
        resource: &'t str,
    ) -> impl Iterator<Item = (&'t ResourceId, &'t K::Settings)> {
        let first = ResourceId::new(service, resource);
        self.0
            .range(first..)
            .take_while(move |(id, _)| id.service == service && id.resource == resource)
            .map(|(id, (settings, _))| (id, settings))
    }

    /// The one that runs with this id.
    pub(super) fn running(&self, id: &ResourceId) -> Option<&K::Running> {
        self.0.get(id).map(|(_, running)| running)
    }

    /// All that run, with their ids.
    pub(super) fn all(&self) -> impl Iterator<Item = (&ResourceId, &K::Running)> {
        self.0.iter().map(|(id, (_, running))| (id, running))
    }

    /// All that run, with their ids.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (&ResourceId, &mut K::Running)> {
        self.0.iter_mut().map(|(id, (_, running))| (id, running))
    }

    /// All that run, for good.
    pub(super) fn into_all(self) -> impl Iterator<Item = K::Running> {
        self.0.into_values().map(|(_, running)| running)
    }
}

impl<K: OneByOne> Table<K> {
    /// Ends what the plan does not ask for any more, all at once; what this returns waits until that is done.
    pub(super) fn end(&mut self, difference: &Difference<K>) -> JoinSet<()> {
        let ended = difference.ends.iter().filter_map(|id| self.0.remove(id));
        // Each may take its time, so none waits for another.
        ended.map(|(_, running)| K::stop(running)).collect()
    }

    /// Starts what the plan asks for beyond what runs.
    pub(super) async fn begin(&mut self, kind: &K, difference: Difference<K>) {
        for begin in difference.begins {
            let before = self.0.remove(&begin.id).map(|(_, running)| running);
            let running = kind
                .start(&begin.id, &begin.settings, begin.prepared, before)
                .await;
            self.0.insert(begin.id, (begin.settings, running));
        }
    }
}

impl<K: Kind> Difference<K> {
    /// Those of `table` that are to go, for good or for others in their place.
    pub(super) fn gone<'t>(&'t self, table: &'t Table<K>) -> impl Iterator<Item = &'t K::Running> {
        let replaced = self.begins.iter().filter(|begin| begin.replaces);
        let ids = replaced.map(|begin| &begin.id).chain(&self.ends);
        ids.filter_map(|id| table.running(id))
    }

    pub(super) fn changes(&self) -> Changes {
        let changed = self.begins.iter().filter(|begin| begin.replaces).count();
        Changes {
            added: self.begins.len() - changed,
            changed,
            removed: self.ends.len(),
            unchanged: self.unchanged,
        }
    }
}

impl Changes {
    /// Whether a plan is the same as the one before.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.added + self.changed + self.removed == 0
    }
}

impl std::ops::Add for Changes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            added: self.added + other.added,
            changed: self.changed + other.changed,
            removed: self.removed + other.removed,
            unchanged: self.unchanged + other.unchanged,
        }
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            added,
            changed,
            removed,
            unchanged,
        } = self;
        write!(
            f,
            "{added} added, {changed} changed, {removed} removed, {unchanged} unchanged"
        )
    }
}
