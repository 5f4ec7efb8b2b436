/* C interface of Syncline's core: an MQTT client and FlowSync as state machines. Written by `cargo xtask header`. */
/* SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef SYNCLINE_H
#define SYNCLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Rules that hold everywhere:
 * - The library has no sockets, clock, entropy, files, threads or globals. Time, bytes and a seed are arguments.
 * - `now` is a point on any monotonic clock in microseconds; `wall` is Unix time in milliseconds.
 * - `syncline_x_new` gives a handle that `syncline_x_free` takes back; freeing NULL does nothing. A handle is for one
 *   thread at a time, which need not be the one that made it; several handles have nothing in common.
 * - A const handle is not changed: calls that take one may be made from several threads while no other call is made.
 * - Texts and bytes are a pointer and a length; texts are UTF-8 and end with no NUL. (NULL, 0) is the empty one.
 * - Any other NULL is SYNCLINE_RESULT_NULL_POINTER, unless the call says what NULL means. Inputs come before outputs,
 *   and no argument is both.
 * - What a call points out to you, through `syncline_bytes`, stays yours to read until the next call with the same
 *   handle that may change it (or, for a decoded packet, as long as the bytes that you gave).
 * - Outputs are written on SYNCLINE_RESULT_OK alone (and a length on SYNCLINE_RESULT_BUFFER_TOO_SMALL). After any
 *   other result nothing has changed.
 * - Calls that take a `syncline_error` write it where they fail for a reason that words can say better than a number.
 * - Numbers of results, kinds and settings are never reused. A newer library may hand out kinds that an older header
 *   does not know: ignore them. Structs keep their layout as long as the library keeps its SONAME.
 * - SYNCLINE_RESULT_PANIC is a bug in this library; the handle can then only be freed.
 */

/* As <sys/uio.h> has it: include that to use `syncline_session_tx_iov`. */
struct iovec;

/* Version of this header; `syncline_version` gives the library's. */
#define SYNCLINE_VERSION_MAJOR 0
#define SYNCLINE_VERSION_MINOR 1
#define SYNCLINE_VERSION_PATCH 0

/**
 * What a call came to. Numbers are never reused: new ones are added, at the end of their family.
 *
 * Below 1000: no error. From 1000: the call breaks this interface's rules. From 2000: the peer broke the protocol.
 * From 3000: a limit was reached. From 4000: the server does not offer it. From 9000: a bug in this library.
 */
enum syncline_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done; outputs are written.
   */
  SYNCLINE_RESULT_OK = 0,
  /**
   * The bytes are the beginning of a packet: come back with more.
   */
  SYNCLINE_RESULT_INCOMPLETE = 1,
  /**
   * There is nothing to hand out.
   */
  SYNCLINE_RESULT_EMPTY = 2,
  /**
   * A pointer that has to be given is NULL.
   */
  SYNCLINE_RESULT_NULL_POINTER = 1000,
  /**
   * A length is larger than any object can be.
   */
  SYNCLINE_RESULT_LENGTH_INVALID = 1001,
  /**
   * A text is not UTF-8.
   */
  SYNCLINE_RESULT_NOT_UTF8 = 1002,
  /**
   * A value is not one JSON text.
   */
  SYNCLINE_RESULT_NOT_JSON = 1003,
  /**
   * A protocol version is neither 4 (MQTT 3.1.1) nor 5 (MQTT 5.0).
   */
  SYNCLINE_RESULT_VERSION_UNKNOWN = 1004,
  /**
   * A number is outside the range that its documentation gives.
   */
  SYNCLINE_RESULT_OUT_OF_RANGE = 1005,
  /**
   * The topic is not a Topic Name.
   */
  SYNCLINE_RESULT_TOPIC_INVALID = 1006,
  /**
   * The buffer is too small; the length that it needs is written.
   */
  SYNCLINE_RESULT_BUFFER_TOO_SMALL = 1007,
  /**
   * The fields do not make a packet.
   */
  SYNCLINE_RESULT_PACKET_INVALID = 1008,
  /**
   * The packet is of another type than this function reads.
   */
  SYNCLINE_RESULT_WRONG_PACKET_TYPE = 1009,
  /**
   * The number names no node of this requester.
   */
  SYNCLINE_RESULT_NODE_UNKNOWN = 1010,
  /**
   * A node with the same topic exists, or there are as many nodes as there can be.
   */
  SYNCLINE_RESULT_NODE_REFUSED = 1011,
  /**
   * The seed is not 32 bytes long.
   */
  SYNCLINE_RESULT_SEED_INVALID = 1012,
  /**
   * The number names no setting, limit or property.
   */
  SYNCLINE_RESULT_UNKNOWN = 1013,
  /**
   * The configuration cannot be: the error text says which part of it.
   */
  SYNCLINE_RESULT_CONFIG_INVALID = 1014,
  /**
   * The filter is not a Topic Filter.
   */
  SYNCLINE_RESULT_FILTER_INVALID = 1015,
  /**
   * The property cannot be there, or its value is out of range.
   */
  SYNCLINE_RESULT_PROPERTY_INVALID = 1016,
  /**
   * There is no connection, and this operation is not queued without one.
   */
  SYNCLINE_RESULT_NOT_CONNECTED = 1017,
  /**
   * The session is disconnecting.
   */
  SYNCLINE_RESULT_CLOSING = 1018,
  /**
   * The acknowledgement token is not outstanding.
   */
  SYNCLINE_RESULT_STALE_TOKEN = 1019,
  /**
   * The connection has no enhanced authentication.
   */
  SYNCLINE_RESULT_NO_AUTHENTICATION = 1020,
  /**
   * There is no challenge to answer.
   */
  SYNCLINE_RESULT_NOT_CHALLENGED = 1021,
  /**
   * An authentication is in progress.
   */
  SYNCLINE_RESULT_AUTHENTICATING = 1022,
  /**
   * A disconnect cannot prolong a Session that ends with its connection.
   */
  SYNCLINE_RESULT_SESSION_EXPIRY_INVALID = 1023,
  /**
   * The records do not make a session: the error text says which one.
   */
  SYNCLINE_RESULT_RECORDS_INVALID = 1024,
  /**
   * The transaction is not known, or no longer remembered.
   */
  SYNCLINE_RESULT_TRANSACTION_UNKNOWN = 1025,
  /**
   * The transaction has an answer, which stands.
   */
  SYNCLINE_RESULT_ALREADY_ANSWERED = 1026,
  /**
   * The peer's bytes are not a packet.
   */
  SYNCLINE_RESULT_MALFORMED_PACKET = 2000,
  /**
   * The peer's packet holds what the protocol forbids.
   */
  SYNCLINE_RESULT_PROTOCOL_ERROR = 2001,
  /**
   * A packet is larger than allowed.
   */
  SYNCLINE_RESULT_PACKET_TOO_LARGE = 3000,
  /**
   * The node holds as many transactions as it may.
   */
  SYNCLINE_RESULT_TOO_MANY_IN_FLIGHT = 3001,
  /**
   * The request cannot be taken now.
   */
  SYNCLINE_RESULT_NOT_READY = 3002,
  /**
   * The queue of messages to send is at its bound.
   */
  SYNCLINE_RESULT_QUEUE_FULL = 3003,
  /**
   * All Packet Identifiers are in use.
   */
  SYNCLINE_RESULT_NO_PACKET_ID = 3004,
  /**
   * The server's Maximum QoS is lower.
   */
  SYNCLINE_RESULT_QOS_NOT_SUPPORTED = 4000,
  /**
   * The server has no retained messages.
   */
  SYNCLINE_RESULT_RETAIN_NOT_SUPPORTED = 4001,
  /**
   * The server has no wildcard subscriptions.
   */
  SYNCLINE_RESULT_WILDCARD_NOT_SUPPORTED = 4002,
  /**
   * The server has no shared subscriptions.
   */
  SYNCLINE_RESULT_SHARED_NOT_SUPPORTED = 4003,
  /**
   * The server has no Subscription Identifiers.
   */
  SYNCLINE_RESULT_SUBSCRIPTION_ID_NOT_SUPPORTED = 4004,
  /**
   * The server does not accept packets so large.
   */
  SYNCLINE_RESULT_PACKET_SIZE_NOT_SUPPORTED = 4005,
  /**
   * A bug in this library was caught; free the handle.
   */
  SYNCLINE_RESULT_PANIC = 9000,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_result syncline_result;
#else
typedef uint32_t syncline_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether a node accepts requests.
 */
enum syncline_readiness
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * There is no connection, or the server has not answered yet.
   */
  SYNCLINE_READINESS_WAITING = 0,
  /**
   * The server has confirmed the subscription to its replies.
   */
  SYNCLINE_READINESS_READY = 1,
  /**
   * The server refused the subscription with `reason_code`; it is asked again.
   */
  SYNCLINE_READINESS_REFUSED = 2,
  /**
   * The server cannot serve the subscription, for `refusal`; it is tried again on the next connection.
   */
  SYNCLINE_READINESS_NOT_SUPPORTED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_readiness syncline_readiness;
#else
typedef uint32_t syncline_readiness;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Where a registration stands.
 */
enum syncline_registration_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Nothing has been asked of it.
   */
  SYNCLINE_REGISTRATION_STATE_IDLE = 0,
  /**
   * New credentials wait to be stored; nobody has been shown them.
   */
  SYNCLINE_REGISTRATION_STATE_AWAIT_STORED = 1,
  /**
   * The session connects; the broker has not answered.
   */
  SYNCLINE_REGISTRATION_STATE_AWAIT_CONNACK = 2,
  /**
   * The broker has accepted the credentials.
   */
  SYNCLINE_REGISTRATION_STATE_ONLINE = 3,
  /**
   * A request is at the registry.
   */
  SYNCLINE_REGISTRATION_STATE_AWAIT_RESPONSE = 4,
  /**
   * Somebody else has to act first: the registry or the broker is asked again later.
   */
  SYNCLINE_REGISTRATION_STATE_AWAIT_RETRY = 5,
  /**
   * The registry will never accept this request.
   */
  SYNCLINE_REGISTRATION_STATE_DENIED = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_registration_state syncline_registration_state;
#else
typedef uint32_t syncline_registration_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What stands in the way of a registration.
 */
enum syncline_obstacle
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * 423: the registry takes no requests until somebody unlocks it.
   */
  SYNCLINE_OBSTACLE_LOCKED = 0,
  /**
   * 202: the request waits for somebody to grant it.
   */
  SYNCLINE_OBSTACLE_PENDING = 1,
  /**
   * The broker refused the login with `reason_code`, which is how one registers over MQTT.
   */
  SYNCLINE_OBSTACLE_PENDING_AT_BROKER = 2,
  /**
   * 409: the name belongs to other credentials.
   */
  SYNCLINE_OBSTACLE_CONFLICT = 3,
  /**
   * 401 or 403.
   */
  SYNCLINE_OBSTACLE_REJECTED = 4,
  /**
   * The registry cannot answer now.
   */
  SYNCLINE_OBSTACLE_UNAVAILABLE = 5,
  /**
   * 201 without the certificate that was asked for.
   */
  SYNCLINE_OBSTACLE_NO_CERTIFICATE = 6,
  /**
   * Whoever answers is no client registry.
   */
  SYNCLINE_OBSTACLE_NOT_A_REGISTRY = 7,
  /**
   * There was no answer.
   */
  SYNCLINE_OBSTACLE_NO_ANSWER = 8,
  /**
   * The broker refused the login with `reason_code`, although the registry has granted it or no registry is to be asked.
   */
  SYNCLINE_OBSTACLE_REFUSED = 9,
  /**
   * Another one: see `text`.
   */
  SYNCLINE_OBSTACLE_OTHER = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_obstacle syncline_obstacle;
#else
typedef uint32_t syncline_obstacle;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a registration wants done, or what has happened.
 */
enum syncline_registration_output_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Store these new credentials where the next start finds them, then call `syncline_registration_handle_stored`, also
   * where they cannot be stored: see `credentials`.
   */
  SYNCLINE_REGISTRATION_OUTPUT_KIND_STORE_CREDENTIALS = 0,
  /**
   * Make this request, then call `syncline_registration_handle_answer`: see `request`. Nobody waits for the answer to an
   * earlier one any more.
   */
  SYNCLINE_REGISTRATION_OUTPUT_KIND_ASK = 1,
  /**
   * Connect to the broker with these credentials, or without any: see `credentials`.
   */
  SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT = 2,
  /**
   * Registry or broker did not accept the agent; it is tried again: see `delay`.
   */
  SYNCLINE_REGISTRATION_OUTPUT_KIND_DELAYED = 3,
  /**
   * The registry has accepted the agent: see `grant`.
   */
  SYNCLINE_REGISTRATION_OUTPUT_KIND_GRANTED = 4,
  /**
   * The registry will never accept this request, and nothing is tried again: see `denial`.
   */
  SYNCLINE_REGISTRATION_OUTPUT_KIND_DENIED = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_registration_output_kind syncline_registration_output_kind;
