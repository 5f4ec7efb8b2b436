/* HTTP/1.0, so that the end of the connection is the end of the answer. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int dial(const char *host, const char *port) {
    struct addrinfo hints, *address = NULL;
    const struct timeval patience = {.tv_sec = 10};
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &hints, &address) != 0) {
        return -1;
    }
    int opened = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    bool open = opened >= 0 && setsockopt(opened, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                setsockopt(opened, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
                connect(opened, address->ai_addr, address->ai_addrlen) == 0;
    freeaddrinfo(address);
    if (!open && opened >= 0) {
        close(opened);
    }
    return open ? opened : -1;
}

static bool send_all(int connection, const void *data, size_t len) {
    const char *next = data;
    while (len > 0) {
        ssize_t sent = send(connection, next, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        next += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* Reads to the end; less than nothing: the connection broke or nothing came in time. */
static ssize_t receive_all(int connection, char *buffer, size_t size) {
    size_t got = 0;
    while (got < size) {
        ssize_t len = recv(connection, buffer + got, size - got, 0);
        if (len < 0) {
            return -1;
        }
        if (len == 0) {
            break;
        }
        got += (size_t)len;
    }
    return (ssize_t)got;
}

/* Takes the answer apart in place. False: it is not HTTP. */
static bool read_answer(char *text, size_t len, struct syncline_registry_answer *answer) {
    static const char retry_after[] = "Retry-After:";
    char *end = strstr(text, "\r\n\r\n");
    unsigned status = 0;
    if (end == NULL || sscanf(text, "HTTP/1.%*u %u", &status) != 1 || status < 100 || status > 999) {
        return false;
    }
    answer->status = (uint16_t)status;
    end[2] = 0;
    for (char *line = strstr(text, "\r\n"); line != NULL && line + 2 < end; line = strstr(line + 2, "\r\n")) {
        char *field = line + 2;
        if (strncasecmp(field, retry_after, sizeof retry_after - 1) == 0) {
            field += sizeof retry_after - 1;
            field += strspn(field, " \t");
            answer->retry_after = (struct syncline_bytes){(const uint8_t *)field, strcspn(field, "\r\n")};
        }
    }
    answer->body = (struct syncline_bytes){(const uint8_t *)end + 4, len - (size_t)(end + 4 - text)};
    return true;
}

void http_ask(const char *host, const char *port, const struct syncline_registry_request *request, char *buffer,
              size_t size, struct syncline_registry_answer *answer) {
    memset(answer, 0, sizeof *answer);
    answer->failure = SYNCLINE_REGISTRY_FAILURE_UNREACHABLE;
    int connection = dial(host, port);
    if (connection < 0) {
        return;
    }
    int head = snprintf(buffer, size,
                        "%.*s %.*s HTTP/1.0\r\nHost: %s:%s\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        (int)request->method.len, (const char *)request->method.data, (int)request->path.len,
                        (const char *)request->path.data, host, port, request->body.len);
    ssize_t len = -1;
    if (head > 0 && (size_t)head < size && send_all(connection, buffer, (size_t)head) &&
        send_all(connection, request->body.data, request->body.len)) {
        errno = 0;
        len = receive_all(connection, buffer, size - 1);
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            answer->failure = SYNCLINE_REGISTRY_FAILURE_TIMED_OUT;
        }
    }
    close(connection);
    if (len >= 0) {
        buffer[len] = 0;
        if (!read_answer(buffer, (size_t)len, answer)) {
            answer->failure = SYNCLINE_REGISTRY_FAILURE_NOT_HTTP;
        }
    }
}
