// The asking end of docs/local-protocol.md. Each call is a connection of its own, so any thread may
// call at any time. It knows no verb.
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/stop.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <functional>

namespace wire {

using EventSink = std::function<void(const base::json::Value& event)>;

// The conversation itself failed: nobody listens, or the server left before it had answered. An
// Error{unavailable} of another type is the server's own answer.
class Unreachable : public base::Error {
  public:
    explicit Unreachable(std::string message, std::string hint = {})
        : Error(base::ErrorKind::unavailable, std::move(message), std::move(hint)) {}
};

// Sends the request (an object with "verb"), hands each event to `on_event` as it comes, returns
// the result. Throws the Error that the server answered, Unreachable when nobody listens or the
// connection ends without an answer, and Error{cancelled | timed_out} on a stop.
base::json::Value call(const std::filesystem::path& socket, const base::json::Value& request,
                       const EventSink& on_event = {}, const base::Stop& stop = {});

} // namespace wire
