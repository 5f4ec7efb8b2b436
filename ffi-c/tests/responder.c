/* FlowSync's answering side from C: requests that are fresh, repeated, in progress and malformed, and their answers. */
#include "check.h"

#define ID "0b5f1d1e-2f7c-4c57-9d4b-6d5c1c9e0a11"
#define WALL 1790000000000

static syncline_incoming_kind receive(struct syncline_responder *responder, uint64_t now, const char *payload,
                                      struct syncline_incoming *incoming) {
    struct syncline_shared_bytes *shared = NULL;
    CHECK_OK(syncline_bytes_new((const uint8_t *)payload, strlen(payload), &shared));
    CHECK_OK(syncline_responder_handle_request(responder, now, shared, 2000, incoming));
    syncline_bytes_release(shared);
    return incoming->kind;
}

static void a_request_is_handed_out_once_and_its_answer_repeated(void) {
    const char *treq = "{\"id\":\"" ID "\",\"timestamp\":3,\"value\":{\"order\":42}}";
    struct syncline_responder *responder = NULL;
    struct syncline_incoming incoming;
    struct syncline_tres tres;
    uint64_t deadline = 0;
    CHECK_OK(syncline_responder_new(NULL, &responder));
    CHECK_OK(syncline_responder_poll_timeout(responder, &deadline));
    CHECK(deadline == UINT64_MAX);
    CHECK(receive(responder, 1000, treq, &incoming) == SYNCLINE_INCOMING_KIND_FRESH);
    CHECK(is_text(incoming.value, "{\"order\":42}") && incoming.timestamp == 3 && incoming.deadline == 2001000);
    uint8_t transaction[16];
    memcpy(transaction, incoming.transaction, sizeof transaction);
    CHECK(transaction[0] == 0x0B && transaction[15] == 0x11);
    CHECK(receive(responder, 1000, treq, &incoming) == SYNCLINE_INCOMING_KIND_IN_PROGRESS);

    CHECK_RESULT(SYNCLINE_RESULT_NOT_JSON, syncline_responder_respond(responder, WALL, transaction, TEXT("{"), &tres));
    CHECK_OK(syncline_responder_respond(responder, WALL, transaction, TEXT("{\"done\":true}"), &tres));
    CHECK(is_text(tres.payload, "{\"id\":\"" ID "\",\"timestamp\":1790000000000,\"value\":{\"done\":true}}"));
    struct syncline_bytes view;
    CHECK_OK(syncline_bytes_view(tres.shared, &view));
    CHECK(view.data == tres.payload.data && view.len == tres.payload.len);
    CHECK_RESULT(SYNCLINE_RESULT_ALREADY_ANSWERED,
                 syncline_responder_fail(responder, WALL, transaction, 500, TEXT("late"), &tres));
    CHECK(receive(responder, 1000, treq, &incoming) == SYNCLINE_INCOMING_KIND_REPEATED);
    CHECK(incoming.tres.len == view.len && incoming.shared != NULL && incoming.value.len == 0);

    CHECK_OK(syncline_responder_poll_timeout(responder, &deadline));
    CHECK(deadline == 1000 + 60000000);
    CHECK_OK(syncline_responder_handle_timeout(responder, deadline));
    CHECK_RESULT(SYNCLINE_RESULT_TRANSACTION_UNKNOWN,
                 syncline_responder_respond(responder, WALL, transaction, TEXT("1"), &tres));
    syncline_responder_free(responder);
}

static void what_names_no_transaction_or_finds_no_room_is_told_apart(void) {
    const struct syncline_responder_bounds bounds = {.max_transactions = 1, .retention_ms = 5};
    struct syncline_responder *responder = NULL;
    struct syncline_incoming incoming;
    struct syncline_tres tres;
    uint64_t deadline = 0;
    CHECK_OK(syncline_responder_new(&bounds, &responder));
    CHECK(receive(responder, 0, "{}", &incoming) == SYNCLINE_INCOMING_KIND_MALFORMED);
    CHECK(receive(responder, 0, "{\"id\":\"" ID "\"}", &incoming) == SYNCLINE_INCOMING_KIND_FRESH);
    CHECK(is_text(incoming.value, "null") && incoming.timestamp == 0);
    CHECK_OK(syncline_responder_poll_timeout(responder, &deadline));
    CHECK(deadline == 5000);
    struct syncline_incoming other;
    CHECK(receive(responder, 0, "{\"id\":\"1b5f1d1e-2f7c-4c57-9d4b-6d5c1c9e0a11\"}", &other) ==
          SYNCLINE_INCOMING_KIND_OVERLOADED);
    CHECK_OK(syncline_responder_fail(responder, WALL, incoming.transaction, 404, TEXT("no such order"), &tres));
    CHECK(is_text(tres.payload, "{\"id\":\"" ID "\",\"timestamp\":1790000000000,\"error\":{\"code\":404,\"message\":"
                                "\"no such order\"}}"));
    struct syncline_bytes topic;
    CHECK_OK(syncline_responder_topic(responder, TEXT("services/a/b/treq"), &topic));
    CHECK(is_text(topic, "services/a/b/tres"));
    CHECK_RESULT(SYNCLINE_RESULT_TOPIC_INVALID, syncline_responder_topic(responder, TEXT("services/a/b"), &topic));
    syncline_responder_free(responder);
}

int main(void) {
    a_request_is_handed_out_once_and_its_answer_repeated();
    what_names_no_transaction_or_finds_no_room_is_told_apart();
    puts("responder: ok");
    return 0;
}
