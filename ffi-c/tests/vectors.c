/* The vectors of tests/vectors, which the tests of Rust and Python read as well; run from the workspace's top folder. */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <sys/uio.h>

#include "vector_line.h"

#define FOLDER "tests/vectors"

enum { OUTPUTS = 16 };

struct script {
    struct syncline_session *session;
    uint64_t now, last_message;
    syncline_result refused;
    /* How many bytes are given at once. */
    size_t piece;
    char outputs[OUTPUTS][LINE_SIZE];
    size_t first, waiting;
};

static const char *family(syncline_result result) {
    switch (result) {
    case SYNCLINE_RESULT_MALFORMED_PACKET:
        return "malformed";
    case SYNCLINE_RESULT_PACKET_TOO_LARGE:
        return "too-large";
    case SYNCLINE_RESULT_PROTOCOL_ERROR:
        return "protocol";
    default:
        return syncline_result_str(result);
    }
}

static void check_frame(const struct line *line, const uint8_t *packet, size_t len, uint8_t version, uint32_t limit) {
    char found[LINE_SIZE];
    struct syncline_frame frame;
    syncline_result result = syncline_packet_peek(packet, len, version, limit, &frame);
    if (result == SYNCLINE_RESULT_OK) {
        snprintf(found, sizeof found, "frame type=%u len=%zu", frame.packet_type, frame.len);
    } else if (result == SYNCLINE_RESULT_INCOMPLETE) {
        strcpy(found, "frame incomplete");
    } else {
        snprintf(found, sizeof found, "frame refused=%s", family(result));
    }
    must_be(line, found);
}

static void check_publish(const struct line *line, const uint8_t *packet, size_t len, uint8_t version) {
    char found[2 * LINE_SIZE], payload[LINE_SIZE];
    struct syncline_publish publish;
    syncline_result result = syncline_publish_decode(packet, len, version, &publish);
    if (result != SYNCLINE_RESULT_OK) {
        snprintf(found, sizeof found, "publish refused=%s", family(result));
        must_be(line, found);
        return;
    }
    write_hex(publish.payload, payload);
    snprintf(found, sizeof found, "publish topic=%.*s payload=%s qos=%u dup=%d retain=%d id=%u",
             (int)publish.topic.len, (const char *)publish.topic.data, payload, publish.qos, publish.dup,
             publish.retain, publish.packet_id);
    must_be(line, found);
    uint8_t encoded[BYTES_SIZE];
    size_t written = 0;
    result = syncline_publish_encode(&publish, version, encoded, sizeof encoded, &written);
    /* One with a Topic Alias alone cannot be made without properties. */
    CHECK(result == SYNCLINE_RESULT_OK || publish.topic.len == 0);
    /* Properties are left out, and nothing else. */
    CHECK(result != SYNCLINE_RESULT_OK || written < len || (written == len && memcmp(encoded, packet, len) == 0));
}

static void check_packets(FILE *file, struct line *line) {
    uint8_t packet[BYTES_SIZE], version = 0;
    size_t len = 0;
    uint32_t limit = 268435460;
    while (next_line(line, file)) {
        if (is(line, "version")) {
            version = (uint8_t)number(line, rest(line));
        } else if (is(line, "limit")) {
            limit = (uint32_t)number(line, rest(line));
        } else if (is(line, "packet")) {
            len = hex(line, rest(line), packet);
        } else if (is(line, "frame")) {
            check_frame(line, packet, len, version, limit);
        } else if (is(line, "publish")) {
            check_publish(line, packet, len, version);
        } else {
            fail(line, "unknown line");
        }
    }
}

static void write_time(uint64_t time, char text[32]) {
    if (time == UINT64_MAX) {
        strcpy(text, "none");
    } else {
        snprintf(text, 32, "%" PRIu64, time);
    }
}

static void write_message(const struct syncline_message *message, char text[LINE_SIZE]) {
    char payload[LINE_SIZE];
    write_hex(message->payload, payload);
    int len = snprintf(text, LINE_SIZE, "message topic=%.*s payload=%s qos=%u retain=%d dup=%d ack=%d",
                       (int)message->topic.len, (const char *)message->topic.data, payload, message->qos,
                       message->retain, message->dup, message->needs_ack);
    CHECK(len > 0 && len < LINE_SIZE);
}

