/* Every export with each of its pointers missing in turn: an error, and nothing written or changed. */
#include <sys/uio.h>

#include "check.h"

/* cargo xtask compares this file with the header: no export may be missing. A call that takes a place for a text says there
   which pointer is missing. */
#define REFUSED(call)                                                                              \
    do {                                                                                           \
        places.error.text[0] = 0;                                                                  \
        CHECK_RESULT(SYNCLINE_RESULT_NULL_POINTER, call);                                          \
        CHECK((strstr(#call, "&places.error") != NULL) ==                                          \
              (strstr(places.error.text, " is NULL where a pointer has to be given") != NULL));    \
        memset(&places.error, 0x5A, sizeof places.error);                                          \
    } while (0)

static const uint8_t BYTE[32] = {'a'};

/* Handles that calls may be made with. */
static struct {
    struct syncline_node_config *node_config;
    struct syncline_properties *properties;
    struct syncline_registration *registration;
    struct syncline_requester *requester;
    struct syncline_responder *responder;
    struct syncline_session *session;
    struct syncline_session_config *session_config;
    struct syncline_shared_bytes *shared;
} live, made;

/* Inputs. */
static struct {
    struct syncline_filter filter;
    struct syncline_property property;
    struct syncline_publication publication;
    struct syncline_publish publish;
    struct syncline_stored_record stored_record;
    struct syncline_disconnect_options disconnect_options;
    struct syncline_registration_options registration_options;
    struct syncline_registry_answer registry_answer;
    struct syncline_responder_bounds responder_bounds;
} given;

/* Places for results. */
static struct places {
    uint8_t buffer[32];
    struct iovec run;
    uint64_t number;
    size_t size;
    bool flag;
    syncline_delivery delivery;
    struct syncline_bytes bytes;
    struct syncline_completion completion;
    struct syncline_counters counters;
    struct syncline_error error;
    struct syncline_frame frame;
    struct syncline_incoming incoming;
    struct syncline_node_status node_status;
    struct syncline_output output;
    struct syncline_property property;
    struct syncline_publish publish;
    struct syncline_registration_output registration_output;
    struct syncline_registration_status registration_status;
    struct syncline_restored restored;
    struct syncline_room room;
    struct syncline_status status;
    struct syncline_treq treq;
    struct syncline_tres tres;
} places;

static void configurations(void) {
    REFUSED(syncline_node_config_new(NULL, 1, &places.error, &made.node_config));
    REFUSED(syncline_node_config_new(BYTE, 1, &places.error, NULL));
    REFUSED(syncline_node_config_set_qos(NULL, 0));
    REFUSED(syncline_node_config_set_timeout(NULL, 0));
    REFUSED(syncline_node_config_set_timeout_error(NULL, 0, BYTE, 1));
    REFUSED(syncline_node_config_set_timeout_error(live.node_config, 0, NULL, 1));
    REFUSED(syncline_node_config_set_max_in_flight(NULL, 0));
    REFUSED(syncline_session_config_new(NULL, 1, &made.session_config));
    REFUSED(syncline_session_config_new(BYTE, 1, NULL));
    REFUSED(syncline_session_config_set(NULL, 0, 0, &places.error));
    REFUSED(syncline_session_config_set_credentials(NULL, BYTE, 1, BYTE, 1));
    REFUSED(syncline_session_config_set_credentials(live.session_config, NULL, 1, BYTE, 1));
    REFUSED(syncline_session_config_set_credentials(live.session_config, BYTE, 1, NULL, 1));
    REFUSED(syncline_session_config_set_authentication(NULL, BYTE, 1, BYTE, 1));
    REFUSED(syncline_session_config_set_authentication(live.session_config, NULL, 1, BYTE, 1));
    REFUSED(syncline_session_config_set_authentication(live.session_config, BYTE, 1, NULL, 1));
    REFUSED(syncline_session_config_set_will(NULL, &given.publication, &places.error));
    REFUSED(syncline_session_config_set_properties(NULL, live.properties));
}

static void packets(void) {
    REFUSED(syncline_packet_peek(NULL, 1, 4, 0, &places.frame));
    REFUSED(syncline_packet_peek(BYTE, 1, 4, 0, NULL));
    REFUSED(syncline_publish_decode(NULL, 1, 4, &places.publish));
    REFUSED(syncline_publish_decode(BYTE, 1, 4, NULL));
    REFUSED(syncline_publish_encode(NULL, 4, places.buffer, sizeof places.buffer, &places.size));
    REFUSED(syncline_publish_encode(&given.publish, 4, NULL, sizeof places.buffer, &places.size));
    REFUSED(syncline_publish_encode(&given.publish, 4, places.buffer, sizeof places.buffer, NULL));
}

static void property_lists(void) {
    REFUSED(syncline_properties_new(NULL));
    REFUSED(syncline_properties_clear(NULL));
    REFUSED(syncline_properties_add(NULL, &given.property, &places.error));
    REFUSED(syncline_properties_add(live.properties, NULL, &places.error));
}

static void requesters(void) {
    REFUSED(syncline_requester_new(NULL, 1, &made.requester));
    REFUSED(syncline_requester_new(BYTE, 1, NULL));
    REFUSED(syncline_requester_add_node(NULL, live.node_config, &places.number));
    REFUSED(syncline_requester_add_node(live.requester, NULL, &places.number));
    REFUSED(syncline_requester_add_node(live.requester, live.node_config, NULL));
    REFUSED(syncline_requester_remove_node(NULL, 0));
    REFUSED(syncline_requester_begin(NULL, 0, 0, 0, BYTE, 1, 0, 0, &places.treq));
    REFUSED(syncline_requester_begin(live.requester, 0, 0, 0, NULL, 1, 0, 0, &places.treq));
    REFUSED(syncline_requester_begin(live.requester, 0, 0, 0, BYTE, 1, 0, 0, NULL));
    REFUSED(syncline_requester_handle_message(NULL, BYTE, 1, BYTE, 1, false, &places.delivery));
    REFUSED(syncline_requester_handle_message(live.requester, NULL, 1, BYTE, 1, false, &places.delivery));
    REFUSED(syncline_requester_handle_message(live.requester, BYTE, 1, NULL, 1, false, &places.delivery));
    REFUSED(syncline_requester_handle_message(live.requester, BYTE, 1, BYTE, 1, false, NULL));
    REFUSED(syncline_requester_handle_timeout(NULL, 0));
    REFUSED(syncline_requester_poll_timeout(NULL, &places.number));
    REFUSED(syncline_requester_poll_timeout(live.requester, NULL));
    REFUSED(syncline_requester_poll(NULL, &places.completion));
    REFUSED(syncline_requester_poll(live.requester, NULL));
    REFUSED(syncline_requester_abort(NULL, BYTE));
    REFUSED(syncline_requester_abort(live.requester, NULL));
    REFUSED(syncline_requester_cancel_all(NULL));
    REFUSED(syncline_requester_undeliverable(NULL, BYTE, 0));
    REFUSED(syncline_requester_undeliverable(live.requester, NULL, 0));
    REFUSED(syncline_requester_counters(NULL, &places.counters));
    REFUSED(syncline_requester_counters(live.requester, NULL));
}

static void agents(void) {
    REFUSED(syncline_agent_add_node(NULL, 0, live.node_config, &places.number));
    REFUSED(syncline_agent_add_node(live.session, 0, NULL, &places.number));
    REFUSED(syncline_agent_add_node(live.session, 0, live.node_config, NULL));
    REFUSED(syncline_agent_remove_node(NULL, 0));
    REFUSED(syncline_agent_node_status(NULL, 0, &places.node_status));
    REFUSED(syncline_agent_node_status(live.session, 0, NULL));
    REFUSED(syncline_agent_request(NULL, 0, 0, 0, BYTE, 1, 0, 0, &places.error, places.buffer));
    REFUSED(syncline_agent_request(live.session, 0, 0, 0, NULL, 1, 0, 0, &places.error, places.buffer));
    REFUSED(syncline_agent_request(live.session, 0, 0, 0, BYTE, 1, 0, 0, &places.error, NULL));
    REFUSED(syncline_agent_abort(NULL, BYTE));
    REFUSED(syncline_agent_abort(live.session, NULL));
    REFUSED(syncline_agent_cancel_all(NULL));
    REFUSED(syncline_agent_counters(NULL, &places.counters));
    REFUSED(syncline_agent_counters(live.session, NULL));
    REFUSED(syncline_agent_register_with(NULL, &given.registration_options, &places.error));
    REFUSED(syncline_agent_register_with(live.session, NULL, &places.error));
    REFUSED(syncline_agent_handle_credentials_stored(NULL, 0));
    REFUSED(syncline_agent_handle_registry_answer(NULL, 0, 0, 0, &given.registry_answer));
    REFUSED(syncline_agent_handle_registry_answer(live.session, 0, 0, 0, NULL));
    REFUSED(syncline_agent_check_version(NULL, BYTE, 1, 0));
    REFUSED(syncline_agent_check_version(live.session, NULL, 1, 0));
    REFUSED(syncline_agent_handle_version_answer(NULL, 0, 0, &given.registry_answer));
    REFUSED(syncline_agent_handle_version_answer(live.session, 0, 0, NULL));
    REFUSED(syncline_agent_registration_status(NULL, &places.registration_status));
    REFUSED(syncline_agent_registration_status(live.session, NULL));
}

static void registrations(void) {
    REFUSED(syncline_registration_new(NULL, BYTE, 32, &places.error, &made.registration));
    REFUSED(syncline_registration_new(&given.registration_options, NULL, 32, &places.error, &made.registration));
    REFUSED(syncline_registration_new(&given.registration_options, BYTE, 32, &places.error, NULL));
    REFUSED(syncline_registration_start(NULL, 0));
    REFUSED(syncline_registration_stop(NULL, 0));
    REFUSED(syncline_registration_handle_stored(NULL, 0));
    REFUSED(syncline_registration_handle_answer(NULL, 0, 0, 0, &given.registry_answer));
    REFUSED(syncline_registration_handle_answer(live.registration, 0, 0, 0, NULL));
    REFUSED(syncline_registration_handle_connected(NULL, 0));
    REFUSED(syncline_registration_handle_link_lost(NULL));
    REFUSED(syncline_registration_handle_refused(NULL, 0, 0));
    REFUSED(syncline_registration_handle_timeout(NULL, 0));
    REFUSED(syncline_registration_poll_timeout(NULL, &places.number));
    REFUSED(syncline_registration_poll_timeout(live.registration, NULL));
    REFUSED(syncline_registration_poll(NULL, &places.registration_output));
    REFUSED(syncline_registration_poll(live.registration, NULL));
    REFUSED(syncline_registration_status(NULL, &places.registration_status));
    REFUSED(syncline_registration_status(live.registration, NULL));
}

static void responders(void) {
    REFUSED(syncline_responder_new(&given.responder_bounds, NULL));
    REFUSED(syncline_responder_handle_request(NULL, 0, live.shared, 0, &places.incoming));
    REFUSED(syncline_responder_handle_request(live.responder, 0, NULL, 0, &places.incoming));
    REFUSED(syncline_responder_handle_request(live.responder, 0, live.shared, 0, NULL));
    REFUSED(syncline_responder_respond(NULL, 0, BYTE, BYTE, 1, &places.tres));
    REFUSED(syncline_responder_respond(live.responder, 0, NULL, BYTE, 1, &places.tres));
    REFUSED(syncline_responder_respond(live.responder, 0, BYTE, NULL, 1, &places.tres));
    REFUSED(syncline_responder_respond(live.responder, 0, BYTE, BYTE, 1, NULL));
    REFUSED(syncline_responder_fail(NULL, 0, BYTE, 0, BYTE, 1, &places.tres));
    REFUSED(syncline_responder_fail(live.responder, 0, NULL, 0, BYTE, 1, &places.tres));
    REFUSED(syncline_responder_fail(live.responder, 0, BYTE, 0, NULL, 1, &places.tres));
    REFUSED(syncline_responder_fail(live.responder, 0, BYTE, 0, BYTE, 1, NULL));
    REFUSED(syncline_responder_topic(NULL, BYTE, 1, &places.bytes));
    REFUSED(syncline_responder_topic(live.responder, NULL, 1, &places.bytes));
    REFUSED(syncline_responder_topic(live.responder, BYTE, 1, NULL));
    REFUSED(syncline_responder_handle_timeout(NULL, 0));
    REFUSED(syncline_responder_poll_timeout(NULL, &places.number));
    REFUSED(syncline_responder_poll_timeout(live.responder, NULL));
}

static void sessions(void) {
    REFUSED(syncline_session_new(NULL, BYTE, 1, &places.error, &made.session));
    REFUSED(syncline_session_new(live.session_config, NULL, 1, &places.error, &made.session));
    REFUSED(syncline_session_new(live.session_config, BYTE, 1, &places.error, NULL));
    REFUSED(syncline_session_handle_timeout(NULL, 0));
    REFUSED(syncline_session_poll_timeout(NULL, &places.number));
    REFUSED(syncline_session_poll_timeout(live.session, NULL));
    REFUSED(syncline_session_handle_transport_open(NULL, 0));
    REFUSED(syncline_session_handle_transport_closed(NULL, 0));
    REFUSED(syncline_session_status(NULL, &places.status));
    REFUSED(syncline_session_status(live.session, NULL));
    REFUSED(syncline_session_rx_space(NULL, &places.room));
    REFUSED(syncline_session_rx_space(live.session, NULL));
    REFUSED(syncline_session_rx_commit(NULL, 0));
    REFUSED(syncline_session_tx_iov(NULL, &places.run, 1, &places.size));
    REFUSED(syncline_session_tx_iov(live.session, NULL, 1, &places.size));
    REFUSED(syncline_session_tx_iov(live.session, &places.run, 1, NULL));
    REFUSED(syncline_session_tx_advance(NULL, 0, 0));
    REFUSED(syncline_session_connect(NULL, 0));
    REFUSED(syncline_session_disconnect(NULL, 0, &given.disconnect_options, &places.error));
    REFUSED(syncline_session_publish(NULL, 0, &given.publication, &places.error, &places.number));
    REFUSED(syncline_session_publish(live.session, 0, NULL, &places.error, &places.number));
    REFUSED(syncline_session_publish(live.session, 0, &given.publication, &places.error, NULL));
    REFUSED(syncline_session_subscribe(NULL, &given.filter, 1, live.properties, &places.error, &places.number));
    REFUSED(syncline_session_subscribe(live.session, NULL, 1, live.properties, &places.error, &places.number));
    REFUSED(syncline_session_subscribe(live.session, &given.filter, 1, live.properties, &places.error, NULL));
    REFUSED(syncline_session_unsubscribe(NULL, &given.filter, 1, live.properties, &places.error, &places.number));
    REFUSED(syncline_session_unsubscribe(live.session, NULL, 1, live.properties, &places.error, &places.number));
    REFUSED(syncline_session_unsubscribe(live.session, &given.filter, 1, live.properties, &places.error, NULL));
    REFUSED(syncline_session_acknowledge(NULL, 0));
    REFUSED(syncline_session_authenticate(NULL, 0, BYTE, 1, live.properties, &places.error));
    REFUSED(syncline_session_authenticate(live.session, 0, NULL, 1, live.properties, &places.error));
    REFUSED(syncline_session_reauthenticate(NULL, BYTE, 1, live.properties, &places.error, &places.number));
    REFUSED(syncline_session_reauthenticate(live.session, NULL, 1, live.properties, &places.error, &places.number));
    REFUSED(syncline_session_reauthenticate(live.session, BYTE, 1, live.properties, &places.error, NULL));
    REFUSED(syncline_session_set_authentication_data(NULL, BYTE, 1));
    REFUSED(syncline_session_set_authentication_data(live.session, NULL, 1));
    REFUSED(syncline_session_set_credentials(NULL, BYTE, 1, BYTE, 1));
    REFUSED(syncline_session_set_credentials(live.session, NULL, 1, BYTE, 1));
    REFUSED(syncline_session_set_credentials(live.session, BYTE, 1, NULL, 1));
    REFUSED(syncline_session_poll(NULL, 0, &places.output));
    REFUSED(syncline_session_poll(live.session, 0, NULL));
    REFUSED(syncline_session_property(NULL, 0, &places.property));
    REFUSED(syncline_session_property(live.session, 0, NULL));
    REFUSED(syncline_session_restore(NULL, BYTE, 1, 0, 0, &given.stored_record, 1, &places.error, &places.restored,
                                     &made.session));
    REFUSED(syncline_session_restore(live.session_config, NULL, 1, 0, 0, &given.stored_record, 1, &places.error,
                                     &places.restored, &made.session));
    REFUSED(syncline_session_restore(live.session_config, BYTE, 1, 0, 0, NULL, 1, &places.error, &places.restored,
                                     &made.session));
    REFUSED(syncline_session_restore(live.session_config, BYTE, 1, 0, 0, &given.stored_record, 1, &places.error,
                                     NULL, &made.session));
    REFUSED(syncline_session_restore(live.session_config, BYTE, 1, 0, 0, &given.stored_record, 1, &places.error,
                                     &places.restored, NULL));
    REFUSED(syncline_session_handle_persisted(NULL, 0));
    REFUSED(syncline_session_awaits_persisted(NULL, &places.number));
    REFUSED(syncline_session_awaits_persisted(live.session, NULL));
    REFUSED(syncline_session_unfinished(NULL, &places.number, 1, &places.size));
    REFUSED(syncline_session_unfinished(live.session, NULL, 1, &places.size));
    REFUSED(syncline_session_unfinished(live.session, &places.number, 1, NULL));
}

static void shared_bytes(void) {
    REFUSED(syncline_bytes_new(NULL, 1, &made.shared));
    REFUSED(syncline_bytes_new(BYTE, 1, NULL));
    REFUSED(syncline_bytes_retain(NULL, &made.shared));
    REFUSED(syncline_bytes_retain(live.shared, NULL));
    REFUSED(syncline_bytes_view(NULL, &places.bytes));
    REFUSED(syncline_bytes_view(live.shared, NULL));
}

static void topics_and_limits(void) {
    REFUSED(syncline_topic_name_check(NULL, 1, &places.error));
    REFUSED(syncline_topic_filter_check(NULL, 1, &places.error));
    REFUSED(syncline_topic_matches(NULL, 1, BYTE, 1, &places.flag));
    REFUSED(syncline_topic_matches(BYTE, 1, NULL, 1, &places.flag));
    REFUSED(syncline_topic_matches(BYTE, 1, BYTE, 1, NULL));
    REFUSED(syncline_limit_value(0, NULL));
}

/* A pointer within a struct is as good as an argument. */
static void slices_within_structs(void) {
    const struct syncline_bytes missing = {NULL, 1};
    struct syncline_publication publication = {.topic = missing};
    REFUSED(syncline_session_publish(live.session, 0, &publication, NULL, &places.number));
    publication = (struct syncline_publication){.topic = {BYTE, 1}, .payload = missing};
    REFUSED(syncline_session_publish(live.session, 0, &publication, NULL, &places.number));
    REFUSED(syncline_session_config_set_will(live.session_config, &publication, &places.error));
    struct syncline_filter filter = {.filter = missing};
    REFUSED(syncline_session_subscribe(live.session, &filter, 1, NULL, NULL, &places.number));
    REFUSED(syncline_session_unsubscribe(live.session, &filter, 1, NULL, NULL, &places.number));
    struct syncline_property property = {.id = 0x26, .name = {BYTE, 1}, .value = missing};
    REFUSED(syncline_properties_add(live.properties, &property, &places.error));
    struct syncline_registration_options options = {.username = missing};
    REFUSED(syncline_agent_register_with(live.session, &options, NULL));
    options = (struct syncline_registration_options){.username = {BYTE, 1}, .password = missing};
    REFUSED(syncline_registration_new(&options, BYTE, 32, NULL, &made.registration));
    options = (struct syncline_registration_options){.username = {BYTE, 1}, .csr = missing};
    REFUSED(syncline_registration_new(&options, BYTE, 32, NULL, &made.registration));
    struct syncline_registry_answer answer = {.body = missing};
    REFUSED(syncline_agent_handle_registry_answer(live.session, 0, 0, 0, &answer));
    REFUSED(syncline_agent_handle_version_answer(live.session, 0, 0, &answer));
    answer = (struct syncline_registry_answer){.retry_after = missing};
    REFUSED(syncline_registration_handle_answer(live.registration, 0, 0, 0, &answer));
    struct syncline_stored_record record = {.key = 0, .record = missing};
    REFUSED(syncline_session_restore(live.session_config, BYTE, 32, 0, 0, &record, 1, NULL, &places.restored,
                                     &made.session));
}

static void nothing_is_freed_by_null(void) {
    syncline_node_config_free(NULL);
    syncline_properties_free(NULL);
    syncline_registration_free(NULL);
    syncline_requester_free(NULL);
    syncline_responder_free(NULL);
    syncline_session_free(NULL);
    syncline_session_config_free(NULL);
    syncline_bytes_release(NULL);
}

int main(void) {
    CHECK_OK(syncline_node_config_new(TEXT("a"), &places.error, &live.node_config));
    CHECK_OK(syncline_properties_new(&live.properties));
    CHECK_OK(syncline_requester_new(BYTE, 32, &live.requester));
    CHECK_OK(syncline_responder_new(NULL, &live.responder));
    CHECK_OK(syncline_session_config_new(TEXT("a"), &live.session_config));
    CHECK_OK(syncline_session_new(live.session_config, BYTE, 32, NULL, &live.session));
    CHECK_OK(syncline_bytes_new(TEXT("a"), &live.shared));
    const struct syncline_registration_options options = {.username = {TEXT("line-1")}};
    CHECK_OK(syncline_registration_new(&options, BYTE, 32, NULL, &live.registration));
    given.publish.topic.data = BYTE;
    given.publish.topic.len = 1;
    memset(&places, 0x5A, sizeof places);
    struct places before = places;

    configurations();
    packets();
    property_lists();
    requesters();
    agents();
    registrations();
    responders();
    sessions();
    shared_bytes();
    topics_and_limits();
    slices_within_structs();
    nothing_is_freed_by_null();

    CHECK(memcmp(&before, &places, sizeof places) == 0);
    CHECK(!made.node_config && !made.properties && !made.registration && !made.requester && !made.responder);
    CHECK(!made.session && !made.session_config && !made.shared);
    struct syncline_status status;
    CHECK_OK(syncline_session_status(live.session, &status));
    CHECK(is_text(status.client_id, "a") && status.version == 0 && status.queued == 0 && status.unwritten == 0);

    syncline_node_config_free(live.node_config);
    syncline_properties_free(live.properties);
    syncline_registration_free(live.registration);
    syncline_requester_free(live.requester);
    syncline_responder_free(live.responder);
    syncline_session_free(live.session);
    syncline_session_config_free(live.session_config);
    syncline_bytes_release(live.shared);
    puts("null: ok");
    return 0;
}
