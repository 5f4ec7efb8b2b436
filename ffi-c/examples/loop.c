/* The loop around a session: drain its outputs, read, write, sleep until something can move. */
#define _POSIX_C_SOURCE 200809L

#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 16 };

static uint64_t clock_nanos(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) {
        perror("clock");
        exit(1);
    }
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t monotonic(void) {
    return clock_nanos(CLOCK_MONOTONIC) / 1000;
}

uint64_t wall(void) {
    return clock_nanos(CLOCK_REALTIME) / 1000000;
}

void fill_seed(uint8_t seed[32]) {
    FILE *entropy = fopen("/dev/urandom", "rb");
    if (entropy == NULL || fread(seed, 1, 32, entropy) != 32) {
        perror("/dev/urandom");
        exit(1);
    }
    fclose(entropy);
}

void check(syncline_result result, const struct syncline_error *error) {
    if (result != SYNCLINE_RESULT_OK) {
        fprintf(stderr, "%s\n", error != NULL && error->text[0] != 0 ? error->text : syncline_result_str(result));
        exit(1);
    }
}

void leave(struct loop *loop) {
    const struct syncline_disconnect_options options = {.settle_ms = 5000};
    struct syncline_error error = {{0}};
    check(syncline_session_disconnect(loop->session, loop->now, &options, &error), &error);
}

static void drop_transport(struct loop *loop) {
    if (loop->transport != NULL) {
        transport_close(loop->transport);
        loop->transport = NULL;
    }
    loop->open = false;
}

static void lose_transport(struct loop *loop) {
    drop_transport(loop);
    check(syncline_session_handle_transport_closed(loop->session, loop->now), NULL);
}

static void open_transport(struct loop *loop) {
    drop_transport(loop);
    loop->transport = transport_open(loop->host, loop->port);
    if (loop->transport == NULL) {
        lose_transport(loop);
    }
}

/* Carries out all that the session asks for; whether it asked for anything. */
static bool drain(struct loop *loop) {
    struct syncline_output output;
    bool any = false;
    while (syncline_session_poll(loop->session, loop->now, &output) == SYNCLINE_RESULT_OK) {
        any = true;
        switch (output.kind) {
        case SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT:
            open_transport(loop);
            break;
        case SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT:
            drop_transport(loop);
            break;
        case SYNCLINE_OUTPUT_KIND_DISCONNECTED:
            printf("disconnected: %.*s\n", (int)output.event.disconnected.text.len,
                   (const char *)output.event.disconnected.text.data);
            drop_transport(loop);
            loop->done = output.event.disconnected.kind == SYNCLINE_DISCONNECT_KIND_REQUESTED;
            break;
        case SYNCLINE_OUTPUT_KIND_GAVE_UP:
        case SYNCLINE_OUTPUT_KIND_DENIED:
            loop->done = true;
            break;
        default:
            handle_output(loop, &output);
        }
    }
    return any;
}

static void finish_opening(struct loop *loop) {
    if (loop->transport == NULL || loop->open) {
        return;
    }
    switch (transport_progress(loop->transport)) {
    case OPENING:
        break;
    case OPEN:
        loop->open = true;
        check(syncline_session_handle_transport_open(loop->session, loop->now), NULL);
        break;
    case FAILED:
        lose_transport(loop);
        break;
    }
}

/* Reads once, into the session's own buffer; whether there may be more without waiting. */
static bool read_once(struct loop *loop) {
    struct syncline_room room;
    if (!loop->open) {
        return false;
    }
    check(syncline_session_rx_space(loop->session, &room), NULL);
    if (room.len == 0) {
        return false;
    }
    ssize_t len = transport_read(loop->transport, room.data, room.len);
    if (len < 0) {
        lose_transport(loop);
        return false;
    }
    if (len > 0) {
        check(syncline_session_rx_commit(loop->session, (size_t)len), NULL);
    }
    return (size_t)len == room.len || transport_holds_more(loop->transport);
}

/* Writes once, from where the bytes are; whether anything moved. */
static bool write_once(struct loop *loop) {
    struct iovec runs[RUNS];
    size_t count = 0;
    if (!loop->open) {
        return false;
    }
    check(syncline_session_tx_iov(loop->session, runs, RUNS, &count), NULL);
    if (count == 0) {
        return false;
    }
    ssize_t len = transport_write(loop->transport, runs, (int)count);
    if (len < 0) {
        lose_transport(loop);
    } else if (len > 0) {
        check(syncline_session_tx_advance(loop->session, loop->now, (size_t)len), NULL);
    }
    return len != 0;
}

/* Sleeps until the transport can move something, or `deadline`. */
static void wait_until(struct loop *loop, uint64_t deadline) {
    struct pollfd ready = {.fd = -1};
    if (loop->transport != NULL) {
        struct syncline_room room;
        struct syncline_status status;
        check(syncline_session_rx_space(loop->session, &room), NULL);
        check(syncline_session_status(loop->session, &status), NULL);
        ready.fd = transport_socket(loop->transport);
        ready.events = transport_events(loop->transport, room.len > 0, status.unwritten > 0);
    }
    uint64_t left = deadline > loop->now ? (deadline - loop->now + 999) / 1000 : 0;
    int timeout = deadline == UINT64_MAX ? -1 : left > 60000 ? 60000 : (int)left;
    if (poll(&ready, 1, timeout) < 0 && errno != EINTR) {
        perror("poll");
        exit(1);
    }
    loop->now = monotonic();
}

void loop_new_session(struct loop *loop, struct syncline_session_config *config) {
    loop->now = monotonic();
    uint8_t seed[32];
    struct syncline_error error = {{0}};
    fill_seed(seed);
    check(syncline_session_new(config, seed, sizeof seed, &error, &loop->session), &error);
    syncline_session_config_free(config);
}

void loop_run(struct loop *loop) {
    loop->now = monotonic();
    check(syncline_session_connect(loop->session, loop->now), NULL);
    while (!loop->done) {
        uint64_t deadline = 0, other = UINT64_MAX;
        bool more;
        do {
            more = read_once(loop);
            /* What was written may complete, and what completes may be followed by more to write. */
            do {
                do {
                    other = handle_time(loop, loop->now);
                } while (drain(loop));
            } while (!loop->done && write_once(loop));
            loop->now = more ? monotonic() : loop->now;
        } while (more && !loop->done);
        if (loop->done) {
            break;
        }
        check(syncline_session_poll_timeout(loop->session, &deadline), NULL);
        wait_until(loop, deadline < other ? deadline : other);
        finish_opening(loop);
        if (deadline <= loop->now) {
            check(syncline_session_handle_timeout(loop->session, loop->now), NULL);
        }
    }
    drop_transport(loop);
    syncline_session_free(loop->session);
}
