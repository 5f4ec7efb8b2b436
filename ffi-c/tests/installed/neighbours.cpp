// C++ with exceptions of its own, another library that was written in Rust, and this one, in one program: all unwind.
#include <cstdio>
#include <stdexcept>

#include <syncline.h>

extern "C" int neighbour_catches_a_panic(void);
extern "C" syncline_result syncline_test_panic(struct syncline_session *session);

static bool catches_an_exception() {
    try {
        throw std::runtime_error("thrown to be caught");
    } catch (const std::exception &) {
        return true;
    }
}

int main() {
    syncline_session_config *config = nullptr;
    syncline_session *session = nullptr;
    const uint8_t seed[32] = {7};
    bool made = syncline_session_config_new(nullptr, 0, &config) == SYNCLINE_RESULT_OK &&
                syncline_session_new(config, seed, sizeof seed, nullptr, &session) == SYNCLINE_RESULT_OK;
    bool unwound = made && catches_an_exception() && neighbour_catches_a_panic() == 1 &&
                   syncline_test_panic(session) == SYNCLINE_RESULT_PANIC;
    syncline_session_free(session);
    syncline_session_config_free(config);
    std::puts(unwound ? "neighbours: ok" : "neighbours: something was not unwound");
    return unwound ? 0 : 1;
}
