// Whether the server lives, and whether it can do its work.
#include "api.h"

#include "apps/store.h"

#include "../config_values.h"
#include "../tcp.h"

#include "base/error.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::json::Value;

namespace {

constexpr auto time_to_answer = std::chrono::seconds(2);

// What an operator must see is the sentence; the trail is in the log.
void look(Value& missing, const std::string& name, const std::function<void()>& check) {
    try {
        check();
    } catch (const base::Error& error) {
        missing.push_back({{"name", name}, {"reason", error.message()}});
    } catch (const std::exception& error) {
        missing.push_back({{"name", name}, {"reason", error.what()}});
    }
}

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
    Value missing = Value::array();
    look(missing, "database", [&] { site.store.database().check(); });
    look(missing, "registry", [&] { check_registry(site, call.stop()); });
    look(missing, "disk", [&] { check_disk(site); });
    look(missing, "stack", [&] { check_stack(site); });
    if (api.is_stopping()) missing.push_back({{"name", "server"}, {"reason", "it is stopping"}});
    const bool ready = missing.empty();
    auto reply = json_reply(ready ? 200 : 503, {{"ready", ready}, {"missing", missing}});
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
