/* Publishes a message at each QoS to itself, waits for them, and says goodbye in order. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "loop.h"

enum { LEVELS = 3 };

static const char *topic;
static unsigned completed, received;

static struct syncline_bytes bytes(const char *text) {
    struct syncline_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

static void subscribe(struct loop *loop) {
    const struct syncline_filter filter = {.filter = bytes(topic), .qos = 2};
    struct syncline_error error = {{0}};
    uint64_t op = 0;
    check(syncline_session_subscribe(loop->session, &filter, 1, NULL, &error, &op), &error);
}

static void publish(struct loop *loop) {
    for (uint8_t qos = 0; qos < LEVELS; qos++) {
        char text[32];
        snprintf(text, sizeof text, "hello at QoS %u", qos);
        const struct syncline_publication message = {.topic = bytes(topic), .payload = bytes(text), .qos = qos};
        struct syncline_error error = {{0}};
        uint64_t op = 0;
        check(syncline_session_publish(loop->session, loop->now, &message, &error, &op), &error);
    }
}

static void leave_when_complete(struct loop *loop) {
    if (completed == LEVELS && received == LEVELS) {
        leave(loop);
    }
}

void handle_output(struct loop *loop, const struct syncline_output *output) {
    const struct syncline_completed *end = &output->event.completed;
    switch (output->kind) {
    case SYNCLINE_OUTPUT_KIND_CONNECTED:
        printf("connected with MQTT version %u\n", output->event.connected.version);
        subscribe(loop);
        break;
    case SYNCLINE_OUTPUT_KIND_MESSAGE:
        printf("received at QoS %u: %.*s\n", output->event.message.qos, (int)output->event.message.payload.len,
               (const char *)output->event.message.payload.data);
        received++;
        leave_when_complete(loop);
        break;
    case SYNCLINE_OUTPUT_KIND_COMPLETED:
        if (end->kind == SYNCLINE_COMPLETION_KIND_LOST || end->reason_code >= 0x80) {
            fprintf(stderr, "operation %" PRIu64 " failed: loss %u, reason 0x%02x\n", end->op, end->loss, end->reason_code);
            exit(1);
        }
        if (end->kind == SYNCLINE_COMPLETION_KIND_SUBSCRIBED) {
            publish(loop);
        } else {
            printf("operation %" PRIu64 " completed\n", end->op);
            completed++;
            leave_when_complete(loop);
        }
        break;
    default:
        break;
    }
}

uint64_t handle_time(struct loop *loop, uint64_t now) {
    (void)loop;
    (void)now;
    return UINT64_MAX;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST PORT TOPIC\n", argv[0]);
        return 2;
    }
    struct loop loop = {.host = argv[1], .port = argv[2]};
    struct syncline_session_config *config = NULL;
    topic = argv[3];
    check(syncline_session_config_new(NULL, 0, &config), NULL);
    check(syncline_session_config_set(config, SYNCLINE_SETTING_SESSION_EXPIRY_SECONDS, 0, NULL), NULL);
    loop_new_session(&loop, config);
    loop_run(&loop);
    return completed == LEVELS && received == LEVELS ? 0 : 1;
}
