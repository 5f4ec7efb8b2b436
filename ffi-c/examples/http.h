/* One HTTP request that waits for its answer: enough for a client registry. */
#ifndef HTTP_H
#define HTTP_H

#include "syncline.h"

/* Makes the request; `answer` points into `buffer`. Waits for 10 seconds at most between two moves of the other side. */
void http_ask(const char *host, const char *port, const struct syncline_registry_request *request, char *buffer,
              size_t size, struct syncline_registry_answer *answer);

#endif
