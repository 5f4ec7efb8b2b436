/* Publishes a message that no power cut loses: what is not acknowledged waits in a file for the next run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loop.h"
#include "store_file.h"

static struct store_file *file;
static size_t unfinished;

static void leave_when_finished(struct loop *loop) {
    if (unfinished == 0) {
        leave(loop);
    }
}

void handle_output(struct loop *loop, const struct syncline_output *output) {
    const struct syncline_completed *end = &output->event.completed;
    switch (output->kind) {
    case SYNCLINE_OUTPUT_KIND_CONNECTED:
        leave_when_finished(loop);
        break;
    case SYNCLINE_OUTPUT_KIND_STORE:
        store_file_apply(file, &output->event.store);
        break;
    case SYNCLINE_OUTPUT_KIND_COMPLETED:
        printf("operation %" PRIu64 " %s\n", end->op,
               end->kind == SYNCLINE_COMPLETION_KIND_PUBLISHED && end->reason_code < 0x80 ? "acknowledged" : "failed");
        unfinished--;
        leave_when_finished(loop);
        break;
    default:
        break;
    }
}

/* One fsync(2) for all that was to be stored since the last one; the session lets go of what waits for it. */
uint64_t handle_time(struct loop *loop, uint64_t now) {
    (void)now;
    uint64_t seq = store_file_sync(file);
    if (seq > 0) {
        check(syncline_session_handle_persisted(loop->session, seq), NULL);
        printf("stored up to change %" PRIu64 "\n", seq);
        fflush(stdout);
    }
    return UINT64_MAX;
}

static void restore(struct loop *loop, struct syncline_session_config *config) {
    uint8_t seed[32];
    struct syncline_error error = {{0}};
    struct syncline_restored restored;
    size_t count = 0;
    fill_seed(seed);
    const struct syncline_stored_record *records = store_file_records(file, &count);
    check(syncline_session_restore(config, seed, sizeof seed, monotonic(), wall(), records, count, &error, &restored,
                                   &loop->session),
          &error);
    syncline_session_config_free(config);
    unfinished = restored.queued + restored.in_flight;
    printf("inherited %zu messages\n", unfinished);
}

static void publish(struct loop *loop, const char *topic, const char *text) {
    const struct syncline_publication message = {.topic = {(const uint8_t *)topic, strlen(topic)},
                                                 .payload = {(const uint8_t *)text, strlen(text)},
                                                 .qos = 2};
    struct syncline_error error = {{0}};
    uint64_t op = 0;
    check(syncline_session_publish(loop->session, monotonic(), &message, &error, &op), &error);
    unfinished++;
}

int main(int argc, char **argv) {
    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: %s HOST PORT TOPIC FILE [TEXT]\n", argv[0]);
        return 2;
    }
    /* The server keeps its half of the Session for this Client Identifier, so every run has the same one. */
    static const char client_id[] = "syncline-example-store";
    struct loop loop = {.host = argv[1], .port = argv[2]};
    struct syncline_session_config *config = NULL;
    file = store_file_open(argv[4]);
    check(syncline_session_config_new((const uint8_t *)client_id, sizeof client_id - 1, &config), NULL);
    restore(&loop, config);
    if (argc == 6) {
        publish(&loop, argv[3], argv[5]);
    }
    loop_run(&loop);
    store_file_close(file);
    return unfinished == 0 ? 0 : 1;
}
