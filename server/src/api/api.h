// The server's HTTP face (docs/api.md): each add_X_routes of this directory fills a part of a
// router with Api::add, which sees to what all routes have in common: who asks, what exists for
// them, limits, errors, metrics. main owns the one Api, which outlives the servers; any thread.
#pragma once

#include "authentication.h"
#include "call.h"
#include "metrics.h"

#include "../log_hub.h"
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
    // Who a request comes from; for those that bring their token later than in a header.
    Principal identify(const http::RequestHead& head) { return authentication_.identify(head); }
    // The same for a token that came otherwise; its request counts against its limit.
    Principal identify(const http::RequestHead& head, const std::string& token);
    const SessionTokens& sessions() const noexcept { return authentication_.sessions(); }
    Metrics& metrics() noexcept { return metrics_; }
    LogHub& logs() noexcept { return logs_; }
    // From now on /readyz says that the server stops.
    void note_stopping() noexcept { stopping_ = true; }
    bool is_stopping() const noexcept { return stopping_; }
    // Held while an app's row, repository and settings come or go together.
    std::mutex& apps_change() noexcept { return apps_change_; }

    // Makes the answer of a POST that starts or makes something. With an Idempotency-Key the first
    // answer is kept for a day and given again; another body under the same key, or the first one
    // still being made, is Error{already_exists}. What `make` throws is not kept: a retry may
    // succeed. body_hash: of everything that the body says (SHA-256, hex). show: of a request that
    // starts a build (submit() tells the key of it), the same answer from the build that it has
    // started: for one whose own answer was cut off.
    struct Made {
        http::Reply reply;
        bool replayed = false;
    };
    using Show = std::function<http::Reply(const apps::Build&)>;
    Made make_once(Call& call, std::string_view body_hash, const std::function<http::Reply()>& make,
                   const Show& show = {});
    // The same for a body that read_json read, answer sent.
    void send_once(Call& call, const std::function<http::Reply()>& make, const Show& show = {});
    // The log of a build from its first byte until its end, as text, on an answer that was started.
    void write_log(Call& call, const std::string& build);
    // Removes what builds of the call's app keep for one another. Throws Error{already_exists}
    // while one waits or runs.
    void clear_cache(Call& call);

  private:
    void serve(Access access, const Answer& answer, Call& call, const std::string& pattern);
    void admit(Access access, Call& call, const std::string& pattern);
    void find_named(Access access, Call& call, const std::string& pattern);
    void fail(Call& call, const base::Error& error);
    void forget_old_answers();
    http::Reply give_again(const apps::Remembered& known, const std::string& context,
                           const Show& show) const;
    http::Reply unseal_answer(const apps::Remembered& known, const std::string& context) const;

    const Site& site_;
    Metrics& metrics_;
    Authentication authentication_;
    RateLimit requests_; // by token
    std::vector<Rule> rules_;
    std::mutex apps_change_;
    std::atomic<std::int64_t> forgot_at_ = 0;
    std::atomic<bool> stopping_ = false;
    LogHub logs_; // the last member: the others may be asked for the end of a log
};

void add_health_routes(http::Router& router, Api& api);
void add_server_routes(http::Router& router, Api& api); // server, users/self, openapi.json
void add_app_routes(http::Router& router, Api& api);
void add_build_routes(http::Router& router, Api& api);
void add_key_routes(http::Router& router, Api& api);
void add_token_routes(http::Router& router, Api& api);
void add_source_routes(http::Router& router, Api& api);
void add_new_build_routes(http::Router& router, Api& api);
void add_deployment_routes(http::Router& router, Api& api);
void add_scalingo_routes(http::Router& router, Api& api);
void add_heroku_routes(http::Router& router, Api& api);
void add_stack_routes(http::Router& router, Api& api);
void add_webhook_routes(http::Router& router, Api& api);
void add_variable_routes(http::Router& router, Api& api);
void add_notification_routes(http::Router& router, Api& api);
void add_prune_routes(http::Router& router, Api& api);
void add_registry_routes(http::Router& router, Api& api); // its token service
// All of them.
void add_routes(http::Router& router, Api& api);

} // namespace server::api
