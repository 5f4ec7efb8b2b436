/* The password alone: a new file is written and put in the place of the old one. */
#define _POSIX_C_SOURCE 200809L

#include "credentials_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

size_t credentials_file_read(const char *path, uint8_t *password, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) {
        return 0;
    }
    ssize_t len = file < 0 ? -1 : read(file, password, size);
    if (len < 0) {
        perror(path);
        exit(1);
    }
    close(file);
    return (size_t)len;
}

bool credentials_file_write(const char *path, const uint8_t *password, size_t len) {
    char next[4096];
    if (snprintf(next, sizeof next, "%s.new", path) >= (int)sizeof next) {
        return false;
    }
    int file = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return false;
    }
    bool written = write(file, password, len) == (ssize_t)len && fsync(file) == 0;
    return close(file) == 0 && written && rename(next, path) == 0;
}
