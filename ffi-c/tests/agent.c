/* The composite agent from C: a session with a node, and one with a registration. */
#include "client.h"

static struct syncline_node_config *new_node_config(const char *base) {
    struct syncline_node_config *config = NULL;
    CHECK_OK(syncline_node_config_new((const uint8_t *)base, strlen(base), NULL, &config));
    return config;
}

static uint64_t add_node(struct client *client) {
    struct syncline_node_config *config = new_node_config("b");
    uint64_t node = 0;
    CHECK_OK(syncline_node_config_set_qos(config, 0));
    CHECK_OK(syncline_agent_add_node(client->session, NOW, config, &node));
    CHECK_RESULT(SYNCLINE_RESULT_NODE_REFUSED, syncline_agent_add_node(client->session, NOW, config, &node));
    syncline_node_config_free(config);
    return node;
}

static syncline_result ask(struct client *client, uint64_t node, uint8_t transaction[16]) {
    return syncline_agent_request(client->session, NOW, 1700000000000, node, TEXT("{\"order\":7}"), 42, 0, NULL,
                                  transaction);
}

/* What was written of a request, from which its id is read. */
static void request(struct client *client, uint64_t node, uint8_t transaction[16], char *id) {
    uint8_t bytes[256];
    CHECK_OK(ask(client, node, transaction));
    size_t len = sent(client, bytes, sizeof bytes - 1);
    bytes[len] = 0;
    CHECK(len > 10 && bytes[0] == 0x30 && memcmp(bytes + 4, "b/treq", 6) == 0);
    const char *payload = (const char *)bytes + 10;
    CHECK(strstr(payload, "\"timestamp\":1700000000000") != NULL && strstr(payload, "{\"order\":7}") != NULL);
    const char *begin = strstr(payload, "\"id\":\"");
    CHECK(begin != NULL && strlen(begin) > 42);
    memcpy(id, begin + 6, 36);
    id[36] = 0;
}

static void reply(struct client *client, const char *id, const char *rest) {
    char payload[128];
    uint8_t packet[160] = {0x30, 0, 0, 6, 'b', '/', 't', 'r', 'e', 's'};
    int len = snprintf(payload, sizeof payload, "{\"id\":\"%s\",\"timestamp\":1,%s}", id, rest);
    CHECK(len > 0 && 8 + len < 128);
    packet[1] = (uint8_t)(8 + len);
    memcpy(packet + 10, payload, (size_t)len);
    receive(client, packet, 10 + (size_t)len);
}

static void a_node_is_subscribed_asked_and_answered(void) {
    struct client client = connected_by_3_1_1(new_config(4));
    struct syncline_node_status status;
    uint8_t transaction[16];
    char id[37];
    uint64_t node = add_node(&client);
    CHECK_RESULT(SYNCLINE_RESULT_NODE_UNKNOWN, syncline_agent_node_status(client.session, node + 1, &status));
    CHECK_OK(syncline_agent_node_status(client.session, node, &status));
    CHECK(status.readiness == SYNCLINE_READINESS_WAITING && status.refusal == SYNCLINE_RESULT_OK);
    CHECK_RESULT(SYNCLINE_RESULT_NOT_READY, ask(&client, node, transaction));
    SENT(&client, 0x82, 11, 0, 1, 0, 6, 'b', '/', 't', 'r', 'e', 's', 0);
    RECEIVE(&client, 0x90, 3, 0, 1, 0);
    status = next(&client, SYNCLINE_OUTPUT_KIND_NODE_CHANGED)->node;
    CHECK(status.node == node && status.readiness == SYNCLINE_READINESS_READY && status.in_flight == 0);

    struct syncline_error error = {{0}};
    CHECK_RESULT(SYNCLINE_RESULT_NOT_JSON, syncline_agent_request(client.session, NOW, 0, node, TEXT("secret"), 42, 0,
                                                                  &error, transaction));
    CHECK(error.text[0] != 0 && strstr(error.text, "secret") == NULL);
    CHECK_RESULT(SYNCLINE_RESULT_NODE_UNKNOWN, ask(&client, node + 1, transaction));

    request(&client, node, transaction, id);
    CHECK_OK(syncline_agent_node_status(client.session, node, &status));
    CHECK(status.in_flight == 1);
    reply(&client, id, "\"value\":{\"done\":true}");
    struct syncline_completion end = next(&client, SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED)->transaction;
    CHECK(end.token == 42 && end.outcome == SYNCLINE_OUTCOME_REPLIED && is_text(end.value, "{\"done\":true}"));
    CHECK(memcmp(end.transaction, transaction, sizeof transaction) == 0);
    reply(&client, id, "\"value\":2");
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_REPLY_IGNORED)->ignored == SYNCLINE_IGNORED_DUPLICATE);
    RECEIVE(&client, 0x30, 4, 0, 1, 'o', 'x');
    CHECK(is_text(next(&client, SYNCLINE_OUTPUT_KIND_MESSAGE)->message.topic, "o"));

    request(&client, node, transaction, id);
    reply(&client, id, "\"error\":{\"code\":404,\"message\":\"no such order\"}");
    end = next(&client, SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED)->transaction;
    CHECK(end.outcome == SYNCLINE_OUTCOME_FAILED && end.code == 404 && is_text(end.message, "no such order"));
    nothing_more(&client);
    syncline_session_free(client.session);
}

