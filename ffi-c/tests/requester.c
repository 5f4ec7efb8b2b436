/* FlowSync's asking side from C: a transaction replied to, failed, timed out, aborted, cancelled, and refused. */
#include "check.h"

#define TRES "services/example1/exampleNode/tres"

static const uint8_t SEED[32] = {42};

static struct syncline_requester *new_requester(uint64_t *node, size_t max_in_flight) {
    struct syncline_node_config *config = NULL;
    CHECK_OK(syncline_node_config_new(TEXT("services/example1/exampleNode"), NULL, &config));
    CHECK_OK(syncline_node_config_set_qos(config, 1));
    CHECK_OK(syncline_node_config_set_timeout(config, 2000));
    CHECK_OK(syncline_node_config_set_timeout_error(config, 408, TEXT("No answer came in time")));
    CHECK_OK(syncline_node_config_set_max_in_flight(config, max_in_flight));
    struct syncline_requester *requester = NULL;
    CHECK_OK(syncline_requester_new(SEED, sizeof SEED, &requester));
    CHECK_OK(syncline_requester_add_node(requester, config, node));
    uint64_t other = 0;
    CHECK_RESULT(SYNCLINE_RESULT_NODE_REFUSED, syncline_requester_add_node(requester, config, &other));
    syncline_node_config_free(config);
    return requester;
}

static struct syncline_treq begin(struct syncline_requester *requester, uint64_t node, uint64_t now, uint64_t token) {
    struct syncline_treq treq;
    CHECK_OK(syncline_requester_begin(requester, now, 1790000000000, node, TEXT("{\"order\":42}"), token, 0, &treq));
    return treq;
}

/* The reply to a request, with the id as the request's payload spells it. */
static void reply_to(struct syncline_treq treq, const char *rest, char *reply, size_t size) {
    const size_t before = strlen("{\"id\":\""), id = 36;
    CHECK(treq.payload.len > before + id);
    int len = snprintf(reply, size, "{\"id\":\"%.*s\",%s}", (int)id, (const char *)treq.payload.data + before, rest);
    CHECK(len > 0 && (size_t)len < size);
}

static syncline_delivery deliver(struct syncline_requester *requester, const char *reply) {
    syncline_delivery delivery;
    CHECK_OK(syncline_requester_handle_message(requester, TEXT(TRES), (const uint8_t *)reply, strlen(reply), false,
                                               &delivery));
    return delivery;
}

static void reply_and_error_end_the_transaction_they_name(void) {
    uint64_t node = 0;
    struct syncline_requester *requester = new_requester(&node, 10);
    char to_first[200], to_second[200];
    struct syncline_treq first = begin(requester, node, 1000, 71);
    CHECK(is_text(first.topic, "services/example1/exampleNode/treq"));
    CHECK(first.qos == 1 && first.deadline == 1000 + 2000000);
    reply_to(first, "\"value\":{\"done\":true}", to_first, sizeof to_first);
    struct syncline_treq second = begin(requester, node, 1000, 72);
    CHECK(memcmp(first.transaction, second.transaction, 16) != 0);
    reply_to(second, "\"error\":{\"code\":404,\"message\":\"no such order\"}", to_second, sizeof to_second);

    struct syncline_completion completion;
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_requester_poll(requester, &completion));
    CHECK(deliver(requester, to_second) == SYNCLINE_DELIVERY_COMPLETED);
    CHECK(deliver(requester, to_first) == SYNCLINE_DELIVERY_COMPLETED);
    CHECK(deliver(requester, to_first) == SYNCLINE_DELIVERY_IGNORED);
    CHECK(deliver(requester, "not JSON") == SYNCLINE_DELIVERY_IGNORED);

    CHECK_OK(syncline_requester_poll(requester, &completion));
    CHECK(completion.token == 72 && completion.outcome == SYNCLINE_OUTCOME_FAILED && completion.code == 404);
    CHECK(is_text(completion.message, "no such order") && completion.value.len == 0);
    CHECK_OK(syncline_requester_poll(requester, &completion));
    CHECK(completion.token == 71 && completion.outcome == SYNCLINE_OUTCOME_REPLIED);
    CHECK(is_text(completion.value, "{\"done\":true}"));
    CHECK(memcmp(completion.transaction, first.transaction, 16) == 0);
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_requester_poll(requester, &completion));

    syncline_delivery delivery;
    CHECK_OK(syncline_requester_handle_message(requester, TEXT("another/tres"), TEXT("{}"), false, &delivery));
    CHECK(delivery == SYNCLINE_DELIVERY_NOT_MINE);
    syncline_requester_free(requester);
}

