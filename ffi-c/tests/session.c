/* The session from C without a socket: the server's bytes are written here, so that every output can be checked. */
#include "client.h"

static void messages_go_out_and_complete_at_each_qos(void) {
    struct client client = connected_by_3_1_1(new_config(4));
    uint64_t op[3] = {0};
    struct syncline_publication publication = {.topic = {TEXT("t")}, .payload = {TEXT("x")}};
    for (uint8_t qos = 0; qos < 3; qos++) {
        publication.qos = qos;
        CHECK_OK(syncline_session_publish(client.session, NOW, &publication, NULL, &op[qos]));
    }
    struct syncline_status status;
    CHECK_OK(syncline_session_status(client.session, &status));
    CHECK(status.in_flight == 2 && status.queued == 0 && status.unwritten == 22 && status.established);
    uint64_t unfinished[3];
    size_t count = 0;
    CHECK_OK(syncline_session_unfinished(client.session, unfinished, 3, &count));
    CHECK(count == 2 && unfinished[0] == op[1] && unfinished[1] == op[2]);
    SENT(&client, 0x30, 4, 0, 1, 't', 'x', 0x32, 6, 0, 1, 't', 0, 1, 'x', 0x34, 6, 0, 1, 't', 0, 2, 'x');
    const struct syncline_completed *completed = &next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED)->completed;
    CHECK(completed->op == op[0] && completed->kind == SYNCLINE_COMPLETION_KIND_PUBLISHED && completed->reason_code == 0);
    nothing_more(&client);
    RECEIVE(&client, 0x40, 2, 0, 1, 0x50, 2, 0, 2);
    completed = &next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED)->completed;
    CHECK(completed->op == op[1] && completed->loss == SYNCLINE_LOSS_NONE && completed->refusal == SYNCLINE_RESULT_OK);
    nothing_more(&client);
    SENT(&client, 0x62, 2, 0, 2);
    RECEIVE(&client, 0x70, 2, 0, 2);
    completed = &next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED)->completed;
    CHECK(completed->op == op[2] && completed->reason_string.len == 0 && completed->reason_codes.len == 0);
    nothing_more(&client);
    syncline_session_free(client.session);
}

static void a_shared_payload_is_written_from_where_it_is(void) {
    struct client client = connected_by_3_1_1(new_config(4));
    static uint8_t large[5000];
    memset(large, 'l', sizeof large);
    struct syncline_shared_bytes *shared = NULL;
    struct syncline_bytes view;
    CHECK_OK(syncline_bytes_new(large, sizeof large, &shared));
    CHECK_OK(syncline_bytes_view(shared, &view));
    struct syncline_publication publication = {.topic = {TEXT("t")}, .shared = shared};
    uint64_t op = 0;
    CHECK_OK(syncline_session_publish(client.session, NOW, &publication, NULL, &op));
    struct iovec runs[3];
    size_t count = 0;
    CHECK_OK(syncline_session_tx_iov(client.session, runs, 3, &count));
    CHECK(count == 2 && runs[0].iov_len == 6 && runs[1].iov_len == sizeof large && runs[1].iov_base == view.data);
    syncline_bytes_release(shared);
    CHECK(memcmp(runs[1].iov_base, large, sizeof large) == 0);
    CHECK_OK(syncline_session_tx_iov(client.session, runs, 1, &count));
    CHECK(count == 1);
    CHECK_OK(syncline_session_tx_iov(client.session, NULL, 0, &count));
    CHECK(count == 0);
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_session_tx_advance(client.session, NOW, sizeof large + 7));
    CHECK_OK(syncline_session_tx_advance(client.session, NOW, sizeof large + 6));
    next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED);
    syncline_session_free(client.session);
}

