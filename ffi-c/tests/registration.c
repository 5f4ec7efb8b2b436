/* The registration by itself from C: the test is its registry, its broker, its disk and its clock. */
#include "check.h"

#define NOW 1000000

static const uint8_t SEED[32] = {7};

static struct syncline_registration *begin(struct syncline_registration_options options) {
    struct syncline_registration *registration = NULL;
    struct syncline_error error = {{0}};
    CHECK_OK(syncline_registration_new(&options, SEED, sizeof SEED, &error, &registration));
    CHECK_OK(syncline_registration_start(registration, NOW));
    return registration;
}

static union syncline_registration_event next(struct syncline_registration *registration,
                                              syncline_registration_output_kind kind) {
    struct syncline_registration_output output;
    CHECK_OK(syncline_registration_poll(registration, &output));
    CHECK(output.kind == kind);
    return output.event;
}

static void stands(const struct syncline_registration *registration, syncline_registration_state state) {
    struct syncline_registration_status status;
    CHECK_OK(syncline_registration_status(registration, &status));
    CHECK(status.state == state);
}

static void new_credentials_are_stored_asked_for_and_connect_when_granted(void) {
    struct syncline_registration *registration = begin((struct syncline_registration_options){
        .username = {TEXT("line-1")}, .csr = {TEXT("request")}, .mode = SYNCLINE_REGISTRATION_MODE_REST});
    struct syncline_credentials stored = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_STORE_CREDENTIALS).credentials;
    CHECK(is_text(stored.username, "line-1") && strlen(stored.pairing_id) == 6);
    char pairing_id[8];
    memcpy(pairing_id, stored.pairing_id, sizeof pairing_id);
    stands(registration, SYNCLINE_REGISTRATION_STATE_AWAIT_STORED);
    CHECK_OK(syncline_registration_handle_stored(registration, NOW));
    uint64_t id = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_ASK).request.id;
    uint64_t deadline = 0;
    CHECK_OK(syncline_registration_poll_timeout(registration, &deadline));
    CHECK(deadline == NOW + 20000000);

    struct syncline_registry_answer answer = {.failure = SYNCLINE_REGISTRY_FAILURE_UNTRUSTED};
    CHECK_OK(syncline_registration_handle_answer(registration, NOW, 0, id, &answer));
    struct syncline_delay delay = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_DELAYED).delay;
    CHECK(delay.obstacle == SYNCLINE_OBSTACLE_NO_ANSWER && strcmp(delay.pairing_id, pairing_id) == 0);
    stands(registration, SYNCLINE_REGISTRATION_STATE_AWAIT_RETRY);
    CHECK_OK(syncline_registration_handle_timeout(registration, delay.retry_at));
    id = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_ASK).request.id;

    answer = (struct syncline_registry_answer){.status = 429, .retry_after = {TEXT("30")}};
    CHECK_OK(syncline_registration_handle_answer(registration, NOW, 0, id, &answer));
    delay = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_DELAYED).delay;
    CHECK(delay.obstacle == SYNCLINE_OBSTACLE_UNAVAILABLE && delay.status == 429 && delay.retry_at >= NOW + 30000000);
    CHECK_OK(syncline_registration_handle_timeout(registration, delay.retry_at));
    id = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_ASK).request.id;

    static const char granted[] = "{\"certificate\":\"-----BEGIN CERTIFICATE-----\"}";
    answer = (struct syncline_registry_answer){.status = 201, .body = {TEXT(granted)}};
    CHECK_OK(syncline_registration_handle_answer(registration, NOW, 0, id, &answer));
    CHECK(is_text(next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_GRANTED).grant.certificate,
                  "-----BEGIN CERTIFICATE-----"));
    struct syncline_credentials shown = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT).credentials;
    CHECK(is_text(shown.username, "line-1") && shown.password.len == 43);
    CHECK_OK(syncline_registration_handle_connected(registration, NOW));
    stands(registration, SYNCLINE_REGISTRATION_STATE_ONLINE);
    CHECK_OK(syncline_registration_handle_link_lost(registration));
    stands(registration, SYNCLINE_REGISTRATION_STATE_AWAIT_CONNACK);
    CHECK_OK(syncline_registration_stop(registration, NOW));
    stands(registration, SYNCLINE_REGISTRATION_STATE_IDLE);
    struct syncline_registration_output output;
    CHECK_RESULT(SYNCLINE_RESULT_EMPTY, syncline_registration_poll(registration, &output));
    CHECK_OK(syncline_registration_poll_timeout(registration, &deadline));
    CHECK(deadline == UINT64_MAX);
    syncline_registration_free(registration);
}

