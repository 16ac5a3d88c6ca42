#include "call.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace server::api {

std::optional<std::string> Call::query(const std::string& name) const {
    const auto it = head().query.find(name);
    if (it == head().query.end()) return std::nullopt;
    return it->second;
}

base::json::Value Call::read_json(std::size_t limit) {
    body_ = exchange_.read_whole_body(limit);
    if (body_.empty()) return base::json::Value::object();
    auto value = base::json::parse(body_, "the request's body");
    if (!value.is_object())
        throw base::Error(base::ErrorKind::invalid_input,
                          "the request's body must be a JSON object");
    return value;
}

void Call::add_common_headers(http::HeaderList& headers) const {
    const auto has = [&](std::string_view name) {
        return std::any_of(headers.begin(), headers.end(),
                           [&](const auto& header) { return header.first == name; });
    };
    headers.emplace_back("X-Request-Id", head().id);
    headers.emplace_back("X-Content-Type-Options", "nosniff");
    // Nearly everything is somebody's own, and secrets are shown once.
    if (!has("Cache-Control")) headers.emplace_back("Cache-Control", "no-store");
    if (!allowance_ || allowance_->limit == 0) return;
    headers.emplace_back("RateLimit-Limit", std::to_string(allowance_->limit));
    headers.emplace_back("RateLimit-Remaining", std::to_string(allowance_->remaining));
    headers.emplace_back("RateLimit-Reset", std::to_string(allowance_->reset.count()));
}

void Call::send(http::Reply reply) {
    status_ = reply.status;
    add_common_headers(reply.headers);
    exchange_.send(reply);
}

void Call::start(int status, http::HeaderList headers) {
    status_ = status;
    add_common_headers(headers);
    exchange_.start(status, headers);
}

std::unique_ptr<http::Connection> Call::accept_websocket() {
    auto connection = exchange_.accept_websocket();
    if (connection) status_ = 101;
    return connection;
}

} // namespace server::api
