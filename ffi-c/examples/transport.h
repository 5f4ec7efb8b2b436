/* A connection that never waits: what the loop needs of TCP, and of TLS over it. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport;

enum progress { OPENING, OPEN, FAILED };

/* Begins to open a connection; NULL if it cannot even begin. */
struct transport *transport_open(const char *host, const char *port);

/* How far opening has come; call it again when poll(2) says that there is something to do. */
enum progress transport_progress(struct transport *transport);

/* The socket, and what to wait for with poll(2). */
int transport_socket(const struct transport *transport);
short transport_events(const struct transport *transport, bool to_read, bool to_write);

/* How many bytes were moved; 0: none just now; negative: the connection is over. */
ssize_t transport_read(struct transport *transport, void *data, size_t len);
ssize_t transport_write(struct transport *transport, const struct iovec *runs, int count);

/* Whether it holds bytes to read that poll(2) does not know of, such as the rest of a TLS record. */
bool transport_holds_more(const struct transport *transport);

void transport_close(struct transport *transport);

#endif
