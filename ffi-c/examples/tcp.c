/* A TCP socket that never waits, with small packets sent at once. */
#define _POSIX_C_SOURCE 200809L

#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int tcp_open(const char *host, const char *port) {
    struct addrinfo hints, *addresses = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &hints, &addresses) != 0) {
        return -1;
    }
    int opened = -1;
    for (struct addrinfo *address = addresses; address != NULL && opened < 0; address = address->ai_next) {
        opened = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
        if (opened < 0) {
            continue;
        }
        int yes = 1;
        bool begun = fcntl(opened, F_SETFL, O_NONBLOCK) == 0 && fcntl(opened, F_SETFD, FD_CLOEXEC) == 0 &&
                     setsockopt(opened, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
                     (connect(opened, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS);
        if (!begun) {
            close(opened);
            opened = -1;
        }
    }
    freeaddrinfo(addresses);
    return opened;
}

enum progress tcp_progress(int socket) {
    struct pollfd ready = {.fd = socket, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 0) {
        return OPENING;
    }
    int error = 0;
    socklen_t len = sizeof error;
    bool known = getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &len) == 0;
    return known && error == 0 ? OPEN : FAILED;
}
