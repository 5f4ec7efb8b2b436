//! Who monitors values: each change is told to those alone who may read it by then, whenever their rights have changed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opcua::server::address_space::AddressSpace;
use opcua::server::authenticator::UserToken;
use opcua::server::{MonitoredItemHandle, SubscriptionCache};
use opcua::types::{AttributeId, DataValue, NodeId, StatusCode, TimestampsToReturn, Variant};

use super::authentication::Users;

/// The monitored items of values, by who has made them.
pub(super) struct Watchers {
    users: Arc<Users>,
    /// Without those of clients that need no name.
    tokens: Mutex<HashMap<MonitoredItemHandle, UserToken>>,
}

impl Watchers {
    pub(super) fn new(users: Arc<Users>) -> Self {
        Self {
            users,
            tokens: Mutex::default(),
        }
    }

    pub(super) fn insert(&self, item: MonitoredItemHandle, token: &UserToken) {
        if !token.is_anonymous() {
            self.tokens().insert(item, token.clone());
        }
    }

    pub(super) fn remove(&self, items: impl Iterator<Item = MonitoredItemHandle>) {
        let mut tokens = self.tokens();
        for item in items {
            tokens.remove(&item);
        }
    }

    /// Tells what became of the value of a node to everyone who monitors it; who may not read it any more is told so.
    pub(super) fn tell(&self, subscriptions: &SubscriptionCache, space: &AddressSpace, id: &NodeId) {
        let mut notifier = subscriptions.data_notifier();
        let Some(mut batch) = notifier.notify_for(id, AttributeId::Value) else {
            return;
        };
        let status = |status| Some(DataValue::new_now_status(Variant::Empty, status));
        let node = space.find(id);
        let tokens = self.tokens();
        for (item, entry) in batch.entries() {
            let may_read = || {
                tokens
                    .get(item)
                    .is_none_or(|token| self.users.may_read(token, id))
            };
            let value = match node {
                None => status(StatusCode::BadNodeIdUnknown),
                Some(node) if may_read() => node.as_node().get_attribute(
                    TimestampsToReturn::Both,
                    AttributeId::Value,
                    &entry.index_range,
                    &entry.data_encoding,
                ),
                Some(_) => status(StatusCode::BadUserAccessDenied),
            };
            if let Some(value) = value {
                batch.data_value_to_item(value, item);
            }
        }
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<MonitoredItemHandle, UserToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers")
            .field("items", &self.tokens().len())
            .finish_non_exhaustive()
    }
}
