/* A TCP socket that never waits, for the transports that stand on it. */
#ifndef TCP_H
#define TCP_H

#include "transport.h"

/* Begins to connect; negative if it cannot even begin. */
int tcp_open(const char *host, const char *port);
enum progress tcp_progress(int socket);

#endif
