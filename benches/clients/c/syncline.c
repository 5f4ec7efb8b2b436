/* The loop of the examples, as a user would have it. */
#include "loop.h"

#include "meter.h"

static struct meter meter;

static struct syncline_bytes topic(void) {
    struct syncline_bytes bytes = {(const uint8_t *)meter.topic, strlen(meter.topic)};
    return bytes;
}

static void publish(struct loop *loop) {
    while (meter_may_send(&meter)) {
        const struct syncline_publication message = {
            .topic = topic(), .payload = {meter.payload, PAYLOAD}, .qos = (uint8_t)meter.qos};
        uint64_t op = 0;
        check(syncline_session_publish(loop->session, loop->now, &message, NULL, &op), NULL);
    }
}

static void go_on(struct loop *loop) {
    if (meter_is_done(&meter)) {
        meter_report(&meter);
        exit(0);
    }
    publish(loop);
}

void handle_output(struct loop *loop, const struct syncline_output *output) {
    uint64_t op = 0;
    const struct syncline_filter filter = {.filter = topic(), .qos = (uint8_t)meter.qos};
    switch (output->kind) {
    case SYNCLINE_OUTPUT_KIND_CONNECTED:
        check(syncline_session_subscribe(loop->session, &filter, 1, NULL, NULL, &op), NULL);
        break;
    case SYNCLINE_OUTPUT_KIND_MESSAGE:
        meter_received(&meter);
        go_on(loop);
        break;
    case SYNCLINE_OUTPUT_KIND_COMPLETED:
        meter.acknowledged += output->event.completed.kind == SYNCLINE_COMPLETION_KIND_PUBLISHED;
        go_on(loop);
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
    meter = meter_of(argc, argv, "syncline");
    struct loop loop = {.host = meter.host, .port = meter.port};
    struct syncline_session_config *config = NULL;
    check(syncline_session_config_new(NULL, 0, &config), NULL);
    check(syncline_session_config_set(config, SYNCLINE_SETTING_VERSION, 4, NULL), NULL);
    check(syncline_session_config_set(config, SYNCLINE_SETTING_CLEAN_START, 1, NULL), NULL);
    loop_new_session(&loop, config);
    loop_run(&loop);
    return 1;
}
