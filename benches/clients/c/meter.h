/* Counts messages that come back, and the CPU time of this process between the first and the last. */
#ifndef METER_H
#define METER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAYLOAD = 64, WINDOW = 64, WARM_UP = 1000 };

struct meter {
    const char *host, *port;
    int qos;
    unsigned long messages, sent, received, acknowledged;
    uint64_t cpu, wall;
    char topic[64];
    uint8_t payload[PAYLOAD];
};

static inline uint64_t clock_at(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) {
        perror("clock");
        exit(1);
    }
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline struct meter meter_of(int argc, char **argv, const char *client) {
    struct meter meter;
    memset(&meter, 0, sizeof meter);
    if (argc != 5) {
        fprintf(stderr, "usage: %s HOST PORT QOS MESSAGES\n", argv[0]);
        exit(2);
    }
    meter.host = argv[1];
    meter.port = argv[2];
    meter.qos = atoi(argv[3]);
    meter.messages = strtoul(argv[4], NULL, 10);
    memset(meter.payload, 'x', PAYLOAD);
    snprintf(meter.topic, sizeof meter.topic, "cost/%s", client);
    return meter;
}

/* Whether there is a message to send, and room in the window: as many are under way as came back and were acknowledged. */
static inline bool meter_may_send(struct meter *meter) {
    unsigned long done = meter->received < meter->acknowledged ? meter->received : meter->acknowledged;
    if (meter->sent >= meter->messages + WARM_UP || meter->sent - done >= WINDOW) {
        return false;
    }
    meter->sent++;
    return true;
}

static inline bool meter_is_done(const struct meter *meter) {
    unsigned long all = meter->messages + WARM_UP;
    return meter->received >= all && meter->acknowledged >= all;
}

static inline void meter_received(struct meter *meter) {
    meter->received++;
    if (meter->received == WARM_UP) {
        meter->cpu = clock_at(CLOCK_PROCESS_CPUTIME_ID);
        meter->wall = clock_at(CLOCK_MONOTONIC);
    }
}

/* Prints nanoseconds a message: CPU time, and time that passed. */
static inline void meter_report(const struct meter *meter) {
    uint64_t cpu = clock_at(CLOCK_PROCESS_CPUTIME_ID) - meter->cpu;
    uint64_t wall = clock_at(CLOCK_MONOTONIC) - meter->wall;
    printf("%llu %llu\n", (unsigned long long)(cpu / meter->messages), (unsigned long long)(wall / meter->messages));
}

#endif
