#include "answers.h"

#include "http/router.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace server::api {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

constexpr int largest_page = 100;
// Far enough for any list; page * per_page stays a sane offset for the database.
constexpr int last_page = 1'000'000;
constexpr std::chrono::seconds soon{5};

int parse_number(const std::string& field, const std::string& text, int most) {
    int number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || number < 1 || number > most)
        throw FieldError(field, field + " must be a number from 1 to " + std::to_string(most));
    return number;
}

} // namespace

FieldError::FieldError(std::string field, std::string message, std::string hint)
    : Error(ErrorKind::invalid_input, std::move(message), std::move(hint)),
      field_(std::move(field)) {}

Busy::Busy(std::string message, std::chrono::seconds retry_after, std::string hint)
    : Error(ErrorKind::limit_exceeded, std::move(message), std::move(hint)),
      retry_after_(retry_after) {}

int status_of(const Error& error) noexcept {
    if (dynamic_cast<const http::MethodNotAllowed*>(&error)) return 405;
    if (dynamic_cast<const FieldError*>(&error)) return 422;
    if (dynamic_cast<const Busy*>(&error)) return 429;
    switch (error.kind()) {
    case ErrorKind::invalid_input:
        return 400;
    case ErrorKind::unauthenticated:
        return 401;
    case ErrorKind::denied:
        return 403;
    case ErrorKind::not_found:
        return 404;
    case ErrorKind::already_exists:
        return 409;
    case ErrorKind::limit_exceeded:
        return 413;
    case ErrorKind::buildpack_failed:
        return 422;
    case ErrorKind::cancelled: // the server stops
    case ErrorKind::unavailable:
        return 503;
    case ErrorKind::timed_out:
        return 504;
    case ErrorKind::internal:
        break;
    }
    return 500;
}

http::Reply render_error(const Error& error, const std::string& request_id) {
    const int status = status_of(error);
    const auto* field = dynamic_cast<const FieldError*>(&error);
    Value body{{"code", base::to_string(error.kind())},
               {"message", error.message()},
               {"hint", text_or_null(error.hint())},
               {"field", field ? Value(field->field()) : Value(nullptr)},
               {"request_id", request_id}};
    if (status == 500) {
        // Paths and causes are the operator's to read.
        body["message"] = "the server failed at this request";
        body["hint"] = "Its log says why, under the request's id.";
    }
    auto reply = envelope(status, "error", std::move(body));
    if (status == 401) {
        // Basic for clients that only know a user and a password: the token is the password.
        reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"slipway\"");
        reply.headers.emplace_back("WWW-Authenticate",
                                   "Basic realm=\"slipway\", charset=\"UTF-8\"");
    }
    if (const auto* method = dynamic_cast<const http::MethodNotAllowed*>(&error))
        reply.headers.emplace_back("Allow", method->allowed());
    if (const auto* busy = dynamic_cast<const Busy*>(&error))
        reply.headers.emplace_back(
            "Retry-After", std::to_string(std::max<long long>(1, busy->retry_after().count())));
    else if (status == 503)
        reply.headers.emplace_back("Retry-After", std::to_string(soon.count()));
    return reply;
}

http::Reply json_reply(int status, const Value& value) {
    return {status, {{"Content-Type", "application/json"}}, base::json::render(value) + "\n"};
}

http::Reply envelope(int status, const std::string& name, Value value) {
    Value body = Value::object();
    body[name] = std::move(value);
    return json_reply(status, body);
}

Value time_or_null(std::int64_t milliseconds) {
    if (milliseconds == 0) return nullptr;
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char day[32], text[48];
    std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text, sizeof text, "%s.%03dZ", day, static_cast<int>(milliseconds % 1000));
    return std::string(text);
}

Value text_or_null(const std::string& text) {
    return text.empty() ? Value(nullptr) : Value(text);
}

Page parse_page(const http::RequestHead& head) {
    Page page;
    if (const auto it = head.query.find("page"); it != head.query.end())
        page.number = parse_number("page", it->second, last_page);
    if (const auto it = head.query.find("per_page"); it != head.query.end())
        page.size = parse_number("per_page", it->second, largest_page);
    return page;
}

http::Reply list_reply(const std::string& name, Value items, const Page& page, std::int64_t total) {
    const auto pages = std::max<std::int64_t>(1, (total + page.size - 1) / page.size);
    const auto neighbour = [&](int number) {
        return number >= 1 && number <= pages ? Value(number) : Value(nullptr);
    };
    Value body = Value::object();
    body[name] = std::move(items);
    body["meta"] = {{"pagination",
                     {{"current_page", page.number},
                      {"prev_page", neighbour(page.number - 1)},
                      {"next_page", neighbour(page.number + 1)},
                      {"total_pages", pages},
                      {"total_count", total}}}};
    return json_reply(200, body);
}

http::Reply list_reply(const std::string& name, const Value& all, const http::RequestHead& head) {
    const auto page = parse_page(head);
    Value items = Value::array();
    const auto begin = static_cast<std::size_t>(page.offset());
    for (auto at = begin; at < all.size() && at < begin + static_cast<std::size_t>(page.size); ++at)
        items.push_back(all[at]);
    return list_reply(name, std::move(items), page, static_cast<std::int64_t>(all.size()));
}

Value open_envelope(const Value& body, const std::string& name) {
    const auto it = body.is_object() ? body.find(name) : body.end();
    if (!body.is_object() || it == body.end() || !it->is_object())
        throw FieldError(name, "the body must be an object {\"" + name + "\": {...}}");
    return *it;
}

std::optional<std::string> find_text(const Value& object, const std::string& field) {
    const auto it = object.find(field);
    if (it == object.end() || it->is_null()) return std::nullopt;
    if (!it->is_string()) throw FieldError(field, base::quoted(field) + " must be a text");
    return it->get<std::string>();
}

std::string get_text(const Value& object, const std::string& field) {
    if (auto text = find_text(object, field)) return *text;
    throw FieldError(field, base::quoted(field) + " is missing");
}

std::vector<std::string> find_texts(const Value& object, const std::string& field) {
    const auto it = object.find(field);
    if (it == object.end() || it->is_null()) return {};
    std::vector<std::string> texts;
    bool fine = it->is_array();
    if (fine)
        for (const auto& entry : *it)
            if ((fine = fine && entry.is_string())) texts.push_back(entry.get<std::string>());
    if (!fine) throw FieldError(field, base::quoted(field) + " must be a list of texts");
    return texts;
}

bool find_flag(const Value& object, const std::string& field, bool otherwise) {
    const auto it = object.find(field);
    if (it == object.end() || it->is_null()) return otherwise;
    if (!it->is_boolean()) throw FieldError(field, base::quoted(field) + " must be true or false");
    return it->get<bool>();
}

} // namespace server::api
