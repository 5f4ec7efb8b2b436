/* Transport by TCP alone. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

struct transport {
    int socket;
    bool open;
};

struct transport *transport_open(const char *host, const char *port) {
    struct transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        return NULL;
    }
    transport->socket = tcp_open(host, port);
    if (transport->socket < 0) {
        free(transport);
        return NULL;
    }
    return transport;
}

enum progress transport_progress(struct transport *transport) {
    enum progress progress = transport->open ? OPEN : tcp_progress(transport->socket);
    transport->open = progress == OPEN;
    return progress;
}

int transport_socket(const struct transport *transport) {
    return transport->socket;
}

short transport_events(const struct transport *transport, bool to_read, bool to_write) {
    if (!transport->open) {
        return POLLOUT;
    }
    return (short)((to_read ? POLLIN : 0) | (to_write ? POLLOUT : 0));
}

/* What a system call moved, or whether it may move something later. */
static ssize_t moved(ssize_t len) {
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return 0;
    }
    return len;
}

ssize_t transport_read(struct transport *transport, void *data, size_t len) {
    ssize_t got = recv(transport->socket, data, len, 0);
    return got == 0 ? -1 : moved(got);
}

ssize_t transport_write(struct transport *transport, const struct iovec *runs, int count) {
    /* As writev(2), without the signal that a closed connection would raise. */
    struct msghdr message = {.msg_iov = (struct iovec *)runs, .msg_iovlen = (size_t)count};
    return moved(sendmsg(transport->socket, &message, MSG_NOSIGNAL));
}

bool transport_holds_more(const struct transport *transport) {
    (void)transport;
    return false;
}

void transport_close(struct transport *transport) {
    close(transport->socket);
    free(transport);
}
