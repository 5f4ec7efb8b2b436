/* Checks for the C test programs: a failed one prints its place and ends the program. */
#ifndef SYNCLINE_TESTS_CHECK_H
#define SYNCLINE_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncline.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_RESULT(expected, call)                                                               \
    do {                                                                                           \
        syncline_result result_ = (call);                                                          \
        if (result_ != (syncline_result)(expected)) {                                              \
            fprintf(stderr, "%s:%d: %s gave %u (%s)\n", __FILE__, __LINE__, #call,                 \
                    (unsigned)result_, syncline_result_str(result_));                              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_OK(call) CHECK_RESULT(SYNCLINE_RESULT_OK, call)

/* A text as the pointer and the length that calls take. */
#define TEXT(literal) ((const uint8_t *)(literal)), (sizeof(literal) - 1)

static inline int is_text(struct syncline_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && (bytes.len == 0 || memcmp(bytes.data, text, bytes.len) == 0);
}

#endif
