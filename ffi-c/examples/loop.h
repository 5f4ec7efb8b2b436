/* The loop around a session: one thread that waits in poll(2) alone. */
#ifndef LOOP_H
#define LOOP_H

#include "syncline.h"
#include "transport.h"

struct loop {
    struct syncline_session *session;
    const char *host, *port;
    struct transport *transport;
    bool open;
    /* Time of the last wake-up, as `monotonic` gives it: soon enough for all that a wake-up does. */
    uint64_t now;
    /* Set it to leave the loop. */
    bool done;
};

/* The example's part: carries out an output that is not about the transport. */
void handle_output(struct loop *loop, const struct syncline_output *output);

/* The example's part: does what is due at `now`, and says when there is something to do next; UINT64_MAX: never. */
uint64_t handle_time(struct loop *loop, uint64_t now);

/* Makes a session of `config`, which it frees. */
void loop_new_session(struct loop *loop, struct syncline_session_config *config);

/* Runs the session until `done`, and frees it. */
void loop_run(struct loop *loop);

/* Time on a clock that never goes back, in microseconds; and Unix time in milliseconds. */
uint64_t monotonic(void);
uint64_t wall(void);

/* 32 bytes of the operating system's entropy. */
void fill_seed(uint8_t seed[32]);

/* Ends the program with the result's own words, unless it is SYNCLINE_RESULT_OK. */
void check(syncline_result result, const struct syncline_error *error);

/* Asks for an orderly end: everything is acknowledged first. */
void leave(struct loop *loop);

#endif
