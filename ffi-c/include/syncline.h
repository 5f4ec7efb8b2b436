/* C interface of Syncline's core: MQTT packets and FlowSync correlation. Written by `cargo xtask header`. */
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
 *   thread at a time.
 * - Texts and bytes are a pointer and a length; texts are UTF-8 and end with no NUL. (NULL, 0) is the empty one.
 * - What a call points out to you, through `syncline_bytes`, stays yours to read until the next call with the same
 *   handle (or, for a decoded packet, as long as the bytes that you gave).
 * - Outputs are written on SYNCLINE_RESULT_OK alone (and a length on SYNCLINE_RESULT_BUFFER_TOO_SMALL). After any
 *   other result nothing has changed.
 * - SYNCLINE_RESULT_PANIC is a bug in this library; the handle can then only be freed.
 */

/**
 * What a call came to. Numbers are never reused: new ones are added, at the end of their family.
 *
 * Below 1000: no error. From 1000: the call breaks this interface's rules. From 2000: the peer broke the protocol.
 * From 3000: a limit was reached. From 9000: a bug in this library.
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
   * The peer's bytes are not a packet.
   */
  SYNCLINE_RESULT_MALFORMED_PACKET = 2000,
  /**
   * The peer's packet holds what the protocol forbids.
   */
  SYNCLINE_RESULT_PROTOCOL_ERROR = 2001,
  /**
   * The peer's packet, or one's own, is larger than allowed.
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
 * Configuration of a transaction node.
 */
struct syncline_node_config;

/**
 * Open transactions, joined to their replies by id.
 */
struct syncline_requester;

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
   * Error code: the reply's for FAILED, the node's for TIMED_OUT, else 0.
   */
  int64_t code;
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

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a configuration: requests leave on `<base>/treq`, replies are read from `<base>/tres`.
 *
 * Defaults: quality of service 0, timeout 2000 ms with code 500, at most 10000 transactions at once.
 *
 * # Safety
 * `base` points to `base_len` bytes, `config` to a pointer.
 */
syncline_result syncline_node_config_new(const uint8_t *base,
                                         size_t base_len,
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
 * Ends every open transaction as CANCELLED.
 *
 * # Safety
 * `requester` is a live handle.
 */
syncline_result syncline_requester_cancel_all(struct syncline_requester *requester);

/**
 * The text of a result, static and ended by NUL: what happened and what to do.
 */
const char *syncline_result_str(uint32_t result);

/**
 * The library's version, "major.minor.patch", static and ended by NUL.
 */
const char *syncline_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SYNCLINE_H */
