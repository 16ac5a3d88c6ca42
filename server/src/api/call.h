// One request of the API on its way: who asks, what the path names, and the answer. Owned by the
// thread that answers it.
#pragma once

#include "answers.h"
#include "principal.h"
#include "rate_limit.h"

#include "apps/records.h"
#include "base/json.h"
#include "base/stop.h"
#include "http/server.h"

#include <memory>
#include <optional>
#include <string>

namespace server::api {

class Call {
  public:
    Call(http::Exchange& exchange, const base::Stop& stop) : exchange_(exchange), stop_(stop) {}

    const http::RequestHead& head() const { return exchange_.head(); }
    const std::string& parameter(std::string_view name) const { return exchange_.parameter(name); }
    const base::Stop& stop() const noexcept { return stop_; }
    // For reading a body that streams, and for what an answer needs beyond the calls below.
    http::Exchange& exchange() noexcept { return exchange_; }

    // Of the route's pattern {app}, {build}: there, and the caller may see it. Without the part in
    // the pattern they must not be asked for.
    const apps::App& app() const { return app_.value(); }
    const apps::Build& build() const { return build_.value(); }
    // Nobody (no id, no scopes) on a route that needs no token.
    const Principal& principal() const noexcept { return principal_; }

    std::optional<std::string> query(const std::string& name) const;
    bool has_query(const std::string& name) const { return query(name).has_value(); } // ?follow
    // The whole body. Throws FieldError when it is no JSON object.
    base::json::Value read_json(std::size_t limit = 1u << 20);
    const std::string& body() const noexcept { return body_; } // what read_json read

    // The answer, with the headers that every answer has. Exactly one of these three; through
    // them the metrics learn its status.
    void send(http::Reply reply);
    void start(int status, http::HeaderList headers);
    std::unique_ptr<http::Connection> accept_websocket();
    int status() const noexcept { return status_; } // 0: none yet

  private:
    friend class Api;
    void add_common_headers(http::HeaderList& headers) const;

    http::Exchange& exchange_;
    const base::Stop& stop_;
    Principal principal_;
    std::optional<Allowance> allowance_;
    std::optional<apps::App> app_;
    std::optional<apps::Build> build_;
    std::string body_;
    int status_ = 0;
};

} // namespace server::api
