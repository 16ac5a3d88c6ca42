#include "api.h"

#include "apps/store.h"
#include "receiver/app_name.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <exception>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;

bool has_part(const std::string& pattern, std::string_view part) {
    return pattern.find(part) != std::string::npos;
}

bool only_reads(const std::string& method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// One sentence for "no such app" and "not for you": names of others' apps are not told.
[[noreturn]] void no_such_app(const std::string& name) {
    throw Error(ErrorKind::not_found, "there is no app " + base::quoted(name),
                "slipway apps list shows those that are there.");
}

[[noreturn]] void no_such_build(const std::string& id) {
    throw Error(ErrorKind::not_found, "there is no build " + base::quoted(id),
                "slipway builds list shows those that are there.");
}

[[noreturn]] void deny(const Principal& principal, const std::string& needed) {
    throw Error(ErrorKind::denied, "the token " + base::quoted(principal.name) + " may not do this",
                "It needs the scope " + needed + ".");
}

void check_allowance(const Allowance& allowance) {
    if (allowance.allowed) return;
    throw Busy("this token has asked too often", allowance.retry_after,
               "It may ask " + std::to_string(allowance.limit) +
                   " times a minute (http.max_requests).");
}

void log_answer(const Call& call, const std::string& pattern, std::chrono::microseconds time) {
    // Those who look every few seconds whether we live would be most of the log.
    const bool quiet = pattern == "/livez" || pattern == "/readyz" || pattern == "/metrics";
    const auto& head = call.head();
    // Without the query: it may carry the proof of a pre-authenticated URL.
    base::log::write(quiet ? base::log::Level::debug : base::log::Level::info, "a request",
                     {{"request", head.id},
                      {"method", head.method},
                      {"path", base::printable(head.path.substr(0, 300))},
                      {"status", std::to_string(call.status())},
                      {"milliseconds", std::to_string(time.count() / 1000)},
                      {"from", head.peer_uid ? "local" : head.peer},
                      {"who", call.principal().name}});
}

} // namespace

std::string_view to_string(Access access) noexcept {
    switch (access) {
    case Access::open:
        return "none";
    case Access::any:
        return "any";
    case Access::read:
        return "read";
    case Access::deploy:
        return "deploy";
    case Access::server:
        break;
    }
    return "server";
}

Api::Api(const Site& site, Metrics& metrics)
    : site_(site), metrics_(metrics),
      authentication_(site.store.tokens(), site.config.http.max_failed_logins),
      requests_(site.config.http.max_requests) {}

void Api::add(http::Router& router, Access access, std::string method, std::string pattern,
              Answer answer) {
    rules_.push_back({method, pattern, access});
    router.add(method, pattern,
               [this, access, pattern, answer](http::Exchange& exchange, const base::Stop& stop) {
                   Call call(exchange, stop);
                   serve(access, answer, call, pattern);
               });
}

void Api::serve(Access access, const Answer& answer, Call& call, const std::string& pattern) {
    const auto begin = std::chrono::steady_clock::now();
    const auto method = call.head().method;
    std::exception_ptr cut; // half of an answer cannot become an error
    try {
        try {
            admit(access, call, pattern);
            answer(call);
        } catch (const Error& error) {
            fail(call, error);
        } catch (const std::exception& error) {
            fail(call, Error(ErrorKind::internal, error.what()));
        }
    } catch (...) {
        cut = std::current_exception();
    }
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - begin);
    metrics_.count_request(method, pattern, call.status(), time);
    log_answer(call, pattern, time);
    if (cut) std::rethrow_exception(cut);
}

void Api::admit(Access access, Call& call, const std::string& pattern) {
    const auto& head = call.head();
    if (access == Access::open) return;
    // A browser that remembers a password sends it along with another site's form.
    if (!only_reads(head.method) && head.header("sec-fetch-site").value_or("none") == "cross-site")
        throw Error(ErrorKind::denied, "another site's page may not ask for this");
    call.principal_ = authentication_.identify(head);
    if (!call.principal_.is_operator) {
        call.allowance_ = requests_.take(call.principal_.id); // also for the refusal's headers
        check_allowance(*call.allowance_);
    }
    find_named(access, call, pattern);
    if (access == Access::server && !call.principal_.is_server())
        deny(call.principal_, "\"server\"");
}

Principal Api::identify(const http::RequestHead& head, const std::string& token) {
    auto principal = authentication_.identify(head, token);
    check_allowance(requests_.take(principal.id));
    return principal;
}

void Api::find_named(Access access, Call& call, const std::string& pattern) {
    const auto& principal = call.principal_;
    if (has_part(pattern, "{app}")) {
        const auto& name = call.parameter("app");
        if (!receiver::is_app_name(name) || !principal.may(name, apps::Right::read))
            no_such_app(name);
        call.app_ = site_.store.find_app(name);
        if (!call.app_) no_such_app(name);
    }
    if (has_part(pattern, "{build}")) {
        const auto& id = call.parameter("build");
        call.build_ = site_.store.builds().find(id);
        if (!call.build_ || !principal.may(call.build_->app, apps::Right::read) ||
            (call.app_ && call.app_->name != call.build_->app))
            no_such_build(id);
    }
    if (access != Access::deploy) return;
    const auto& app = call.build_ ? call.build_->app : call.app().name;
    if (!principal.may(app, apps::Right::deploy)) deny(principal, "\"app:" + app + ":deploy\"");
}

void Api::fail(Call& call, const Error& error) {
    // A reader who leaves in the middle is nobody's fault; a server that does is ours.
    if (call.status() != 0) {
        base::log::write(
            error.kind() == ErrorKind::internal ? base::log::Level::error : base::log::Level::debug,
            "an answer was cut off", {{"request", call.head().id}, {"reason", error.describe()}});
        throw error;
    }
    if (call.exchange().peer_left()) throw error;
    if (status_of(error) >= 500)
        base::log::error("a request failed",
                         {{"request", call.head().id}, {"reason", error.describe()}});
    call.send(render_error(error, call.head().id));
}

void Api::answer(const http::Router& router, http::Exchange& exchange, const base::Stop& stop) {
    Call call(exchange, stop);
    try {
        return router.answer(exchange, stop);
    } catch (const Error& error) {
        if (call.status() != 0 || exchange.is_started()) throw;
        // No route has it.
        const auto begin = std::chrono::steady_clock::now();
        call.send(render_error(error, call.head().id));
        const auto time = std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::steady_clock::now() - begin);
        metrics_.count_request(call.head().method, "", call.status(), time);
        log_answer(call, "", time);
    }
}

http::Reply Api::render_failure(const Error& error, const http::RequestHead& head) {
    auto reply = render_error(error, head.id);
    reply.headers.emplace_back("X-Request-Id", head.id);
    reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
    reply.headers.emplace_back("Cache-Control", "no-store");
    return reply;
}

void add_routes(http::Router& router, Api& api) {
    add_health_routes(router, api);
    add_server_routes(router, api);
    add_app_routes(router, api);
    add_build_routes(router, api);
    add_key_routes(router, api);
    add_token_routes(router, api);
    add_source_routes(router, api);
    add_new_build_routes(router, api);
    add_deployment_routes(router, api);
    add_scalingo_routes(router, api);
    add_heroku_routes(router, api);
    add_stack_routes(router, api);
    add_webhook_routes(router, api);
    add_variable_routes(router, api);
    add_notification_routes(router, api);
    add_prune_routes(router, api);
    add_registry_routes(router, api);
}

} // namespace server::api
