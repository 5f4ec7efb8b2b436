//! Sizes and offsets of all structs: those that `tests/layout.c` asserts in C are those that Rust uses.

use std::fmt::Write as _;
use std::mem::{offset_of, size_of};

use crate::*;

/// What `tests/layout.c` has to say about the structs of a platform with pointers of 64 bits.
macro_rules! layout {
    ($($rust:ident as $c:literal: $($field:ident),+;)+) => {{
        let mut text = String::new();
        $(
            $(
                let offset = offset_of!($rust, $field);
                writeln!(text, "FIELD({}, {}, {offset});", $c, stringify!($field)).unwrap();
            )+
            writeln!(text, "SIZE({}, {});", $c, size_of::<$rust>()).unwrap();
        )+
        text
    }};
}

#[test]
#[cfg(target_pointer_width = "64")]
fn c_asserts_the_layout_that_rust_uses() {
    let expected = layout! {
    Frame as "syncline_frame": len, packet_type;
    Slice as "syncline_bytes": data, len;
    PublishPacket as "syncline_publish": topic, payload, packet_id, qos, dup, retain;
    PropertyRecord as "syncline_property": name, value, number, id;
    TreqMessage as "syncline_treq": topic, payload, deadline, transaction, qos;
    CompletionRecord as "syncline_completion": token, code, code_name, value, message, transaction, outcome;
    CountersRecord as "syncline_counters": open, begun, replied, failed, timed_out, aborted, cancelled, undeliverable, late, duplicate, unknown, malformed, retained;
    NodeStatus as "syncline_node_status": node, in_flight, readiness, refusal, reason_code;
    RegistrationOptions as "syncline_registration_options": username, password, csr, mode, login;
    RegistrationStatus as "syncline_registration_status": state, pairing_id;
    RegistrationOutputRecord as "syncline_registration_output": event, kind;
    RegistryAnswerRecord as "syncline_registry_answer": body, retry_after, failure, status;
    RegistryRequestRecord as "syncline_registry_request": method, path, body, id;
    CredentialsRecord as "syncline_credentials": username, password, pairing_id;
    DelayRecord as "syncline_delay": text, retry_at, obstacle, status, reason_code, pairing_id;
    GrantRecord as "syncline_grant": certificate;
    DenialRecord as "syncline_denial": text, status;
    MismatchRecord as "syncline_version_mismatch": text, own, central, retry_at;
    ResponderBounds as "syncline_responder_bounds": max_transactions, max_answer_bytes, retention_ms;
    IncomingRecord as "syncline_incoming": value, tres, shared, timestamp, deadline, transaction, kind;
    TresMessage as "syncline_tres": payload, shared;
    ErrorText as "syncline_error": text;
    SessionStatus as "syncline_status": client_id, in_flight, queued, unwritten, version, established;
    Room as "syncline_room": data, len;
    DisconnectOptions as "syncline_disconnect_options": properties, settle_ms, session_expiry, set_session_expiry, keep_unfinished, reason_code;
    PublicationRecord as "syncline_publication": topic, payload, shared, properties, expiry_ms, qos, retain, transient;
    FilterRecord as "syncline_filter": filter, qos, retain_handling, no_local, retain_as_published;
    ServerLimitsRecord as "syncline_server_limits": maximum_packet_size, keep_alive_seconds, receive_maximum, topic_alias_maximum, maximum_qos, retain_available, wildcard_available, subscription_id_available, shared_available;
    ConnectedRecord as "syncline_connected": assigned_client_id, response_information, server, session_expiry, version, session_present;
    DisconnectedRecord as "syncline_disconnected": text, reason_string, server_reference, retry_at, kind, reason_code;
    MessageRecord as "syncline_message": topic, payload, shared, response_topic, correlation_data, ack_token, qos, retain, dup, needs_ack;
    CompletedRecord as "syncline_completed": reason_codes, reason_string, op, kind, loss, refusal, reason_code;
    StoreRecord as "syncline_store_change": seq, key, record, put;
    AuthChallengeRecord as "syncline_auth_challenge": data, reason_string;
    OutputRecord as "syncline_output": event, kind;
    StoredRecord as "syncline_stored_record": key, record;
    RestoredCounts as "syncline_restored": queued, in_flight, received;
    };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.c");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, asserted) = text.split_once("/* Asserted. */\n").unwrap();
    let (asserted, _) = asserted.split_once("\nint main").unwrap();
    assert_eq!(asserted, expected, "tests/layout.c has to assert this");
}
