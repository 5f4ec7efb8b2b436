/* Asks one FlowSync request and prints the answer, or why there is none. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loop.h"

static struct syncline_requester *requester;
static const char *base, *question;
static uint64_t node;
static bool replied;

static void subscribe(struct loop *loop) {
    char tres[256];
    struct syncline_error error = {{0}};
    uint64_t op = 0;
    int len = snprintf(tres, sizeof tres, "%s/tres", base);
    const struct syncline_filter filter = {.filter = {(const uint8_t *)tres, (size_t)len}, .qos = 1};
    check(syncline_session_subscribe(loop->session, &filter, 1, NULL, &error, &op), &error);
}

/* The reply can be read from now on, so the request may leave. */
static void ask(struct loop *loop) {
    struct syncline_treq treq;
    struct syncline_error error = {{0}};
    uint64_t op = 0;
    check(syncline_requester_begin(requester, loop->now, wall(), node, (const uint8_t *)question, strlen(question), 0,
                                   0, &treq),
          NULL);
    const struct syncline_publication message = {.topic = treq.topic, .payload = treq.payload, .qos = treq.qos};
    check(syncline_session_publish(loop->session, loop->now, &message, &error, &op), &error);
}

static void report(struct loop *loop) {
    struct syncline_completion end;
    while (syncline_requester_poll(requester, &end) == SYNCLINE_RESULT_OK) {
        replied = end.outcome == SYNCLINE_OUTCOME_REPLIED;
        if (replied) {
            printf("answered: %.*s\n", (int)end.value.len, (const char *)end.value.data);
        } else {
            printf("not answered: %" PRId64 " %.*s\n", end.code, (int)end.message.len,
                   (const char *)end.message.data);
        }
        leave(loop);
    }
}

void handle_output(struct loop *loop, const struct syncline_output *output) {
    const struct syncline_message *message = &output->event.message;
    syncline_delivery delivery;
    switch (output->kind) {
    case SYNCLINE_OUTPUT_KIND_CONNECTED:
        subscribe(loop);
        break;
    case SYNCLINE_OUTPUT_KIND_COMPLETED:
        if (output->event.completed.kind == SYNCLINE_COMPLETION_KIND_SUBSCRIBED) {
            ask(loop);
        }
        break;
    case SYNCLINE_OUTPUT_KIND_MESSAGE:
        check(syncline_requester_handle_message(requester, message->topic.data, message->topic.len,
                                                message->payload.data, message->payload.len, message->retain,
                                                &delivery),
              NULL);
        report(loop);
        break;
    default:
        break;
    }
}

uint64_t handle_time(struct loop *loop, uint64_t now) {
    uint64_t deadline = UINT64_MAX;
    check(syncline_requester_handle_timeout(requester, now), NULL);
    report(loop);
    check(syncline_requester_poll_timeout(requester, &deadline), NULL);
    return deadline;
}

int main(int argc, char **argv) {
    if (argc != 5 || strlen(argv[3]) > 200) {
        fprintf(stderr, "usage: %s HOST PORT BASE JSON\n", argv[0]);
        return 2;
    }
    uint8_t seed[32];
    struct loop loop = {.host = argv[1], .port = argv[2]};
    struct syncline_session_config *config = NULL;
    struct syncline_node_config *node_config = NULL;
    base = argv[3];
    question = argv[4];
    fill_seed(seed);
    check(syncline_requester_new(seed, sizeof seed, &requester), NULL);
    check(syncline_node_config_new((const uint8_t *)base, strlen(base), NULL, &node_config), NULL);
    check(syncline_node_config_set_qos(node_config, 1), NULL);
    check(syncline_requester_add_node(requester, node_config, &node), NULL);
    syncline_node_config_free(node_config);
    check(syncline_session_config_new(NULL, 0, &config), NULL);
    check(syncline_session_config_set(config, SYNCLINE_SETTING_SESSION_EXPIRY_SECONDS, 0, NULL), NULL);
    loop_new_session(&loop, config);
    loop_run(&loop);
    syncline_requester_free(requester);
    return replied ? 0 : 1;
}
