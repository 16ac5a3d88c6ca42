// A registry's refusals as errors: its own code and message, cut and made printable.
#pragma once

#include "http/client.h"

#include "base/error.h"

#include <chrono>
#include <optional>
#include <string>

namespace registry {

// "DENIED: requested access is denied (HTTP 403)".
std::string describe(const http::Response& response);

// "HOST did not WHAT: ..."; the kind follows from the status.
[[noreturn]] void fail(const http::Response& response, const std::string& host,
                       const std::string& what);

// Worth another attempt: 408, 429, and 5xx but 501.
bool is_transient(int status);
bool is_transient(const base::Error& error);

// Retry-After in seconds or as a date; at most five minutes.
std::optional<std::chrono::milliseconds> retry_after(const http::Response& response);

} // namespace registry
