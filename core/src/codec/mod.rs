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
mod filters;
mod header;
mod packet;
mod primitive;
mod properties;
mod property;
mod property_buf;
mod property_id;
mod publish;
mod reason;
mod suback;
mod subscribe;
mod teardown;
#[cfg(test)]
mod testing;

pub use ack::Ack;
pub use connack::Connack;
pub use connect::{Connect, LastWill};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use filters::{FilterBuf, Filters, FiltersIter, RetainHandling, SubscribeOptions};
pub use header::{FixedHeader, PacketId, PacketType, QoS, Version, peek};
pub use packet::{Packet, decode};
pub(crate) use properties::Validated;
pub use properties::{Properties, PropertiesIter};
pub use property::Property;
pub use property_buf::PropertyBuf;
pub use property_id::PropertyId;
pub use publish::Publish;
pub(crate) use publish::ReceivedPublish;
pub use reason::ReasonCode;
pub use suback::{ReasonCodes, Suback, Unsuback};
pub use subscribe::{Subscribe, Unsubscribe};
pub use teardown::{Auth, Disconnect};