static void every_transaction_is_counted_by_its_end(void) {
    struct client client = connected_by_3_1_1(new_config(4));
    struct syncline_counters counters;
    uint8_t transaction[16];
    char id[37];
    uint64_t deadline = 0, node = add_node(&client);
    SENT(&client, 0x82, 11, 0, 1, 0, 6, 'b', '/', 't', 'r', 'e', 's', 0);
    RECEIVE(&client, 0x90, 3, 0, 1, 0);
    next(&client, SYNCLINE_OUTPUT_KIND_NODE_CHANGED);

    request(&client, node, transaction, id);
    CHECK_OK(syncline_agent_abort(client.session, transaction));
    request(&client, node, transaction, id);
    CHECK_OK(syncline_agent_cancel_all(client.session));
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED)->transaction.outcome == SYNCLINE_OUTCOME_CANCELLED);
    request(&client, node, transaction, id);
    CHECK_OK(syncline_session_poll_timeout(client.session, &deadline));
    CHECK_OK(syncline_session_handle_timeout(client.session, deadline));
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED)->transaction.outcome == SYNCLINE_OUTCOME_TIMED_OUT);
    CHECK_OK(ask(&client, node, transaction));
    CHECK_OK(syncline_session_handle_transport_closed(client.session, NOW));
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED)->transaction.outcome ==
          SYNCLINE_OUTCOME_UNDELIVERABLE);
    next(&client, SYNCLINE_OUTPUT_KIND_DISCONNECTED);
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_NODE_CHANGED)->node.readiness == SYNCLINE_READINESS_WAITING);
    CHECK_RESULT(SYNCLINE_RESULT_NOT_CONNECTED, ask(&client, node, transaction));

    CHECK_OK(syncline_agent_counters(client.session, &counters));
    CHECK(counters.begun == 4 && counters.open == 0 && counters.aborted == 1 && counters.cancelled == 1);
    CHECK(counters.timed_out == 1 && counters.undeliverable == 1 && counters.replied == 0);
    CHECK_OK(syncline_agent_remove_node(client.session, node));
    CHECK_RESULT(SYNCLINE_RESULT_NODE_UNKNOWN, syncline_agent_remove_node(client.session, node));
    syncline_session_free(client.session);
}

static void a_refused_node_says_with_which_reason(void) {
    struct client client = connected_by_3_1_1(new_config(4));
    uint64_t node = add_node(&client);
    SENT(&client, 0x82, 11, 0, 1, 0, 6, 'b', '/', 't', 'r', 'e', 's', 0);
    RECEIVE(&client, 0x90, 3, 0, 1, 0x80);
    struct syncline_node_status status = next(&client, SYNCLINE_OUTPUT_KIND_NODE_CHANGED)->node;
    CHECK(status.node == node && status.readiness == SYNCLINE_READINESS_REFUSED && status.reason_code == 0x80);
    syncline_session_free(client.session);
}

