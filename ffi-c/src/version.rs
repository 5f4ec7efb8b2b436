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
    /// `syncline_registration_...`: how an agent that nobody knows comes to be let in.
    Registration = 6,
    /// `syncline_agent_...`: nodes and a registration on a session.
    Agent = 7,
}

const FEATURES: [Feature; 8] = [
    Feature::Packets,
    Feature::Session,
    Feature::Store,
    Feature::Authentication,
    Feature::Requester,
    Feature::Responder,
    Feature::Registration,
    Feature::Agent,
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
    /// Ended transactions that are remembered, to tell a late or repeated reply from one that was never asked for.
    EndedTransactionsRemembered = 8,
    /// Smallest Maximum Packet Size of a server that a session can work with, in bytes.
    MinServerPacketSize = 9,
    /// Unwritten bytes beyond TRANSMIT_HIGH_WATER that acknowledgements may take before nothing more is read.
    AckReserve = 10,
    /// Bytes of the server's words on a message that are kept until its end; larger ones are left out.
    MaxKeptDetails = 11,
    /// Connections of a resumed Session that may break in the same way until a new one is begun.
    BrokenResumptions = 12,
    /// Connections in a row that may end before their CONNACK until MQTT 3.1.1 is tried in place of 5.0.
    ClosesBeforeFallback = 13,
    /// Wait before a node's refused subscription is repeated, in milliseconds.
    ResubscribeInterval = 14,
    /// Longest body of a client registry's answer in bytes.
    MaxRegistryAnswer = 15,
    /// Longest certificate signing request in bytes.
    MaxCsr = 16,
    /// Most characters that are kept of what a client registry says about its refusal.
    MaxReasonText = 17,
    /// Longest wait for the answer of a client registry in milliseconds.
    RegistryTimeout = 18,
    /// Longest wait that a client registry may ask for in milliseconds.
    RetryAfterMax = 19,
    /// Longest version of a central in bytes; a longer one is none.
    MaxVersionText = 20,
    /// Most Topic Filters that an agent keeps subscribed.
    MaxSubscriptions = 21,
    /// Bytes of messages beyond Receive Maximum that may be unacknowledged until nothing more is read.
    MaxOvershootBytes = 22,
    /// Longest name of an error in bytes that a reply may tell by its `code`.
    MaxErrorName = 23,
    /// Most bytes that a session offers to one read.
    MaxReadSize = 24,
    /// CLOSES_BEFORE_FALLBACK where the server has spoken 5.0 before.
    ClosesBeforeFallbackOnceSpoken = 25,
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
        let out = unsafe { Out::new(value, "value") }?;
        out.write(bound(limit).ok_or(Code::Unknown)?);
        Ok(())
    })
}

/// Each bound with its value; the name in the core's `limits.rs` is the variant's.
const LIMITS: [(Limit, u128); 26] = [
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
    (
        Limit::EndedTransactionsRemembered,
        limits::ENDED_TRANSACTIONS_REMEMBERED as u128,
    ),
    (Limit::MinServerPacketSize, limits::MIN_SERVER_PACKET_SIZE as u128),
    (Limit::AckReserve, limits::ACK_RESERVE as u128),
    (Limit::MaxKeptDetails, limits::MAX_KEPT_DETAILS as u128),
    (Limit::BrokenResumptions, limits::BROKEN_RESUMPTIONS as u128),
    (
        Limit::ClosesBeforeFallback,
        limits::CLOSES_BEFORE_FALLBACK as u128,
    ),
    (
        Limit::ResubscribeInterval,
        limits::RESUBSCRIBE_INTERVAL.as_millis(),
    ),
    (Limit::MaxRegistryAnswer, limits::MAX_REGISTRY_ANSWER as u128),
    (Limit::MaxCsr, limits::MAX_CSR as u128),
    (Limit::MaxReasonText, limits::MAX_REASON_TEXT as u128),
    (Limit::RegistryTimeout, limits::REGISTRY_TIMEOUT.as_millis()),
    (Limit::RetryAfterMax, limits::RETRY_AFTER_MAX.as_millis()),
    (Limit::MaxVersionText, limits::MAX_VERSION_TEXT as u128),
    (Limit::MaxSubscriptions, limits::MAX_SUBSCRIPTIONS as u128),
    (Limit::MaxOvershootBytes, limits::MAX_OVERSHOOT_BYTES as u128),
    (Limit::MaxErrorName, limits::MAX_ERROR_NAME as u128),
    (Limit::MaxReadSize, limits::MAX_READ_SIZE as u128),
    (
        Limit::ClosesBeforeFallbackOnceSpoken,
        limits::CLOSES_BEFORE_FALLBACK_ONCE_SPOKEN as u128,
    ),
];

fn bound(limit: u32) -> Option<u64> {
    let (_, value) = LIMITS.iter().find(|(known, _)| *known as u32 == limit)?;
    u64::try_from(*value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_of_the_core_can_be_asked_for() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/limits.rs");
        let text = std::fs::read_to_string(path).unwrap();
        let mut bounds: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("pub const "))
            .map(|line| line.split(':').next().unwrap().replace('_', "").to_lowercase())
            .collect();
        let mut known: Vec<String> = LIMITS
            .iter()
            .map(|(limit, _)| format!("{limit:?}").to_lowercase())
            .collect();
        bounds.sort();
        known.sort();
        assert_eq!(known, bounds);
        for (number, (limit, _)) in (0_u32..).zip(LIMITS) {
            assert_eq!(limit as u32, number);
        }
    }
}
