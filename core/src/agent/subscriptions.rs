//! Standing subscriptions: asked for once, in force on every connection.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Agent, Purpose, Readiness};
use crate::codec::{Property, PropertyBuf, QoS, ReasonCode, SubscribeOptions};
use crate::flowsync::NodeConfig;
use crate::limits::{MAX_SUBSCRIPTIONS, RESUBSCRIBE_INTERVAL};
use crate::session::{self, Connected, Filter, Message, SubmitError};
use crate::time::Instant;
use crate::topic::TopicFilter;

/// Largest Subscription Identifier (MQTT 5.0 §3.8.2.1.2).
pub(super) const MAX_IDENTIFIER: u32 = 268_435_455;

/// All standing subscriptions of an agent.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// Filters that are one topic, to be looked up.
    literal: BTreeMap<TopicFilter, Standing>,
    /// All others, to be tried one by one.
    patterns: BTreeMap<TopicFilter, Standing>,
    /// Those whose readiness nobody has asked for since it changed.
    changed: BTreeSet<TopicFilter>,
}

/// What a SUBSCRIBE to a filter needs for the sake of its standing subscription.
#[derive(Debug, Default)]
pub(super) struct AsStanding {
    pub(super) qos: QoS,
    pub(super) properties: PropertyBuf,
}

#[derive(Debug)]
pub(super) struct Standing {
    qos: QoS,
    /// By which a 5.0 server says which of several subscriptions a message is for.
    identifier: u32,
    readiness: Readiness,
    /// The server has confirmed it, and has not lost the Session since.
    in_force: bool,
}

impl Subscriptions {
    fn map(&mut self, filter: &TopicFilter) -> &mut BTreeMap<TopicFilter, Standing> {
        if is_literal(filter) {
            &mut self.literal
        } else {
            &mut self.patterns
        }
    }

    pub(super) fn find(&self, filter: &TopicFilter) -> Option<&Standing> {
        self.literal.get(filter).or_else(|| self.patterns.get(filter))
    }

    fn all(&mut self) -> impl Iterator<Item = (&TopicFilter, &mut Standing)> {
        self.literal.iter_mut().chain(&mut self.patterns)
    }
}

impl Agent {
    // Getters.

    /// How a standing subscription stands; `None` for one that was not asked for.
    #[must_use]
    pub fn subscription(&self, filter: &TopicFilter) -> Option<Readiness> {
        self.subscriptions.find(filter).map(|standing| standing.readiness)
    }

    /// The standing subscriptions that `message` is for.
    ///
    /// A server may send a message once for each of several subscriptions that match, and says so by their Subscription
    /// Identifiers; without these, which 3.1.1 does not have, it is for all that match.
    pub fn subscriptions_of<'m>(&'m self, message: &'m Message) -> impl Iterator<Item = &'m TopicFilter> {
        let topic = message.topic();
        let identifiers: Vec<u32> = message
            .properties()
            .iter()
            .filter_map(|property| match property {
                Property::SubscriptionIdentifier(identifier) => Some(identifier),
                _ => None,
            })
            .collect();
        let literal = self.subscriptions.literal.get_key_value(topic);
        let patterns = self.subscriptions.patterns.iter();
        let matching = literal
            .into_iter()
            .chain(patterns.filter(move |(filter, _)| filter.matches(topic)));
        matching
            .filter(move |(_, standing)| identifiers.is_empty() || identifiers.contains(&standing.identifier))
            .map(|(filter, _)| filter)
    }

    // Commands.

    /// Subscribes to `filter` at `qos` at least, now and on every connection to come; see
    /// [`poll_subscription`](Self::poll_subscription) for what comes of it. Messages come as
    /// [`Output::Message`](super::Output::Message).
    ///
    /// One that there is already is asked for once more: so the server sends its retained messages again.
    ///
    /// Returns false if there are [`MAX_SUBSCRIPTIONS`] already; nothing has changed then.
    pub fn stay_subscribed(&mut self, now: Instant, filter: TopicFilter, qos: QoS) -> bool {
        let subscriptions = &mut self.subscriptions;
        let count = subscriptions.literal.len() + subscriptions.patterns.len();
        let identifier = identifier_of(&filter);
        let map = subscriptions.map(&filter);
        match map.get_mut(&filter) {
            Some(standing) => {
                standing.qos = standing.qos.max(qos);
                standing.in_force = false;
            }
            None if count >= MAX_SUBSCRIPTIONS => return false,
            None => {
                let standing = Standing {
                    qos,
                    identifier,
                    readiness: Readiness::Waiting,
                    in_force: false,
                };
                map.insert(filter.clone(), standing);
            }
        }
        if self.session.is_established() {
            self.subscribe_standing(now, &filter);
        }
        true
    }

    /// A standing subscription that was confirmed, refused or lost with the connection since it was last handed out, and how
    /// it stands now.
    pub fn poll_subscription(&mut self) -> Option<(TopicFilter, Readiness)> {
        while let Some(filter) = self.subscriptions.changed.pop_first() {
            if let Some(readiness) = self.subscription(&filter) {
                return Some((filter, readiness));
            }
        }
        None
    }