static void a_session_registers_with_credentials_that_are_stored_first(void) {
    struct client client = new_client(new_config(4));
    struct syncline_registration_status status;
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_agent_registration_status(client.session, &status));
    struct syncline_error error = {{0}};
    struct syncline_registration_options options = {.username = {TEXT("line-1")}, .mode = 9};
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_agent_register_with(client.session, &options, &error));
    options.mode = SYNCLINE_REGISTRATION_MODE_MQTT;
    options.csr = (struct syncline_bytes){TEXT("-----BEGIN CERTIFICATE REQUEST-----")};
    CHECK_RESULT(SYNCLINE_RESULT_CONFIG_INVALID, syncline_agent_register_with(client.session, &options, &error));
    CHECK(strstr(error.text, "registry") != NULL);
    options = (struct syncline_registration_options){.username = {TEXT("line-1")}};
    CHECK_OK(syncline_agent_register_with(client.session, &options, NULL));

    CHECK_OK(syncline_session_connect(client.session, NOW));
    struct syncline_credentials credentials = next(&client, SYNCLINE_OUTPUT_KIND_STORE_CREDENTIALS)->credentials;
    CHECK(is_text(credentials.username, "line-1") && credentials.password.len == 43);
    char password[44] = {0};
    memcpy(password, credentials.password.data, 43);
    nothing_more(&client);
    CHECK_OK(syncline_agent_registration_status(client.session, &status));
    CHECK(status.state == SYNCLINE_REGISTRATION_STATE_AWAIT_STORED && strlen(status.pairing_id) == 6);
    CHECK_OK(syncline_agent_handle_credentials_stored(client.session, NOW));

    struct syncline_registry_request ask = next(&client, SYNCLINE_OUTPUT_KIND_ASK_REGISTRY)->request;
    CHECK(is_text(ask.method, "POST") && is_text(ask.path, "/api/client-registry/register") && ask.body.len > 43);
    struct syncline_registry_answer answer = {.status = 202};
    CHECK_OK(syncline_agent_handle_registry_answer(client.session, NOW, 0, ask.id + 1, &answer));
    nothing_more(&client);
    CHECK_OK(syncline_agent_handle_registry_answer(client.session, NOW, 0, ask.id, &answer));
    struct syncline_delay delay = next(&client, SYNCLINE_OUTPUT_KIND_REGISTRATION_DELAYED)->delay;
    CHECK(delay.obstacle == SYNCLINE_OBSTACLE_PENDING && delay.status == 202 && delay.retry_at > NOW);
    CHECK(strcmp(delay.pairing_id, status.pairing_id) == 0 && delay.text.len > 0);
    CHECK_OK(syncline_session_handle_timeout(client.session, delay.retry_at));
    ask = next(&client, SYNCLINE_OUTPUT_KIND_ASK_REGISTRY)->request;
    answer.status = 201;
    CHECK_OK(syncline_agent_handle_registry_answer(client.session, delay.retry_at, 0, ask.id, &answer));
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_GRANTED)->grant.certificate.len == 0);
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    nothing_more(&client);
    uint8_t connect[128];
    size_t len = sent(&client, connect, sizeof connect);
    CHECK(len > 43 && connect[9] == 0xC0 && memcmp(connect + len - 43, password, 43) == 0);
    RECEIVE(&client, 0x20, 2, 0, 0);
    next(&client, SYNCLINE_OUTPUT_KIND_CONNECTED);
    CHECK_OK(syncline_agent_registration_status(client.session, &status));
    CHECK(status.state == SYNCLINE_REGISTRATION_STATE_ONLINE);
    syncline_session_free(client.session);
}

