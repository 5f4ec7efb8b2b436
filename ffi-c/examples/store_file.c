/* A log of changes: checksum, length, key, record. One that was torn by a power cut ends the reading. */
#define _POSIX_C_SOURCE 200809L

#include "store_file.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 16, SLACK = 1 << 16 };

/* In place of a length: the record is deleted. */
static const uint32_t DELETED = UINT32_MAX;

struct store_file {
    char *path;
    int file;
    /* Bytes in the file, and those of them that still count. */
    uint64_t written, counting;
    uint64_t last_change, last_synced;
    struct syncline_stored_record *records;
    size_t count, capacity;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *reserve(void *memory, size_t size) {
    void *more = realloc(memory, size > 0 ? size : 1);
    if (more == NULL) {
        fail("memory");
    }
    return more;
}

static void put_number(uint8_t *place, uint64_t number, int bytes) {
    for (int index = 0; index < bytes; index++) {
        place[index] = (uint8_t)(number >> (8 * index));
    }
}

static uint64_t number_at(const uint8_t *place, int bytes) {
    uint64_t number = 0;
    for (int index = bytes - 1; index >= 0; index--) {
        number = number << 8 | place[index];
    }
    return number;
}

/* FNV-1a: tells what was torn from what was written. */
static uint32_t checksum(uint32_t sum, const uint8_t *data, size_t len) {
    for (size_t index = 0; index < len; index++) {
        sum = (sum ^ data[index]) * UINT32_C(16777619);
    }
    return sum;
}

static uint32_t entry_checksum(const uint8_t head[HEAD], const uint8_t *data, size_t len) {
    return checksum(checksum(UINT32_C(2166136261), head + 4, HEAD - 4), data, len);
}

static void write_all(int file, const uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t written = write(file, data, len);
        if (written < 0) {
            fail("store");
        }
        data += written;
        len -= (size_t)written;
    }
}

static void write_entry(struct store_file *store, uint64_t key, const uint8_t *data, size_t len, bool put) {
    uint8_t head[HEAD];
    put_number(head + 4, put ? len : DELETED, 4);
    put_number(head + 8, key, 8);
    put_number(head, entry_checksum(head, data, put ? len : 0), 4);
    write_all(store->file, head, HEAD);
    write_all(store->file, data, put ? len : 0);
    store->written += HEAD + (put ? len : 0);
}

/* Removes the record of this key, if there is one. */
static void forget(struct store_file *store, uint64_t key) {
    for (size_t index = 0; index < store->count; index++) {
        if (store->records[index].key == key) {
            store->counting -= HEAD + store->records[index].record.len;
            free((void *)store->records[index].record.data);
            store->records[index] = store->records[--store->count];
            return;
        }
    }
}

static void remember(struct store_file *store, uint64_t key, const uint8_t *data, size_t len) {
    forget(store, key);
    if (store->count == store->capacity) {
        store->capacity = store->capacity * 2 + 8;
        store->records = reserve(store->records, store->capacity * sizeof *store->records);
    }
    uint8_t *copy = reserve(NULL, len);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    store->records[store->count++] = (struct syncline_stored_record){.key = key, .record = {copy, len}};
    store->counting += HEAD + len;
}

static void read_entries(struct store_file *store, const uint8_t *data, uint64_t size) {
    while (size >= HEAD) {
        uint64_t len = number_at(data + 4, 4), key = number_at(data + 8, 8);
        uint64_t held = len == DELETED ? 0 : len;
        if (held > size - HEAD || number_at(data, 4) != entry_checksum(data, data + HEAD, held)) {
            return;
        }
        if (len == DELETED) {
            forget(store, key);
        } else {
            remember(store, key, data + HEAD, held);
        }
        data += HEAD + held;
        size -= HEAD + held;
    }
}

static void read_file(struct store_file *store) {
    struct stat facts;
    int file = open(store->path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return;
    }
    if (fstat(file, &facts) != 0) {
        fail(store->path);
    }
    size_t size = (size_t)facts.st_size, got = 0;
    uint8_t *data = reserve(NULL, size);
    for (ssize_t len = 1; got < size && len > 0; got += (size_t)len) {
        len = read(file, data + got, size - got);
        if (len < 0) {
            fail(store->path);
        }
    }
    close(file);
    read_entries(store, data, got);
    free(data);
}

static void sync_folder(const char *path) {
    char *copy = strdup(path);
    if (copy == NULL) {
        fail("memory");
    }
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fsync(folder) != 0) {
        fail(path);
    }
    close(folder);
    free(copy);
}

/* Writes what still counts to a new file, and puts it in the place of the old one: a power cut finds either. */
static void rewrite(struct store_file *store) {
    char next[4096];
    if (snprintf(next, sizeof next, "%s.new", store->path) >= (int)sizeof next) {
        fputs("the store's path is too long\n", stderr);
        exit(1);
    }
    if (store->file >= 0) {
        close(store->file);
    }
    store->file = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (store->file < 0) {
        fail(next);
    }
    store->written = 0;
    for (size_t index = 0; index < store->count; index++) {
        const struct syncline_stored_record *record = &store->records[index];
        write_entry(store, record->key, record->record.data, record->record.len, true);
    }
    if (fsync(store->file) != 0 || rename(next, store->path) != 0) {
        fail(store->path);
    }
    sync_folder(store->path);
}

struct store_file *store_file_open(const char *path) {
    struct store_file *store = reserve(NULL, sizeof *store);
    *store = (struct store_file){.path = strdup(path), .file = -1};
    if (store->path == NULL) {
        fail("memory");
    }
    read_file(store);
    rewrite(store);
    return store;
}

const struct syncline_stored_record *store_file_records(const struct store_file *store, size_t *count) {
    *count = store->count;
    return store->records;
}

void store_file_apply(struct store_file *store, const struct syncline_store_change *change) {
    if (change->put) {
        remember(store, change->key, change->record.data, change->record.len);
    } else {
        forget(store, change->key);
    }
    write_entry(store, change->key, change->record.data, change->record.len, change->put);
    store->last_change = change->seq;
}

uint64_t store_file_sync(struct store_file *store) {
    if (store->last_change == store->last_synced) {
        return 0;
    }
    if (store->written > 2 * store->counting + SLACK) {
        rewrite(store);
    } else if (fsync(store->file) != 0) {
        fail(store->path);
    }
    store->last_synced = store->last_change;
    return store->last_synced;
}

void store_file_close(struct store_file *store) {
    for (size_t index = 0; index < store->count; index++) {
        free((void *)store->records[index].record.data);
    }
    free(store->records);
    close(store->file);
    free(store->path);
    free(store);
}