    /// Ends a standing subscription; at the server too, unless a node reads its replies there.
    pub fn end_subscription(&mut self, filter: &TopicFilter) {
        if self.subscriptions.map(filter).remove(filter).is_some() {
            self.take_leave(filter.clone());
        }
    }

    /// What its standing subscription, if there is one, asks of a SUBSCRIBE to `filter`.
    pub(super) fn standing_at(&self, filter: &TopicFilter) -> AsStanding {
        let Some(standing) = self.subscriptions.find(filter) else {
            return AsStanding::default();
        };
        let mut properties = PropertyBuf::new();
        if self.session.server_limits().subscription_id_available {
            // It is within the range of an identifier, and the only property.
            let _ = properties.push(Property::SubscriptionIdentifier(standing.identifier));
        }
        AsStanding {
            qos: standing.qos,
            properties,
        }
    }

    /// With a connection every subscription begins that the server does not have already.
    pub(super) fn subscriptions_connected(&mut self, now: Instant, connected: &Connected) {
        let mut missing = Vec::new();
        let mut kept = Vec::new();
        for (filter, standing) in self.subscriptions.all() {
            standing.in_force &= connected.session_present;
            let list = if standing.in_force {
                &mut kept
            } else {
                &mut missing
            };
            list.push(filter.clone());
        }
        for filter in kept {
            self.set_subscription(&filter, Readiness::Ready);
        }
        for filter in missing {
            self.subscribe_standing(now, &filter);
        }
    }

    /// Without a connection no subscription is ready.
    pub(super) fn subscriptions_disconnected(&mut self) {
        let filters: Vec<_> = self
            .subscriptions
            .all()
            .map(|(filter, _)| filter.clone())
            .collect();
        for filter in filters {
            self.set_subscription(&filter, Readiness::Waiting);
        }
    }

    /// Repeats the subscriptions that the server has refused.
    pub(super) fn resubscribe_standing(&mut self, now: Instant) {
        let refused: Vec<_> = self
            .subscriptions
            .all()
            .filter(|(_, standing)| matches!(standing.readiness, Readiness::Refused(_)))
            .map(|(filter, _)| filter.clone())
            .collect();
        for filter in refused {
            self.subscribe_standing(now, &filter);
        }
    }

    fn subscribe_standing(&mut self, now: Instant, filter: &TopicFilter) {
        if self.subscriptions.find(filter).is_none() {
            return;
        }
        self.farewells.recall(filter);
        let AsStanding { qos, properties } = self.standing_at(filter);
        // A node's subscription to the same filter is replaced by this one, which therefore has to serve both.
        let of_node = self.requester.reading(filter.as_str()).map(NodeConfig::quality);
        let options = SubscribeOptions::at_qos(qos.max(of_node.unwrap_or_default()));
        let filters = [Filter {
            filter: filter.clone(),
            options,
        }];
        match self.session.subscribe(&filters, &properties) {
            Ok(op) => {
                self.purposes.insert(op, Purpose::Standing(filter.clone()));
            }
            Err(SubmitError::NotConnected | SubmitError::Closing) => {}
            Err(SubmitError::NoPacketId) => {
                self.resubscribe_at.get_or_insert(now.after(RESUBSCRIBE_INTERVAL));
                self.set_subscription(filter, Readiness::Refused(ReasonCode::QUOTA_EXCEEDED));
            }
            Err(reason) => self.set_subscription(filter, Readiness::NotSupported(reason)),
        }
    }

    pub(super) fn standing_ended(
        &mut self,
        now: Instant,
        filter: &TopicFilter,
        completion: &session::Completion,
    ) {
        let session::Completion::Subscribed(reasons) = completion else {
            return;
        };
        let readiness = match reasons.first_error() {
            None => Readiness::Ready,
            Some(reason) => {
                self.resubscribe_at.get_or_insert(now.after(RESUBSCRIBE_INTERVAL));
                Readiness::Refused(reason)
            }
        };
        if let Some(standing) = self.subscriptions.map(filter).get_mut(filter) {
            standing.in_force = readiness == Readiness::Ready;
        }
        self.set_subscription(filter, readiness);
    }

    fn set_subscription(&mut self, filter: &TopicFilter, readiness: Readiness) {
        if let Some(standing) = self.subscriptions.map(filter).get_mut(filter)
            && standing.readiness != readiness
        {
            standing.readiness = readiness;
            self.subscriptions.changed.insert(filter.clone());
        }
    }
}

/// Whether the filter is the name of one topic.
fn is_literal(filter: &TopicFilter) -> bool {
    !filter.has_wildcard() && filter.share_group().is_none()
}

/// The same for the same filter in every process: the server may hold messages of a Session that an earlier one began.
pub(super) fn identifier_of(filter: &TopicFilter) -> u32 {
    // FNV-1a. Filters that share one are told apart by what they match.
    let hash = filter.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash % MAX_IDENTIFIER + 1
}