#else
typedef uint32_t syncline_registration_output_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What became of a message.
 */
enum syncline_delivery
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * No node reads this topic: the message is for somebody else.
   */
  SYNCLINE_DELIVERY_NOT_MINE = 0,
  /**
   * It ended a transaction: poll for its completion.
   */
  SYNCLINE_DELIVERY_COMPLETED = 1,
  /**
   * It was read and ends nothing: malformed, retained, late, repeated or of an unknown id.
   */
  SYNCLINE_DELIVERY_IGNORED = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_delivery syncline_delivery;
#else
typedef uint32_t syncline_delivery;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a transaction ended.
 */
enum syncline_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * A reply with a value came.
   */
  SYNCLINE_OUTCOME_REPLIED = 0,
  /**
   * A reply with an error came.
   */
  SYNCLINE_OUTCOME_FAILED = 1,
  /**
   * No reply came in time.
   */
  SYNCLINE_OUTCOME_TIMED_OUT = 2,
  /**
   * The node was removed, or everything was cancelled.
   */
  SYNCLINE_OUTCOME_CANCELLED = 3,
  /**
   * The request did not reach anyone who could answer.
   */
  SYNCLINE_OUTCOME_UNDELIVERABLE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_outcome syncline_outcome;
#else
typedef uint32_t syncline_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What to do with a request.
 */
enum syncline_incoming_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Work on it, then call `syncline_responder_respond` or `syncline_responder_fail`.
   */
  SYNCLINE_INCOMING_KIND_FRESH = 0,
  /**
   * It has been answered before: publish `tres` again.
   */
  SYNCLINE_INCOMING_KIND_REPEATED = 1,
  /**
   * It is being worked on; its answer will serve both.
   */
  SYNCLINE_INCOMING_KIND_IN_PROGRESS = 2,
  /**
   * It names no transaction.
   */
  SYNCLINE_INCOMING_KIND_MALFORMED = 3,
  /**
   * As many transactions as may be are in progress.
   */
  SYNCLINE_INCOMING_KIND_OVERLOADED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_incoming_kind syncline_incoming_kind;
#else
typedef uint32_t syncline_incoming_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why a connection ended or could not be made.
 */
enum syncline_disconnect_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The transport could not be opened.
   */
  SYNCLINE_DISCONNECT_KIND_TRANSPORT_FAILED = 0,
  /**
   * The transport was not open in time.
   */
  SYNCLINE_DISCONNECT_KIND_CONNECT_TIMEOUT = 1,
  /**
   * No CONNACK came in time.
   */
  SYNCLINE_DISCONNECT_KIND_CONNACK_TIMEOUT = 2,
  /**
   * The server refused the connection, with `reason_code`.
   */
  SYNCLINE_DISCONNECT_KIND_REFUSED = 3,
  /**
   * The server ended the connection with a DISCONNECT, with `reason_code`.
   */
  SYNCLINE_DISCONNECT_KIND_BY_SERVER = 4,
  /**
   * The transport was closed without a DISCONNECT.
   */
  SYNCLINE_DISCONNECT_KIND_TRANSPORT_CLOSED = 5,
  /**
   * No answer to a ping came in time.
   */
  SYNCLINE_DISCONNECT_KIND_PING_TIMEOUT = 6,
  /**
   * The server sent what is no valid packet.
   */
  SYNCLINE_DISCONNECT_KIND_MALFORMED = 7,
  /**
   * The server sent a packet that it was not allowed to send.
   */
  SYNCLINE_DISCONNECT_KIND_VIOLATION = 8,
  /**
   * The caller disconnected.
   */
  SYNCLINE_DISCONNECT_KIND_REQUESTED = 9,
  /**
   * Another reason: see `text`.
   */
  SYNCLINE_DISCONNECT_KIND_OTHER = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_disconnect_kind syncline_disconnect_kind;
#else
typedef uint32_t syncline_disconnect_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How an operation ended.
 */
enum syncline_completion_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * QoS 0: written to the transport. QoS 1 and 2: acknowledged with `reason_code`, which may be an error.
   */
  SYNCLINE_COMPLETION_KIND_PUBLISHED = 0,
  /**
   * The server answered a SUBSCRIBE, with one of `reasons` a filter.
   */
  SYNCLINE_COMPLETION_KIND_SUBSCRIBED = 1,
  /**
   * The server answered an UNSUBSCRIBE, with one of `reasons` a filter; none in 3.1.1.
   */
  SYNCLINE_COMPLETION_KIND_UNSUBSCRIBED = 2,
  /**
   * The server accepted a re-authentication.
   */
  SYNCLINE_COMPLETION_KIND_AUTHENTICATED = 3,
  /**
   * It is over without an acknowledgement: see `loss`.
   */
  SYNCLINE_COMPLETION_KIND_LOST = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_completion_kind syncline_completion_kind;
#else
typedef uint32_t syncline_completion_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why an operation ended without an acknowledgement.
 */
enum syncline_loss
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * It was not lost.
   */
  SYNCLINE_LOSS_NONE = 0,
  /**
   * The connection ended first.
   */
  SYNCLINE_LOSS_LINK_LOST = 1,
  /**
   * The server has lost the Session.
   */
  SYNCLINE_LOSS_SESSION_LOST = 2,
  /**
   * The message expired before it was sent or sent again.
   */
  SYNCLINE_LOSS_EXPIRED = 3,
  /**
   * It was dropped from a full queue for a newer one.
   */
  SYNCLINE_LOSS_DROPPED = 4,
  /**
   * The session was closed.
   */
  SYNCLINE_LOSS_CLOSED = 5,
  /**
   * The server does not accept it: see `refusal`.
   */
  SYNCLINE_LOSS_NOT_ACCEPTED = 6,
  /**
   * Another reason.
   */
  SYNCLINE_LOSS_OTHER = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_loss syncline_loss;
#else
typedef uint32_t syncline_loss;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why a reply changed nothing.
 */
enum syncline_ignored
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * A retained message is from the past by definition.
   */
  SYNCLINE_IGNORED_RETAINED = 0,
  /**
   * It names no transaction.
   */
  SYNCLINE_IGNORED_MALFORMED = 1,
  /**
   * The transaction already has its reply.
   */
  SYNCLINE_IGNORED_DUPLICATE = 2,
  /**
   * The transaction ended without a reply.
   */
  SYNCLINE_IGNORED_LATE = 3,
  /**
   * The transaction was never begun here, is forgotten, or belongs to another node.
   */
  SYNCLINE_IGNORED_UNKNOWN = 4,
  /**
   * Another reason.
   */
  SYNCLINE_IGNORED_OTHER = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_ignored syncline_ignored;
#else
typedef uint32_t syncline_ignored;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What to do, or what has happened.
 */
enum syncline_output_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Open a transport to the server, then call `syncline_session_handle_transport_open`, or
   * `syncline_session_handle_transport_closed` if it fails.
   */
  SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT = 0,
  /**
   * Close the transport, and report nothing more of it.
   */
  SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT = 1,
  /**
   * The server accepted the connection: see `connected`.
   */
  SYNCLINE_OUTPUT_KIND_CONNECTED = 2,
  /**
   * The connection ended, or could not be made: see `disconnected`.
   */
  SYNCLINE_OUTPUT_KIND_DISCONNECTED = 3,
  /**
   * A message arrived: see `message`.
   */
  SYNCLINE_OUTPUT_KIND_MESSAGE = 4,
  /**
   * An operation ended: see `completed`.
   */
  SYNCLINE_OUTPUT_KIND_COMPLETED = 5,
  /**
   * Carry this out in the store: see `store`. Only from a session that was restored.
   */
  SYNCLINE_OUTPUT_KIND_STORE = 6,
  /**
   * The server asks for authentication data: see `auth_challenge`.
   */
  SYNCLINE_OUTPUT_KIND_AUTH_CHALLENGE = 7,
  /**
   * A node began to accept requests, or ceased to: see `node`.
   */
  SYNCLINE_OUTPUT_KIND_NODE_CHANGED = 8,
  /**
   * A transaction of `syncline_agent_request` ended: see `transaction`.
   */
  SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED = 9,
  /**
   * A reply to a node changed nothing; for the log: see `ignored`.
   */
  SYNCLINE_OUTPUT_KIND_REPLY_IGNORED = 10,
  /**
   * Store these new credentials where the next start finds them, then call `syncline_agent_handle_credentials_stored`, also
   * where they cannot be stored: see `credentials`.
   */
  SYNCLINE_OUTPUT_KIND_STORE_CREDENTIALS = 11,
  /**
   * Make this request of the client registry, then call `syncline_agent_handle_registry_answer`: see `request`. Nobody waits
   * for the answer to an earlier one any more.
   */
  SYNCLINE_OUTPUT_KIND_ASK_REGISTRY = 12,
  /**
   * Registry or broker did not accept the agent; it is tried again: see `delay`.
   */
  SYNCLINE_OUTPUT_KIND_REGISTRATION_DELAYED = 13,
  /**
   * The registry has accepted the agent: see `grant`.
   */
  SYNCLINE_OUTPUT_KIND_GRANTED = 14,
  /**
   * The registry will never accept this agent as it is, and nothing is tried again: see `denial`.
   */
  SYNCLINE_OUTPUT_KIND_DENIED = 15,
  /**
   * After a disconnection that nobody asked for: nothing is tried again until `syncline_session_connect`.
   */
  SYNCLINE_OUTPUT_KIND_GAVE_UP = 16,
  /**
   * Make this request of the central, then call `syncline_agent_handle_version_answer`: see `request`. Nobody waits for
   * the answer to an earlier one any more.
   */
  SYNCLINE_OUTPUT_KIND_ASK_VERSION = 17,
  /**
   * The central's version does not go with this agent's: see `mismatch`. What is submitted before the next poll is still
   * sent, then the connection ends, until the versions go together.
   */
  SYNCLINE_OUTPUT_KIND_VERSION_DIFFERS = 18,
  /**
   * The central's version goes with this agent's, or it tells none: see `central`.
   */
  SYNCLINE_OUTPUT_KIND_VERSION_AGREES = 19,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_output_kind syncline_output_kind;
#else
typedef uint32_t syncline_output_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A setting for `syncline_session_config_set`. Flags are 0 or 1, times are milliseconds up to UINT32_MAX unless said
 * otherwise. Numbers are never reused.
 */