static void a_received_payload_can_be_kept(void) {
    struct syncline_session_config *config = new_config(4);
    CHECK_OK(syncline_session_config_set(config, SYNCLINE_SETTING_MANUAL_ACKS, 1, NULL));
    struct client client = connected_by_3_1_1(config);
    struct syncline_filter filters[2] = {{.filter = {TEXT("a/+")}, .qos = 1}, {.filter = {TEXT("b/#")}, .qos = 2}};
    uint64_t op = 0;
    CHECK_OK(syncline_session_subscribe(client.session, filters, 2, NULL, NULL, &op));
    SENT(&client, 0x82, 14, 0, 1, 0, 3, 'a', '/', '+', 1, 0, 3, 'b', '/', '#', 2);
    RECEIVE(&client, 0x90, 4, 0, 1, 1, 0x80);
    const struct syncline_completed *completed = &next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED)->completed;
    CHECK(completed->op == op && completed->kind == SYNCLINE_COMPLETION_KIND_SUBSCRIBED && completed->reason_code == 0x80);
    CHECK(completed->reason_codes.len == 2 && completed->reason_codes.data[0] == 1 && completed->reason_codes.data[1] == 0x80);

    RECEIVE(&client, 0x3B, 10, 0, 3, 'a', '/', 'b', 0, 9, 'y', 'e', 's');
    const struct syncline_message *message = &next(&client, SYNCLINE_OUTPUT_KIND_MESSAGE)->message;
    CHECK(is_text(message->topic, "a/b") && is_text(message->payload, "yes") && message->qos == 1);
    CHECK(message->dup && message->retain && message->needs_ack && message->response_topic.len == 0);
    struct syncline_property property;
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_session_property(client.session, 0, &property));
    struct syncline_shared_bytes *kept = NULL, *again = NULL;
    CHECK_OK(syncline_bytes_retain(message->shared, &kept));
    uint64_t token = message->ack_token;
    nothing_more(&client);
    CHECK_OK(syncline_session_acknowledge(client.session, token));
    SENT(&client, 0x40, 2, 0, 9);
    CHECK_RESULT(SYNCLINE_RESULT_STALE_TOKEN, syncline_session_acknowledge(client.session, token));

    CHECK_OK(syncline_session_unsubscribe(client.session, filters, 1, NULL, NULL, &op));
    SENT(&client, 0xA2, 7, 0, 1, 0, 3, 'a', '/', '+');
    RECEIVE(&client, 0xB0, 2, 0, 1);
    completed = &next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED)->completed;
    CHECK(completed->kind == SYNCLINE_COMPLETION_KIND_UNSUBSCRIBED && completed->reason_codes.len == 0);
    syncline_session_free(client.session);

    struct syncline_bytes view;
    CHECK_OK(syncline_bytes_retain(kept, &again));
    syncline_bytes_release(kept);
    CHECK_OK(syncline_bytes_view(again, &view));
    CHECK(is_text(view, "yes"));
    syncline_bytes_release(again);
}

static void properties_go_both_ways(void) {
    struct client client = new_client(new_config(5));
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    uint8_t bytes[128];
    CHECK(sent(&client, bytes, sizeof bytes) > 0);
    RECEIVE(&client, 0x20, 6, 0, 0, 3, 0x21, 0, 9);
    const struct syncline_connected *facts = &next(&client, SYNCLINE_OUTPUT_KIND_CONNECTED)->connected;
    CHECK(facts->version == 5 && facts->server.receive_maximum == 9 && facts->session_expiry == 3600);
    struct syncline_property property;
    CHECK_OK(syncline_session_property(client.session, 0, &property));
    CHECK(property.id == 0x21 && property.number == 9 && property.value.len == 0);

    struct syncline_properties *properties = NULL;
    CHECK_OK(syncline_properties_new(&properties));
    struct syncline_property topic = {.id = 0x08, .value = {TEXT("r")}}, user = {.id = 0x26, .name = {TEXT("n")},
                                                                                .value = {TEXT("v")}};
    CHECK_OK(syncline_properties_add(properties, &topic, NULL));
    CHECK_RESULT(SYNCLINE_RESULT_PROPERTY_INVALID, syncline_properties_add(properties, &topic, NULL));
    CHECK_OK(syncline_properties_add(properties, &user, NULL));
    struct syncline_property unknown = {.id = 0x7F};
    CHECK_RESULT(SYNCLINE_RESULT_UNKNOWN, syncline_properties_add(properties, &unknown, NULL));
    struct syncline_publication publication = {.topic = {TEXT("t")}, .properties = properties};
    uint64_t op = 0;
    CHECK_OK(syncline_session_publish(client.session, NOW, &publication, NULL, &op));
    SENT(&client, 0x30, 15, 0, 1, 't', 11, 0x08, 0, 1, 'r', 0x26, 0, 1, 'n', 0, 1, 'v');
    next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED);
    CHECK_OK(syncline_properties_clear(properties));
    struct syncline_property alias = {.id = 0x23, .number = 1};
    CHECK_OK(syncline_properties_add(properties, &alias, NULL));
    struct syncline_error error = {{0}};
    CHECK_RESULT(SYNCLINE_RESULT_PROPERTY_INVALID,
                 syncline_session_publish(client.session, NOW, &publication, &error, &op));
    CHECK(strstr(error.text, "topic alias") != NULL);
    syncline_properties_free(properties);
    syncline_session_free(client.session);
}

