// How the API's answers look: envelopes, pages, times, errors (docs/api.md). Values, any thread.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "http/server.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace server::api {

// Something in a request's body or query that only its sender can mend: 422, with the field's name.
class FieldError : public base::Error {
  public:
    FieldError(std::string field, std::string message, std::string hint = {});
    const std::string& field() const noexcept { return field_; }

  private:
    std::string field_;
};

// Not now: 429 with Retry-After, whether a rate limit or a full queue says so. (A plain
// Error{limit_exceeded} is 413: it will not become right by waiting.)
class Busy : public base::Error {
  public:
    Busy(std::string message, std::chrono::seconds retry_after, std::string hint = {});
    std::chrono::seconds retry_after() const noexcept { return retry_after_; }

  private:
    std::chrono::seconds retry_after_;
};

int status_of(const base::Error& error) noexcept;
// {"error": {"code", "message", "hint", "field", "request_id"}} with the headers that belong to the
// status (WWW-Authenticate, Allow, Retry-After). What went wrong inside of the server is not told.
http::Reply render_error(const base::Error& error, const std::string& request_id);

http::Reply json_reply(int status, const base::json::Value& value);
// {NAME: value}
http::Reply envelope(int status, const std::string& name, base::json::Value value);

// "2026-01-31T12:00:00.000Z"; null for 0.
base::json::Value time_or_null(std::int64_t milliseconds);
// null for an empty text.
base::json::Value text_or_null(const std::string& text);

// ?page=1&per_page=20. Throws FieldError.
struct Page {
    int number = 1;
    int size = 20;
    int offset() const noexcept { return (number - 1) * size; }
};
Page parse_page(const http::RequestHead& head);
// {NAME: [...], "meta": {"pagination": {...}}}; `items` are those of the page alone.
http::Reply list_reply(const std::string& name, base::json::Value items, const Page& page,
                       std::int64_t total);
// The same of a list that is wholly at hand: the page is cut out here.
http::Reply list_reply(const std::string& name, const base::json::Value& all,
                       const http::RequestHead& head);

// Of a request's body {NAME: {...}}: the inner object. Throws FieldError.
base::json::Value open_envelope(const base::json::Value& body, const std::string& name);
// As base::json::get_string and the like, but a FieldError.
std::string get_text(const base::json::Value& object, const std::string& field);
std::optional<std::string> find_text(const base::json::Value& object, const std::string& field);
std::vector<std::string> find_texts(const base::json::Value& object, const std::string& field);
bool find_flag(const base::json::Value& object, const std::string& field, bool otherwise);

} // namespace server::api
