/* A program of somebody else's, in C99: the library and the header are of one version. */
#include <stdio.h>
#include <string.h>

#include <syncline.h>

int main(void) {
    struct syncline_session_config *config = NULL;
    struct syncline_session *session = NULL;
    struct syncline_error error = {{0}};
    static const uint8_t seed[32] = {7};
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SYNCLINE_VERSION_MAJOR, SYNCLINE_VERSION_MINOR,
             SYNCLINE_VERSION_PATCH);
    if (strcmp(version, syncline_version()) != 0) {
        fprintf(stderr, "header %s, library %s\n", version, syncline_version());
        return 1;
    }
    if (syncline_session_config_new((const uint8_t *)"c", 1, &config) != SYNCLINE_RESULT_OK ||
        syncline_session_new(config, seed, sizeof seed, &error, &session) != SYNCLINE_RESULT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    syncline_session_free(session);
    syncline_session_config_free(config);
    puts("installed: ok");
    return 0;
}