static void response_topic_and_correlation_data_are_at_hand(void) {
    struct client client = new_client(new_config(5));
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    RECEIVE(&client, 0x20, 3, 0, 0, 0);
    next(&client, SYNCLINE_OUTPUT_KIND_CONNECTED);
    RECEIVE(&client, 0x30, 18, 0, 1, 't', 14, 0x08, 0, 1, 'r', 0x09, 0, 2, 7, 8, 0x02, 0, 0, 0, 5);
    const struct syncline_message *message = &next(&client, SYNCLINE_OUTPUT_KIND_MESSAGE)->message;
    CHECK(is_text(message->response_topic, "r") && message->payload.len == 0 && !message->needs_ack);
    CHECK(message->correlation_data.len == 2 && message->correlation_data.data[1] == 8);
    struct syncline_property property;
    CHECK_OK(syncline_session_property(client.session, 2, &property));
    CHECK(property.id == 0x02 && property.number == 5);
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_session_property(client.session, 3, &property));
    syncline_session_free(client.session);
}

static void a_challenge_is_answered(void) {
    struct syncline_session_config *config = new_config(5);
    CHECK_OK(syncline_session_config_set_authentication(config, TEXT("M"), TEXT("first")));
    struct client client = new_client(config);
    CHECK_RESULT(SYNCLINE_RESULT_NOT_CHALLENGED,
                 syncline_session_authenticate(client.session, NOW, TEXT("x"), NULL, NULL));
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_set_authentication_data(client.session, TEXT("again")));
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    uint8_t bytes[128];
    size_t len = sent(&client, bytes, sizeof bytes);
    const uint8_t data[] = {0x16, 0, 5, 'a', 'g', 'a', 'i', 'n'};
    bool found = false;
    for (size_t at = 0; at + sizeof data <= len; at++) {
        found = found || memcmp(bytes + at, data, sizeof data) == 0;
    }
    CHECK(found);
    RECEIVE(&client, 0xF0, 10, 0x18, 8, 0x15, 0, 1, 'M', 0x16, 0, 1, '?');
    const struct syncline_auth_challenge *challenge =
        &next(&client, SYNCLINE_OUTPUT_KIND_AUTH_CHALLENGE)->auth_challenge;
    CHECK(is_text(challenge->data, "?") && challenge->reason_string.len == 0);
    CHECK_OK(syncline_session_authenticate(client.session, NOW, TEXT("!"), NULL, NULL));
    SENT(&client, 0xF0, 10, 0x18, 8, 0x15, 0, 1, 'M', 0x16, 0, 1, '!');
    RECEIVE(&client, 0x20, 7, 0, 0, 4, 0x15, 0, 1, 'M');
    next(&client, SYNCLINE_OUTPUT_KIND_CONNECTED);
    uint64_t op = 0, second = 0;
    CHECK_OK(syncline_session_reauthenticate(client.session, TEXT("new"), NULL, NULL, &op));
    CHECK_RESULT(SYNCLINE_RESULT_AUTHENTICATING,
                 syncline_session_reauthenticate(client.session, TEXT("new"), NULL, NULL, &second));
    RECEIVE(&client, 0xF0, 6, 0x00, 4, 0x15, 0, 1, 'M');
    const struct syncline_completed *completed = &next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED)->completed;
    CHECK(completed->op == op && completed->kind == SYNCLINE_COMPLETION_KIND_AUTHENTICATED);
    syncline_session_free(client.session);
}

