/* Eclipse Paho's asynchronous client, which has threads of its own: their time counts as well. */
#include <MQTTAsync.h>
#include <pthread.h>
#include <unistd.h>

#include "meter.h"

static struct meter meter;
static MQTTAsync client;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void must(int result) {
    if (result != MQTTASYNC_SUCCESS) {
        fprintf(stderr, "paho: %d\n", result);
        exit(1);
    }
}

static void failed(void *context, MQTTAsync_failureData *data) {
    (void)context;
    fprintf(stderr, "paho: %s\n", data != NULL && data->message != NULL ? data->message : "failed");
    exit(1);
}

static void go_on(void);

static void published(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    pthread_mutex_lock(&lock);
    meter.acknowledged++;
    pthread_mutex_unlock(&lock);
    go_on();
}

static void go_on(void) {
    pthread_mutex_lock(&lock);
    if (meter_is_done(&meter)) {
        meter_report(&meter);
        fflush(stdout);
        _exit(0);
    }
    bool send = meter_may_send(&meter);
    pthread_mutex_unlock(&lock);
    while (send) {
        MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
        options.onSuccess = published;
        options.onFailure = failed;
        must(MQTTAsync_send(client, meter.topic, PAYLOAD, meter.payload, meter.qos, 0, &options));
        pthread_mutex_lock(&lock);
        send = meter_may_send(&meter);
        pthread_mutex_unlock(&lock);
    }
}

static int received(void *context, char *topic, int len, MQTTAsync_message *message) {
    (void)context;
    (void)len;
    pthread_mutex_lock(&lock);
    meter_received(&meter);
    pthread_mutex_unlock(&lock);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    go_on();
    return 1;
}

static void subscribed(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    go_on();
}

static void connected(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = subscribed;
    options.onFailure = failed;
    must(MQTTAsync_subscribe(client, meter.topic, meter.qos, &options));
}

int main(int argc, char **argv) {
    meter = meter_of(argc, argv, "paho");
    char uri[128];
    snprintf(uri, sizeof uri, "tcp://%s:%s", meter.host, meter.port);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    must(MQTTAsync_create(&client, uri, "cost-paho", MQTTCLIENT_PERSISTENCE_NONE, NULL));
    must(MQTTAsync_setCallbacks(client, NULL, NULL, received, NULL));
    options.cleansession = 1;
    options.maxInflight = 65535;
    options.onSuccess = connected;
    options.onFailure = failed;
    must(MQTTAsync_connect(client, &options));
    for (;;) {
        pause();
    }
}
