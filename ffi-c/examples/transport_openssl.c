/* Transport by OpenSSL: believes the authority in the file that SYNCLINE_CA names, and the server's name or address. */
#define _POSIX_C_SOURCE 200809L

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tcp.h"

struct transport {
    int socket;
    bool connected;
    bool open;
    SSL_CTX *context;
    SSL *tls;
    /* What TLS itself waits for. */
    short awaited;
};

/* The server has to be who its certificate says that it is: by address if it is one, else by name. */
static bool expect(SSL *tls, const char *host) {
    X509_VERIFY_PARAM *parameters = SSL_get0_param(tls);
    return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1 ||
           (SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1);
}

struct transport *transport_open(const char *host, const char *port) {
    const char *authority = getenv("SYNCLINE_CA");
    struct transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        return NULL;
    }
    /* OpenSSL writes to closed connections. */
    signal(SIGPIPE, SIG_IGN);
    transport->socket = tcp_open(host, port);
    transport->context = SSL_CTX_new(TLS_client_method());
    transport->tls = transport->context == NULL ? NULL : SSL_new(transport->context);
    bool ready = transport->socket >= 0 && transport->tls != NULL &&
                 SSL_CTX_set_min_proto_version(transport->context, TLS1_2_VERSION) == 1 &&
                 (authority == NULL ? SSL_CTX_set_default_verify_paths(transport->context)
                                    : SSL_CTX_load_verify_locations(transport->context, authority, NULL)) == 1 &&
                 expect(transport->tls, host) && SSL_set_fd(transport->tls, transport->socket) == 1;
    if (!ready) {
        ERR_print_errors_fp(stderr);
        transport_close(transport);
        return NULL;
    }
    SSL_set_verify(transport->tls, SSL_VERIFY_PEER, NULL);
    /* A write may be taken up with a longer run than the one that began it. */
    SSL_set_mode(transport->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return transport;
}

/* What a call of OpenSSL moved, or what it waits for. */
static ssize_t moved(struct transport *transport, int result) {
    transport->awaited = 0;
    if (result > 0) {
        return result;
    }
    switch (SSL_get_error(transport->tls, result)) {
    case SSL_ERROR_WANT_READ:
        transport->awaited = POLLIN;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        transport->awaited = POLLOUT;
        return 0;
    default:
        ERR_print_errors_fp(stderr);
        return -1;
    }
}

enum progress transport_progress(struct transport *transport) {
    if (!transport->connected) {
        enum progress progress = tcp_progress(transport->socket);
        if (progress != OPEN) {
            return progress;
        }
        transport->connected = true;
    }
    if (!transport->open) {
        ssize_t result = moved(transport, SSL_connect(transport->tls));
        if (result <= 0) {
            return result < 0 ? FAILED : OPENING;
        }
        transport->open = true;
    }
    return OPEN;
}

int transport_socket(const struct transport *transport) {
    return transport->socket;
}

short transport_events(const struct transport *transport, bool to_read, bool to_write) {
    if (!transport->connected) {
        return POLLOUT;
    }
    if (!transport->open) {
        return transport->awaited;
    }
    return (short)((to_read ? POLLIN : 0) | (to_write ? POLLOUT : 0) | transport->awaited);
}

ssize_t transport_read(struct transport *transport, void *data, size_t len) {
    ERR_clear_error();
    return moved(transport, SSL_read(transport->tls, data, len > INT32_MAX ? INT32_MAX : (int)len));
}

ssize_t transport_write(struct transport *transport, const struct iovec *runs, int count) {
    if (count == 0 || runs[0].iov_len == 0) {
        return 0;
    }
    ERR_clear_error();
    size_t len = runs[0].iov_len;
    return moved(transport, SSL_write(transport->tls, runs[0].iov_base, len > INT32_MAX ? INT32_MAX : (int)len));
}

bool transport_holds_more(const struct transport *transport) {
    return SSL_has_pending(transport->tls) == 1;
}

void transport_close(struct transport *transport) {
    SSL_free(transport->tls);
    SSL_CTX_free(transport->context);
    if (transport->socket >= 0) {
        close(transport->socket);
    }
    free(transport);
}
