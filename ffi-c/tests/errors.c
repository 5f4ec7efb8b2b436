/* Every call that takes a place for an error text, refused in each of its ways: the text says where, and how to mend it. */
#include "client.h"

/* cargo xtask sees to it that each export with a place for a text is refused here. */
#define TELLS(result, words, call)                                                                 \
    do {                                                                                           \
        memset(&error, 0, sizeof error);                                                           \
        CHECK_RESULT(SYNCLINE_RESULT_##result, call);                                              \
        if (strstr(error.text, words) == NULL) {                                                   \
            fprintf(stderr, "%s:%d: %s says: %s\n", __FILE__, __LINE__, #call, error.text);        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static struct syncline_error error;
static uint64_t op;

static const struct syncline_bytes BROKEN = {TEXT("a\xC3(")};

static struct syncline_bytes text(const char *words) {
    struct syncline_bytes bytes = {(const uint8_t *)words, strlen(words)};
    return bytes;
}

static void topics(void) {
    TELLS(TOPIC_INVALID, "wildcard", syncline_topic_name_check(TEXT("a/+"), &error));
    TELLS(TOPIC_INVALID, "utf-8", syncline_topic_name_check(BROKEN.data, BROKEN.len, &error));
    TELLS(NULL_POINTER, "topic is NULL", syncline_topic_name_check(NULL, 1, &error));
    TELLS(FILTER_INVALID, "#", syncline_topic_filter_check(TEXT("a/#/b"), &error));
    TELLS(NULL_POINTER, "filter is NULL", syncline_topic_filter_check(NULL, 1, &error));
}

static void configurations(void) {
    struct syncline_session_config *config = new_config(5);
    struct syncline_node_config *node = NULL;
    struct syncline_session *session = NULL;
    struct syncline_publication will = {.topic = text("will"), .qos = 7};
    TELLS(UNKNOWN, "setting is 99, expected one of SYNCLINE_SETTING_", syncline_session_config_set(config, 99, 0, &error));
    TELLS(OUT_OF_RANGE, "SYNCLINE_SETTING_RECEIVE_MAXIMUM is 0",
          syncline_session_config_set(config, SYNCLINE_SETTING_RECEIVE_MAXIMUM, 0, &error));
    TELLS(VERSION_UNKNOWN, "SYNCLINE_SETTING_VERSION is 3",
          syncline_session_config_set(config, SYNCLINE_SETTING_VERSION, 3, &error));
    TELLS(OUT_OF_RANGE, "qos is 7, expected 0, 1 or 2", syncline_session_config_set_will(config, &will, &error));
    will.qos = 0;
    will.topic = BROKEN;
    TELLS(TOPIC_INVALID, "utf-8", syncline_session_config_set_will(config, &will, &error));
    will.topic = text("will");
    will.payload.len = 1;
    TELLS(NULL_POINTER, "payload is NULL", syncline_session_config_set_will(config, &will, &error));
    TELLS(NOT_UTF8, "base is not utf-8 at byte 1", syncline_node_config_new(BROKEN.data, BROKEN.len, &error, &node));
    TELLS(TOPIC_INVALID, "wildcard", syncline_node_config_new(TEXT("a/+"), &error, &node));
    TELLS(SEED_INVALID, "seed is 5 bytes long, expected 32", syncline_session_new(config, SEED, 5, &error, &session));
    CHECK_OK(syncline_session_config_set(config, SYNCLINE_SETTING_RECONNECT_LONGEST, 1, &error));
    TELLS(CONFIG_INVALID, "reconnect waits", syncline_session_new(config, SEED, sizeof SEED, &error, &session));
    CHECK(session == NULL && node == NULL);
    syncline_session_config_free(config);
}

static void property_lists(void) {
    struct syncline_properties *list = NULL;
    struct syncline_property property = {.id = 0xEE};
    CHECK_OK(syncline_properties_new(&list));
    TELLS(UNKNOWN, "id is 0xee, which is no property", syncline_properties_add(list, &property, &error));
    property.id = 0x01;
    property.number = 2;
    TELLS(OUT_OF_RANGE, "number is 2, expected 0 or 1", syncline_properties_add(list, &property, &error));
    property.id = 0x03;
    property.value = BROKEN;
    TELLS(NOT_UTF8, "value is not utf-8 at byte 1", syncline_properties_add(list, &property, &error));
    syncline_properties_free(list);
}

static void registrations(void) {
    struct syncline_registration *registration = NULL;
    struct syncline_registration_options options = {.username = BROKEN};
    struct client client = new_client(new_config(5));
    TELLS(NOT_UTF8, "username is not utf-8", syncline_registration_new(&options, SEED, 32, &error, &registration));
    options.username = text("line-1");
    options.mode = 9;
    TELLS(OUT_OF_RANGE, "mode is 9, expected one of SYNCLINE_REGISTRATION_MODE_",
          syncline_registration_new(&options, SEED, 32, &error, &registration));
    TELLS(OUT_OF_RANGE, "mode is 9", syncline_agent_register_with(client.session, &options, &error));
    options.mode = 0;
    options.login = 9;
    TELLS(OUT_OF_RANGE, "login is 9", syncline_agent_register_with(client.session, &options, &error));
    CHECK(registration == NULL);
    syncline_session_free(client.session);
}

static void commands(struct client *client) {
    struct syncline_publication publication = {.topic = text("a"), .qos = 7};
    struct syncline_filter filter = {.filter = text("a"), .qos = 7};
    TELLS(OUT_OF_RANGE, "qos is 7", syncline_session_publish(client->session, NOW, &publication, &error, &op));
    publication.qos = 0;
    publication.topic = text("a/#");
    TELLS(TOPIC_INVALID, "wildcard", syncline_session_publish(client->session, NOW, &publication, &error, &op));
    publication.topic = BROKEN;
    TELLS(TOPIC_INVALID, "utf-8", syncline_session_publish(client->session, NOW, &publication, &error, &op));
    TELLS(OUT_OF_RANGE, "qos is 7", syncline_session_subscribe(client->session, &filter, 1, NULL, &error, &op));
    filter.qos = 0;
    filter.retain_handling = 3;
    TELLS(OUT_OF_RANGE, "retain_handling is 3",
          syncline_session_subscribe(client->session, &filter, 1, NULL, &error, &op));
    filter.filter = BROKEN;
    TELLS(FILTER_INVALID, "utf-8", syncline_session_subscribe(client->session, &filter, 1, NULL, &error, &op));
    TELLS(FILTER_INVALID, "utf-8", syncline_session_unsubscribe(client->session, &filter, 1, NULL, &error, &op));
    TELLS(PACKET_INVALID, "no topic filter", syncline_session_subscribe(client->session, NULL, 0, NULL, &error, &op));
    TELLS(PACKET_INVALID, "no topic filter", syncline_session_unsubscribe(client->session, NULL, 0, NULL, &error, &op));
    TELLS(NULL_POINTER, "op is NULL", syncline_session_subscribe(client->session, &filter, 1, NULL, &error, NULL));
}

static void authentication(struct client *client) {
    TELLS(NULL_POINTER, "data is NULL", syncline_session_authenticate(client->session, NOW, NULL, 1, NULL, &error));
    CHECK(syncline_session_authenticate(client->session, NOW, SEED, 1, NULL, &error) != SYNCLINE_RESULT_OK);
    CHECK(error.text[0] != 0);
    TELLS(NULL_POINTER, "data is NULL", syncline_session_reauthenticate(client->session, NULL, 1, NULL, &error, &op));
}

static void requests(struct client *client) {
    uint8_t transaction[16];
    TELLS(NOT_JSON, "value is not one JSON text: ",
          syncline_agent_request(client->session, NOW, 0, 1, TEXT("{"), 0, 0, &error, transaction));
    TELLS(NODE_UNKNOWN, "node", syncline_agent_request(client->session, NOW, 0, 1, TEXT("1"), 0, 0, &error, transaction));
}

static void records(void) {
    struct syncline_session_config *config = new_config(5);
    struct syncline_stored_record record = {.key = 1, .record = text("broken")};
    struct syncline_restored restored;
    struct syncline_session *session = NULL;
    TELLS(RECORDS_INVALID, "unknown key 0x0000000000000001; move it aside",
          syncline_session_restore(config, SEED, 32, NOW, 0, &record, 1, &error, &restored, &session));
    TELLS(SEED_INVALID, "seed is 3 bytes long",
          syncline_session_restore(config, SEED, 3, NOW, 0, NULL, 0, &error, &restored, &session));
    CHECK(session == NULL);
    syncline_session_config_free(config);
}

static void disconnects(struct client *client) {
    struct syncline_disconnect_options options = {.session_expiry = 5, .set_session_expiry = true};
    TELLS(NULL_POINTER, "session is NULL", syncline_session_disconnect(NULL, NOW, &options, &error));
    CHECK_OK(syncline_session_disconnect(client->session, NOW, NULL, &error));
}

int main(void) {
    struct client offline = new_client(new_config(5)), connected = connected_by_3_1_1(new_config(4));
    topics();
    configurations();
    property_lists();
    registrations();
    commands(&offline);
    commands(&connected);
    authentication(&connected);
    requests(&offline);
    records();
    disconnects(&connected);
    syncline_session_free(offline.session);
    syncline_session_free(connected.session);
    puts("errors: ok");
    return 0;
}
