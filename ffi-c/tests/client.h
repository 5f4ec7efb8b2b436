/* A session without a socket: the server's bytes are written by the test, so that every output can be checked. */
#ifndef SYNCLINE_TESTS_CLIENT_H
#define SYNCLINE_TESTS_CLIENT_H

#include <sys/uio.h>

#include "check.h"

#define NOW 1000000

static const uint8_t SEED[32] = {7};

struct client {
    struct syncline_session *session;
    struct syncline_output output;
};

static inline struct syncline_session_config *new_config(uint64_t version) {
    struct syncline_session_config *config = NULL;
    CHECK_OK(syncline_session_config_new(TEXT("c"), &config));
    CHECK_OK(syncline_session_config_set(config, SYNCLINE_SETTING_VERSION, version, NULL));
    return config;
}

static inline struct client new_client(struct syncline_session_config *config) {
    struct client client = {0};
    CHECK_OK(syncline_session_new(config, SEED, sizeof SEED, NULL, &client.session));
    syncline_session_config_free(config);
    return client;
}

/* The next output, which has to be of this kind. */
static inline const union syncline_output_event *next(struct client *client, syncline_output_kind kind) {
    CHECK_OK(syncline_session_poll(client->session, NOW, &client->output));
    CHECK(client->output.kind == kind);
    return &client->output.event;
}

static inline void nothing_more(struct client *client) {
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_session_poll(client->session, NOW, &client->output));
}

static inline void receive(struct client *client, const uint8_t *bytes, size_t len) {
    struct syncline_room room;
    CHECK_OK(syncline_session_rx_space(client->session, &room));
    CHECK(room.len >= len);
    memcpy(room.data, bytes, len);
    CHECK_OK(syncline_session_rx_commit(client->session, len));
}

/* Takes everything that waits to be written, run by run, and returns how many bytes that were. */
static inline size_t sent(struct client *client, uint8_t *bytes, size_t size) {
    size_t total = 0, count = 0;
    struct iovec runs[4];
    CHECK_OK(syncline_session_tx_iov(client->session, runs, 4, &count));
    while (count > 0) {
        size_t len = 0;
        for (size_t index = 0; index < count; index++) {
            CHECK(total + len + runs[index].iov_len <= size);
            memcpy(bytes + total + len, runs[index].iov_base, runs[index].iov_len);
            len += runs[index].iov_len;
        }
        CHECK_OK(syncline_session_tx_advance(client->session, NOW, len));
        total += len;
        CHECK_OK(syncline_session_tx_iov(client->session, runs, 4, &count));
    }
    return total;
}

#define SENT(client, ...)                                                                          \
    do {                                                                                           \
        const uint8_t expected_[] = {__VA_ARGS__};                                                 \
        uint8_t actual_[256];                                                                      \
        CHECK(sent(client, actual_, sizeof actual_) == sizeof expected_);                          \
        CHECK(memcmp(actual_, expected_, sizeof expected_) == 0);                                  \
    } while (0)

#define RECEIVE(client, ...)                                                                       \
    do {                                                                                           \
        const uint8_t bytes_[] = {__VA_ARGS__};                                                    \
        receive(client, bytes_, sizeof bytes_);                                                    \
    } while (0)

/* Connected by MQTT 3.1.1, whose packets are short. */
static inline struct client connected_by_3_1_1(struct syncline_session_config *config) {
    struct client client = new_client(config);
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    nothing_more(&client);
    SENT(&client, 0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 0, 0, 60, 0, 1, 'c');
    RECEIVE(&client, 0x20, 2, 0, 0);
    const struct syncline_connected *facts = &next(&client, SYNCLINE_OUTPUT_KIND_CONNECTED)->connected;
    CHECK(facts->version == 4 && !facts->session_present && facts->session_expiry == UINT32_MAX);
    CHECK(facts->server.maximum_qos == 2 && facts->server.receive_maximum == 65535 && facts->server.retain_available);
    CHECK(facts->server.keep_alive_seconds == 60);
    nothing_more(&client);
    return client;
}

#endif
