#include "principal.h"

#include <algorithm>

namespace server::api {

bool Principal::is_server() const noexcept {
    return std::any_of(scopes.begin(), scopes.end(),
                       [](const apps::Scope& scope) { return scope.server; });
}

bool Principal::may(std::string_view app, apps::Right right) const noexcept {
    return std::any_of(scopes.begin(), scopes.end(), [&](const apps::Scope& scope) {
        return scope.server ||
               (scope.app == app && (scope.right == right || scope.right == apps::Right::deploy));
    });
}

std::vector<std::string> Principal::apps() const {
    std::vector<std::string> names;
    for (const auto& scope : scopes)
        if (!scope.server && scope.right != apps::Right::push) names.push_back(scope.app);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

Principal local_operator() {
    Principal principal;
    principal.id = "operator";
    principal.name = "operator";
    principal.scopes.push_back({.server = true, .app = {}, .right = apps::Right::deploy});
    principal.is_operator = true;
    return principal;
}

} // namespace server::api