static void the_end_of_a_connection_says_why_and_when_to_come_back(void) {
    struct client client = connected_by_3_1_1(new_config(4));
    uint64_t op = 0, deadline = 0;
    struct syncline_publication publication = {.topic = {TEXT("t")}, .qos = 1};
    CHECK_OK(syncline_session_handle_transport_closed(client.session, NOW));
    const struct syncline_disconnected *end = &next(&client, SYNCLINE_OUTPUT_KIND_DISCONNECTED)->disconnected;
    CHECK(end->kind == SYNCLINE_DISCONNECT_KIND_TRANSPORT_CLOSED && end->text.len > 0 && end->retry_at > NOW);
    CHECK_OK(syncline_session_poll_timeout(client.session, &deadline));
    CHECK(deadline == end->retry_at);
    CHECK_OK(syncline_session_handle_timeout(client.session, deadline - 1));
    nothing_more(&client);
    CHECK_OK(syncline_session_handle_timeout(client.session, deadline));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_publish(client.session, NOW, &publication, NULL, &op));
    struct syncline_filter filter = {.filter = {TEXT("a")}};
    struct syncline_error error = {{0}};
    CHECK_RESULT(SYNCLINE_RESULT_NOT_CONNECTED,
                 syncline_session_subscribe(client.session, &filter, 1, NULL, &error, &op));
    CHECK(strcmp(error.text, "not connected") == 0);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    RECEIVE(&client, 0x20, 2, 0, 5);
    next(&client, SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT);
    end = &next(&client, SYNCLINE_OUTPUT_KIND_DISCONNECTED)->disconnected;
    CHECK(end->kind == SYNCLINE_DISCONNECT_KIND_REFUSED && end->reason_code == 0x87 && end->retry_at == UINT64_MAX);
    next(&client, SYNCLINE_OUTPUT_KIND_GAVE_UP);
    nothing_more(&client);
    CHECK_OK(syncline_session_set_credentials(client.session, TEXT("user"), TEXT("word")));
    CHECK_OK(syncline_session_disconnect(client.session, NOW, NULL, NULL));
    end = &next(&client, SYNCLINE_OUTPUT_KIND_DISCONNECTED)->disconnected;
    CHECK(end->kind == SYNCLINE_DISCONNECT_KIND_REQUESTED && is_text(end->text, "disconnect was requested"));
    const struct syncline_completed *completed = &next(&client, SYNCLINE_OUTPUT_KIND_COMPLETED)->completed;
    CHECK(completed->kind == SYNCLINE_COMPLETION_KIND_LOST && completed->loss == SYNCLINE_LOSS_CLOSED);
    syncline_session_free(client.session);
}

static void room_is_for_the_next_call_alone(void) {
    struct client client = new_client(new_config(4));
    struct syncline_room room;
    CHECK_OK(syncline_session_rx_space(client.session, &room));
    CHECK(room.len == 0);
    syncline_session_free(client.session);
    client = connected_by_3_1_1(new_config(4));
    CHECK_OK(syncline_session_rx_space(client.session, &room));
    CHECK(room.len > 0);
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_session_rx_commit(client.session, room.len + 1));
    nothing_more(&client);
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE, syncline_session_rx_commit(client.session, 1));
    CHECK_OK(syncline_session_rx_commit(client.session, 0));
    syncline_session_free(client.session);
}

/* A store of a few records, as long as the programs below need it. */
struct disk {
    struct syncline_stored_record records[8];
    uint8_t bytes[8][128];
    size_t len;
};

static void carry_out(struct disk *disk, const struct syncline_store_change *change) {
    size_t at = 0;
    while (at < disk->len && disk->records[at].key != change->key) {
        at++;
    }
    if (!change->put) {
        if (at < disk->len) {
            disk->len--;
            disk->records[at].key = disk->records[disk->len].key;
            disk->records[at].record.len = disk->records[disk->len].record.len;
            memcpy(disk->bytes[at], disk->bytes[disk->len], sizeof disk->bytes[at]);
        }
        return;
    }
    CHECK(at < 8 && change->record.len <= sizeof disk->bytes[at]);
    if (change->record.len > 0) {
        memcpy(disk->bytes[at], change->record.data, change->record.len);
    }
    disk->records[at].key = change->key;
    disk->records[at].record.data = disk->bytes[at];
    disk->records[at].record.len = change->record.len;
    disk->len += at == disk->len;
}

static struct client restored(const struct disk *disk, size_t queued) {
    struct syncline_session_config *config = new_config(4);
    struct client client = {0};
    struct syncline_restored counts;
    CHECK_OK(syncline_session_restore(config, SEED, sizeof SEED, NOW, 1790000000000, disk->records, disk->len, NULL,
                                      &counts, &client.session));
    CHECK(counts.queued == queued && counts.in_flight == 0 && counts.received == 0);
    syncline_session_config_free(config);
    return client;
}

static void a_stored_message_outlives_the_process(void) {
    static struct disk disk;
    struct client client = restored(&disk, 0);
    struct syncline_publication publication = {.topic = {TEXT("t")}, .payload = {TEXT("x")}, .qos = 1};
    uint64_t op = 0, seq = 0;
    CHECK_OK(syncline_session_publish(client.session, NOW, &publication, NULL, &op));
    uint64_t last = 0;
    while (syncline_session_poll(client.session, NOW, &client.output) == SYNCLINE_RESULT_OK) {
        CHECK(client.output.kind == SYNCLINE_OUTPUT_KIND_STORE && client.output.event.store.seq == last + 1);
        last = client.output.event.store.seq;
        carry_out(&disk, &client.output.event.store);
    }
    CHECK(last > 0 && disk.len == last);
    CHECK_OK(syncline_session_awaits_persisted(client.session, &seq));
    CHECK(seq == last);
    CHECK_OK(syncline_session_handle_persisted(client.session, last));
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_session_awaits_persisted(client.session, &seq));
    syncline_session_free(client.session);

    client = restored(&disk, 1);
    uint64_t inherited = 0;
    size_t count = 0;
    CHECK_OK(syncline_session_unfinished(client.session, &inherited, 1, &count));
    CHECK(count == 1 && inherited == op);
    syncline_session_free(client.session);

    disk.records[disk.len - 1].record.len = 1;
    struct syncline_session_config *config = new_config(4);
    struct syncline_session *none = NULL;
    struct syncline_restored counts;
    struct syncline_error error = {{0}};
    CHECK_RESULT(SYNCLINE_RESULT_RECORDS_INVALID,
                 syncline_session_restore(config, SEED, sizeof SEED, NOW, 0, disk.records, disk.len, &error, &counts,
                                          &none));
    CHECK(none == NULL && strstr(error.text, "stored session cannot be read: message 1") == error.text);
    syncline_session_config_free(config);
}

