//! Which library this is, what it can do, and where its bounds are.

use std::ffi::{CStr, c_char};

use syncline_core::limits;

use crate::border;
use crate::pointer::Out;
use crate::result::Code;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// What a library of this interface may or may not have. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Feature {
    /// `syncline_packet_...` and `syncline_publish_...`: packets without a session.
    Packets = 0,
    /// `syncline_session_...`: the MQTT client, 3.1.1 and 5.0.
    Session = 1,
    /// `syncline_session_restore`: state that outlives the process.
    Store = 2,
    /// `syncline_session_authenticate`: enhanced authentication of MQTT 5.0.
    Authentication = 3,
    /// `syncline_requester_...`: FlowSync's asking side.
    Requester = 4,
    /// `syncline_responder_...`: FlowSync's answering side.
    Responder = 5,
}

const FEATURES: [Feature; 6] = [
    Feature::Packets,
    Feature::Session,
    Feature::Store,
    Feature::Authentication,
    Feature::Requester,
    Feature::Responder,
];

/// Bounds that no configuration can raise. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Limit {
    /// Largest Control Packet in bytes.
    MaxPacketSize = 0,
    /// Smallest Maximum Packet Size that a session can work with, in bytes.
    MinPacketSize = 1,
    /// Most nodes of a requester.
    MaxNodes = 2,
    /// Most open transactions of a node.
    MaxTransactionsPerNode = 3,
    /// Shortest timeout of a transaction in milliseconds.
    TransactionTimeoutMin = 4,
    /// Longest timeout of a transaction in milliseconds.
    TransactionTimeoutMax = 5,
    /// Unwritten bytes beyond which queued messages stay in the queue.
    TransmitHighWater = 6,
    /// Packets that wait for the store before nothing more is read.
    MaxHeldPackets = 7,
}

/// The library's version, "major.minor.patch", static and ended by NUL.
#[unsafe(no_mangle)]
pub extern "C" fn syncline_version() -> *const c_char {
    border::cross_or(VERSION.as_ptr(), || VERSION.as_ptr())
}

/// Whether the library has a feature, one of `SYNCLINE_FEATURE_...`; false for numbers that it does not know.
#[unsafe(no_mangle)]
pub extern "C" fn syncline_has_feature(feature: u32) -> bool {
    border::cross_or(false, || FEATURES.iter().any(|known| *known as u32 == feature))
}

/// The value of a bound, one of `SYNCLINE_LIMIT_...`.
///
/// # Safety
/// `value` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_limit_value(limit: u32, value: *mut u64) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for the pointer.
        let out = unsafe { Out::new(value) }?;
        out.write(bound(limit).ok_or(Code::Unknown)?);
        Ok(())
    })
}

fn bound(limit: u32) -> Option<u64> {
    const LIMITS: [(Limit, u128); 8] = [
        (Limit::MaxPacketSize, limits::MAX_PACKET_SIZE as u128),
        (Limit::MinPacketSize, limits::MIN_PACKET_SIZE as u128),
        (Limit::MaxNodes, limits::MAX_NODES as u128),
        (
            Limit::MaxTransactionsPerNode,
            limits::MAX_TRANSACTIONS_PER_NODE as u128,
        ),
        (
            Limit::TransactionTimeoutMin,
            limits::TRANSACTION_TIMEOUT_MIN.as_millis(),
        ),
        (
            Limit::TransactionTimeoutMax,
            limits::TRANSACTION_TIMEOUT_MAX.as_millis(),
        ),
        (Limit::TransmitHighWater, limits::TRANSMIT_HIGH_WATER as u128),
        (Limit::MaxHeldPackets, limits::MAX_HELD_PACKETS as u128),
    ];
    let (_, value) = LIMITS.iter().find(|(known, _)| *known as u32 == limit)?;
    u64::try_from(*value).ok()
}