static void write_completed(const struct syncline_completed *end, char text[LINE_SIZE]) {
    static const char *const losses[] = {"none", "link-lost", "session-lost", "expired", "dropped", "closed", "not-accepted"};
    char codes[LINE_SIZE];
    write_hex(end->reason_codes, codes);
    int len = 0;
    switch (end->kind) {
    case SYNCLINE_COMPLETION_KIND_PUBLISHED:
        len = snprintf(text, LINE_SIZE, "published op=%" PRIu64 " code=%02x", end->op, end->reason_code);
        break;
    case SYNCLINE_COMPLETION_KIND_SUBSCRIBED:
        len = snprintf(text, LINE_SIZE, "subscribed op=%" PRIu64 " codes=%s", end->op, codes);
        break;
    case SYNCLINE_COMPLETION_KIND_UNSUBSCRIBED:
        len = snprintf(text, LINE_SIZE, "unsubscribed op=%" PRIu64 " codes=%s", end->op, codes);
        break;
    case SYNCLINE_COMPLETION_KIND_LOST:
        CHECK(end->loss < sizeof losses / sizeof losses[0]);
        len = snprintf(text, LINE_SIZE, "lost op=%" PRIu64 " loss=%s", end->op, losses[end->loss]);
        break;
    default:
        break;
    }
    CHECK(len > 0 && len < LINE_SIZE);
}

static void write_disconnected(const struct syncline_disconnected *end, char text[LINE_SIZE]) {
    static const char *const kinds[] = {"transport-failed", "connect-timeout",  "connack-timeout", "refused",
                                        "by-server",        "transport-closed", "ping-timeout",    "malformed",
                                        "violation",        "requested"};
    char retry[32];
    write_time(end->retry_at, retry);
    CHECK(end->kind < sizeof kinds / sizeof kinds[0]);
    snprintf(text, LINE_SIZE, "disconnected reason=%s code=%02x retry=%s", kinds[end->kind], end->reason_code, retry);
}

static void drain(struct script *script) {
    struct syncline_output output;
    while (syncline_session_poll(script->session, script->now, &output) == SYNCLINE_RESULT_OK) {
        CHECK(script->waiting < OUTPUTS);
        char *text = script->outputs[(script->first + script->waiting) % OUTPUTS];
        switch (output.kind) {
        case SYNCLINE_OUTPUT_KIND_OPEN_TRANSPORT:
            strcpy(text, "open-transport");
            break;
        case SYNCLINE_OUTPUT_KIND_CLOSE_TRANSPORT:
            strcpy(text, "close-transport");
            break;
        case SYNCLINE_OUTPUT_KIND_CONNECTED:
            snprintf(text, LINE_SIZE, "connected version=%u present=%d", output.event.connected.version,
                     output.event.connected.session_present);
            break;
        case SYNCLINE_OUTPUT_KIND_DISCONNECTED:
            write_disconnected(&output.event.disconnected, text);
            break;
        case SYNCLINE_OUTPUT_KIND_MESSAGE:
            script->last_message = output.event.message.ack_token;
            write_message(&output.event.message, text);
            break;
        case SYNCLINE_OUTPUT_KIND_COMPLETED:
            write_completed(&output.event.completed, text);
            break;
        case SYNCLINE_OUTPUT_KIND_GAVE_UP:
            /* The agent's word for a disconnection without a retry, which the vectors have told. */
            CHECK(syncline_session_poll(script->session, script->now, &output) == SYNCLINE_RESULT_EMPTY);
            return;
        default:
            CHECK(!"an output for which the vectors have no word");
        }
        script->waiting++;
    }
}

static size_t unwritten(const struct script *script, uint8_t bytes[BYTES_SIZE]) {
    struct iovec runs[32];
    size_t count = 0, len = 0;
    CHECK_OK(syncline_session_tx_iov(script->session, runs, 32, &count));
    for (size_t index = 0; index < count; index++) {
        CHECK(len + runs[index].iov_len <= BYTES_SIZE);
        memcpy(bytes + len, runs[index].iov_base, runs[index].iov_len);
        len += runs[index].iov_len;
    }
    return len;
}

