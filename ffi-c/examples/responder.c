/* Answers FlowSync requests: confirms what it is asked, until it is asked to stop. */
#include <stdio.h>
#include <string.h>

#include "loop.h"

static const char *base;
static struct syncline_responder *responder;

static void subscribe(struct loop *loop) {
    char treq[256];
    struct syncline_error error = {{0}};
    uint64_t op = 0;
    int len = snprintf(treq, sizeof treq, "%s/treq", base);
    const struct syncline_filter filter = {.filter = {(const uint8_t *)treq, (size_t)len}, .qos = 1};
    check(syncline_session_subscribe(loop->session, &filter, 1, NULL, &error, &op), &error);
}

static void publish(struct loop *loop, struct syncline_bytes treq, const struct syncline_shared_bytes *tres) {
    struct syncline_publication answer = {.shared = tres, .qos = 1};
    struct syncline_error error = {{0}};
    uint64_t op = 0;
    check(syncline_responder_topic(responder, treq.data, treq.len, &answer.topic), NULL);
    check(syncline_session_publish(loop->session, loop->now, &answer, &error, &op), &error);
}

static void answer(struct loop *loop, const struct syncline_message *message) {
    struct syncline_incoming incoming;
    struct syncline_tres tres;
    char value[1024];
    check(syncline_responder_handle_request(responder, loop->now, message->shared, 0, &incoming), NULL);
    switch (incoming.kind) {
    case SYNCLINE_INCOMING_KIND_FRESH:
        break;
    case SYNCLINE_INCOMING_KIND_REPEATED:
        publish(loop, message->topic, incoming.shared);
        return;
    default:
        return;
    }
    printf("asked for %zu bytes\n", incoming.value.len);
    int len = snprintf(value, sizeof value, "{\"confirmed\":%.*s}", (int)incoming.value.len,
                       (const char *)incoming.value.data);
    if (len < (int)sizeof value) {
        check(syncline_responder_respond(responder, wall(), incoming.transaction, (const uint8_t *)value, (size_t)len,
                                         &tres),
              NULL);
    } else {
        static const char text[] = "The value is too long";
        check(syncline_responder_fail(responder, wall(), incoming.transaction, 413, (const uint8_t *)text,
                                      sizeof text - 1, &tres),
              NULL);
    }
    publish(loop, message->topic, tres.shared);
    if (incoming.value.len == 6 && memcmp(incoming.value.data, "\"stop\"", 6) == 0) {
        leave(loop);
    }
}

void handle_output(struct loop *loop, const struct syncline_output *output) {
    switch (output->kind) {
    case SYNCLINE_OUTPUT_KIND_CONNECTED:
        subscribe(loop);
        break;
    case SYNCLINE_OUTPUT_KIND_MESSAGE:
        answer(loop, &output->event.message);
        break;
    case SYNCLINE_OUTPUT_KIND_COMPLETED:
        if (output->event.completed.kind == SYNCLINE_COMPLETION_KIND_SUBSCRIBED) {
            printf("ready\n");
            fflush(stdout);
        }
        break;
    default:
        break;
    }
}

uint64_t handle_time(struct loop *loop, uint64_t now) {
    uint64_t deadline = UINT64_MAX;
    (void)loop;
    check(syncline_responder_handle_timeout(responder, now), NULL);
    check(syncline_responder_poll_timeout(responder, &deadline), NULL);
    return deadline;
}

int main(int argc, char **argv) {
    if (argc != 4 || strlen(argv[3]) > 200) {
        fprintf(stderr, "usage: %s HOST PORT BASE, such as services/example1/exampleNode\n", argv[0]);
        return 2;
    }
    struct loop loop = {.host = argv[1], .port = argv[2]};
    struct syncline_session_config *config = NULL;
    base = argv[3];
    check(syncline_responder_new(NULL, &responder), NULL);
    check(syncline_session_config_new(NULL, 0, &config), NULL);
    check(syncline_session_config_set(config, SYNCLINE_SETTING_SESSION_EXPIRY_SECONDS, 0, NULL), NULL);
    loop_new_session(&loop, config);
    loop_run(&loop);
    syncline_responder_free(responder);
    return 0;
}
