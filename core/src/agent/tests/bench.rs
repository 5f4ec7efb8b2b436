//! An agent on a bench: the test is its broker, its registry, its disk and its clock.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use crate::agent::{Agent, Output};
use crate::codec::{self, Connack, Packet, PacketId, Properties, Property, QoS, ReasonCode, Version};
use crate::rng::SEED_LEN;
use crate::session::{Config, VersionPolicy};
use crate::time::{Instant, UnixMillis};
use crate::topic::TopicFilter;

pub(super) const WALL: UnixMillis = UnixMillis(1_795_312_800_000);

pub(super) struct Bench {
    pub(super) agent: Agent,
    pub(super) version: Version,
    pub(super) now: Instant,
}

/// A Topic Filter of a SUBSCRIBE or an UNSUBSCRIBE as the broker sees it.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) packet_id: PacketId,
    pub(super) filter: String,
    /// `None` to unsubscribe.
    pub(super) qos: Option<QoS>,
    pub(super) identifier: Option<u32>,
}

impl fmt::Display for Asked {
    /// `+a/tres 0` or `-a/tres`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.qos {
            Some(qos) => write!(f, "+{} {}", self.filter, qos as u8),
            None => write!(f, "-{}", self.filter),
        }
    }
}

impl Bench {
    pub(super) fn of_version(version: Version) -> Self {
        Self::with(version, |_| ())
    }

    pub(super) fn with(version: Version, adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("line-1");
        config.version = match version {
            Version::V5 => VersionPolicy::V5,
            Version::V3_1_1 => VersionPolicy::V3_1_1,
        };
        adjust(&mut config);
        Self {
            agent: Agent::new(config, [3; SEED_LEN]).unwrap(),
            version,
            now: Instant::from_micros(1_000_000),
        }
    }

    /// Connects, and leaves no output.
    pub(super) fn connect(&mut self, session_present: bool) {
        self.agent.connect(self.now);
        self.take();
        self.agent.handle_transport_open(self.now);
        self.written();
        self.connack(session_present, ReasonCode::SUCCESS);
        self.take();
    }

    pub(super) fn connack(&mut self, session_present: bool, reason: ReasonCode) {
        self.receive(&Packet::Connack(Connack {
            session_present,
            reason,
            properties: Properties::EMPTY,
        }));
    }

    /// Loses the connection, and lets the time pass until the next one is due.
    pub(super) fn lose(&mut self) {
        self.agent.handle_transport_closed(self.now);
        self.take();
        self.pass();
    }

    /// Lets time pass until something is due.
    pub(super) fn pass(&mut self) {
        self.now = self.agent.poll_timeout().expect("a deadline");
        self.agent.handle_timeout(self.now);
    }

    pub(super) fn receive(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.agent.rx_extend(&bytes);
    }

    pub(super) fn take(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.agent.poll(self.now)).collect()
    }

    pub(super) fn outputs<const N: usize>(&mut self) -> [Output; N] {
        let outputs = self.take();
        outputs
            .try_into()
            .unwrap_or_else(|outputs| panic!("expected {N} outputs, found {outputs:?}"))
    }

    pub(super) fn written(&mut self) -> Vec<u8> {
        let bytes = self.agent.transmit().runs().collect::<Vec<_>>().concat();
        self.agent.tx_advance(self.now, bytes.len());
        bytes
    }

    /// What the broker is asked for.
    pub(super) fn asked(&mut self) -> Vec<Asked> {
        let bytes = self.written();
        let mut rest = &bytes[..];
        let mut asked = Vec::new();
        while let Some(header) = codec::peek(rest, self.version, u32::MAX).unwrap() {
            let (packet, next) = rest.split_at(header.packet_len());
            rest = next;
            let (packet_id, filters, properties, subscribes) =
                match codec::decode(header, packet, self.version).unwrap() {
                    Packet::Subscribe(packet) => (packet.packet_id, packet.filters, packet.properties, true),
                    Packet::Unsubscribe(packet) => {
                        (packet.packet_id, packet.filters, packet.properties, false)
                    }
                    _ => continue,
                };
            let identifier = properties.iter().find_map(|property| match property {
                Property::SubscriptionIdentifier(identifier) => Some(identifier),
                _ => None,
            });
            asked.extend(filters.iter().map(|(filter, options)| Asked {
                packet_id,
                filter: filter.to_string(),
                qos: subscribes.then_some(options.qos),
                identifier,
            }));
        }
        asked
    }

    /// Answers what was asked for, each in a packet of its own.
    pub(super) fn answer_each(&mut self, asked: &[Asked], reason: ReasonCode) {
        for asked in asked {
            let [high, low] = asked.packet_id.get().to_be_bytes();
            let kind = if asked.qos.is_some() { 0x90 } else { 0xB0 };
            match self.version {
                Version::V5 => self.agent.rx_extend(&[kind, 4, high, low, 0, reason.0]),
                Version::V3_1_1 => self.agent.rx_extend(&[kind, 3, high, low, reason.0]),
            };
        }
    }
}

pub(super) fn filter(text: &str) -> TopicFilter {
    TopicFilter::try_from(text).unwrap()
}