static void a_registry_that_never_accepts_ends_it(void) {
    struct client client = new_client(new_config(4));
    const struct syncline_registration_options options = {
        .username = {TEXT("a")}, .password = {TEXT("word")}, .login = SYNCLINE_LOGIN_GIVEN};
    CHECK_OK(syncline_agent_register_with(client.session, &options, NULL));
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    RECEIVE(&client, 0x20, 2, 0, 5);
    next(&client, SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT);
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_DISCONNECTED)->disconnected.retry_at == UINT64_MAX);
    uint64_t id = next(&client, SYNCLINE_OUTPUT_KIND_ASK_REGISTRY)->request.id;
    const struct syncline_registry_answer answer = {.status = 422, .body = {TEXT("{\"message\":\"too short\"}")}};
    CHECK_OK(syncline_agent_handle_registry_answer(client.session, NOW, 0, id, &answer));
    const struct syncline_denial *denial = &next(&client, SYNCLINE_OUTPUT_KIND_DENIED)->denial;
    CHECK(denial->status == 422 && denial->text.len > 9);
    CHECK(memcmp(denial->text.data + denial->text.len - 9, "too short", 9) == 0);
    nothing_more(&client);
    syncline_session_free(client.session);
}

static void a_central_of_another_version_keeps_the_session_offline(void) {
    struct client client = new_client(new_config(4));
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_agent_check_version(client.session, TEXT("1.2.3"), 9));
    CHECK_OK(syncline_agent_check_version(client.session, TEXT("1.2.3"), SYNCLINE_VERSION_LIKENESS_COMPATIBLE));
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    RECEIVE(&client, 0x20, 2, 0, 0);
    next(&client, SYNCLINE_OUTPUT_KIND_CONNECTED);
    struct syncline_registry_request ask = next(&client, SYNCLINE_OUTPUT_KIND_ASK_VERSION)->request;
    CHECK(is_text(ask.method, "GET") && is_text(ask.path, "/api/system/info") && ask.body.len == 0);
    struct syncline_registry_answer answer = {.status = 200, .body = {TEXT("{\"version\":\"2.0.0\"}")}};
    CHECK_OK(syncline_agent_handle_version_answer(client.session, NOW, ask.id + 1, &answer));
    nothing_more(&client);
    CHECK_OK(syncline_agent_handle_version_answer(client.session, NOW, ask.id, &answer));
    struct syncline_version_mismatch mismatch = next(&client, SYNCLINE_OUTPUT_KIND_VERSION_DIFFERS)->mismatch;
    CHECK(is_text(mismatch.own, "1.2.3") && is_text(mismatch.central, "2.0.0"));
    CHECK(mismatch.retry_at > NOW && mismatch.text.len > 0);
    uint64_t retry_at = mismatch.retry_at;
    nothing_more(&client);
    uint8_t goodbye[64];
    size_t len = sent(&client, goodbye, sizeof goodbye);
    CHECK(len >= 2 && goodbye[len - 2] == 0xE0 && goodbye[len - 1] == 0);
    next(&client, SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT);
    CHECK(next(&client, SYNCLINE_OUTPUT_KIND_DISCONNECTED)->disconnected.kind == SYNCLINE_DISCONNECT_KIND_REQUESTED);

    CHECK_OK(syncline_session_handle_timeout(client.session, retry_at));
    ask = next(&client, SYNCLINE_OUTPUT_KIND_ASK_VERSION)->request;
    answer.body = (struct syncline_bytes){TEXT("{\"version\":\"1.2.9\"}")};
    CHECK_OK(syncline_agent_handle_version_answer(client.session, retry_at, ask.id, &answer));
    CHECK(is_text(next(&client, SYNCLINE_OUTPUT_KIND_VERSION_AGREES)->central, "1.2.9"));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    syncline_session_free(client.session);
}

int main(void) {
    a_node_is_subscribed_asked_and_answered();
    every_transaction_is_counted_by_its_end();
    a_refused_node_says_with_which_reason();
    a_session_registers_with_credentials_that_are_stored_first();
    a_registry_that_never_accepts_ends_it();
    a_central_of_another_version_keeps_the_session_offline();
    puts("agent: ok");
    return 0;
}