enum syncline_setting
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * 5 or 4 (MQTT 3.1.1) alone; 0: 5, and 4 if the server refuses 5. Default 0.
   */
  SYNCLINE_SETTING_VERSION = 0,
  /**
   * Flag: start every connection with a new Session. Default 0: it is resumed while both sides have it.
   */
  SYNCLINE_SETTING_CLEAN_START = 1,
  /**
   * Longest silence before a ping, in seconds up to 65535; 0 turns it off. Default 60.
   */
  SYNCLINE_SETTING_KEEP_ALIVE_SECONDS = 2,
  /**
   * Longest wait for the answer to a ping. Default 10000, and never more than half the Keep Alive.
   */
  SYNCLINE_SETTING_PING_TIMEOUT = 3,
  /**
   * Longest wait for the transport to open. Default 10000.
   */
  SYNCLINE_SETTING_CONNECT_TIMEOUT = 4,
  /**
   * Longest wait for the CONNACK. Default 10000.
   */
  SYNCLINE_SETTING_CONNACK_TIMEOUT = 5,
  /**
   * Longest wait for the last bytes to be written before the transport is closed. Default 2000.
   */
  SYNCLINE_SETTING_CLOSE_TIMEOUT = 6,
  /**
   * Flag: ask the server for Response Information. Default 0.
   */
  SYNCLINE_SETTING_REQUEST_RESPONSE_INFORMATION = 7,
  /**
   * Flag: let the server add Reason Strings and User Properties to any answer. Default 1.
   */
  SYNCLINE_SETTING_REQUEST_PROBLEM_INFORMATION = 8,
  /**
   * How long the Session outlives its connection, in seconds; UINT32_MAX: for ever. Default 3600.
   */
  SYNCLINE_SETTING_SESSION_EXPIRY_SECONDS = 9,
  /**
   * QoS 1 and 2 messages that the server may have unacknowledged, 1 to 65535; more are handed out all the same where it sends them, up
   * to SYNCLINE_LIMIT_MAX_OVERSHOOT_BYTES. Default 1024.
   */
  SYNCLINE_SETTING_RECEIVE_MAXIMUM = 10,
  /**
   * Largest packet accepted from the server, SYNCLINE_LIMIT_MIN_PACKET_SIZE to SYNCLINE_LIMIT_MAX_PACKET_SIZE bytes.
   * Default 4194304.
   */
  SYNCLINE_SETTING_MAX_PACKET_SIZE = 11,
  /**
   * QoS 1 and 2 messages in flight to the server, 1 to 65535. Default 65535.
   */
  SYNCLINE_SETTING_MAX_IN_FLIGHT = 12,
  /**
   * Messages that wait to be sent. Default 100000.
   */
  SYNCLINE_SETTING_QUEUE_MESSAGES = 13,
  /**
   * Bytes of topics, payloads and properties that wait to be sent. Default 67108864.
   */
  SYNCLINE_SETTING_QUEUE_BYTES = 14,
  /**
   * What a full queue does with a new message. Default 0: it is refused; 1: the oldest of QoS 0 make room; 2: the
   * oldest of any QoS do.
   */
  SYNCLINE_SETTING_QUEUE_FULL = 15,
  /**
   * Topic Aliases that the server may use, up to 65535. Default 0.
   */
  SYNCLINE_SETTING_TOPIC_ALIAS_MAXIMUM = 16,
  /**
   * Topic Aliases used towards the server, within its own maximum, up to 65535. Default 0.
   */
  SYNCLINE_SETTING_TOPIC_ALIASES = 17,
  /**
   * Room offered to one read, 1 to SYNCLINE_LIMIT_MAX_READ_SIZE bytes; fewer than 2048 are taken as 2048. Default 16384.
   */
  SYNCLINE_SETTING_READ_SIZE = 18,
  /**
   * Flag: received messages are acknowledged by `syncline_session_acknowledge`. Default 0: when handed out.
   */
  SYNCLINE_SETTING_MANUAL_ACKS = 19,
  /**
   * What becomes of unfinished messages when the server has lost the Session. Default 0: they are sent as new ones; 1:
   * they complete as lost.
   */
  SYNCLINE_SETTING_SESSION_LOST = 20,
  /**
   * Ceiling of the first wait between connections; each wait is drawn from zero to its ceiling. Default 1000.
   */
  SYNCLINE_SETTING_RECONNECT_FIRST = 21,
  /**
   * Ceiling of all waits, which each failure doubles up to here. Default 60000.
   */
  SYNCLINE_SETTING_RECONNECT_LONGEST = 22,
  /**
   * Floor of every wait. Default 128.
   */
  SYNCLINE_SETTING_RECONNECT_SHORTEST = 23,
  /**
   * A connection that lasted this long starts the waits afresh. Default 30000.
   */
  SYNCLINE_SETTING_RECONNECT_STABLE_AFTER = 24,
  /**
   * What to do when the server refuses the client. Default 0: stay offline; 1: try again; 2: stay offline where it is
   * user name and password, else try again.
   */
  SYNCLINE_SETTING_ON_REFUSAL = 25,
  /**
   * What to do when the server names another one. Default 0: stay offline; 1: ask for a transport to that one.
   */
  SYNCLINE_SETTING_ON_REFERRAL = 26,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_setting syncline_setting;
#else
typedef uint32_t syncline_setting;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a library of this interface may or may not have. Numbers are never reused.
 */
enum syncline_feature
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * `syncline_packet_...` and `syncline_publish_...`: packets without a session.
   */
  SYNCLINE_FEATURE_PACKETS = 0,
  /**
   * `syncline_session_...`: the MQTT client, 3.1.1 and 5.0.
   */
  SYNCLINE_FEATURE_SESSION = 1,
  /**
   * `syncline_session_restore`: state that outlives the process.
   */
  SYNCLINE_FEATURE_STORE = 2,
  /**
   * `syncline_session_authenticate`: enhanced authentication of MQTT 5.0.
   */
  SYNCLINE_FEATURE_AUTHENTICATION = 3,
  /**
   * `syncline_requester_...`: FlowSync's asking side.
   */
  SYNCLINE_FEATURE_REQUESTER = 4,
  /**
   * `syncline_responder_...`: FlowSync's answering side.
   */
  SYNCLINE_FEATURE_RESPONDER = 5,
  /**
   * `syncline_registration_...`: how an agent that nobody knows comes to be let in.
   */
  SYNCLINE_FEATURE_REGISTRATION = 6,
  /**
   * `syncline_agent_...`: nodes and a registration on a session.
   */
  SYNCLINE_FEATURE_AGENT = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_feature syncline_feature;
#else
typedef uint32_t syncline_feature;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Bounds that no configuration can raise. Numbers are never reused.
 */
enum syncline_limit
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Largest Control Packet in bytes.
   */
  SYNCLINE_LIMIT_MAX_PACKET_SIZE = 0,
  /**
   * Smallest Maximum Packet Size that a session can work with, in bytes.
   */
  SYNCLINE_LIMIT_MIN_PACKET_SIZE = 1,
  /**
   * Most nodes of a requester.
   */
  SYNCLINE_LIMIT_MAX_NODES = 2,
  /**
   * Most open transactions of a node.
   */
  SYNCLINE_LIMIT_MAX_TRANSACTIONS_PER_NODE = 3,
  /**
   * Shortest timeout of a transaction in milliseconds.
   */
  SYNCLINE_LIMIT_TRANSACTION_TIMEOUT_MIN = 4,
  /**
   * Longest timeout of a transaction in milliseconds.
   */
  SYNCLINE_LIMIT_TRANSACTION_TIMEOUT_MAX = 5,
  /**
   * Unwritten bytes beyond which queued messages stay in the queue.
   */
  SYNCLINE_LIMIT_TRANSMIT_HIGH_WATER = 6,
  /**
   * Packets that wait for the store before nothing more is read.
   */
  SYNCLINE_LIMIT_MAX_HELD_PACKETS = 7,
  /**
   * Ended transactions that are remembered, to tell a late or repeated reply from one that was never asked for.
   */
  SYNCLINE_LIMIT_ENDED_TRANSACTIONS_REMEMBERED = 8,
  /**
   * Smallest Maximum Packet Size of a server that a session can work with, in bytes.
   */
  SYNCLINE_LIMIT_MIN_SERVER_PACKET_SIZE = 9,
  /**
   * Unwritten bytes beyond TRANSMIT_HIGH_WATER that acknowledgements may take before nothing more is read.
   */
  SYNCLINE_LIMIT_ACK_RESERVE = 10,
  /**
   * Bytes of the server's words on a message that are kept until its end; larger ones are left out.
   */
  SYNCLINE_LIMIT_MAX_KEPT_DETAILS = 11,
  /**
   * Connections of a resumed Session that may break in the same way until a new one is begun.
   */
  SYNCLINE_LIMIT_BROKEN_RESUMPTIONS = 12,
  /**
   * Connections in a row that may end before their CONNACK until MQTT 3.1.1 is tried in place of 5.0.
   */
  SYNCLINE_LIMIT_CLOSES_BEFORE_FALLBACK = 13,
  /**
   * Wait before a node's refused subscription is repeated, in milliseconds.
   */
  SYNCLINE_LIMIT_RESUBSCRIBE_INTERVAL = 14,
  /**
   * Longest body of a client registry's answer in bytes.
   */
  SYNCLINE_LIMIT_MAX_REGISTRY_ANSWER = 15,
  /**
   * Longest certificate signing request in bytes.
   */
  SYNCLINE_LIMIT_MAX_CSR = 16,
  /**
   * Most characters that are kept of what a client registry says about its refusal.
   */
  SYNCLINE_LIMIT_MAX_REASON_TEXT = 17,
  /**
   * Longest wait for the answer of a client registry in milliseconds.
   */
  SYNCLINE_LIMIT_REGISTRY_TIMEOUT = 18,
  /**
   * Longest wait that a client registry may ask for in milliseconds.
   */
  SYNCLINE_LIMIT_RETRY_AFTER_MAX = 19,
  /**
   * Longest version of a central in bytes; a longer one is none.
   */
  SYNCLINE_LIMIT_MAX_VERSION_TEXT = 20,
  /**
   * Most Topic Filters that an agent keeps subscribed.
   */
  SYNCLINE_LIMIT_MAX_SUBSCRIPTIONS = 21,
  /**
   * Bytes of messages beyond Receive Maximum that may be unacknowledged until nothing more is read.
   */
  SYNCLINE_LIMIT_MAX_OVERSHOOT_BYTES = 22,
  /**
   * Longest name of an error in bytes that a reply may tell by its `code`.
   */
  SYNCLINE_LIMIT_MAX_ERROR_NAME = 23,
  /**
   * Most bytes that a session offers to one read.
   */
  SYNCLINE_LIMIT_MAX_READ_SIZE = 24,
  /**
   * CLOSES_BEFORE_FALLBACK where the server has spoken 5.0 before.
   */
  SYNCLINE_LIMIT_CLOSES_BEFORE_FALLBACK_ONCE_SPOKEN = 25,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_limit syncline_limit;
#else
typedef uint32_t syncline_limit;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Where to register.
 */
enum syncline_registration_mode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * At the client registry; over MQTT as long as none answers.
   */
  SYNCLINE_REGISTRATION_MODE_AUTO = 0,
  /**
   * At the client registry alone.
   */
  SYNCLINE_REGISTRATION_MODE_REST = 1,
  /**
   * Over MQTT alone: connecting until the broker accepts.
   */
  SYNCLINE_REGISTRATION_MODE_MQTT = 2,
  /**
   * Nowhere: a refused login is tried again like any other failure.
   */
  SYNCLINE_REGISTRATION_MODE_OFF = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_registration_mode syncline_registration_mode;
#else
typedef uint32_t syncline_registration_mode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What is known of the credentials at the start.
 */
enum syncline_login
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * A user name without a password: a new one is made, to be stored before anybody is shown it.
   */
  SYNCLINE_LOGIN_NEW = 0,
  /**
   * Credentials that an earlier run has stored.
   */
  SYNCLINE_LOGIN_STORED = 1,
  /**
   * Credentials that the operator has given.
   */
  SYNCLINE_LOGIN_GIVEN = 2,
  /**
   * None and none to be made: a client certificate says who this is, or the broker does not ask. Never registers.
   */
  SYNCLINE_LOGIN_PASSWORDLESS = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_login syncline_login;
#else
typedef uint32_t syncline_login;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why there was no answer of the registry.
 */
enum syncline_registry_failure
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The registry could not be reached, or the connection was lost.
   */
  SYNCLINE_REGISTRY_FAILURE_UNREACHABLE = 0,
  /**
   * No response came in time.
   */
  SYNCLINE_REGISTRY_FAILURE_TIMED_OUT = 1,
  /**
   * The server's certificate was not accepted.
   */
  SYNCLINE_REGISTRY_FAILURE_UNTRUSTED = 2,
  /**
   * What came was not HTTP.
   */
  SYNCLINE_REGISTRY_FAILURE_NOT_HTTP = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_registry_failure syncline_registry_failure;
#else
typedef uint32_t syncline_registry_failure;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How alike the versions of agent and central have to be.
 */
enum syncline_version_likeness
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The same major and minor number; a version that does not begin with two numbers is none.
   */
  SYNCLINE_VERSION_LIKENESS_COMPATIBLE = 0,
  /**
   * The same text.
   */
  SYNCLINE_VERSION_LIKENESS_EXACT = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum syncline_version_likeness syncline_version_likeness;
#else
typedef uint32_t syncline_version_likeness;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Configuration of a transaction node.
 */
struct syncline_node_config;

/**
 * A list of properties to send.
 */
struct syncline_properties;

/**
 * The registration of one agent. With `syncline_agent_register_with` a session has one of its own, and this is not needed.
 *
 * Driven like a session: one input, `syncline_registration_poll` until SYNCLINE_RESULT_EMPTY, then sleep until
 * `syncline_registration_poll_timeout`.
 */
