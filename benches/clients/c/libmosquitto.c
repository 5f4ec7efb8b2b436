/* libmosquitto in its own loop, on one thread. */
#include <mosquitto.h>

#include "meter.h"

static struct meter meter;

static void must(int result) {
    if (result != MOSQ_ERR_SUCCESS) {
        fprintf(stderr, "%s\n", mosquitto_strerror(result));
        exit(1);
    }
}

static void go_on(struct mosquitto *client) {
    if (meter_is_done(&meter)) {
        meter_report(&meter);
        exit(0);
    }
    while (meter_may_send(&meter)) {
        must(mosquitto_publish(client, NULL, meter.topic, PAYLOAD, meter.payload, meter.qos, false));
    }
}

static void connected(struct mosquitto *client, void *context, int result) {
    (void)context;
    must(result);
    must(mosquitto_subscribe(client, NULL, meter.topic, meter.qos));
}

static void subscribed(struct mosquitto *client, void *context, int id, int count, const int *granted) {
    (void)context;
    (void)id;
    (void)count;
    (void)granted;
    go_on(client);
}

/* Called within `mosquitto_publish` at QoS 0, so that what to send next is seen to when a message has come. */
static void published(struct mosquitto *client, void *context, int id) {
    (void)context;
    (void)id;
    meter.acknowledged++;
    if (meter.qos > 0) {
        go_on(client);
    }
}

static void received(struct mosquitto *client, void *context, const struct mosquitto_message *message) {
    (void)context;
    (void)message;
    meter_received(&meter);
    go_on(client);
}

int main(int argc, char **argv) {
    meter = meter_of(argc, argv, "libmosquitto");
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new(NULL, true, NULL);
    if (client == NULL) {
        perror("mosquitto_new");
        return 1;
    }
    mosquitto_connect_callback_set(client, connected);
    mosquitto_subscribe_callback_set(client, subscribed);
    mosquitto_publish_callback_set(client, published);
    mosquitto_message_callback_set(client, received);
    must(mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1));
    must(mosquitto_max_inflight_messages_set(client, 0));
    must(mosquitto_connect(client, meter.host, atoi(meter.port), 60));
    must(mosquitto_loop_forever(client, -1, 1));
    return 1;
}
