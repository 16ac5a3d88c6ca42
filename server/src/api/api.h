// The server's HTTP face (docs/api.md): each add_X_routes of this directory fills a part of a
// router with Api::add, which sees to what all routes have in common: who asks, what exists for
// them, limits, errors, metrics. main owns the one Api, which outlives the servers; any thread.
#pragma once

#include "authentication.h"
#include "call.h"
#include "metrics.h"

#include "../site.h"

#include "http/router.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace server::api {

// What a route asks of its caller. Where the pattern names an {app} or a {build}, it exists for
// the caller before the handler is called, else the answer is 404; one that may read it but not do
// this gets 403.
enum class Access {
    open,   // nobody is asked: health, and what carries its own proof
    any,    // any token
    read,   // of {app} or {build}
    deploy, // of {app} or {build}
    server, // a token of the whole server
};

// As docs/api.md and openapi.json say it: "none", "any", "read", "deploy", "server".
std::string_view to_string(Access access) noexcept;

struct Rule {
    std::string method;
    std::string pattern;
    Access access = Access::server;
};

class Api {
  public:
    Api(const Site& site, Metrics& metrics);

    using Answer = std::function<void(Call& call)>;
    void add(http::Router& router, Access access, std::string method, std::string pattern,
             Answer answer);
    // Each route that was added, in order.
    const std::vector<Rule>& rules() const noexcept { return rules_; }

    // The handler and the on_error of http::Server.
    void answer(const http::Router& router, http::Exchange& exchange, const base::Stop& stop);
    http::Reply render_failure(const base::Error& error, const http::RequestHead& head);

    const Site& site() const noexcept { return site_; }
    Metrics& metrics() noexcept { return metrics_; }
    // From now on /readyz says that the server stops.
    void note_stopping() noexcept { stopping_ = true; }
    bool is_stopping() const noexcept { return stopping_; }
    // Held while an app's row, repository and settings come or go together.
    std::mutex& apps_change() noexcept { return apps_change_; }

    // Makes the answer of a POST that starts or makes something. With an Idempotency-Key the first
    // answer is kept for a day and given again; another body under the same key, or the first one
    // still being made, is Error{already_exists}. What `make` throws is not kept: a retry may
    // succeed. body_hash: of everything that the body says (SHA-256, hex).
    struct Made {
        http::Reply reply;
        bool replayed = false;
    };
    Made make_once(Call& call, std::string_view body_hash,
                   const std::function<http::Reply()>& make);
    // The same for a body that read_json read, answer sent.
    void send_once(Call& call, const std::function<http::Reply()>& make);

  private:
    void serve(Access access, const Answer& answer, Call& call, const std::string& pattern);
    void admit(Access access, Call& call, const std::string& pattern);
    void find_named(Access access, Call& call, const std::string& pattern);
    void fail(Call& call, const base::Error& error);
    void forget_old_answers();

    const Site& site_;
    Metrics& metrics_;
    Authentication authentication_;
    RateLimit requests_; // by token
    std::vector<Rule> rules_;
    std::mutex apps_change_;
    std::atomic<std::int64_t> forgot_at_ = 0;
    std::atomic<bool> stopping_ = false;
};

void add_health_routes(http::Router& router, Api& api);
void add_server_routes(http::Router& router, Api& api); // server, users/self, openapi.json
void add_app_routes(http::Router& router, Api& api);
void add_build_routes(http::Router& router, Api& api);
void add_key_routes(http::Router& router, Api& api);
void add_token_routes(http::Router& router, Api& api);
void add_stack_routes(http::Router& router, Api& api);
// All of them.
void add_routes(http::Router& router, Api& api);

} // namespace server::api
