#include "api/session_tokens.h"

#include "base/crypto.h"

#include <algorithm>
#include <catch2/catch.hpp>

using server::api::SessionTokens;

TEST_CASE("a session's token stands for the token that it was given for, for an hour") {
    const SessionTokens tokens;
    const auto hash = base::sha256_hex("slw_x");
    const std::int64_t now = 1'800'000'000'000;
    const auto session = tokens.make(hash, now);
    CHECK(std::count(session.begin(), session.end(), '.') == 2);
    CHECK(session.find_first_of("+/=") == std::string::npos);
    CHECK(tokens.token_hash_of(session, now) == hash);
    CHECK(tokens.token_hash_of(session, now + 3'599'000) == hash);
    CHECK_FALSE(tokens.token_hash_of(session, now + 3'600'000));
}

TEST_CASE("a session's token that was changed or made elsewhere is nobody's") {
    const SessionTokens tokens, others;
    const std::int64_t now = 1'800'000'000'000;
    const auto session = tokens.make(base::sha256_hex("slw_x"), now);
    CHECK_FALSE(others.token_hash_of(session, now));
    for (std::size_t i = 0; i < session.size(); i += 7) {
        auto changed = session;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        INFO(i);
        CHECK_FALSE(tokens.token_hash_of(changed, now));
    }
    // Without a signature, as "alg": "none" would have it.
    CHECK_FALSE(tokens.token_hash_of(session.substr(0, session.rfind('.') + 1), now));
    for (const char* text : {"", ".", "..", "a.b.c", "slw_x"})
        CHECK_FALSE(tokens.token_hash_of(text, now));
}
