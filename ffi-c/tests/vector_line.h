/* Lines of the vectors in tests/vectors, whose form its README.md has. */
#ifndef SYNCLINE_TESTS_VECTOR_LINE_H
#define SYNCLINE_TESTS_VECTOR_LINE_H

#include <ctype.h>

#include "check.h"

enum { LINE_SIZE = 2048, BYTES_SIZE = 1024 };

struct line {
    const char *file;
    int number;
    /* Words with one space between, without the comment. */
    char text[LINE_SIZE];
};

static inline void fail(const struct line *line, const char *why) {
    fprintf(stderr, "%s:%d: `%s`: %s\n", line->file, line->number, line->text, why);
    exit(1);
}

/* The next line that is not empty, or false at the end. */
static inline bool next_line(struct line *line, FILE *file) {
    while (fgets(line->text, sizeof line->text, file) != NULL) {
        line->number++;
        CHECK(strchr(line->text, '\n') != NULL);
        char *comment = line->text;
        while ((comment = strchr(comment, '#')) != NULL && comment > line->text && comment[-1] != ' ') {
            comment++;
        }
        size_t len = comment != NULL ? (size_t)(comment - line->text) : strlen(line->text);
        while (len > 0 && isspace((unsigned char)line->text[len - 1])) {
            len--;
        }
        line->text[len] = 0;
        if (len > 0) {
            return true;
        }
    }
    return false;
}

/* Whether this is the first word. */
static inline bool is(const struct line *line, const char *word) {
    size_t len = strlen(word);
    return strncmp(line->text, word, len) == 0 && (line->text[len] == ' ' || line->text[len] == 0);
}

/* What follows the first word. */
static inline const char *rest(const struct line *line) {
    const char *space = strchr(line->text, ' ');
    return space != NULL ? space + 1 : "";
}

/* The value of a field, copied to `value`. */
static inline void field(const struct line *line, const char *name, char value[LINE_SIZE]) {
    size_t len = strlen(name);
    for (const char *word = strchr(line->text, ' '); word != NULL; word = strchr(word + 1, ' ')) {
        if (strncmp(word + 1, name, len) == 0 && word[1 + len] == '=') {
            const char *begin = word + len + 2;
            size_t size = strcspn(begin, " ");
            memcpy(value, begin, size);
            value[size] = 0;
            return;
        }
    }
    fail(line, name);
}

static inline uint64_t number(const struct line *line, const char *digits) {
    char *end = NULL;
    uint64_t value = strtoull(digits, &end, 10);
    if (end == digits || *end != 0) {
        fail(line, "no such number");
    }
    return value;
}

static inline uint64_t number_field(const struct line *line, const char *name) {
    char value[LINE_SIZE];
    field(line, name, value);
    return number(line, value);
}

/* Bytes as pairs of digits with or without spaces between; `-` is none. */
static inline size_t hex(const struct line *line, const char *digits, uint8_t bytes[BYTES_SIZE]) {
    size_t len = 0;
    if (strcmp(digits, "-") == 0) {
        return 0;
    }
    while (*digits != 0) {
        char pair[3] = {digits[0], digits[1], 0};
        char *end = NULL;
        if (len == BYTES_SIZE) {
            fail(line, "too many bytes");
        }
        bytes[len++] = (uint8_t)strtoul(pair, &end, 16);
        if (end != pair + 2) {
            fail(line, "no pairs of hexadecimal digits");
        }
        digits += digits[2] == ' ' ? 3 : 2;
    }
    return len;
}

static inline size_t hex_field(const struct line *line, const char *name, uint8_t bytes[BYTES_SIZE]) {
    char value[LINE_SIZE];
    field(line, name, value);
    return hex(line, value, bytes);
}

/* Bytes as pairs without spaces; `-` is none. */
static inline void write_hex(struct syncline_bytes bytes, char text[LINE_SIZE]) {
    CHECK(bytes.len * 2 < LINE_SIZE);
    strcpy(text, "-");
    for (size_t index = 0; index < bytes.len; index++) {
        sprintf(text + 2 * index, "%02x", bytes.data[index]);
    }
}

static inline void must_be(const struct line *line, const char *found) {
    if (strcmp(line->text, found) != 0) {
        fprintf(stderr, "%s:%d: expected `%s`, found `%s`\n", line->file, line->number, line->text, found);
        exit(1);
    }
}

#endif
