/* Packets across the C border: a PUBLISH there and back, and every way in which bytes or arguments can be wrong. */
#include "check.h"

static struct syncline_bytes bytes_of(const char *text) {
    struct syncline_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

static void publish_survives_the_way_there_and_back(uint8_t version) {
    struct syncline_publish sent = {
        .topic = bytes_of("services/example1/exampleNode/treq"),
        .payload = bytes_of("{\"id\":\"x\"}"),
        .packet_id = 7,
        .qos = 1,
        .dup = true,
        .retain = false,
    };
    size_t needed = 0;
    CHECK_RESULT(SYNCLINE_RESULT_BUFFER_TOO_SMALL, syncline_publish_encode(&sent, version, NULL, 0, &needed));
    uint8_t *buffer = malloc(needed);
    CHECK(buffer != NULL);
    size_t written = 0;
    CHECK_RESULT(SYNCLINE_RESULT_BUFFER_TOO_SMALL,
                 syncline_publish_encode(&sent, version, buffer, needed - 1, &written));
    CHECK_OK(syncline_publish_encode(&sent, version, buffer, needed, &written));
    CHECK(written == needed);

    for (size_t len = 0; len < written; len++) {
        struct syncline_publish none;
        CHECK_RESULT(SYNCLINE_RESULT_INCOMPLETE, syncline_publish_decode(buffer, len, version, &none));
    }
    struct syncline_frame frame;
    CHECK_OK(syncline_packet_peek(buffer, 2, version, 1000, &frame));
    CHECK(frame.packet_type == 3 && frame.len == written);

    struct syncline_publish received;
    CHECK_OK(syncline_publish_decode(buffer, written, version, &received));
    CHECK(is_text(received.topic, "services/example1/exampleNode/treq"));
    CHECK(is_text(received.payload, "{\"id\":\"x\"}"));
    CHECK(received.payload.data > buffer && received.payload.data < buffer + written);
    CHECK(received.packet_id == 7 && received.qos == 1 && received.dup && !received.retain);
    free(buffer);
}

static void broken_bytes_are_named_and_write_nothing(void) {
    struct syncline_publish publish;
    memset(&publish, 0x5A, sizeof publish);
    struct syncline_publish untouched = publish;
    const uint8_t qos_3[] = {0x36, 0x00};
    CHECK_RESULT(SYNCLINE_RESULT_MALFORMED_PACKET, syncline_publish_decode(qos_3, 2, 5, &publish));
    const uint8_t no_topic[] = {0x30, 0x03, 0x00, 0x00, 0x00};
    CHECK_RESULT(SYNCLINE_RESULT_PROTOCOL_ERROR, syncline_publish_decode(no_topic, 5, 5, &publish));
    const uint8_t ping[] = {0xD0, 0x00};
    CHECK_RESULT(SYNCLINE_RESULT_WRONG_PACKET_TYPE, syncline_publish_decode(ping, 2, 5, &publish));
    const uint8_t large[] = {0x30, 0xFF, 0x7F};
    struct syncline_frame frame;
    CHECK_RESULT(SYNCLINE_RESULT_PACKET_TOO_LARGE, syncline_packet_peek(large, 3, 5, 1000, &frame));
    CHECK(memcmp(&publish, &untouched, sizeof publish) == 0);
}

static void wrong_arguments_are_results(void) {
    struct syncline_publish publish = {.topic = bytes_of("a"), .qos = 0};
    struct syncline_frame frame;
    uint8_t buffer[64];
    size_t written = 0;
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_packet_peek(NULL, 1, 5, 1000, &frame));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_packet_peek(buffer, 0, 5, 1000, NULL));
    CHECK_RESULT(SYNCLINE_RESULT_INCOMPLETE, syncline_packet_peek(NULL, 0, 5, 1000, &frame));
    CHECK_RESULT(SYNCLINE_RESULT_VERSION_UNKNOWN, syncline_publish_encode(&publish, 3, buffer, 64, &written));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_publish_encode(NULL, 5, buffer, 64, &written));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_publish_encode(&publish, 5, buffer, 64, NULL));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_publish_encode(&publish, 5, NULL, 64, &written));
    publish.qos = 3;
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_publish_encode(&publish, 5, buffer, 64, &written));
    publish.qos = 1;
    CHECK_RESULT(SYNCLINE_RESULT_PACKET_INVALID, syncline_publish_encode(&publish, 5, buffer, 64, &written));
    publish.qos = 0;
    publish.topic = bytes_of("a/\xC3(");
    CHECK_RESULT(SYNCLINE_RESULT_NOT_UTF8, syncline_publish_encode(&publish, 5, buffer, 64, &written));
    publish.topic.data = NULL;
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_publish_encode(&publish, 5, buffer, 64, &written));
    CHECK(written == 0);
}

int main(void) {
    CHECK(strchr(syncline_version(), '.') != NULL);
    CHECK(strcmp(syncline_result_str(SYNCLINE_RESULT_OK), "ok") == 0);
    CHECK(strstr(syncline_result_str(123456), "unknown") != NULL);
    publish_survives_the_way_there_and_back(4);
    publish_survives_the_way_there_and_back(5);
    broken_bytes_are_named_and_write_nothing();
    wrong_arguments_are_results();
    puts("packet: ok");
    return 0;
}