struct syncline_registration;

/**
 * Open transactions, joined to their replies by id.
 */
struct syncline_requester;

/**
 * Requests that were received, joined to their answers by id.
 */
struct syncline_responder;

/**
 * Configuration of a session.
 */
struct syncline_session_config;

/**
 * An MQTT client session, and the composite agent: calls `syncline_agent_...` give it FlowSync nodes, whose replies it takes
 * out of what it receives, and a registration.
 *
 * 1. One input: a command, received bytes, written bytes, an opened or closed transport, or time.
 * 2. `syncline_session_poll` until SYNCLINE_RESULT_EMPTY, carrying out each output.
 * 3. Write what `syncline_session_tx_iov` shows, and report it with `syncline_session_tx_advance`.
 * 4. Sleep until the transport is readable, or writable while there is something to write, or the time of
 *    `syncline_session_poll_timeout` comes.
 */
struct syncline_session;

/**
 * Bytes that are freed when the last holder releases them. Nobody changes them, so any thread may hold them.
 */
struct syncline_shared_bytes;

/**
 * How a node stands.
 */
struct syncline_node_status {
  /**
   * The node's number.
   */
  uint64_t node;
  /**
   * Its transactions that wait for a reply.
   */
  size_t in_flight;
  /**
   * Whether it accepts requests.
   */
  syncline_readiness readiness;
  /**
   * Why the server cannot serve it, for NOT_SUPPORTED, else SYNCLINE_RESULT_OK.
   */
  syncline_result refusal;
  /**
   * Reason Code for REFUSED, else 0.
   */
  uint8_t reason_code;
};

/**
 * What went wrong in one call, in words. Never holds a payload or a credential.
 *
 * Calls that take one write it where they fail, and leave it alone where they do not; NULL is no wish to know.
 */
struct syncline_error {
  /**
   * The text in UTF-8, ended by NUL, cut where it is longer.
   */
  char text[256];
};

/**
 * Totals of all transactions. `begun` is `open` and the six ways to end; each reply is counted once, as REPLIED or FAILED
 * or as one of the last five.
 */
struct syncline_counters {
  /**
   * Transactions that wait for a reply now.
   */
  uint64_t open;
  /**
   * Transactions that were begun.
   */
  uint64_t begun;
  /**
   * A reply with a value came.
   */
  uint64_t replied;
  /**
   * A reply with an error came.
   */
  uint64_t failed;
  /**
   * No reply came in time.
   */
  uint64_t timed_out;
  /**
   * The client went away.
   */
  uint64_t aborted;
  /**
   * The node was removed, or everything was cancelled.
   */
  uint64_t cancelled;
  /**
   * The request could not be delivered.
   */
  uint64_t undeliverable;
  /**
   * Replies after the end of their transaction.
   */
  uint64_t late;
  /**
   * Replies after a reply.
   */
  uint64_t duplicate;
  /**
   * Replies to no transaction.
   */
  uint64_t unknown;
  /**
   * Messages that are no reply.
   */
  uint64_t malformed;
  /**
   * Retained messages.
   */
  uint64_t retained;
};

/**
 * Bytes that belong to someone else.
 */
struct syncline_bytes {
  /**
   * The first byte; may be NULL when `len` is 0.
   */
  const uint8_t *data;
  /**
   * How many there are.
   */
  size_t len;
};

/**
 * What a registration is made of. All zeros but the user name: a new password, registered wherever that can be done.
 */
struct syncline_registration_options {
  /**
   * User name.
   */
  struct syncline_bytes username;
  /**
   * Password, for a login that is STORED or GIVEN.
   */
  struct syncline_bytes password;
  /**
   * A certificate signing request in PEM whose Common Name is the user name, else empty. With it nothing connects before
   * the registry has signed.
   */
  struct syncline_bytes csr;
  /**
   * Where to register, one of `SYNCLINE_REGISTRATION_MODE_...`.
   */
  uint32_t mode;
  /**
   * What is known of the credentials, one of `SYNCLINE_LOGIN_...`.
   */
  uint32_t login;
};

/**
 * What came of a request to the registry.
 */
struct syncline_registry_answer {
  /**
   * Body; of one longer than SYNCLINE_LIMIT_MAX_REGISTRY_ANSWER, at least one byte more than that.
   */
  struct syncline_bytes body;
  /**
   * The field `Retry-After`, else empty.
   */
  struct syncline_bytes retry_after;
  /**
   * Why there was no response, one of `SYNCLINE_REGISTRY_FAILURE_...`. Does not count with a status.
   */
  uint32_t failure;
  /**
   * Status code of the response; 0: there was none.
   */
  uint16_t status;
};

/**
 * How a registration stands.
 */
struct syncline_registration_status {
  /**
   * Where it stands.
   */
  syncline_registration_state state;
  /**
   * What both sides show of the credentials: six hexadecimal digits ended by NUL; empty where there are none.
   */
  char pairing_id[8];
};

/**
 * The first bytes of a packet.
 */
struct syncline_frame {
  /**
   * Length of the whole packet in bytes, its first ones included.
   */
  size_t len;
  /**
   * Control Packet type, 1 (CONNECT) to 15 (AUTH).
   */
  uint8_t packet_type;
};

/**
 * A PUBLISH.
 */
struct syncline_publish {
  /**
   * Topic Name; empty only in MQTT 5.0, with a Topic Alias.
   */
  struct syncline_bytes topic;
  /**
   * Application Message.
   */
  struct syncline_bytes payload;
  /**
   * Packet Identifier; 0 exactly when `qos` is 0.
   */
  uint16_t packet_id;
  /**
   * Quality of Service, 0 to 2.
   */
  uint8_t qos;
  /**
   * Redelivery flag.
   */
  bool dup;
  /**
   * Retain flag.
   */
  bool retain;
};

/**
 * One property.
 */
struct syncline_property {
  /**
   * Name of a User Property, else empty.
   */
  struct syncline_bytes name;
  /**
   * Value of a User Property, a text or binary property, else empty.
   */
  struct syncline_bytes value;
  /**
   * Value of a property that is a number or a flag, else 0.
   */
  uint32_t number;
  /**
   * Identifier (MQTT 5.0 section 2.2.2.2), such as 0x26 for a User Property.
   */
  uint8_t id;
};

/**
 * User name and password.
 */
struct syncline_credentials {
  /**
   * User name; data is NULL where there are no credentials.
   */
  struct syncline_bytes username;
  /**
   * Password; data is NULL where there are no credentials.
   */
  struct syncline_bytes password;
  /**
   * What both sides show of the credentials: six hexadecimal digits ended by NUL; empty where there are none.
   */
  char pairing_id[8];
};

/**
 * An HTTP request to make of the client registry, or of the central that tells its version. A redirect is an answer and is not followed: it would carry the password
 * to another server.
 */
struct syncline_registry_request {
  /**
   * Request method.
   */
  struct syncline_bytes method;
  /**
   * Path, to be appended to the base URL of the registry.
   */
  struct syncline_bytes path;
  /**
   * Body, `application/json`, empty where there is none. It holds the password.
   */
  struct syncline_bytes body;
  /**
   * Comes back with the answer.
   */
  uint64_t id;
};

/**
 * Why a registration is not through yet, and what comes next. Nothing is lost: it is tried again.
 */
struct syncline_delay {
  /**
   * What stands in the way and how to mend it, in words for an operator.
   */
  struct syncline_bytes text;
  /**
   * When it is tried again; UINT64_MAX: the broker is asked at once in place of the registry.
   */
  uint64_t retry_at;
  /**
   * What stands in the way.
   */
  syncline_obstacle obstacle;
  /**
   * Status code of the registry's answer, else 0.
   */
  uint16_t status;
  /**
   * Reason Code of the broker's refusal, else 0.
   */
  uint8_t reason_code;
  /**
   * What both sides show of the credentials: six hexadecimal digits ended by NUL; empty where there are none.
   */
  char pairing_id[8];
};

/**
 * The registry's acceptance.
 */
struct syncline_grant {
  /**
   * The signed certificate in PEM, where a request to sign one went along, else empty. It is in force for the next
   * transport.
   */
  struct syncline_bytes certificate;
};

/**
 * The registry's final no.
 */
struct syncline_denial {
  /**
   * Why, in words for an operator.
   */
  struct syncline_bytes text;
  /**
   * Status code.
   */
  uint16_t status;
};

/**
 * What an output of a registration tells; its kind says which member counts.
 */
union syncline_registration_event {
  /**
   * Of SYNCLINE_REGISTRATION_OUTPUT_KIND_STORE_CREDENTIALS and SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT.
   */
  struct syncline_credentials credentials;
  /**
   * Of SYNCLINE_REGISTRATION_OUTPUT_KIND_ASK.
   */
  struct syncline_registry_request request;
  /**
   * Of SYNCLINE_REGISTRATION_OUTPUT_KIND_DELAYED.
   */
  struct syncline_delay delay;
  /**
   * Of SYNCLINE_REGISTRATION_OUTPUT_KIND_GRANTED.
   */
  struct syncline_grant grant;
  /**
   * Of SYNCLINE_REGISTRATION_OUTPUT_KIND_DENIED.
   */
  struct syncline_denial denial;
};

/**
 * One output of a registration.
 */
struct syncline_registration_output {
  /**
   * What it tells.
   */
  union syncline_registration_event event;
  /**
   * What it is.
   */
  syncline_registration_output_kind kind;
};

/**
 * A message to publish, not retained; its transaction is already waiting for the reply.
 */
struct syncline_treq {
  /**
   * Topic Name.
   */
  struct syncline_bytes topic;
  /**
   * Application Message, a JSON text.
   */
  struct syncline_bytes payload;
  /**
   * When the transaction times out, on the clock of `now`.
   */
  uint64_t deadline;
  /**
   * The transaction's id, most significant byte first.
   */
  uint8_t transaction[16];
  /**
   * Quality of Service.
   */
  uint8_t qos;
};

/**
 * A transaction that has ended.
 */
struct syncline_completion {
  /**
   * The caller's own number from `syncline_requester_begin`.
   */
  uint64_t token;
  /**
   * Error code: the reply's for FAILED, which is 500 where it has a name instead; the node's for TIMED_OUT, else 0.
   */
  int64_t code;
  /**
   * Name that the reply of FAILED has in place of a number, of letters, digits and `_`; else empty.
   */
  struct syncline_bytes code_name;
  /**
   * JSON text of the value for REPLIED, else empty.
   */
  struct syncline_bytes value;
  /**
   * Error text for FAILED and TIMED_OUT, else empty.
   */
  struct syncline_bytes message;
  /**
   * The transaction's id, most significant byte first.
   */
  uint8_t transaction[16];
  /**
   * How it ended.
   */
  syncline_outcome outcome;
};

/**
 * Bounds of a responder; all zeros: the defaults.
 */
struct syncline_responder_bounds {
  /**
   * Transactions remembered at once, answered or not. Default 10000.
   */
  size_t max_transactions;
  /**
   * Bytes of answers kept for repetition. Default 1048576.
   */
  size_t max_answer_bytes;
  /**
   * How long a transaction is remembered after its request, in milliseconds. Default 60000; at least the longest timeout
   * of the requesters, or a request that comes again after a reconnect is handed out a second time.
   */
  uint64_t retention_ms;
};

/**
 * A request that came in.
 */
struct syncline_incoming {
  /**
   * JSON text of the value of a FRESH request, else empty.
   */
  struct syncline_bytes value;
  /**
   * Answer of a REPEATED request, else empty.
   */
  struct syncline_bytes tres;
  /**
   * The same, for `syncline_bytes_retain` and to publish it without a copy; else NULL.
   */
  const struct syncline_shared_bytes *shared;
  /**
   * When the requester of a FRESH request made it, Unix time in milliseconds by its own clock; 0: it did not say.
   */
  uint64_t timestamp;
  /**
   * When the requester of a FRESH request stops waiting, on the clock of `now`; UINT64_MAX: it did not say.
   */
  uint64_t deadline;
  /**
   * The id of a FRESH request's transaction, most significant byte first, else zeros.
   */
  uint8_t transaction[16];
  /**
   * What to do with it.
   */
  syncline_incoming_kind kind;
};

/**
 * An answer to publish on the topic that `syncline_responder_topic` gives for the request's.
 */
struct syncline_tres {
  /**
   * Application Message, a JSON text.
   */
  struct syncline_bytes payload;
  /**
   * The same, for `syncline_bytes_retain` and to publish it without a copy.
   */
  const struct syncline_shared_bytes *shared;
};

