#include "forges/verdict.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace forges {
namespace {

constexpr std::chrono::seconds longest_wait{3600};

std::optional<std::int64_t> number(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    const auto trimmed = base::trim(*text);
    std::int64_t value = 0;
    const auto [end, failure] =
        std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), value);
    if (failure != std::errc() || end != trimmed.data() + trimmed.size()) return std::nullopt;
    return value;
}

// GitHub: x-ratelimit-*; GitLab and the draft of the IETF: ratelimit-*.
bool is_exhausted(const http::Response& response) {
    return number(response.header("x-ratelimit-remaining")) == 0 ||
           number(response.header("ratelimit-remaining")) == 0;
}

std::chrono::seconds wait_of(const http::Response& response, std::int64_t now) {
    std::int64_t seconds = 0;
    if (const auto after = number(response.header("retry-after")))
        seconds = *after;
    else if (const auto reset = number(response.header("x-ratelimit-reset")))
        seconds = std::max<std::int64_t>(*reset, now) - now; // below zero it may overflow
    return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, longest_wait.count()));
}

std::string describe(int status) {
    const auto number = std::to_string(status);
    if (status == 401) return "it refuses the token (401)";
    if (status == 403) return "the token may not do this (403)";
    if (status == 404) return "it knows no such repository, or the token may not see it (404)";
    if (status >= 300 && status < 400)
        return "it answered with a redirect (" + number + "), which is not followed";
    return "it answered " + number;
}

} // namespace

Verdict judge(const http::Response& response, std::int64_t now) {
    const int status = response.status;
    if (status >= 200 && status < 300) return {};
    const bool limited =
        status == 429 ||
        (status == 403 && (is_exhausted(response) || response.header("retry-after")));
    if (limited)
        return {Ending::again, "it asks for patience (" + std::to_string(status) + ")",
                wait_of(response, now)};
    if (status == 408 || status >= 500)
        return {Ending::again, describe(status), wait_of(response, now)};
    return {Ending::never, describe(status), {}};
}

Told tell(http::Client& client, const http::Request& request, const base::Stop& stop) {
    try {
        auto response = client.send(request, stop);
        auto verdict = judge(response, std::time(nullptr));
        return {std::move(verdict), std::move(response.body)};
    } catch (const base::Error& error) {
        if (error.kind() == base::ErrorKind::cancelled) throw;
        const bool passing = error.kind() == base::ErrorKind::unavailable ||
                             error.kind() == base::ErrorKind::timed_out;
        return {{passing ? Ending::again : Ending::never, error.message(), {}}, {}};
    }
}

} // namespace forges