static void silence_ends_at_the_deadline_and_not_before(void) {
    uint64_t node = 0, deadline = 0;
    struct syncline_requester *requester = new_requester(&node, 10);
    CHECK_OK(syncline_requester_poll_timeout(requester, &deadline));
    CHECK(deadline == UINT64_MAX);
    begin(requester, node, 500, 1);
    CHECK_OK(syncline_requester_poll_timeout(requester, &deadline));
    CHECK(deadline == 500 + 2000000);
    struct syncline_completion completion;
    CHECK_OK(syncline_requester_handle_timeout(requester, deadline - 1));
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_requester_poll(requester, &completion));
    CHECK_OK(syncline_requester_handle_timeout(requester, deadline));
    CHECK_OK(syncline_requester_poll(requester, &completion));
    CHECK(completion.outcome == SYNCLINE_OUTCOME_TIMED_OUT && completion.code == 408);
    CHECK(is_text(completion.message, "No answer came in time"));
    syncline_requester_free(requester);
}

static void aborted_and_cancelled_transactions_free_their_place(void) {
    uint64_t node = 0;
    struct syncline_requester *requester = new_requester(&node, 1);
    struct syncline_treq treq = begin(requester, node, 0, 1);
    struct syncline_treq refused;
    CHECK_RESULT(SYNCLINE_RESULT_TOO_MANY_IN_FLIGHT,
                 syncline_requester_begin(requester, 0, 0, node, TEXT("1"), 2, 0, &refused));
    CHECK_OK(syncline_requester_abort(requester, treq.transaction));
    struct syncline_completion completion;
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_requester_poll(requester, &completion));
    begin(requester, node, 0, 3);
    CHECK_OK(syncline_requester_cancel_all(requester));
    CHECK_OK(syncline_requester_poll(requester, &completion));
    CHECK(completion.token == 3 && completion.outcome == SYNCLINE_OUTCOME_CANCELLED);
    CHECK_OK(syncline_requester_remove_node(requester, node));
    CHECK_RESULT(SYNCLINE_RESULT_NODE_UNKNOWN, syncline_requester_remove_node(requester, node));
    CHECK_RESULT(SYNCLINE_RESULT_NODE_UNKNOWN,
                 syncline_requester_begin(requester, 0, 0, node, TEXT("1"), 2, 0, &refused));
    syncline_requester_free(requester);
}

static void same_seed_gives_the_same_requests(void) {
    uint64_t node = 0;
    struct syncline_requester *one = new_requester(&node, 10), *other = new_requester(&node, 10);
    for (int i = 0; i < 3; i++) {
        struct syncline_treq a = begin(one, node, 0, 0), b = begin(other, node, 0, 0);
        CHECK(a.payload.len == b.payload.len && memcmp(a.payload.data, b.payload.data, a.payload.len) == 0);
    }
    syncline_requester_free(one);
    syncline_requester_free(other);
}

static void wrong_arguments_are_results(void) {
    struct syncline_requester *requester = NULL;
    struct syncline_node_config *config = NULL;
    struct syncline_treq treq;
    uint64_t node = 0;
    CHECK_RESULT(SYNCLINE_RESULT_SEED_INVALID, syncline_requester_new(SEED, 31, &requester));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_requester_new(SEED, 32, NULL));
    CHECK_RESULT(SYNCLINE_RESULT_TOPIC_INVALID, syncline_node_config_new(TEXT("a/#"), NULL, &config));
    CHECK(requester == NULL && config == NULL);
    CHECK_OK(syncline_node_config_new(TEXT("a"), NULL, &config));
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_node_config_set_timeout(config, 0));
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_node_config_set_timeout(config, 600001));
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_node_config_set_qos(config, 3));
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_node_config_set_max_in_flight(config, 0));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_requester_add_node(NULL, config, &node));
    syncline_node_config_free(config);
    syncline_node_config_free(NULL);
    syncline_requester_free(NULL);

    requester = new_requester(&node, 10);
    CHECK_RESULT(SYNCLINE_RESULT_NOT_JSON, syncline_requester_begin(requester, 0, 0, node, TEXT("{"), 0, 0, &treq));
    CHECK_RESULT(SYNCLINE_RESULT_NOT_JSON, syncline_requester_begin(requester, 0, 0, node, TEXT("1 2"), 0, 0, &treq));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER,
                 syncline_requester_begin(requester, 0, 0, node, NULL, 1, 0, 0, &treq));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_requester_poll(requester, NULL));
    CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, syncline_requester_abort(requester, NULL));
    uint64_t deadline = 0;
    CHECK_OK(syncline_requester_poll_timeout(requester, &deadline));
    CHECK(deadline == UINT64_MAX);
    syncline_requester_free(requester);
}

int main(void) {
    reply_and_error_end_the_transaction_they_name();
    silence_ends_at_the_deadline_and_not_before();
    aborted_and_cancelled_transactions_free_their_place();
    same_seed_gives_the_same_requests();
    wrong_arguments_are_results();
    puts("requester: ok");
    return 0;
}