/**
 * How a session stands.
 */
struct syncline_status {
  /**
   * Client Identifier, the assigned one where the server chose it.
   */
  struct syncline_bytes client_id;
  /**
   * QoS 1 and 2 messages sent and not acknowledged.
   */
  size_t in_flight;
  /**
   * Messages that wait to be sent.
   */
  size_t queued;
  /**
   * Bytes that wait to be written.
   */
  size_t unwritten;
  /**
   * Protocol version of the connection, 4 or 5; 0 without one.
   */
  uint8_t version;
  /**
   * Whether the server has accepted the connection and it is not ending.
   */
  bool established;
};

/**
 * Room for received bytes.
 */
struct syncline_room {
  /**
   * Where the first byte goes.
   */
  uint8_t *data;
  /**
   * How many there is room for; 0: stop reading for now.
   */
  size_t len;
};

/**
 * How to disconnect. All zeros: now, normally, and the Session ends on this side.
 */
struct syncline_disconnect_options {
  /**
   * Reason String and User Properties; NULL: none.
   */
  const struct syncline_properties *properties;
  /**
   * How long messages in the queue and in flight may take to be acknowledged before, in milliseconds; 0: no time.
   */
  uint64_t settle_ms;
  /**
   * Session Expiry Interval in seconds in place of the one in force, where `set_session_expiry` says so.
   */
  uint32_t session_expiry;
  /**
   * Whether `session_expiry` counts.
   */
  bool set_session_expiry;
  /**
   * Whether unfinished messages wait for the next connection, of this process or, with a store, of another. If not, they
   * complete as lost.
   */
  bool keep_unfinished;
  /**
   * Reason Code; 0x04 has the Will published.
   */
  uint8_t reason_code;
};

/**
 * A message to publish. All zeros but the topic is a message of QoS 0 with nothing in it.
 */
struct syncline_publication {
  /**
   * Topic Name; copied.
   */
  struct syncline_bytes topic;
  /**
   * Application Message; copied. Does not count with `shared`.
   */
  struct syncline_bytes payload;
  /**
   * Application Message that is held instead of copied; NULL: `payload` counts.
   */
  const struct syncline_shared_bytes *shared;
  /**
   * Properties, copied; NULL: none. Message Expiry Interval belongs into `expiry_ms`.
   */
  const struct syncline_properties *properties;
  /**
   * How long the message is worth sending, in milliseconds; 0: for ever.
   */
  uint64_t expiry_ms;
  /**
   * Quality of Service.
   */
  uint8_t qos;
  /**
   * Retain flag.
   */
  bool retain;
  /**
   * Whether the message is worth nothing to the next process, so that a store need not keep it.
   */
  bool transient;
};

/**
 * A Topic Filter with what is asked of its subscription.
 */
struct syncline_filter {
  /**
   * Topic Filter. For an UNSUBSCRIBE nothing else counts.
   */
  struct syncline_bytes filter;
  /**
   * Highest Quality of Service. 3.1.1 carries this alone.
   */
  uint8_t qos;
  /**
   * Retained messages: 0 sends them now, 1 if the subscription is new, 2 not at all.
   */
  uint8_t retain_handling;
  /**
   * Whether this client's own messages stay away.
   */
  bool no_local;
  /**
   * Whether forwarded messages keep their Retain flag.
   */
  bool retain_as_published;
};

/**
 * What a server allows; for MQTT 3.1.1 the defaults.
 */
struct syncline_server_limits {
  /**
   * Largest packet in bytes.
   */
  uint32_t maximum_packet_size;
  /**
   * Keep Alive in force in seconds; 0 is off.
   */
  uint32_t keep_alive_seconds;
  /**
   * QoS 1 and 2 messages that may be unacknowledged.
   */
  uint16_t receive_maximum;
  /**
   * Highest Topic Alias of a PUBLISH; 0 is none.
   */
  uint16_t topic_alias_maximum;
  /**
   * Highest QoS of a PUBLISH.
   */
  uint8_t maximum_qos;
  /**
   * Whether messages may be retained.
   */
  bool retain_available;
  /**
   * Whether Topic Filters may have wildcards.
   */
  bool wildcard_available;
  /**
   * Whether a SUBSCRIBE may carry a Subscription Identifier.
   */
  bool subscription_id_available;
  /**
   * Whether Topic Filters may be shared subscriptions.
   */
  bool shared_available;
};

/**
 * Facts of a new connection.
 */
struct syncline_connected {
  /**
   * Client Identifier that the server assigned, else empty.
   */
  struct syncline_bytes assigned_client_id;
  /**
   * What Response Topics should begin with, where the server says so, else empty.
   */
  struct syncline_bytes response_information;
  /**
   * What the server allows.
   */
  struct syncline_server_limits server;
  /**
   * Seconds that the Session outlives the connection; UINT32_MAX: for ever.
   */
  uint32_t session_expiry;
  /**
   * Protocol version, 4 or 5.
   */
  uint8_t version;
  /**
   * Whether the server kept the Session. If not, subscribe again.
   */
  bool session_present;
};

/**
 * The end of a connection.
 */
struct syncline_disconnected {
  /**
   * Why, in words.
   */
  struct syncline_bytes text;
  /**
   * The server's own words, where it said any, else empty.
   */
  struct syncline_bytes reason_string;
  /**
   * Another server that this one names, such as `broker.example:8883`, else empty.
   */
  struct syncline_bytes server_reference;
  /**
   * When the session asks for a transport again; UINT64_MAX: not before `syncline_session_connect`.
   */
  uint64_t retry_at;
  /**
   * Why.
   */
  syncline_disconnect_kind kind;
  /**
   * Reason Code that the server gave, or that it was given, else 0.
   */
  uint8_t reason_code;
};

/**
 * A message from the server.
 */
struct syncline_message {
  /**
   * Topic Name, also where the server sent a Topic Alias in its place.
   */
  struct syncline_bytes topic;
  /**
   * Application Message.
   */
  struct syncline_bytes payload;
  /**
   * The same, for `syncline_bytes_retain`.
   */
  const struct syncline_shared_bytes *shared;
  /**
   * Response Topic, else empty.
   */
  struct syncline_bytes response_topic;
  /**
   * Correlation Data, else empty.
   */
  struct syncline_bytes correlation_data;
  /**
   * What to acknowledge it with, where `needs_ack` is set.
   */
  uint64_t ack_token;
  /**
   * Quality of Service.
   */
  uint8_t qos;
  /**
   * Whether the server sent it because it was retained.
   */
  bool retain;
  /**
   * Whether the server may have sent it before.
   */
  bool dup;
  /**
   * Whether it waits for `syncline_session_acknowledge`.
   */
  bool needs_ack;
};

/**
 * The end of an operation.
 */
struct syncline_completed {
  /**
   * Reason Codes in the order of the Topic Filters, one byte each.
   */
  struct syncline_bytes reason_codes;
  /**
   * The server's own words, where it said any, else empty.
   */
  struct syncline_bytes reason_string;
  /**
   * The operation, as the command gave it.
   */
  uint64_t op;
  /**
   * How it ended.
   */
  syncline_completion_kind kind;
  /**
   * Why it was lost.
   */
  syncline_loss loss;
  /**
   * Result of a message that the server does not accept, else SYNCLINE_RESULT_OK.
   */
  syncline_result refusal;
  /**
   * Reason Code: of the acknowledgement, or the first of `reasons` that is an error, else 0.
   */
  uint8_t reason_code;
};

/**
 * One change of the stored state. Changes are numbered from 1 without a gap, and carried out in that order.
 */
struct syncline_store_change {
  /**
   * Number of the change, for `syncline_session_handle_persisted`.
   */
  uint64_t seq;
  /**
   * Key of the record.
   */
  uint64_t key;
  /**
   * What the record is from now on, whether or not there was one. Counts with `put` alone.
   */
  struct syncline_bytes record;
  /**
   * Whether to put the record; if not, delete it. One that is not there counts as deleted.
   */
  bool put;
};

/**
 * What the server asks, and says with it.
 */
struct syncline_auth_challenge {
  /**
   * Authentication Data, else empty.
   */
  struct syncline_bytes data;
  /**
   * The server's own words, where it said any, else empty.
   */
  struct syncline_bytes reason_string;
};

/**
 * Versions of agent and central that do not go together.
 */
struct syncline_version_mismatch {
  /**
   * Both versions and how to mend it, in words for an operator.
   */
  struct syncline_bytes text;
  /**
   * The agent's version.
   */
  struct syncline_bytes own;
  /**
   * The central's version.
   */
  struct syncline_bytes central;
  /**
   * When the central is asked again.
   */
  uint64_t retry_at;
};

/**
 * What an output tells; its kind says which member counts.
 */
union syncline_output_event {
  /**
   * Of SYNCLINE_OUTPUT_KIND_CONNECTED.
   */
  struct syncline_connected connected;
  /**
   * Of SYNCLINE_OUTPUT_KIND_DISCONNECTED.
   */
  struct syncline_disconnected disconnected;
  /**
   * Of SYNCLINE_OUTPUT_KIND_MESSAGE.
   */
  struct syncline_message message;
  /**
   * Of SYNCLINE_OUTPUT_KIND_COMPLETED.
   */
  struct syncline_completed completed;
  /**
   * Of SYNCLINE_OUTPUT_KIND_STORE.
   */
  struct syncline_store_change store;
  /**
   * Of SYNCLINE_OUTPUT_KIND_AUTH_CHALLENGE.
   */
  struct syncline_auth_challenge auth_challenge;
  /**
   * Of SYNCLINE_OUTPUT_KIND_NODE_CHANGED.
   */
  struct syncline_node_status node;
  /**
   * Of SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED.
   */
  struct syncline_completion transaction;
  /**
   * Of SYNCLINE_OUTPUT_KIND_REPLY_IGNORED.
   */
  syncline_ignored ignored;
  /**
   * Of SYNCLINE_OUTPUT_KIND_STORE_CREDENTIALS.
   */
  struct syncline_credentials credentials;
  /**
   * Of SYNCLINE_OUTPUT_KIND_ASK_REGISTRY and SYNCLINE_OUTPUT_KIND_ASK_VERSION.
   */
  struct syncline_registry_request request;
  /**
   * Of SYNCLINE_OUTPUT_KIND_REGISTRATION_DELAYED.
   */
  struct syncline_delay delay;
  /**
   * Of SYNCLINE_OUTPUT_KIND_GRANTED.
   */
  struct syncline_grant grant;
  /**
   * Of SYNCLINE_OUTPUT_KIND_DENIED.
   */
  struct syncline_denial denial;
  /**
   * Of SYNCLINE_OUTPUT_KIND_VERSION_DIFFERS.
   */
  struct syncline_version_mismatch mismatch;
  /**
   * Of SYNCLINE_OUTPUT_KIND_VERSION_AGREES: the central's version; data is NULL where it tells none.
   */
  struct syncline_bytes central;
  /**
   * Of the kinds that tell nothing more.
   */
  uint8_t nothing;
};

/**
 * One output of a session.
 */
struct syncline_output {
  /**
   * What it tells.
   */
  union syncline_output_event event;
  /**
   * What it is.
   */
  syncline_output_kind kind;
};

/**
 * A record as SYNCLINE_OUTPUT_KIND_STORE last put it.
 */
struct syncline_stored_record {
  /**
   * Key of the record.
   */
  uint64_t key;
  /**
   * The record.
   */
  struct syncline_bytes record;
};

/**
 * What a restored session goes on with.
 */
