// Asks a server's HTTP API (docs/api.md), on the local socket or over the network. main's thread.
// It knows no route but how all of them answer: envelopes, pages, errors, "not now".
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/stop.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

// Where a server is and who asks. Either `url` or `socket`.
struct Endpoint {
    std::string url = {};              // "https://host:port", without a slash at the end
    std::filesystem::path socket = {}; // run/control.sock
    base::Secret token = {};           // none is needed on the local socket
    std::string ca_file = {};          // PEM, in addition to the system's authorities
    bool is_remote() const noexcept { return socket.empty(); }
    std::string name() const { return is_remote() ? url : socket.string(); } // for people
};

// "https://Host/x/" -> "https://host:443/x" and the like: the name under which a token is kept.
// Throws Error{invalid_input}: no such URL, or plain http to another machine, which would show the
// token to everybody on the way.
std::string normalize_server_url(const std::string& text);

// "/v1/apps/hello": each part encoded. Throws Error{invalid_input} for an empty part, "." and "..".
std::string api_path(std::initializer_list<std::string_view> parts);

using Query = std::vector<std::pair<std::string, std::string>>;

// An answer was not had, or it was cut off: the same may be asked again later.
class ConnectionLost : public base::Error {
  public:
    explicit ConnectionLost(const base::Error& cause)
        : Error(cause.kind(), cause.message(), cause.hint()) {}
};

class ApiClient {
  public:
    // retry_pause: before what is asked again without the server having said when.
    ApiClient(Endpoint endpoint, const std::string& version, base::Stop stop,
              std::chrono::milliseconds retry_pause = std::chrono::milliseconds(500));
    ~ApiClient();

    // Each returns the answer's object (null for 204) and throws the Error that the server answered
    // (its kind, sentence and hint), ConnectionLost when there was no answer, Error{denied} for a
    // certificate that nobody trusts, Error{cancelled} on the stop. "Not now" (429 and 503) is
    // waited out a few times, a lost connection once: a POST carries an Idempotency-Key, so that it
    // starts one thing however often it is sent.
    base::json::Value get(const std::string& path, const Query& query = {}) const;
    base::json::Value post(const std::string& path, const base::json::Value& body) const;
    base::json::Value patch(const std::string& path, const base::json::Value& body) const;
    base::json::Value put(const std::string& path, const base::json::Value& body) const;
    base::json::Value remove(const std::string& path, const Query& query = {}) const;

    // All pages of a list, or its first `limit` entries (0: all).
    base::json::Value list(const std::string& path, const std::string& name, Query query = {},
                           std::size_t limit = 0) const;

    // A body that is no JSON, piece by piece as it comes. Asked once: the caller knows where it
    // was.
    using Sink = std::function<void(std::string_view bytes)>;
    void stream(const std::string& path, const Query& query, const Sink& sink) const;

    // The bytes of a file to an address of this server that it named itself (it is asked with its
    // path alone, and without the token: such an address is a credential of its own).
    void put_file(const std::string& address, const std::filesystem::path& file) const;

    const Endpoint& endpoint() const noexcept;

  private:
    struct Transport;
    std::unique_ptr<Transport> transport_;
};

// What the server answered in place of what was wanted, as an Error. Pure.
base::Error error_of_answer(int status, const std::string& body, const Endpoint& endpoint);

// How long a busy server wants to be left alone: Retry-After in seconds; `otherwise` for none, a
// date or nonsense.
std::chrono::milliseconds parse_retry_after(const std::string& text,
                                            std::chrono::milliseconds otherwise);

// {NAME: object}: the object. Throws Error{unavailable} when the answer is another one.
base::json::Value member(const base::json::Value& answer, const std::string& name);

} // namespace cli
