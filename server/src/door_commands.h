// What people ask over SSH beside git: their apps and the builds of these. Each verb names the
// key's fingerprint; what is not that key's does not exist for it. Any thread.
#pragma once

#include "site.h"

#include "base/json.h"
#include "wire/server.h"

#include <optional>
#include <string>
#include <string_view>

namespace server {

class DoorCommands {
  public:
    explicit DoorCommands(const Site& site) : site_(site) {}

    // Empty: the verb is none of these. docs/local-protocol.md names them.
    std::optional<base::json::Value> answer(std::string_view verb, const base::json::Value& request,
                                            wire::Exchange& exchange, const base::Stop& stop);

  private:
    apps::Key key_of(const base::json::Value& request);
    // Throws the same Error{not_found} for no build and for one of another's app.
    apps::Build build_of(const base::json::Value& request);
    base::json::Value list_apps(const base::json::Value& request, wire::Exchange& exchange);
    base::json::Value list_builds(const base::json::Value& request, wire::Exchange& exchange);
    base::json::Value show_build(const base::json::Value& request, wire::Exchange& exchange);
    base::json::Value follow(const base::json::Value& request, wire::Exchange& exchange,
                             const base::Stop& stop);
    base::json::Value retry(const base::json::Value& request, wire::Exchange& exchange);
    base::json::Value cancel(const base::json::Value& request, wire::Exchange& exchange);

    const Site& site_;
};

} // namespace server
