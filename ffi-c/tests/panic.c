/* A panic of the library becomes a result: it neither unwinds through C nor ends the process, and nothing leaks. */
#include "check.h"

/* Of the feature `test-hook`, which no shipped library has and no header shows. */
syncline_result syncline_test_panic(struct syncline_session *session);

int main(void) {
    static const uint8_t seed[32] = {7};
    struct syncline_session_config *config = NULL;
    struct syncline_session *session = NULL;
    CHECK_OK(syncline_session_config_new(TEXT("c"), &config));
    CHECK_OK(syncline_session_new(config, seed, sizeof seed, NULL, &session));
    syncline_session_config_free(config);
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_test_panic(NULL));
    CHECK_RESULT(SYNCLINE_RESULT_PANIC, syncline_test_panic(session));
    CHECK_RESULT(SYNCLINE_RESULT_PANIC, syncline_test_panic(session));
    syncline_session_free(session);
    puts("panic: ok");
    return 0;
}
