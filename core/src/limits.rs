//! Every bound in one place: what a peer or a caller can make grow, and how far.

use crate::time::Duration;

/// Most transactions that one node may hold open, whatever its configuration asks for.
pub const MAX_TRANSACTIONS_PER_NODE: usize = 1_000_000;

/// Shortest timeout of a transaction.
pub const TRANSACTION_TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// Longest timeout of a transaction.
pub const TRANSACTION_TIMEOUT_MAX: Duration = Duration::from_millis(600_000);

/// Ended transactions that a requester remembers, to tell a late or repeated reply from one that was never asked for.
pub const ENDED_TRANSACTIONS_REMEMBERED: usize = 16_384;

/// Most nodes of one requester.
pub const MAX_NODES: usize = 65_536;

/// Most standing subscriptions of one agent.
pub const MAX_SUBSCRIPTIONS: usize = 65_536;

/// Largest Control Packet there is (MQTT 5.0 §2.1.4): a fixed header of 5 bytes and 268,435,455 more.
pub const MAX_PACKET_SIZE: u32 = 268_435_460;

/// Smallest Maximum Packet Size that a session can work with.
pub const MIN_PACKET_SIZE: u32 = 64;

/// Smallest Maximum Packet Size of a server that a session can work with: an acknowledgement with its Reason Code.
pub const MIN_SERVER_PACKET_SIZE: u32 = 5;

/// Most bytes that a session offers to one read: more than any socket hands out at once.
pub const MAX_READ_SIZE: usize = 16 << 20;

/// Unwritten bytes beyond which no further PUBLISH is moved from the queue to the transmit buffer.
pub const TRANSMIT_HIGH_WATER: usize = 64 << 10;

/// Unwritten bytes beyond the high water mark that acknowledgements may take; beyond that nothing more is parsed until
/// the peer reads again.
pub const ACK_RESERVE: usize = 16 << 10;

/// Bytes of messages that a caller may leave unacknowledged beyond Receive Maximum; beyond that nothing more is parsed until
/// it acknowledges.
pub const MAX_OVERSHOOT_BYTES: usize = 16 << 20;

/// Packets that wait for the store to catch up; beyond that nothing more is parsed until it does.
pub const MAX_HELD_PACKETS: usize = 4 << 10;

/// Bytes of a PUBREC's properties that are kept until the PUBCOMP, for each message in flight; larger ones are left out.
pub const MAX_KEPT_DETAILS: usize = 1 << 10;

/// Connections that a resumed Session may lose soon after it was resumed, to what the server must not send, until a new
/// Session is begun: without an end, the same exchange would break the next connection in the same way.
pub const BROKEN_RESUMPTIONS: u32 = 5;

/// Connections in a row that may end before their CONNACK until 3.1.1 is tried in place of 5.0.
pub const CLOSES_BEFORE_FALLBACK: u32 = 2;

/// The same where the server has spoken 5.0 before: then it is rather a proxy in front of a server that is away.
pub const CLOSES_BEFORE_FALLBACK_ONCE_SPOKEN: u32 = 20;

/// How long an agent waits before it repeats a subscription that the server refused.
pub const RESUBSCRIBE_INTERVAL: Duration = Duration::from_secs(10);

/// Longest body of a client registry's answer.
pub const MAX_REGISTRY_ANSWER: usize = 64 << 10;

/// Longest certificate signing request.
pub const MAX_CSR: usize = 16 << 10;

/// Most characters that are kept of what a client registry says about its refusal.
pub const MAX_REASON_TEXT: usize = 300;

/// Longest name of an error that a reply may tell by its `code`.
pub const MAX_ERROR_NAME: usize = 64;

/// Longest version that a central may tell.
pub const MAX_VERSION_TEXT: usize = 64;

/// Longest wait for the answer of a client registry.
pub const REGISTRY_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait that a client registry may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
