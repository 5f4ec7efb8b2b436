/* An agent that nobody knows: makes a password, asks to be let in, and once it is, asks one FlowSync request. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "credentials_file.h"
#include "http.h"
#include "loop.h"

static const char *registry_host, *registry_port, *question, *password_path;
static bool asked, replied;

static struct syncline_bytes bytes(const char *text) {
    struct syncline_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

static void store_credentials(struct loop *loop, const struct syncline_credentials *credentials) {
    if (!credentials_file_write(password_path, credentials->password.data, credentials->password.len)) {
        fprintf(stderr, "the password cannot be stored in %s: the next start asks to be let in anew\n", password_path);
    }
    check(syncline_agent_handle_credentials_stored(loop->session, loop->now), NULL);
}

/* Waits for the answer, which an example may; a gateway has an HTTP client that does not. */
static void ask_registry(struct loop *loop, const struct syncline_registry_request *request) {
    static char buffer[1 << 17];
    struct syncline_registry_answer answer;
    http_ask(registry_host, registry_port, request, buffer, sizeof buffer, &answer);
    loop->now = monotonic();
    check(syncline_agent_handle_registry_answer(loop->session, loop->now, wall(), request->id, &answer), NULL);
}

static void ask(struct loop *loop, uint64_t node) {
    struct syncline_error error = {{0}};
    uint8_t transaction[16];
    check(syncline_agent_request(loop->session, loop->now, wall(), node, (const uint8_t *)question, strlen(question), 0,
                                 0, &error, transaction),
          &error);
    asked = true;
}

static void report(struct loop *loop, const struct syncline_completion *end) {
    replied = end->outcome == SYNCLINE_OUTCOME_REPLIED;
    if (replied) {
        printf("answered: %.*s\n", (int)end->value.len, (const char *)end->value.data);
    } else {
        printf("not answered: %" PRId64 " %.*s\n", end->code, (int)end->message.len, (const char *)end->message.data);
    }
    leave(loop);
}

void handle_output(struct loop *loop, const struct syncline_output *output) {
    const union syncline_output_event *event = &output->event;
    switch (output->kind) {
    case SYNCLINE_OUTPUT_KIND_STORE_CREDENTIALS:
        store_credentials(loop, &event->credentials);
        break;
    case SYNCLINE_OUTPUT_KIND_ASK_REGISTRY:
        ask_registry(loop, &event->request);
        break;
    case SYNCLINE_OUTPUT_KIND_REGISTRATION_DELAYED:
        printf("pairing id %s: %.*s\n", event->delay.pairing_id, (int)event->delay.text.len,
               (const char *)event->delay.text.data);
        break;
    case SYNCLINE_OUTPUT_KIND_GRANTED:
        printf("granted\n");
        break;
    case SYNCLINE_OUTPUT_KIND_NODE_CHANGED:
        if (event->node.readiness == SYNCLINE_READINESS_READY && !asked) {
            ask(loop, event->node.node);
        }
        break;
    case SYNCLINE_OUTPUT_KIND_TRANSACTION_ENDED:
        report(loop, &event->transaction);
        break;
    default:
        break;
    }
    fflush(stdout);
}

uint64_t handle_time(struct loop *loop, uint64_t now) {
    (void)loop;
    (void)now;
    return UINT64_MAX;
}

static void register_as(struct loop *loop, const char *name) {
    uint8_t password[256];
    struct syncline_error error = {{0}};
    struct syncline_registration_options options = {.username = bytes(name), .login = SYNCLINE_LOGIN_NEW};
    size_t len = credentials_file_read(password_path, password, sizeof password);
    if (len > 0) {
        options.login = SYNCLINE_LOGIN_STORED;
        options.password = (struct syncline_bytes){password, len};
    }
    check(syncline_agent_register_with(loop->session, &options, &error), &error);
}

static void add_node(struct loop *loop, const char *base) {
    struct syncline_node_config *config = NULL;
    uint64_t node = 0;
    check(syncline_node_config_new((const uint8_t *)base, strlen(base), NULL, &config), NULL);
    check(syncline_node_config_set_qos(config, 1), NULL);
    check(syncline_agent_add_node(loop->session, loop->now, config, &node), NULL);
    syncline_node_config_free(config);
}

int main(int argc, char **argv) {
    if (argc != 9) {
        fprintf(stderr, "usage: %s HOST PORT REGISTRY_HOST REGISTRY_PORT NAME PASSWORD_FILE BASE JSON\n", argv[0]);
        return 2;
    }
    const char *name = argv[5], *base = argv[7];
    struct loop loop = {.host = argv[1], .port = argv[2]};
    struct syncline_session_config *config = NULL;
    registry_host = argv[3];
    registry_port = argv[4];
    password_path = argv[6];
    question = argv[8];
    check(syncline_session_config_new((const uint8_t *)name, strlen(name), &config), NULL);
    check(syncline_session_config_set(config, SYNCLINE_SETTING_SESSION_EXPIRY_SECONDS, 0, NULL), NULL);
    loop_new_session(&loop, config);
    register_as(&loop, name);
    add_node(&loop, base);
    loop_run(&loop);
    return replied ? 0 : 1;
}