static void over_mqtt_a_refused_login_is_the_request(void) {
    struct syncline_registration *registration = begin((struct syncline_registration_options){
        .username = {TEXT("line-1")},
        .password = {TEXT("kept")},
        .mode = SYNCLINE_REGISTRATION_MODE_MQTT,
        .login = SYNCLINE_LOGIN_STORED});
    CHECK(is_text(next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT).credentials.password, "kept"));
    CHECK(syncline_registration_is_about_credentials(0x86) && !syncline_registration_is_about_credentials(0x88));
    CHECK_OK(syncline_registration_handle_refused(registration, NOW, 0x86));
    struct syncline_delay delay = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_DELAYED).delay;
    CHECK(delay.obstacle == SYNCLINE_OBSTACLE_PENDING_AT_BROKER && delay.reason_code == 0x86 && delay.status == 0);
    CHECK_OK(syncline_registration_handle_timeout(registration, delay.retry_at));
    next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT);
    syncline_registration_free(registration);
}

static void without_a_password_nothing_is_registered(void) {
    struct syncline_registration *registration =
        begin((struct syncline_registration_options){.login = SYNCLINE_LOGIN_PASSWORDLESS});
    struct syncline_credentials none = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_CONNECT).credentials;
    CHECK(none.username.data == NULL && none.password.data == NULL && none.pairing_id[0] == 0);
    syncline_registration_free(registration);
}

static void a_final_no_is_told_without_words_that_repeat_the_password(void) {
    struct syncline_registration *registration = begin((struct syncline_registration_options){
        .username = {TEXT("a")}, .csr = {TEXT("request")}, .password = {TEXT("hunter2")}, .login = SYNCLINE_LOGIN_GIVEN});
    uint64_t id = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_ASK).request.id;
    const struct syncline_registry_answer answer = {.status = 400, .body = {TEXT("{\"message\":\"hunter2 is weak\"}")}};
    CHECK_OK(syncline_registration_handle_answer(registration, NOW, 0, id, &answer));
    struct syncline_denial denial = next(registration, SYNCLINE_REGISTRATION_OUTPUT_KIND_DENIED).denial;
    char text[512] = {0};
    CHECK(denial.status == 400 && denial.text.len > 0 && denial.text.len < sizeof text);
    memcpy(text, denial.text.data, denial.text.len);
    CHECK(strstr(text, "400") != NULL && strstr(text, "hunter2") == NULL);
    stands(registration, SYNCLINE_REGISTRATION_STATE_DENIED);
    syncline_registration_free(registration);
}

static void options_that_cannot_be_say_why(void) {
    struct syncline_registration *registration = NULL;
    struct syncline_error error = {{0}};
    struct syncline_registration_options options = {.username = {TEXT("")}};
    CHECK_RESULT(SYNCLINE_RESULT_CONFIG_INVALID,
                 syncline_registration_new(&options, SEED, sizeof SEED, &error, &registration));
    CHECK(strstr(error.text, "user name") != NULL);
    options.username = (struct syncline_bytes){TEXT("a")};
    CHECK_RESULT(SYNCLINE_RESULT_SEED_INVALID, syncline_registration_new(&options, SEED, 31, &error, &registration));
    options.login = 9;
    CHECK_RESULT(SYNCLINE_RESULT_OUT_OF_RANGE,
                 syncline_registration_new(&options, SEED, sizeof SEED, &error, &registration));
    CHECK(registration == NULL);
}

int main(void) {
    new_credentials_are_stored_asked_for_and_connect_when_granted();
    over_mqtt_a_refused_login_is_the_request();
    without_a_password_nothing_is_registered();
    a_final_no_is_told_without_words_that_repeat_the_password();
    options_that_cannot_be_say_why();
    puts("registration: ok");
    return 0;
}
