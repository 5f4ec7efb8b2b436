//! Topic Aliases (MQTT 5.0 §3.3.2.3.4): the two tables of a connection, one for each direction.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::topic::TopicName;

/// What the server's aliases stand for. As large as the Topic Alias Maximum allows, at 65,535 bytes a topic.
#[derive(Debug, Default)]
pub(super) struct ReceivedAliases(Vec<Option<Arc<str>>>);

impl ReceivedAliases {
    /// The alias stands for this topic from now on. The caller has checked it against the Topic Alias Maximum.
    pub(super) fn learn(&mut self, alias: u16, topic: &str) {
        let index = usize::from(alias) - 1;
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        let known = &mut self.0[index];
        if known.as_deref() != Some(topic) {
            *known = Some(Arc::from(topic));
        }
    }

    /// What the alias stands for; `None` if the server never said so.
    pub(super) fn topic(&self, alias: u16) -> Option<&Arc<str>> {
        self.0.get(usize::from(alias) - 1)?.as_ref()
    }

    /// A new connection begins without aliases.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

/// The aliases given to the server: the topics published to last.
#[derive(Debug, Default)]
pub(super) struct SentAliases {
    max: u16,
    by_topic: BTreeMap<TopicName, u16>,
    /// Index + 1 is the alias.
    slots: Vec<Slot>,
    /// Aliases at the ends of the list by use; meaningless while `slots` is empty.
    newest: u16,
    oldest: u16,
}

#[derive(Debug)]
struct Slot {
    topic: TopicName,
    /// Neighbours in the list by use; at an end, the alias itself.
    newer: u16,
    older: u16,
}

/// How a PUBLISH names its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// By the topic.
    Topic,
    /// By both: the alias stands for it from now on.
    Introduced(u16),
    /// By the alias alone.
    Alias(u16),
}

impl SentAliases {
    /// A connection begins on which up to `max` aliases may be used.
    pub(super) fn reset(&mut self, max: u16) {
        *self = Self {
            max,
            ..Self::default()
        };
    }

    /// Whether any may be used.
    #[inline]
    pub(super) const fn is_off(&self) -> bool {
        self.max == 0
    }

    /// How to name a topic now. To be confirmed with [`SentAliases::used`] once the packet is encoded.
    pub(super) fn naming(&self, topic: &TopicName) -> Naming {
        if self.is_off() {
            Naming::Topic
        } else if let Some(alias) = self.by_topic.get(topic) {
            Naming::Alias(*alias)
        } else if self.slots.len() < usize::from(self.max) {
            Naming::Introduced(u16::try_from(self.slots.len() + 1).unwrap_or(self.max))
        } else {
            Naming::Introduced(self.oldest)
        }
    }

    /// A packet that names its topic in this way is on its way.
    pub(super) fn used(&mut self, naming: Naming, topic: &TopicName) {
        match naming {
            Naming::Topic => {}
            Naming::Alias(alias) => self.touch(alias),
            Naming::Introduced(alias) => {
                if let Some(slot) = self.slots.get_mut(usize::from(alias) - 1) {
                    let replaced = core::mem::replace(&mut slot.topic, topic.clone());
                    self.by_topic.remove(&replaced);
                    self.touch(alias);
                } else {
                    self.append(alias, topic.clone());
                }
                self.by_topic.insert(topic.clone(), alias);
            }
        }
    }

    fn append(&mut self, alias: u16, topic: TopicName) {
        let older = if self.slots.is_empty() { alias } else { self.newest };
        self.slots.push(Slot {
            topic,
            newer: alias,
            older,
        });
        if older == alias {
            self.oldest = alias;
        } else {
            self.slot(older).newer = alias;
        }
        self.newest = alias;
    }

    /// Moves a slot to the newest end.
    fn touch(&mut self, alias: u16) {
        if alias == self.newest {
            return;
        }
        let Slot { newer, older, .. } = *self.slot(alias);
        if alias == self.oldest {
            self.oldest = newer;
            self.slot(newer).older = newer;
        } else {
            self.slot(older).newer = newer;
            self.slot(newer).older = older;
        }
        let newest = core::mem::replace(&mut self.newest, alias);
        self.slot(newest).newer = alias;
        let slot = self.slot(alias);
        slot.older = newest;
        slot.newer = alias;
    }

    fn slot(&mut self, alias: u16) -> &mut Slot {
        &mut self.slots[usize::from(alias) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    /// Publishes to the topic and tells how it was named.
    fn publish(aliases: &mut SentAliases, topic: &str) -> Naming {
        let topic = TopicName::new(topic.to_string().into_bytes()).unwrap();
        let naming = aliases.naming(&topic);
        aliases.used(naming, &topic);
        naming
    }

    #[test]
    fn the_alias_used_least_recently_is_given_away_first() {
        let mut aliases = SentAliases::default();
        assert_eq!(publish(&mut aliases, "a"), Naming::Topic);
        aliases.reset(3);
        for (topic, naming) in [
            ("a", Naming::Introduced(1)),
            ("b", Naming::Introduced(2)),
            ("c", Naming::Introduced(3)),
            ("a", Naming::Alias(1)),
            ("d", Naming::Introduced(2)),
            ("a", Naming::Alias(1)),
            ("b", Naming::Introduced(3)),
            ("d", Naming::Alias(2)),
            ("c", Naming::Introduced(1)),
            ("c", Naming::Alias(1)),
        ] {
            assert_eq!(publish(&mut aliases, topic), naming, "{topic}");
        }
        aliases.reset(1);
        assert_eq!(publish(&mut aliases, "c"), Naming::Introduced(1));
        assert_eq!(publish(&mut aliases, "d"), Naming::Introduced(1));
        assert_eq!(publish(&mut aliases, "d"), Naming::Alias(1));
    }

    #[test]
    fn a_list_of_any_size_agrees_with_a_plain_one() {
        for max in 1..=5_u16 {
            let mut aliases = SentAliases::default();
            aliases.reset(max);
            // Topics, the one used last at the end.
            let mut plain: Vec<(u16, String)> = Vec::new();
            let mut random = 1_u32;
            for _ in 0..2_000 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let topic = (random >> 24).rem_euclid(8).to_string();
                let known = plain.iter().position(|(_, known)| *known == topic);
                let expected = match known {
                    Some(place) => Naming::Alias(plain.remove(place).0),
                    None if plain.len() < usize::from(max) => Naming::Introduced(index_of(&plain)),
                    None => Naming::Introduced(plain.remove(0).0),
                };
                let (Naming::Alias(alias) | Naming::Introduced(alias)) = expected else {
                    unreachable!()
                };
                plain.push((alias, topic.clone()));
                assert_eq!(publish(&mut aliases, &topic), expected);
            }
        }
    }

    fn index_of(plain: &[(u16, String)]) -> u16 {
        u16::try_from(plain.len()).unwrap() + 1
    }
}
