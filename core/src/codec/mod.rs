//! MQTT 3.1.1 and 5.0 Control Packets: strict, zero-copy decoding and atomic encoding.

mod ack;
mod connack;
mod connect;
mod error;
mod packet;
mod primitive;
mod properties;
mod publish;
mod reason;
mod subscribe;
mod teardown;

pub use ack::Ack;
pub use connack::Connack;
pub use connect::{Connect, LastWill};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use packet::{FixedHeader, Packet, PacketId, PacketType, QoS, Version, decode, peek};
pub use properties::{Properties, PropertiesIter, Property, PropertyBuf, PropertyId};
pub use publish::Publish;
pub use reason::ReasonCode;
pub use subscribe::{
    FilterBuf, Filters, ReasonCodes, RetainHandling, Suback, Subscribe, SubscribeOptions, Unsuback, Unsubscribe,
};
pub use teardown::{Auth, Disconnect};
