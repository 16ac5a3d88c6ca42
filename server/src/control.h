// The verbs of control.sock, for the operator's CLI (docs/local-protocol.md). Any thread.
#pragma once

#include "site.h"

#include "base/json.h"
#include "base/stop.h"
#include "wire/server.h"

#include <mutex>

namespace server {

class Control {
  public:
    explicit Control(const Site& site) : site_(site) {}

    base::json::Value answer(const base::json::Value& request, wire::Exchange& exchange,
                             const base::Stop& stop);

  private:
    using Value = base::json::Value;
    Value create_app(const Value& request);
    Value list_apps();
    Value app_info(const Value& request);
    Value destroy_app(const Value& request);
    Value add_key(const Value& request);
    Value list_keys();
    Value remove_key(const Value& request);
    Value list_builds(const Value& request);
    Value build_info(const Value& request);
    Value build_log(const Value& request, wire::Exchange& exchange, const base::Stop& stop);
    Value cancel_build(const Value& request);
    Value list_stacks();
    Value stack_info(const Value& request);
    Value use_stack(const Value& request);
    Value app_buildpacks(const Value& request); // control_apps.cpp, as the next three
    Value app_stack(const Value& request);
    Value clear_cache(const Value& request);
    Value build_records(const Value& request);

    apps::App get_app(const Value& request);
    apps::Build get_build(const Value& request);
    void follow_log(LiveBuild& build, std::uint64_t offset, wire::Exchange& exchange,
                    const base::Stop& stop);

    const Site& site_;
    std::mutex apps_change_; // a row and a repository come and go together
};

} // namespace server
