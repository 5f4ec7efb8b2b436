/* Every result code has a number that stays and a text of its own; no other number has one. */
#include "check.h"

/* cargo xtask compares this list with the header: numbers are added and never change. */
static const struct {
    syncline_result code;
    uint32_t number;
} RESULTS[] = {
    {SYNCLINE_RESULT_OK, 0},
    {SYNCLINE_RESULT_INCOMPLETE, 1},
    {SYNCLINE_RESULT_EMPTY, 2},
    {SYNCLINE_RESULT_NULL_POINTER, 1000},
    {SYNCLINE_RESULT_LENGTH_INVALID, 1001},
    {SYNCLINE_RESULT_NOT_UTF8, 1002},
    {SYNCLINE_RESULT_NOT_JSON, 1003},
    {SYNCLINE_RESULT_VERSION_UNKNOWN, 1004},
    {SYNCLINE_RESULT_OUT_OF_RANGE, 1005},
    {SYNCLINE_RESULT_TOPIC_INVALID, 1006},
    {SYNCLINE_RESULT_BUFFER_TOO_SMALL, 1007},
    {SYNCLINE_RESULT_PACKET_INVALID, 1008},
    {SYNCLINE_RESULT_WRONG_PACKET_TYPE, 1009},
    {SYNCLINE_RESULT_NODE_UNKNOWN, 1010},
    {SYNCLINE_RESULT_NODE_REFUSED, 1011},
    {SYNCLINE_RESULT_SEED_INVALID, 1012},
    {SYNCLINE_RESULT_UNKNOWN, 1013},
    {SYNCLINE_RESULT_CONFIG_INVALID, 1014},
    {SYNCLINE_RESULT_FILTER_INVALID, 1015},
    {SYNCLINE_RESULT_PROPERTY_INVALID, 1016},
    {SYNCLINE_RESULT_NOT_CONNECTED, 1017},
    {SYNCLINE_RESULT_CLOSING, 1018},
    {SYNCLINE_RESULT_STALE_TOKEN, 1019},
    {SYNCLINE_RESULT_NO_AUTHENTICATION, 1020},
    {SYNCLINE_RESULT_NOT_CHALLENGED, 1021},
    {SYNCLINE_RESULT_AUTHENTICATING, 1022},
    {SYNCLINE_RESULT_SESSION_EXPIRY_INVALID, 1023},
    {SYNCLINE_RESULT_RECORDS_INVALID, 1024},
    {SYNCLINE_RESULT_TRANSACTION_UNKNOWN, 1025},
    {SYNCLINE_RESULT_ALREADY_ANSWERED, 1026},
    {SYNCLINE_RESULT_MALFORMED_PACKET, 2000},
    {SYNCLINE_RESULT_PROTOCOL_ERROR, 2001},
    {SYNCLINE_RESULT_PACKET_TOO_LARGE, 3000},
    {SYNCLINE_RESULT_TOO_MANY_IN_FLIGHT, 3001},
    {SYNCLINE_RESULT_NOT_READY, 3002},
    {SYNCLINE_RESULT_QUEUE_FULL, 3003},
    {SYNCLINE_RESULT_NO_PACKET_ID, 3004},
    {SYNCLINE_RESULT_QOS_NOT_SUPPORTED, 4000},
    {SYNCLINE_RESULT_RETAIN_NOT_SUPPORTED, 4001},
    {SYNCLINE_RESULT_WILDCARD_NOT_SUPPORTED, 4002},
    {SYNCLINE_RESULT_SHARED_NOT_SUPPORTED, 4003},
    {SYNCLINE_RESULT_SUBSCRIPTION_ID_NOT_SUPPORTED, 4004},
    {SYNCLINE_RESULT_PACKET_SIZE_NOT_SUPPORTED, 4005},
    {SYNCLINE_RESULT_PANIC, 9000},
};

#define COUNT (sizeof RESULTS / sizeof RESULTS[0])

int main(void) {
    const char *unknown = syncline_result_str(999);
    CHECK(strstr(unknown, "unknown") != NULL);
    for (size_t index = 0; index < COUNT; index++) {
        CHECK(RESULTS[index].code == RESULTS[index].number);
        const char *text = syncline_result_str(RESULTS[index].number);
        CHECK(text != unknown && strlen(text) > 1);
        for (size_t earlier = 0; earlier < index; earlier++) {
            CHECK(strcmp(text, syncline_result_str(RESULTS[earlier].number)) != 0);
        }
    }
    size_t known = 0;
    for (uint32_t number = 0; number < 20000; number++) {
        known += syncline_result_str(number) != unknown;
    }
    CHECK(known == COUNT);
    CHECK(syncline_result_str(UINT32_MAX) == unknown);

    CHECK(strchr(syncline_version(), '.') != NULL);
    CHECK(syncline_has_feature(SYNCLINE_FEATURE_SESSION) && syncline_has_feature(SYNCLINE_FEATURE_RESPONDER));
    CHECK(syncline_has_feature(SYNCLINE_FEATURE_REGISTRATION) && syncline_has_feature(SYNCLINE_FEATURE_AGENT));
    CHECK(!syncline_has_feature(UINT32_MAX));
    uint64_t value = 0;
    CHECK_OK(syncline_limit_value(SYNCLINE_LIMIT_MAX_PACKET_SIZE, &value));
    CHECK(value == 268435460);
    CHECK_OK(syncline_limit_value(SYNCLINE_LIMIT_TRANSACTION_TIMEOUT_MAX, &value));
    CHECK(value == 600000);
    CHECK_OK(syncline_limit_value(SYNCLINE_LIMIT_REGISTRY_TIMEOUT, &value));
    CHECK(value == 20000);
    CHECK_RESULT(SYNCLINE_RESULT_UNKNOWN, syncline_limit_value(10000, &value));

    bool matches = false;
    struct syncline_error error = {{0}};
    CHECK_OK(syncline_topic_name_check(TEXT("plant/line"), NULL));
    CHECK_RESULT(SYNCLINE_RESULT_TOPIC_INVALID, syncline_topic_name_check(TEXT("plant/+"), &error));
    CHECK(strstr(error.text, "byte 6") != NULL);
    CHECK_OK(syncline_topic_filter_check(TEXT("$share/group/plant/#"), NULL));
    CHECK_RESULT(SYNCLINE_RESULT_FILTER_INVALID, syncline_topic_filter_check(TEXT("plant+"), &error));
    CHECK_OK(syncline_topic_matches(TEXT("plant/+"), TEXT("plant/line"), &matches));
    CHECK(matches);
    CHECK_OK(syncline_topic_matches(TEXT("#"), TEXT("$SYS/load"), &matches));
    CHECK(!matches);
    CHECK_RESULT(SYNCLINE_RESULT_TOPIC_INVALID, syncline_topic_matches(TEXT("#"), TEXT("a/#"), &matches));
    puts("results: ok");
    return 0;
}
