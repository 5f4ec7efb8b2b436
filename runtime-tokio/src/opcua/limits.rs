//! Bounds on what clients of the OPC UA server, and servers that the agent is a client of, can make grow.

use std::time::Duration;

use opcua::server::Limits;

/// Writes and Calls of all sessions that are held at once.
pub(super) const HELD: usize = 20_000;
/// The same of one session.
pub(super) const HELD_BY_SESSION: usize = 5_000;
/// Connections open at once: one for each session, and those of clients that only ask what the server offers.
pub(super) const CONNECTIONS: usize = SESSIONS + 50;
/// Time for the first message of a connection, and for its secure channel after that, in seconds.
pub(super) const HELLO_TIME: u32 = 5;
/// Time after which a connection ends whose client says nothing: its session has ended by then.
pub(super) const IDLE_TIME: Duration = Duration::from_millis(SESSION_TIME);
/// Time for a client to take in any part of what it is sent.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Sessions open at once.
pub(super) const SESSIONS: usize = 200;
/// Time after which a session without requests ends, in milliseconds.
pub(super) const SESSION_TIME: u64 = 60 * 60 * 1000;
/// Values in one Write, and methods in one Call.
pub(super) const OPERATIONS: usize = 1_000;
/// Bytes of one text or byte string that a client sends.
const TEXT: usize = 1 << 20;
/// Elements of one array that a client sends.
const ARRAY: usize = 100_000;
/// Elements of one array of a server that the agent is a client of; its texts are bounded by its messages alone. What is beyond a bound ends
/// the connection, with all that others have on it.
pub(crate) const SERVERS_ARRAY: usize = 1_000_000;
/// Bytes of one message.
pub(crate) const MESSAGE: usize = 4 << 20;
/// Bytes of one chunk of a message.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Chunks of one message.
pub(crate) const CHUNKS: usize = MESSAGE / CHUNK + 1;
/// Values that wait in one monitored item.
pub(super) const QUEUE: usize = 1_000;
/// Subscriptions of one session.
pub(super) const SUBSCRIPTIONS: usize = 100;
/// Monitored items of one subscription.
pub(super) const MONITORED_ITEMS: usize = 10_000;
/// Publish requests of one session that wait for something to tell.
pub(super) const PUBLISH_REQUESTS: usize = 100;

/// Replaces the library's bounds, which are those of a sample.
pub(super) fn apply(limits: &mut Limits) {
    limits.max_array_length = ARRAY;
    limits.max_string_length = TEXT;
    limits.max_byte_string_length = TEXT;
    limits.max_message_size = MESSAGE;
    limits.max_chunk_count = CHUNKS;
    limits.send_buffer_size = CHUNK;
    limits.receive_buffer_size = CHUNK;
    limits.max_sessions = SESSIONS;
    limits.operational.max_nodes_per_write = OPERATIONS;
    limits.operational.max_nodes_per_method_call = OPERATIONS;
    limits.subscriptions.max_subscriptions_per_session = SUBSCRIPTIONS;
    limits.subscriptions.max_monitored_items_per_sub = MONITORED_ITEMS;
    limits.subscriptions.max_monitored_item_queue_size = QUEUE;
    limits.subscriptions.max_pending_publish_requests = PUBLISH_REQUESTS;
    // A client that sends five at once for one subscription would be refused.
    limits.subscriptions.max_publish_requests_per_subscription = PUBLISH_REQUESTS;
}