static void check_settled(const struct script *script, const struct line *line) {
    uint8_t bytes[BYTES_SIZE];
    if (script->waiting > 0) {
        fail(line, script->outputs[script->first]);
    }
    if (unwritten(script, bytes) > 0) {
        fail(line, "something waits to be written");
    }
}

/* Whether the line is an expectation, which is then met. */
static bool expects(struct script *script, const struct line *line) {
    char found[LINE_SIZE + 16];
    uint8_t bytes[BYTES_SIZE], expected[BYTES_SIZE];
    if (is(line, "output")) {
        if (script->waiting == 0) {
            fail(line, "nothing was handed out");
        }
        snprintf(found, sizeof found, "output %s", script->outputs[script->first]);
        script->first = (script->first + 1) % OUTPUTS;
        script->waiting--;
        must_be(line, found);
    } else if (is(line, "tx")) {
        size_t len = unwritten(script, bytes);
        if (len != hex(line, rest(line), expected) || memcmp(bytes, expected, len) != 0) {
            fail(line, "other bytes wait to be written");
        }
        CHECK_OK(syncline_session_tx_advance(script->session, script->now, len));
        drain(script);
    } else if (is(line, "refused")) {
        const char *const families[] = {"not at all", "misuse", "protocol", "limit", "incompatible"};
        size_t index = script->refused / 1000;
        snprintf(found, sizeof found, "refused %s", index < 5 ? families[index] : "by a bug");
        must_be(line, found);
    } else if (is(line, "deadline")) {
        uint64_t deadline = 0;
        char time[32];
        CHECK_OK(syncline_session_poll_timeout(script->session, &deadline));
        write_time(deadline, time);
        snprintf(found, sizeof found, "deadline %s", time);
        must_be(line, found);
    } else {
        return false;
    }
    return true;
}

static void receive(struct script *script, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        size_t piece = len < script->piece ? len : script->piece;
        struct syncline_room room;
        CHECK_OK(syncline_session_rx_space(script->session, &room));
        CHECK(room.len >= piece);
        memcpy(room.data, bytes, piece);
        CHECK_OK(syncline_session_rx_commit(script->session, piece));
        drain(script);
        bytes += piece;
        len -= piece;
    }
}

static syncline_result input(struct script *script, const struct line *line) {
    struct syncline_session *session = script->session;
    char text[LINE_SIZE];
    uint8_t bytes[BYTES_SIZE];
    uint64_t op = 0;
    if (is(line, "connect")) {
        return syncline_session_connect(session, script->now);
    }
    if (is(line, "disconnect")) {
        return syncline_session_disconnect(session, script->now, NULL, NULL);
    }
    if (is(line, "transport-open")) {
        return syncline_session_handle_transport_open(session, script->now);
    }
    if (is(line, "transport-closed")) {
        return syncline_session_handle_transport_closed(session, script->now);
    }
    if (is(line, "at")) {
        script->now = number(line, rest(line));
        return syncline_session_handle_timeout(session, script->now);
    }
    if (is(line, "rx")) {
        receive(script, bytes, hex(line, rest(line), bytes));
        return SYNCLINE_RESULT_OK;
    }
    if (is(line, "acknowledge")) {
        return syncline_session_acknowledge(session, script->last_message);
    }
    if (is(line, "publish")) {
        field(line, "topic", text);
        const struct syncline_publication publication = {.topic = {(const uint8_t *)text, strlen(text)},
                                                         .payload = {bytes, hex_field(line, "payload", bytes)},
                                                         .qos = (uint8_t)number_field(line, "qos"),
                                                         .retain = number_field(line, "retain") == 1};
        return syncline_session_publish(session, script->now, &publication, NULL, &op);
    }
    field(line, "filter", text);
    struct syncline_filter filter = {.filter = {(const uint8_t *)text, strlen(text)}};
    if (is(line, "unsubscribe")) {
        return syncline_session_unsubscribe(session, &filter, 1, NULL, NULL, &op);
    }
    if (!is(line, "subscribe")) {
        fail(line, "unknown line");
    }
    filter.qos = (uint8_t)number_field(line, "qos");
    return syncline_session_subscribe(session, &filter, 1, NULL, NULL, &op);
}

