#include "authentication.h"

#include "answers.h"

#include "apps/records.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <unistd.h>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::string_view token_start = "slw_";
constexpr std::size_t token_letters = 40;
constexpr std::int64_t a_minute = 60'000;

bool has_scheme(std::string_view credentials, std::string_view lower_case_scheme) {
    if (credentials.size() <= lower_case_scheme.size()) return false;
    return std::equal(lower_case_scheme.begin(), lower_case_scheme.end(), credentials.begin(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); }) &&
           credentials[lower_case_scheme.size()] == ' ';
}

} // namespace

std::string password_of(const http::RequestHead& head) {
    const auto header = head.header("authorization");
    if (!header) return {};
    if (has_scheme(*header, "bearer")) return base::trim(header->substr(7));
    if (!has_scheme(*header, "basic")) return {};
    try {
        const auto pair = base::base64_decode(base::trim(header->substr(6)));
        const auto colon = pair.find(':');
        return colon == std::string::npos ? std::string() : pair.substr(colon + 1);
    } catch (const Error&) {
        return {};
    }
}

std::string make_token_text() {
    return std::string(token_start) + base::random_token(token_letters);
}

std::string hash_of_token(std::string_view text) {
    return base::sha256_hex(text);
}

Principal Authentication::identify(const http::RequestHead& head) {
    if (head.peer_uid) {
        if (*head.peer_uid == 0 || *head.peer_uid == ::geteuid()) return local_operator();
        throw Error(ErrorKind::denied, "this socket is not for you");
    }
    return identify(head, password_of(head));
}

Principal Authentication::identify(const http::RequestHead& head, const std::string& text) {
    if (text.empty())
        throw Error(ErrorKind::unauthenticated, "this needs a token",
                    "Send it as \"Authorization: Bearer slw_...\"; the server's operator makes one "
                    "with: slipway tokens create NAME");
    try {
        return look_up(text);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::unauthenticated) {
            // A token that is right gets in whatever others at its address say: behind one address
            // there may be a whole office.
            const auto network = network_of(head.peer);
            if (const auto failures = failures_.look(network); !failures.allowed)
                throw Busy("too many wrong tokens came from your address", failures.retry_after);
            failures_.take(network);
            base::log::warning(
                "a token was refused",
                {{"from", head.peer}, {"request", head.id}, {"reason", error.message()}});
        }
        throw;
    }
}

// By its hash: nothing is compared with a secret, so no time tells how much of one was right.
Principal Authentication::look_up(const std::string& text) {
    const bool plausible =
        text.size() == token_start.size() + token_letters && text.starts_with(token_start);
    const auto now = apps::now_milliseconds();
    const auto hash =
        plausible ? std::optional(hash_of_token(text)) : sessions_.token_hash_of(text, now);
    const auto token = hash ? tokens_.find_by_hash(*hash) : std::nullopt;
    if (!token) throw Error(ErrorKind::unauthenticated, "there is no such token");
    if (token->expires != 0 && token->expires <= now)
        throw Error(ErrorKind::unauthenticated, "the token has expired",
                    "Ask the server's operator for a new one.");
    if (now - token->used >= a_minute) {
        try {
            tokens_.note_use(token->id, now - now % a_minute);
        } catch (const Error& error) { // a full disk keeps nobody out
            base::log::warning("a token's use could not be noted", {{"reason", error.describe()}});
        }
    }
    return {token->id, token->name, token->scopes, false};
}

} // namespace server::api
