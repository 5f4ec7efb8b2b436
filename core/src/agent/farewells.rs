//! Subscriptions that nobody needs any more: ended at the server, now or when it can be reached again.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Agent, Purpose};
use crate::codec::PropertyBuf;
use crate::limits::MAX_SUBSCRIPTIONS;
use crate::session::{Completion, Connected, OpId};
use crate::topic::TopicFilter;

/// Filters that the server may still have a subscription to.
#[derive(Debug, Default)]
pub(super) struct Farewells {
    /// With the latest UNSUBSCRIBE that is under way.
    filters: BTreeMap<TopicFilter, Option<OpId>>,
    /// Whether no UNSUBSCRIBE is sent for now.
    held: bool,
}

impl Farewells {
    /// Somebody needs the filter again.
    pub(super) fn recall(&mut self, filter: &TopicFilter) {
        self.filters.remove(filter);
    }
}

impl Agent {
    // Commands.

    /// From now on no subscription is ended at the server, until [`release_farewells`](Self::release_farewells): for a change in
    /// which one who needs a topic goes before another comes who needs it. Messages of what nobody needs meanwhile are nobody's.
    pub fn hold_farewells(&mut self) {
        self.farewells.held = true;
    }

    /// Ends at the server what nobody needs by now.
    pub fn release_farewells(&mut self) {
        if !core::mem::take(&mut self.farewells.held) {
            return;
        }
        let waiting = self.farewells.filters.iter().filter(|(_, said)| said.is_none());
        let waiting: Vec<_> = waiting.map(|(filter, _)| filter.clone()).collect();
        for filter in waiting {
            self.say_farewell(filter);
        }
    }

    /// Ends the subscription to `filter` at the server, unless a node or a standing subscription still needs it.
    ///
    /// Without a connection the server may keep the Session, and the subscription in it, for the next one.
    pub(super) fn take_leave(&mut self, filter: TopicFilter) {
        if self.needs(&filter) {
            return;
        }
        // Beyond the bound a subscription stays until the Session ends; its messages are nobody's.
        if self.farewells.filters.len() < MAX_SUBSCRIPTIONS {
            self.farewells.filters.insert(filter.clone(), None);
        }
        if !self.farewells.held {
            self.say_farewell(filter);
        }
    }

    /// With a connection to a kept Session, what was left meanwhile is ended in it.
    pub(super) fn farewells_connected(&mut self, connected: &Connected) {
        if !connected.session_present {
            self.farewells.filters.clear();
            return;
        }
        let filters = core::mem::take(&mut self.farewells.filters);
        for filter in filters.into_keys() {
            self.take_leave(filter);
        }
    }

    pub(super) fn farewell_ended(&mut self, op: OpId, filter: &TopicFilter, completion: &Completion) {
        let filters = &mut self.farewells.filters;
        // An earlier one says nothing: the filter was subscribed to and left again since.
        if filters.get(filter) != Some(&Some(op)) {
            return;
        }
        match completion {
            Completion::Unsubscribed(_) => drop(filters.remove(filter)),
            _ => drop(filters.insert(filter.clone(), None)),
        }
    }

    fn say_farewell(&mut self, filter: TopicFilter) {
        if !self.session.is_established() {
            return;
        }
        // Where it cannot be sent, the next connection is another opportunity.
        let Ok(op) = self
            .session
            .unsubscribe(core::slice::from_ref(&filter), &PropertyBuf::new())
        else {
            return;
        };
        if let Some(last) = self.farewells.filters.get_mut(&filter) {
            *last = Some(op);
        }
        self.purposes.insert(op, Purpose::Farewell(filter));
    }

    fn needs(&self, filter: &TopicFilter) -> bool {
        self.subscriptions.find(filter).is_some() || self.requester.reading(filter.as_str()).is_some()
    }
}