struct syncline_restored {
  /**
   * Messages that were not sent, in the queue. Their operations have the numbers that they had.
   */
  size_t queued;
  /**
   * Messages in flight: sent again, or finished, once the server resumes the Session.
   */
  size_t in_flight;
  /**
   * QoS 2 messages that were received and not released.
   */
  size_t received;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Adds a transaction node; `node` is its number. With a connection its subscription begins at once, and
 * SYNCLINE_OUTPUT_KIND_NODE_CHANGED tells when it is ready. Subscribing again after a reconnect is not the caller's.
 *
 * # Safety
 * `session` and `config` are live handles, `node` points to a number.
 */
syncline_result syncline_agent_add_node(struct syncline_session *session,
                                        uint64_t now,
                                        const struct syncline_node_config *config,
                                        uint64_t *node);

/**
 * Removes a node: its open transactions end as CANCELLED, its subscription ends.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_agent_remove_node(struct syncline_session *session, uint64_t node);

/**
 * How a node stands.
 *
 * # Safety
 * `session` is a live handle, `status` points to the place of the result.
 */
syncline_result syncline_agent_node_status(const struct syncline_session *session,
                                           uint64_t node,
                                           struct syncline_node_status *status);

/**
 * Asks the other side of a node: registers the transaction, then publishes its request.
 *
 * `value` is one JSON text. `token` is the caller's own number and comes back with SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED,
 * exactly once unless the transaction is aborted. `timeout_ms` shortens the node's timeout for this request; 0 leaves it.
 * SYNCLINE_RESULT_NOT_CONNECTED and SYNCLINE_RESULT_NOT_READY: nobody was asked, wait for the node to be ready.
 *
 * # Safety
 * `session` is a live handle, `value` points to `value_len` bytes; `error` is NULL or points to a place for a text;
 * `transaction` points to 16 bytes for the transaction's id.
 */
syncline_result syncline_agent_request(struct syncline_session *session,
                                       uint64_t now,
                                       uint64_t wall,
                                       uint64_t node,
                                       const uint8_t *value,
                                       size_t value_len,
                                       uint64_t token,
                                       uint32_t timeout_ms,
                                       struct syncline_error *error,
                                       uint8_t *transaction);

/**
 * The client of a transaction went away: it ends at once, and its end is not told. An ended one stays as it is.
 *
 * # Safety
 * `session` is a live handle, `transaction` points to 16 bytes.
 */
syncline_result syncline_agent_abort(struct syncline_session *session,
                                     const uint8_t *transaction);

/**
 * Ends every open transaction as CANCELLED.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_agent_cancel_all(struct syncline_session *session);

/**
 * Totals of all transactions of a session's nodes.
 *
 * # Safety
 * `session` is a live handle, `counters` points to the place of the result.
 */
syncline_result syncline_agent_counters(const struct syncline_session *session,
                                        struct syncline_counters *counters);

/**
 * Has the session register where it is not known, from its next `syncline_session_connect` on. Its credentials are
 * replaced by the registration's, and a refusal of these is the registration's to mend, whatever SYNCLINE_SETTING_ON_REFUSAL
 * says. SYNCLINE_RESULT_CONFIG_INVALID: `error` says what cannot be.
 *
 * # Safety
 * `session` is a live handle, `options` points to options whose texts can be read; `error` is NULL or points to a place for
 * a text.
 */
syncline_result syncline_agent_register_with(struct syncline_session *session,
                                             const struct syncline_registration_options *options,
                                             struct syncline_error *error);

/**
 * The credentials of SYNCLINE_OUTPUT_KIND_STORE_CREDENTIALS are stored, or cannot be; the registration goes on with them
 * either way.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_agent_handle_credentials_stored(struct syncline_session *session,
                                                         uint64_t now);

/**
 * What came of the request `id` of SYNCLINE_OUTPUT_KIND_ASK_REGISTRY; that of an earlier one is ignored. `wall` reads a
 * `Retry-After` that is a date.
 *
 * # Safety
 * `session` is a live handle, `answer` points to an answer whose texts can be read.
 */
syncline_result syncline_agent_handle_registry_answer(struct syncline_session *session,
                                                      uint64_t now,
                                                      uint64_t wall,
                                                      uint64_t id,
                                                      const struct syncline_registry_answer *answer);

/**
 * How the session's registration stands. SYNCLINE_RESULT_EMPTY: it has none.
 *
 * # Safety
 * `session` is a live handle, `status` points to the place of the result.
 */
syncline_result syncline_agent_registration_status(const struct syncline_session *session,
                                                   struct syncline_registration_status *status);

/**
 * Has the session, whose version is the text at `own`, ask its central for its version with each connection, and stay
 * offline while the two do not go together. `likeness` is one of
 * `SYNCLINE_VERSION_LIKENESS_...`.
 *
 * # Safety
 * `session` is a live handle, `own` points to `own_len` bytes.
 */
syncline_result syncline_agent_check_version(struct syncline_session *session,
                                             const uint8_t *own,
                                             size_t own_len,
                                             uint32_t likeness);

/**
 * What came of the request `id` of SYNCLINE_OUTPUT_KIND_ASK_VERSION; that of an earlier one is ignored.
 *
 * # Safety
 * `session` is a live handle, `answer` points to an answer whose texts can be read.
 */
syncline_result syncline_agent_handle_version_answer(struct syncline_session *session,
                                                     uint64_t now,
                                                     uint64_t id,
                                                     const struct syncline_registry_answer *answer);

/**
 * Makes a configuration: requests leave on `<base>/treq`, replies are read from `<base>/tres`.
 *
 * Defaults: quality of service 0, timeout 2000 ms with code 500, at most 10000 transactions at once.
 *
 * # Safety
 * `base` points to `base_len` bytes, `config` to a pointer; `error` is NULL or points to a place for a text.
 */
syncline_result syncline_node_config_new(const uint8_t *base,
                                         size_t base_len,
                                         struct syncline_error *error,
                                         struct syncline_node_config **config);

/**
 * Takes a configuration back. Nodes that were made from it stay.
 *
 * # Safety
 * `config` is NULL, or came from `syncline_node_config_new` and was not freed before.
 */
void syncline_node_config_free(struct syncline_node_config *config);

/**
 * Sets the quality of service of requests and of the subscription to replies, 0 to 2.
 *
 * # Safety
 * `config` is a live handle.
 */
syncline_result syncline_node_config_set_qos(struct syncline_node_config *config, uint8_t qos);

/**
 * Sets the longest wait for a reply, 1 to 600000 ms.
 *
 * # Safety
 * `config` is a live handle.
 */
syncline_result syncline_node_config_set_timeout(struct syncline_node_config *config, uint32_t millis);

/**
 * Sets the code and the text by which a timeout is reported.
 *
 * # Safety
 * `config` is a live handle, `message` points to `message_len` bytes.
 */
syncline_result syncline_node_config_set_timeout_error(struct syncline_node_config *config,
                                                       uint32_t code,
                                                       const uint8_t *message,
                                                       size_t message_len);

/**
 * Sets how many transactions may be open at once, 1 to 1000000.
 *
 * # Safety
 * `config` is a live handle.
 */
syncline_result syncline_node_config_set_max_in_flight(struct syncline_node_config *config,
                                                       size_t max_in_flight);

/**
 * Reads the first bytes of a packet, and checks all that they tell.
 *
 * `version` is 4 (MQTT 3.1.1) or 5 (MQTT 5.0); `max_packet_size` the largest packet to accept in bytes.
 * SYNCLINE_RESULT_INCOMPLETE: `data` does not hold them all yet. That the rest of the packet is there, once `frame`
 * is written, is for the caller to compare.
 *
 * # Safety
 * `data` points to `len` bytes, `frame` to the place of the result.
 */
syncline_result syncline_packet_peek(const uint8_t *data,
                                     size_t len,
                                     uint8_t version,
                                     uint32_t max_packet_size,
                                     struct syncline_frame *frame);

/**
 * Reads the PUBLISH that `data` begins with; what follows it is left alone.
 *
 * `publish` points into `data` afterwards; nothing is copied. Properties of MQTT 5.0 are checked and left out.
 *
 * # Safety
 * `data` points to `len` bytes, `publish` to the place of the result.
 */
syncline_result syncline_publish_decode(const uint8_t *data,
                                        size_t len,
                                        uint8_t version,
                                        struct syncline_publish *publish);

/**
 * Writes a PUBLISH without properties to `buffer`, which has room for `capacity` bytes.
 *
 * `written` is the packet's length, on SYNCLINE_RESULT_BUFFER_TOO_SMALL too: ask with (NULL, 0) for the length alone.
 *
 * # Safety
 * `publish` points to a packet whose slices can be read, `buffer` to `capacity` bytes that no slice of it overlaps,
 * `written` to a length.
 */
syncline_result syncline_publish_encode(const struct syncline_publish *publish,
                                        uint8_t version,
                                        uint8_t *buffer,
                                        size_t capacity,
                                        size_t *written);

/**
 * Makes an empty list.
 *
 * # Safety
 * `properties` points to a pointer.
 */
syncline_result syncline_properties_new(struct syncline_properties **properties);

/**
 * Takes a list back. What was submitted with it has a copy.
 *
 * # Safety
 * `properties` is NULL, or came from `syncline_properties_new` and was not freed before.
 */
void syncline_properties_free(struct syncline_properties *properties);

/**
 * Empties a list and keeps its memory.
 *
 * # Safety
 * `properties` is a live handle.
 */
syncline_result syncline_properties_clear(struct syncline_properties *properties);

/**
 * Appends a property; its identifier says which fields of `property` count. Whether a packet may carry it is checked
 * when the packet is made.
 *
 * # Safety
 * `properties` is a live handle, `property` points to a property whose slices can be read; `error` is
 * NULL or points to a place for a text.
 */
syncline_result syncline_properties_add(struct syncline_properties *properties,
                                        const struct syncline_property *property,
                                        struct syncline_error *error);

/**
 * Makes a registration that does nothing until `syncline_registration_start`. The options are copied.
 *
 * `seed` has 32 bytes of the operating system's entropy: a new password is drawn from it. SYNCLINE_RESULT_CONFIG_INVALID:
 * `error` says what cannot be.
 *
 * # Safety
 * `options` points to options whose texts can be read, `seed` to `seed_len` bytes; `error` is NULL or points to a place for
 * a text; `registration` points to a pointer.
 */
syncline_result syncline_registration_new(const struct syncline_registration_options *options,
                                          const uint8_t *seed,
                                          size_t seed_len,
                                          struct syncline_error *error,
                                          struct syncline_registration **registration);

/**
 * Takes a registration back.
 *
 * # Safety
 * `registration` is NULL, or came from `syncline_registration_new` and was not freed before.
 */
void syncline_registration_free(struct syncline_registration *registration);

/**
 * Begins. Ignored where it has begun already.
 *
 * # Safety
 * `registration` is a live handle.
 */
syncline_result syncline_registration_start(struct syncline_registration *registration, uint64_t now);

/**
 * Ends all efforts; `syncline_registration_start` begins anew.
 *
 * # Safety
 * `registration` is a live handle.
 */
syncline_result syncline_registration_stop(struct syncline_registration *registration, uint64_t now);

/**
 * The new credentials are stored, or cannot be; it goes on with them either way.
 *
 * # Safety
 * `registration` is a live handle.
 */
syncline_result syncline_registration_handle_stored(struct syncline_registration *registration, uint64_t now);

/**
 * What came of the request `id`; that of an earlier one is ignored. `wall` reads a `Retry-After` that is a date.
 *
 * # Safety
 * `registration` is a live handle, `answer` points to an answer whose texts can be read.
 */
syncline_result syncline_registration_handle_answer(struct syncline_registration *registration,
                                                    uint64_t now,
                                                    uint64_t wall,
                                                    uint64_t id,
                                                    const struct syncline_registry_answer *answer);

/**
 * The broker accepted the connection.
 *
 * # Safety
 * `registration` is a live handle.
 */
syncline_result syncline_registration_handle_connected(struct syncline_registration *registration,
                                                       uint64_t now);

/**
 * The connection ended for a reason that is not the credentials, and the session sees to the next one.
 *
 * # Safety
 * `registration` is a live handle.
 */
syncline_result syncline_registration_handle_link_lost(struct syncline_registration *registration);

/**
 * The broker refuses the credentials with Reason Code `reason_code`, and the session waits for
 * SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT. `syncline_registration_is_about_credentials` tells which refusals these are.
 *
 * # Safety
 * `registration` is a live handle.
 */
syncline_result syncline_registration_handle_refused(struct syncline_registration *registration,
                                                     uint64_t now,
                                                     uint8_t reason_code);

/**
 * Whether a broker's refusal with Reason Code `reason_code` is about the credentials, so that a registration can mend it.
 */
bool syncline_registration_is_about_credentials(uint8_t reason_code);

/**
 * Does what is due at `now`.
 *
 * # Safety
 * `registration` is a live handle.
 */
syncline_result syncline_registration_handle_timeout(struct syncline_registration *registration,
                                                     uint64_t now);

/**
 * When `syncline_registration_handle_timeout` next has something to do; UINT64_MAX: never.
 *
 * # Safety
 * `registration` is a live handle, `deadline` points to a number.
 */
syncline_result syncline_registration_poll_timeout(const struct syncline_registration *registration,
                                                   uint64_t *deadline);

/**
 * The next thing to do or to know. SYNCLINE_RESULT_EMPTY: there is nothing until the next input.
 *
 * What `output` points to stays until the next call with this handle that changes it.
 *
 * # Safety
 * `registration` is a live handle, `output` points to the place of the result.
 */
syncline_result syncline_registration_poll(struct syncline_registration *registration,
                                           struct syncline_registration_output *output);

/**
 * How the registration stands.
 *
 * # Safety
 * `registration` is a live handle, `status` points to the place of the result.
 */
syncline_result syncline_registration_status(const struct syncline_registration *registration,
                                             struct syncline_registration_status *status);

/**
 * Makes a requester without nodes.
 *
 * `seed` has 32 bytes from the operating system's entropy: whoever knows it can foretell ids and forge replies. The
 * same seed gives the same ids, which is what tests want.
 *
 * # Safety
 * `seed` points to `seed_len` bytes, `requester` to a pointer.
 */
syncline_result syncline_requester_new(const uint8_t *seed,
                                       size_t seed_len,
                                       struct syncline_requester **requester);

/**
 * Takes a requester back, with all that is open in it.
 *
 * # Safety
 * `requester` is NULL, or came from `syncline_requester_new` and was not freed before.
 */
void syncline_requester_free(struct syncline_requester *requester);

/**
 * Adds a node; `node` is its number. Subscribe to its replies, and begin once the broker has confirmed that.
 *
 * # Safety
 * `requester` and `config` are live handles, `node` points to a number.
 */
syncline_result syncline_requester_add_node(struct syncline_requester *requester,
                                            const struct syncline_node_config *config,
                                            uint64_t *node);

/**
 * Removes a node; its open transactions end as CANCELLED.
 *
 * # Safety
 * `requester` is a live handle.
 */
syncline_result syncline_requester_remove_node(struct syncline_requester *requester, uint64_t node);

/**
 * Begins a transaction: registers it, then hands out the message to publish.
 *
 * `value` is one JSON text. `token` is the caller's own number and comes back with the completion. `timeout_ms`
 * shortens the node's timeout for this request; 0 leaves it.
 *
 * # Safety
 * `requester` is a live handle, `value` points to `value_len` bytes, `treq` to the place of the result.
 */
syncline_result syncline_requester_begin(struct syncline_requester *requester,
                                         uint64_t now,
                                         uint64_t wall,
                                         uint64_t node,
                                         const uint8_t *value,
                                         size_t value_len,
                                         uint64_t token,
                                         uint32_t timeout_ms,
                                         struct syncline_treq *treq);

/**
 * Takes in a message that was received; `delivery` says what became of it.
 *
 * # Safety
 * `requester` is a live handle, `topic` points to `topic_len` bytes, `payload` to `payload_len`, `delivery` to the place
 * of the result.
 */
syncline_result syncline_requester_handle_message(struct syncline_requester *requester,
                                                  const uint8_t *topic,
                                                  size_t topic_len,
                                                  const uint8_t *payload,
                                                  size_t payload_len,
                                                  bool retained,
                                                  syncline_delivery *delivery);

/**
 * Ends every transaction whose deadline has come.
 *
 * # Safety
 * `requester` is a live handle.
 */
syncline_result syncline_requester_handle_timeout(struct syncline_requester *requester, uint64_t now);

/**
 * When `syncline_requester_handle_timeout` next has something to do; UINT64_MAX: never.
 *
 * # Safety
 * `requester` is a live handle, `deadline` points to a number.
 */
syncline_result syncline_requester_poll_timeout(const struct syncline_requester *requester,
                                                uint64_t *deadline);

/**
 * The next transaction that has ended. SYNCLINE_RESULT_EMPTY: no further one has.
 *
 * # Safety
 * `requester` is a live handle, `completion` points to the place of the result.
 */
syncline_result syncline_requester_poll(struct syncline_requester *requester,
                                        struct syncline_completion *completion);

/**
 * The client of a transaction went away: it ends at once, without a completion. An ended one stays as it is.
 *
 * # Safety
 * `requester` is a live handle, `transaction` points to 16 bytes.
 */
syncline_result syncline_requester_abort(struct syncline_requester *requester, const uint8_t *transaction);

/**
 * The request of a transaction could not be delivered: it ends as UNDELIVERABLE. `reason_code` is the Reason Code by which the
 * broker refused it; 0: the connection was lost before it had left. An ended transaction stays as it is.
 *
 * # Safety
 * `requester` is a live handle, `transaction` points to 16 bytes.
 */
syncline_result syncline_requester_undeliverable(struct syncline_requester *requester,
                                                 const uint8_t *transaction,
                                                 uint8_t reason_code);

/**
 * Totals of all transactions.
 *
 * # Safety
 * `requester` is a live handle, `counters` points to the place of the result.
 */
syncline_result syncline_requester_counters(const struct syncline_requester *requester,
                                            struct syncline_counters *counters);

/**
 * Ends every open transaction as CANCELLED.
 *
 * # Safety
 * `requester` is a live handle.
 */
syncline_result syncline_requester_cancel_all(struct syncline_requester *requester);

/**
 * Makes a responder that remembers nothing yet. `bounds` NULL: the defaults, as where a bound is 0.
 *
 * # Safety
 * `bounds` is NULL or points to bounds, `responder` points to a pointer.
 */
syncline_result syncline_responder_new(const struct syncline_responder_bounds *bounds,
                                       struct syncline_responder **responder);

/**
 * Takes a responder back, with all that it remembers.
 *
 * # Safety
 * `responder` is NULL, or came from `syncline_responder_new` and was not freed before.
 */
void syncline_responder_free(struct syncline_responder *responder);

/**
 * Takes in a message that was received on a topic that ends with `/treq`; `incoming` says what to do with it.
 *
 * `payload` is held, not copied. `expiry_ms` is the message's Message Expiry Interval in milliseconds; 0: it has none.
 *
 * # Safety
 * `responder` is a live handle; `payload` is held, or was pointed out by the last call with its handle; `incoming` points
 * to the place of the result.
 */
syncline_result syncline_responder_handle_request(struct syncline_responder *responder,
                                                  uint64_t now,
                                                  const struct syncline_shared_bytes *payload,
                                                  uint64_t expiry_ms,
                                                  struct syncline_incoming *incoming);

/**
 * Answers a transaction with a value, one JSON text; `tres` is to be published.
 *
 * # Safety
 * `responder` is a live handle, `transaction` points to 16 bytes, `value` to `value_len`, `tres` to the place of the result.
 */
syncline_result syncline_responder_respond(struct syncline_responder *responder,
                                           uint64_t wall,
                                           const uint8_t *transaction,
                                           const uint8_t *value,
                                           size_t value_len,
                                           struct syncline_tres *tres);

/**
 * Answers a transaction with an error; `tres` is to be published. `code` is in the terms of the client's protocol: for HTTP
 * 400 to 599.
 *
 * # Safety
 * `responder` is a live handle, `transaction` points to 16 bytes, `message` to `message_len`, `tres` to the place of the
 * result.
 */
syncline_result syncline_responder_fail(struct syncline_responder *responder,
                                        uint64_t wall,
                                        const uint8_t *transaction,
                                        int64_t code,
                                        const uint8_t *message,
                                        size_t message_len,
                                        struct syncline_tres *tres);

/**
 * The topic of the answers to the requests on `treq`: with `/tres` for `/treq`. SYNCLINE_RESULT_TOPIC_INVALID: it does not
 * end so.
 *
 * # Safety
 * `responder` is a live handle, `treq` points to `treq_len` bytes, `topic` to the place of the result.
 */
syncline_result syncline_responder_topic(struct syncline_responder *responder,
                                         const uint8_t *treq,
                                         size_t treq_len,
                                         struct syncline_bytes *topic);

/**
 * Forgets what is past its retention.
 *
 * # Safety
 * `responder` is a live handle.
 */
syncline_result syncline_responder_handle_timeout(struct syncline_responder *responder, uint64_t now);

/**
 * When `syncline_responder_handle_timeout` next has something to forget; UINT64_MAX: never.
 *
 * # Safety
 * `responder` is a live handle, `deadline` points to a number.
 */
syncline_result syncline_responder_poll_timeout(const struct syncline_responder *responder,
                                                uint64_t *deadline);

/**
 * The text of a result, static and ended by NUL: what happened and what to do.
 */
const char *syncline_result_str(uint32_t result);

/**
 * Makes a session that is offline until `syncline_session_connect`. The configuration is copied.
 *
 * `seed` has 32 bytes of the operating system's entropy: it spreads the waits between connections, and ids of transactions
 * and passwords come from it. SYNCLINE_RESULT_CONFIG_INVALID: `error` names the setting.
 *
 * # Safety
 * `config` is a live handle, `seed` points to `seed_len` bytes; `error` is NULL or points to a place for a text;
 * `session` points to a pointer.
 */
syncline_result syncline_session_new(const struct syncline_session_config *config,
                                     const uint8_t *seed,
                                     size_t seed_len,
                                     struct syncline_error *error,
                                     struct syncline_session **session);

/**
 * Takes a session back. Nothing more is sent: disconnect before.
 *
 * # Safety
 * `session` is NULL, or came from `syncline_session_new` or `syncline_session_restore` and was not freed before.
 */
void syncline_session_free(struct syncline_session *session);

/**
 * Does what is due at `now`: connect timeouts, pings, back-off, expiry.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_handle_timeout(struct syncline_session *session, uint64_t now);

/**
 * When `syncline_session_handle_timeout` next has something to do; UINT64_MAX: never.
 *
 * # Safety
 * `session` is a live handle, `deadline` points to a number.
 */
syncline_result syncline_session_poll_timeout(const struct syncline_session *session, uint64_t *deadline);

/**
 * The transport that SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT asked for is open.
 *
 * Where none was asked for, or is no longer, nothing happens and the result is SYNCLINE_RESULT_OK: a dial that succeeds may be
 * overtaken by SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT, and that is nobody's mistake.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_handle_transport_open(struct syncline_session *session,
                                                       uint64_t now);

/**
 * The transport could not be opened, or was closed by the other side or by an error. Ignored where there is none.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_handle_transport_closed(struct syncline_session *session,
                                                         uint64_t now);

/**
 * How the session stands.
 *
 * # Safety
 * `session` is a live handle, `status` points to the place of the result.
 */
syncline_result syncline_session_status(const struct syncline_session *session,
                                        struct syncline_status *status);

/**
 * Room to read into, to be followed by `syncline_session_rx_commit`. There is none without a connection, while it ends,
 * and while received packets wait to be polled: stop reading then, and TCP slows the server down.
 *
 * # Safety
 * `session` is a live handle, `room` points to the place of the result. Room is written to before the next call with
 * this handle that changes it.
 */
syncline_result syncline_session_rx_space(struct syncline_session *session,
                                          struct syncline_room *room);

/**
 * Takes over the first `len` bytes of the room that the call before showed. SYNCLINE_RESULT_OUT_OF_RANGE: there is less
 * room, or another call came between.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_rx_commit(struct syncline_session *session,
                                           size_t len);

/**
 * What waits to be written, in order: up to `capacity` runs for `writev`. `count` is how many were written to `runs`; 0:
 * nothing waits. They stay until the next call with this handle that changes it.
 *
 * # Safety
 * `session` is a live handle, `runs` points to `capacity` places, `count` to a number.
 */
syncline_result syncline_session_tx_iov(const struct syncline_session *session,
                                        struct iovec *runs,
                                        size_t capacity,
                                        size_t *count);

/**
 * Reports that the first `len` bytes of what waits were written. SYNCLINE_RESULT_OUT_OF_RANGE: fewer wait.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_tx_advance(struct syncline_session *session, uint64_t now, size_t len);

/**
 * Asks for a connection, and for a new one whenever it is lost. Nothing changes while there is one, or an attempt.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_connect(struct syncline_session *session,
                                         uint64_t now);

/**
 * Ends the connection, with no reconnect. `options` NULL: as if it were all zeros.
 *
 * # Safety
 * `session` is a live handle; `options` is NULL or points to options whose properties are a live handle; `error` is NULL
 * or points to a place for a text.
 */
syncline_result syncline_session_disconnect(struct syncline_session *session,
                                            uint64_t now,
                                            const struct syncline_disconnect_options *options,
                                            struct syncline_error *error);

/**
 * Submits a message; without a connection it is queued, within the queue's bounds. `op` comes back with its completion.
 *
 * # Safety
 * `session` is a live handle, `publication` points to a message whose pointers can be read; `error` is NULL or points to a
 * place for a text; `op` points to a number.
 */
syncline_result syncline_session_publish(struct syncline_session *session,
                                         uint64_t now,
                                         const struct syncline_publication *publication,
                                         struct syncline_error *error,
                                         uint64_t *op);

/**
 * Subscribes to all `filters` with one packet. Needs a connection. `properties` may hold a Subscription Identifier and
 * User Properties; NULL: none.
 *
 * # Safety
 * `session` is a live handle, `filters` points to `filters_len` filters that can be read; `properties` is NULL or a live
 * handle; `error` is NULL or points to a place for a text; `op` points to a number.
 */
syncline_result syncline_session_subscribe(struct syncline_session *session,
                                           const struct syncline_filter *filters,
                                           size_t filters_len,
                                           const struct syncline_properties *properties,
                                           struct syncline_error *error,
                                           uint64_t *op);

/**
 * Unsubscribes from all `filters` with one packet. Needs a connection. `properties` may hold User Properties; NULL: none.
 *
 * # Safety
 * As for `syncline_session_subscribe`.
 */
syncline_result syncline_session_unsubscribe(struct syncline_session *session,
                                             const struct syncline_filter *filters,
                                             size_t filters_len,
                                             const struct syncline_properties *properties,
                                             struct syncline_error *error,
                                             uint64_t *op);

/**
 * Acknowledges a message whose `needs_ack` is set, by its token. The server sees acknowledgements in the order in which the
 * messages came. SYNCLINE_RESULT_STALE_TOKEN: it is not outstanding on this connection.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_acknowledge(struct syncline_session *session,
                                             uint64_t ack_token);

/**
 * Answers SYNCLINE_OUTPUT_KIND_AUTH_CHALLENGE. `properties` may hold a Reason String and User Properties; NULL: none.
 *
 * # Safety
 * `session` is a live handle, `data` points to `data_len` bytes; `properties` is NULL or a live handle; `error` is NULL or
 * points to a place for a text.
 */
syncline_result syncline_session_authenticate(struct syncline_session *session,
                                              uint64_t now,
                                              const uint8_t *data,
                                              size_t data_len,
                                              const struct syncline_properties *properties,
                                              struct syncline_error *error);

/**
 * Authenticates again on a standing connection, with the method of the configuration. `op` comes back with its
 * completion; a server that does not accept it ends the connection.
 *
 * # Safety
 * `session` is a live handle, `data` points to `data_len` bytes; `properties` is NULL or a live handle; `error` is NULL or
 * points to a place for a text; `op` points to a number.
 */
syncline_result syncline_session_reauthenticate(struct syncline_session *session,
                                                const uint8_t *data,
                                                size_t data_len,
                                                const struct syncline_properties *properties,
                                                struct syncline_error *error,
                                                uint64_t *op);

/**
 * Replaces the Authentication Data of the next CONNECT; NULL: none. The time for it is at
 * SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT.
 *
 * # Safety
 * `session` is a live handle, `data` points to `data_len` bytes.
 */
syncline_result syncline_session_set_authentication_data(struct syncline_session *session,
                                                         const uint8_t *data,
                                                         size_t data_len);

/**
 * Replaces user name and password of the next CONNECT; NULL is none.
 *
 * # Safety
 * `session` is a live handle, `username` points to `username_len` bytes, `password` to `password_len`.
 */
syncline_result syncline_session_set_credentials(struct syncline_session *session,
                                                 const uint8_t *username,
                                                 size_t username_len,
                                                 const uint8_t *password,
                                                 size_t password_len);

/**
 * Makes a configuration with the defaults for a client of this identifier. Empty: the server assigns one (5.0), or
 * the Session ends with its connection (3.1.1).
 *
 * # Safety
 * `client_id` points to `client_id_len` bytes, `config` to a pointer.
 */
syncline_result syncline_session_config_new(const uint8_t *client_id,
                                            size_t client_id_len,
                                            struct syncline_session_config **config);

/**
 * Takes a configuration back. Sessions that were made of it stay.
 *
 * # Safety
 * `config` is NULL, or came from `syncline_session_config_new` and was not freed before.
 */
void syncline_session_config_free(struct syncline_session_config *config);

/**
 * Sets a number, one of `SYNCLINE_SETTING_...`, whose comment gives range and default.
 *
 * # Safety
 * `config` is a live handle; `error` is NULL or points to a place for a text.
 */
syncline_result syncline_session_config_set(struct syncline_session_config *config,
                                            uint32_t setting,
                                            uint64_t value,
                                            struct syncline_error *error);

/**
 * Sets user name and password of the CONNECT. NULL is none; an empty one has length 0 and a pointer.
 *
 * # Safety
 * `config` is a live handle, `username` points to `username_len` bytes, `password` to `password_len`.
 */
syncline_result syncline_session_config_set_credentials(struct syncline_session_config *config,
                                                        const uint8_t *username,
                                                        size_t username_len,
                                                        const uint8_t *password,
                                                        size_t password_len);

/**
 * Sets the method of enhanced authentication (MQTT 5.0 section 4.12), such as SCRAM-SHA-256, and what the CONNECT
 * carries of it. `data` NULL: nothing, the server speaks first.
 *
 * # Safety
 * `config` is a live handle, `method` points to `method_len` bytes, `data` to `data_len`.
 */
syncline_result syncline_session_config_set_authentication(struct syncline_session_config *config,
                                                           const uint8_t *method,
                                                           size_t method_len,
                                                           const uint8_t *data,
                                                           size_t data_len);

/**
 * Sets the message that the server publishes when this client disappears; NULL: none. Its properties may hold a Will
 * Delay Interval; `expiry_ms` and `transient` do not count.
 *
 * # Safety
 * `config` is a live handle; `will` is NULL or points to a message whose pointers can be read;
 * `error` is NULL or points to a place for a text.
 */
syncline_result syncline_session_config_set_will(struct syncline_session_config *config,
                                                 const struct syncline_publication *will,
                                                 struct syncline_error *error);

/**
 * Sets the User Properties of the CONNECT; NULL: none. They are copied.
 *
 * # Safety
 * `config` is a live handle, `properties` is NULL or one.
 */
syncline_result syncline_session_config_set_properties(struct syncline_session_config *config,
                                                       const struct syncline_properties *properties);

/**
 * The next thing to do or to know. SYNCLINE_RESULT_EMPTY: there is nothing until the next input.
 *
 * What `output` points to stays until the next call with this handle that changes it; `syncline_bytes_retain` keeps a
 * payload longer.
 *
 * # Safety
 * `session` is a live handle, `output` points to the place of the result.
 */
syncline_result syncline_session_poll(struct syncline_session *session,
                                      uint64_t now,
                                      struct syncline_output *output);

/**
 * The property at `index` of the last output: of a message, of an answer of the server, of its challenge.
 * SYNCLINE_RESULT_EMPTY: there are not so many.
 *
 * # Safety
 * `session` is a live handle, `property` points to the place of the result.
 */
syncline_result syncline_session_property(const struct syncline_session *session,
                                          size_t index,
                                          struct syncline_property *property);

/**
 * Makes a session with a store: as `syncline_session_new`, with the state that `records` hold in any order. Without
 * records it is new.
 *
 * It hands out SYNCLINE_OUTPUT_KIND_STORE, to be carried out in order and reported with `syncline_session_handle_persisted`;
 * what must not be sent before stays back until then. `now` and `wall` are the same moment on both clocks.
 * SYNCLINE_RESULT_RECORDS_INVALID: `error` names the record; they are as they were, nothing is lost yet.
 *
 * # Safety
 * `config` is a live handle, `seed` points to `seed_len` bytes, `records` to `records_len` records that can be read;
 * `error` is NULL or points to a place for a text; `restored` to the place of the counts, `session` to a pointer.
 */
syncline_result syncline_session_restore(const struct syncline_session_config *config,
                                         const uint8_t *seed,
                                         size_t seed_len,
                                         uint64_t now,
                                         uint64_t wall,
                                         const struct syncline_stored_record *records,
                                         size_t records_len,
                                         struct syncline_error *error,
                                         struct syncline_restored *restored,
                                         struct syncline_session **session);

/**
 * Reports that all store operations up to number `seq` are durable. One that was reported before, or was not handed out
 * yet, changes nothing more.
 *
 * # Safety
 * `session` is a live handle.
 */
syncline_result syncline_session_handle_persisted(struct syncline_session *session,
                                                  uint64_t seq);

/**
 * Number of the last store operation that the session waits for. SYNCLINE_RESULT_EMPTY: it waits for none.
 *
 * # Safety
 * `session` is a live handle, `seq` points to a number.
 */
syncline_result syncline_session_awaits_persisted(const struct syncline_session *session, uint64_t *seq);

/**
 * Operations of the messages that are in flight or wait to be sent, those first: up to `capacity`. `count` is how many were
 * written to `ops`. After a restoration these are the ones that this process has inherited.
 *
 * # Safety
 * `session` is a live handle, `ops` points to `capacity` numbers, `count` to one.
 */
syncline_result syncline_session_unfinished(const struct syncline_session *session,
                                            uint64_t *ops,
                                            size_t capacity,
                                            size_t *count);

/**
 * Copies `len` bytes into memory of their own, held once.
 *
 * # Safety
 * `data` points to `len` bytes, `shared` to a pointer.
 */
syncline_result syncline_bytes_new(const uint8_t *data, size_t len, struct syncline_shared_bytes **shared);

/**
 * Holds `shared` once more: `retained` stays when `shared` goes. Copies nothing.
 *
 * A payload that is kept keeps the receive buffer that it came in: copy what must live for long.
 *
 * # Safety
 * `shared` is held, or was pointed out by the last call with its handle; `retained` points to a pointer.
 */
syncline_result syncline_bytes_retain(const struct syncline_shared_bytes *shared,
                                      struct syncline_shared_bytes **retained);

/**
 * The bytes, for as long as `shared` is held.
 *
 * # Safety
 * `shared` is held, `bytes` points to the place of the result.
 */
syncline_result syncline_bytes_view(const struct syncline_shared_bytes *shared, struct syncline_bytes *bytes);

/**
 * Lets go of bytes that `syncline_bytes_new` or `syncline_bytes_retain` gave.
 *
 * # Safety
 * `retained` is NULL, or came from one of these and was not released before.
 */
void syncline_bytes_release(struct syncline_shared_bytes *retained);

/**
 * Whether a text is a Topic Name: SYNCLINE_RESULT_OK, or SYNCLINE_RESULT_TOPIC_INVALID with position and cure in `error`.
 *
 * # Safety
 * `topic` points to `topic_len` bytes; `error` is NULL or points to a place for a text.
 */
syncline_result syncline_topic_name_check(const uint8_t *topic,
                                          size_t topic_len,
                                          struct syncline_error *error);

/**
 * Whether a text is a Topic Filter, shared subscriptions included: SYNCLINE_RESULT_OK, or SYNCLINE_RESULT_FILTER_INVALID
 * with position and cure in `error`.
 *
 * # Safety
 * `filter` points to `filter_len` bytes; `error` is NULL or points to a place for a text.
 */
syncline_result syncline_topic_filter_check(const uint8_t *filter,
                                            size_t filter_len,
                                            struct syncline_error *error);

/**
 * Whether a message on `topic` belongs to `filter`. Wildcards at the front match no topic that begins with `$`; of a
 * shared subscription the filter behind the group decides.
 *
 * # Safety
 * `filter` points to `filter_len` bytes, `topic` to `topic_len`, `matches` to the place of the result.
 */
syncline_result syncline_topic_matches(const uint8_t *filter,
                                       size_t filter_len,
                                       const uint8_t *topic,
                                       size_t topic_len,
                                       bool *matches);

/**
 * The library's version, "major.minor.patch", static and ended by NUL.
 */
const char *syncline_version(void);

/**
 * Whether the library has a feature, one of `SYNCLINE_FEATURE_...`; false for numbers that it does not know.
 */
bool syncline_has_feature(uint32_t feature);

/**
 * The value of a bound, one of `SYNCLINE_LIMIT_...`.
 *
 * # Safety
 * `value` points to a number.
 */
syncline_result syncline_limit_value(uint32_t limit, uint64_t *value);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SYNCLINE_H */