static void a_configuration_that_cannot_be_says_why(void) {
    struct syncline_session_config *config = new_config(4);
    CHECK_OK(syncline_session_config_set_credentials(config, NULL, 0, TEXT("word")));
    struct syncline_session *session = NULL;
    struct syncline_error error = {{0}};
    CHECK_RESULT(SYNCLINE_RESULT_CONFIG_INVALID,
                 syncline_session_new(config, SEED, sizeof SEED, &error, &session));
    CHECK(session == NULL && strstr(error.text, "user name") == error.text);
    CHECK_RESULT(SYNCLINE_RESULT_SEED_INVALID, syncline_session_new(config, SEED, 31, NULL, &session));
    CHECK_RESULT(SYNCLINE_RESULT_UNKNOWN, syncline_session_config_set(config, 10000, 0, NULL));
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE,
                 syncline_session_config_set(config, SYNCLINE_SETTING_KEEP_ALIVE_SECONDS, 65536, NULL));
    CHECK_RESULT(SYNCLINE_RESULT_VERSION_UNKNOWN, syncline_session_config_set(config, SYNCLINE_SETTING_VERSION, 3, NULL));
    CHECK_OK(syncline_session_config_set_credentials(config, TEXT("user"), TEXT("word")));
    struct syncline_publication will = {.topic = {TEXT("w/+")}};
    CHECK_RESULT(SYNCLINE_RESULT_TOPIC_INVALID, syncline_session_config_set_will(config, &will, NULL));
    will = (struct syncline_publication){.topic = {TEXT("w")}, .payload = {TEXT("gone")}, .qos = 1, .retain = true};
    CHECK_OK(syncline_session_config_set_will(config, &will, NULL));
    CHECK_OK(syncline_session_config_set_properties(config, NULL));
    struct client client = new_client(config);
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    SENT(&client, 0x10, 34, 0, 4, 'M', 'Q', 'T', 'T', 4, 0xEC, 0, 60, 0, 1, 'c', 0, 1, 'w', 0, 4, 'g', 'o', 'n', 'e', 0,
         4, 'u', 's', 'e', 'r', 0, 4, 'w', 'o', 'r', 'd');
    syncline_session_free(client.session);
}

/* A dial that succeeds may be overtaken by the wish to close: told late, it is no mistake and changes nothing. */
static void a_transport_that_nobody_asked_for_is_ignored(void) {
    struct client client = new_client(new_config(5));
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    nothing_more(&client);
    CHECK_OK(syncline_session_connect(client.session, NOW));
    next(&client, SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    CHECK_OK(syncline_session_disconnect(client.session, NOW, NULL, NULL));
    syncline_result drained;
    while ((drained = syncline_session_poll(client.session, NOW, &client.output)) == SYNCLINE_RESULT_OK) {
        CHECK(client.output.kind != SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT);
    }
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, drained);
    CHECK_OK(syncline_session_handle_transport_open(client.session, NOW));
    nothing_more(&client);
    struct syncline_status status;
    CHECK_OK(syncline_session_status(client.session, &status));
    CHECK(status.unwritten == 0 && status.version == 0 && !status.established);
    syncline_session_free(client.session);
}

int main(void) {
    a_transport_that_nobody_asked_for_is_ignored();
    messages_go_out_and_complete_at_each_qos();
    a_shared_payload_is_written_from_where_it_is();
    a_received_payload_can_be_kept();
    properties_go_both_ways();
    response_topic_and_correlation_data_are_at_hand();
    a_challenge_is_answered();
    the_end_of_a_connection_says_why_and_when_to_come_back();
    room_is_for_the_next_call_alone();
    a_stored_message_outlives_the_process();
    a_configuration_that_cannot_be_says_why();
    puts("session: ok");
    return 0;
}
