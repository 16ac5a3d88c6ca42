// What Docker's token protocol asks for and grants (distribution's "Token Scope Documentation"):
// "repository:acme/web:pull,push". Values.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

struct RegistryScope {
    std::string type;                 // "repository", "registry"
    std::string name;                 // "acme/web", "catalog"
    std::vector<std::string> actions; // "pull", "push", "delete", "*"
    std::string render() const;
    bool operator==(const RegistryScope&) const = default;
};

// One or several, separated by spaces, as a "scope" parameter holds them. A class behind the type
// is dropped. What is not of the grammar is left out: to be granted less is no error.
std::vector<RegistryScope> parse_registry_scopes(std::string_view text);

// What of it `may` allows; a scope of which nothing is left goes.
using MayInRegistry = std::function<bool(const RegistryScope& scope, const std::string& action)>;
std::vector<RegistryScope> intersect(std::vector<RegistryScope> asked, const MayInRegistry& may);

// "acme/shop/web": the distribution specification's <name>. Throws Error{invalid_input}.
void check_repository_name(const std::string& name);

} // namespace server
