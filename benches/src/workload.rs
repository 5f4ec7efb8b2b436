//! The packets that all libraries read and write.

use syncline_core::codec::{Packet, PacketId, Properties, Publish, QoS, Version};

/// Topic Name of every PUBLISH: that of a FlowSync request.
pub const TOPIC: &str = "services/example1/exampleNode/treq";

/// A PUBLISH without properties.
#[derive(Clone, Copy)]
pub struct Message {
    /// Protocol version.
    pub version: Version,
    /// Quality of Service.
    pub qos: QoS,
    /// Payload bytes.
    pub size: usize,
}

impl Message {
    /// The payload.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        vec![b'x'; self.size]
    }

    /// The packet, with Packet Identifier 1 above QoS 0.
    #[must_use]
    pub fn packet(&self) -> Vec<u8> {
        self.packet_of(PacketId::MIN)
    }

    /// The packet, with this Packet Identifier above QoS 0.
    ///
    /// # Panics
    /// Never: the message is valid.
    #[must_use]
    pub fn packet_of(&self, id: PacketId) -> Vec<u8> {
        let mut bytes = Vec::new();
        let publish = Publish {
            dup: false,
            qos: self.qos,
            retain: false,
            topic: TOPIC,
            packet_id: (self.qos != QoS::AtMostOnce).then_some(id),
            properties: Properties::EMPTY,
            payload: &self.payload(),
        };
        Packet::Publish(publish)
            .encode(self.version, &mut bytes)
            .expect("a valid packet");
        bytes
    }

    /// What the report calls this piece of work, with `action` before it.
    #[must_use]
    pub fn name(&self, action: &str) -> &'static str {
        let size = if self.size < 1024 {
            format!("{} B", self.size)
        } else {
            format!("{} KiB", self.size / 1024)
        };
        format!("{action} {size} QoS {} {}", self.qos as u8, self.version).leak()
    }
}

/// 64 B and 16 KiB at QoS 0 and 1 in both versions.
pub fn messages() -> impl Iterator<Item = Message> {
    let versions = [Version::V3_1_1, Version::V5];
    let sizes = [64, 16 << 10];
    let levels = [QoS::AtMostOnce, QoS::AtLeastOnce];
    versions.into_iter().flat_map(move |version| {
        sizes
            .into_iter()
            .flat_map(move |size| levels.into_iter().map(move |qos| Message { version, qos, size }))
    })
}
