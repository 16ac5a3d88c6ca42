#include "answer.h"

#include "base/json.h"
#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

namespace registry {
namespace {

constexpr std::size_t longest_message = 300;
constexpr std::chrono::seconds longest_wait{300};

std::string own_words(const http::Response& response) {
    try {
        const auto parsed = base::json::parse(response.body, "an error");
        const auto& first = parsed.at("errors").at(0);
        std::string text = base::json::find_string(first, "code").value_or("");
        const auto message = base::json::find_string(first, "message").value_or("");
        if (!message.empty()) text += (text.empty() ? "" : ": ") + message;
        return text;
    } catch (const std::exception&) { // not the specification's form: a proxy's page, say
        return response.body.substr(0, response.body.find_first_of("\r\n"));
    }
}

base::ErrorKind kind_of(int status) {
    using enum base::ErrorKind;
    switch (status) {
    case 401:
        return unauthenticated;
    case 403:
        return denied;
    case 404:
        return not_found;
    case 413:
        return limit_exceeded;
    default:
        return is_transient(status) || status / 100 == 5 ? unavailable : invalid_input;
    }
}

} // namespace

std::string describe(const http::Response& response) {
    std::string words = base::printable(base::trim(own_words(response).substr(0, longest_message)));
    const std::string status = "HTTP " + std::to_string(response.status);
    return words.empty() ? status : words + " (" + status + ")";
}

void fail(const http::Response& response, const std::string& host, const std::string& what) {
    throw base::Error(kind_of(response.status),
                      host + " did not " + what + ": " + describe(response));
}

bool is_transient(int status) {
    return status == 408 || status == 429 || (status / 100 == 5 && status != 501);
}

bool is_transient(const base::Error& error) {
    return error.kind() == base::ErrorKind::unavailable ||
           error.kind() == base::ErrorKind::timed_out;
}

std::optional<std::chrono::milliseconds> retry_after(const http::Response& response) {
    const auto header = response.header("retry-after");
    if (!header) return std::nullopt;
    long long seconds = 0;
    const auto [end, error] =
        std::from_chars(header->data(), header->data() + header->size(), seconds);
    if (error != std::errc{} || end != header->data() + header->size()) {
        std::tm date{};
        if (!::strptime(header->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date)) return std::nullopt;
        seconds = ::timegm(&date) - std::time(nullptr);
    }
    return std::chrono::seconds(std::clamp<long long>(seconds, 0, longest_wait.count()));
}

} // namespace registry