/* Whether the line is a part of the configuration, which then has it. */
static bool configures(struct syncline_session_config *config, const struct line *line) {
    static const struct {
        const char *name;
        syncline_setting setting;
    } SETTINGS[] = {
        {"clean-start=", SYNCLINE_SETTING_CLEAN_START},
        {"keep-alive-seconds=", SYNCLINE_SETTING_KEEP_ALIVE_SECONDS},
        {"manual-acks=", SYNCLINE_SETTING_MANUAL_ACKS},
        {"receive-maximum=", SYNCLINE_SETTING_RECEIVE_MAXIMUM},
        {"session-lost=", SYNCLINE_SETTING_SESSION_LOST},
        {"topic-alias-maximum=", SYNCLINE_SETTING_TOPIC_ALIAS_MAXIMUM},
        {"topic-aliases=", SYNCLINE_SETTING_TOPIC_ALIASES},
    };
    if (is(line, "version")) {
        CHECK_OK(syncline_session_config_set(config, SYNCLINE_SETTING_VERSION, number(line, rest(line)), NULL));
    } else if (is(line, "credentials")) {
        char username[LINE_SIZE];
        uint8_t password[BYTES_SIZE];
        field(line, "username", username);
        CHECK_OK(syncline_session_config_set_credentials(config, (const uint8_t *)username, strlen(username), password,
                                                         hex_field(line, "password", password)));
    } else if (is(line, "set")) {
        size_t index = 0;
        while (strncmp(rest(line), SETTINGS[index].name, strlen(SETTINGS[index].name)) != 0) {
            if (++index == sizeof SETTINGS / sizeof SETTINGS[0]) {
                fail(line, "unknown setting");
            }
        }
        const char *value = rest(line) + strlen(SETTINGS[index].name);
        CHECK_OK(syncline_session_config_set(config, SETTINGS[index].setting, number(line, value), NULL));
    } else {
        return false;
    }
    return true;
}

static void check_session(FILE *file, struct line *line, size_t piece) {
    static const uint8_t seed[32] = {0};
    struct syncline_session_config *config = NULL;
    struct script *script = calloc(1, sizeof *script);
    CHECK(script != NULL);
    script->piece = piece;
    CHECK_OK(syncline_session_config_new(TEXT("vector"), &config));
    bool more = next_line(line, file);
    while (more && configures(config, line)) {
        more = next_line(line, file);
    }
    CHECK_OK(syncline_session_new(config, seed, sizeof seed, NULL, &script->session));
    syncline_session_config_free(config);
    for (; more; more = next_line(line, file)) {
        if (!expects(script, line)) {
            check_settled(script, line);
            script->refused = input(script, line);
            drain(script);
        }
    }
    check_settled(script, line);
    syncline_session_free(script->session);
    free(script);
}

static bool check_file(const char *name) {
    char path[512];
    bool packets = strncmp(name, "packet-", 7) == 0, session = strncmp(name, "session-", 8) == 0;
    if (!packets && !session) {
        return false;
    }
    CHECK(snprintf(path, sizeof path, "%s/%s", FOLDER, name) < (int)sizeof path);
    for (int whole = 0; whole < 2; whole++) {
        FILE *file = fopen(path, "r");
        CHECK(file != NULL);
        struct line line = {.file = name};
        if (packets) {
            check_packets(file, &line);
        } else {
            check_session(file, &line, whole ? SIZE_MAX : 1);
        }
        fclose(file);
    }
    return true;
}

int main(void) {
    int files = 0;
    DIR *folder = opendir(FOLDER);
    CHECK(folder != NULL);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        files += check_file(entry->d_name);
    }
    closedir(folder);
    CHECK(files > 10);
    puts("vectors: ok");
    return 0;
}
