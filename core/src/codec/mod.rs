//! MQTT 3.1.1 and 5.0 Control Packets: strict, zero-copy decoding and atomic encoding.
//!
//! Reading is two steps, so that a stream can be framed before a packet is complete: [`peek`] reads the fixed header as
//! soon as its 2 to 5 bytes are there and refuses what can never become a packet; [`decode`] (or [`Publish::decode`] and
//! [`Ack::decode`] for the frequent packets) then reads one whole frame. A decoded packet borrows from that frame: nothing
//! is copied or allocated, whatever its length fields claim.
//!
//! Writing computes and checks the length first and then writes; on error nothing has been written.

mod ack;
mod connack;
mod connect;
mod error;
mod packet;
mod primitive;
mod properties;
mod property;
mod publish;
mod reason;
mod subscribe;
mod teardown;

pub use ack::Ack;
pub use connack::Connack;
pub use connect::{Connect, LastWill};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use packet::{FixedHeader, Packet, PacketId, PacketType, QoS, Version, decode, peek};
pub(crate) use properties::Validated;
pub use properties::{Properties, PropertiesIter, PropertyBuf};
pub use property::{Property, PropertyId};
pub use publish::Publish;
pub use reason::ReasonCode;
pub use subscribe::{
    FilterBuf, Filters, FiltersIter, ReasonCodes, RetainHandling, Suback, Subscribe, SubscribeOptions,
    Unsuback, Unsubscribe,
};
pub use teardown::{Auth, Disconnect};
