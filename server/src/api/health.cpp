// Whether the server lives, and whether it can do its work.
#include "api.h"

#include "apps/store.h"

#include "../config_values.h"
#include "../tcp.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::json::Value;

namespace {

constexpr auto time_to_answer = std::chrono::seconds(2);

// Anybody may ask: he learns what is missing. Why (addresses, paths, a database's own words) is the
// operator's: in the log, and in the answer on his own socket.
class Look {
  public:
    explicit Look(const Call& call) : is_operator_(call.head().peer_uid.has_value()) {}

    void at(const std::string& name, const std::function<void()>& check) {
        try {
            check();
        } catch (const base::Error& error) {
            miss(name, error.message(), error.describe());
        } catch (const std::exception& error) {
            miss(name, error.what(), error.what());
        }
    }
    void miss(const std::string& name, const std::string& reason, const std::string& trail) {
        base::log::warning("the server is not ready", {{"missing", name}, {"reason", trail}});
        Value one{{"name", name}};
        if (is_operator_) one["reason"] = reason;
        missing_.push_back(std::move(one));
    }
    const Value& missing() const noexcept { return missing_; }

  private:
    const bool is_operator_;
    Value missing_ = Value::array();
};

void check_registry(const Site& site, const base::Stop& stop) {
    const auto& host = site.registry.host;
    const bool has_port = host.rfind(':') != std::string::npos && host.back() != ']';
    connect_to(parse_address(has_port ? host : host + ":443"), stop.within(time_to_answer));
}

void check_disk(const Site& site) {
    const auto free = free_space(site.state.root());
    if (free < site.config.build.free_space)
        throw base::Error(base::ErrorKind::unavailable,
                          "only " + base::human_bytes(free) + " are free, builds want " +
                              base::human_bytes(site.config.build.free_space));
}

void check_stack(const Site& site) {
    if (!site.store.current_stack())
        throw base::Error(base::ErrorKind::not_found, "there is no stack yet",
                          "slipway stack create debian-12");
}

void answer_ready(Api& api, Call& call) {
    const auto& site = api.site();
    Look look(call);
    look.at("database", [&] { site.store.database().check(); });
    look.at("registry", [&] { check_registry(site, call.stop()); });
    look.at("disk", [&] { check_disk(site); });
    look.at("stack", [&] { check_stack(site); });
    if (api.is_stopping()) look.miss("server", "it is stopping", "it is stopping");
    const bool ready = look.missing().empty();
    auto reply = json_reply(ready ? 200 : 503, {{"ready", ready}, {"missing", look.missing()}});
    if (!ready) reply.headers.emplace_back("Retry-After", "5");
    call.send(std::move(reply));
}

} // namespace

void add_health_routes(http::Router& router, Api& api) {
    api.add(router, Access::open, "GET", "/livez", [](Call& call) {
        call.send({200, {{"Content-Type", "text/plain; charset=utf-8"}}, "ok\n"});
    });
    api.add(router, Access::open, "GET", "/readyz", [&](Call& call) { answer_ready(api, call); });
}

} // namespace server::api
