#include "registry/repository.h"

#include "base64.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace registry {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Docker's own spelling of its registry; other entries may be URLs, too.
constexpr const char* docker_hub_key = "https://index.docker.io/v1/";

std::string host_of(std::string_view key) {
    for (const std::string_view scheme : {"https://", "http://"})
        if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
    const std::string host(key.substr(0, key.find('/')));
    return host == "index.docker.io" || host == "registry-1.docker.io" ? "docker.io" : host;
}

fs::path config_path() {
    if (const char* directory = std::getenv("DOCKER_CONFIG"); directory && *directory)
        return fs::path(directory) / "config.json";
    const char* home = std::getenv("HOME");
    return home && *home ? fs::path(home) / ".docker" / "config.json" : fs::path();
}

std::optional<Credential> from_entry(const json& entry) {
    if (!entry.is_object()) return std::nullopt;
    if (const auto token = base::json::find_string(entry, "identitytoken");
        token && !token->empty())
        return Credential{"<token>", base::Secret(*token)};
    if (const auto user = base::json::find_string(entry, "username"))
        return Credential{*user,
                          base::Secret(base::json::find_string(entry, "password").value_or(""))};
    const auto decoded = decode_base64(base::json::find_string(entry, "auth").value_or(""));
    if (!decoded) return std::nullopt;
    const auto colon = decoded->find(':');
    if (colon == decoded->npos) return std::nullopt;
    return Credential{decoded->substr(0, colon), base::Secret(decoded->substr(colon + 1))};
}

// docker-credential-helpers: the server's name on standard input, JSON on standard output.
std::optional<Credential> from_helper(const std::string& helper, const std::string& server) {
    const bool plain = std::all_of(helper.begin(), helper.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (helper.empty() || !plain)
        throw base::Error(base::ErrorKind::invalid_input,
                          base::quoted(helper) + " is not the name of a credential helper");
    const auto result = base::run({.argv = {"docker-credential-" + helper, "get"},
                                   .environment = base::minimal_environment()},
                                  base::Stop().within(std::chrono::seconds(30)), server);
    if (!result.status.ok()) return std::nullopt; // it has none for this server
    const auto parsed = base::json::parse(result.output, "the credential helper's answer");
    return Credential{base::json::get_string(parsed, "Username"),
                      base::Secret(base::json::get_string(parsed, "Secret"))};
}

std::optional<Credential> find_credential(const json& config, const std::string& registry) {
    const std::string server = registry == "docker.io" ? docker_hub_key : registry;
    const json helpers = config.value("credHelpers", json::object());
    for (const auto& [key, helper] : helpers.items())
        if (host_of(key) == registry && helper.is_string())
            return from_helper(helper.get<std::string>(), server);
    const json auths = config.value("auths", json::object());
    for (const auto& [key, entry] : auths.items())
        if (host_of(key) == registry)
            if (auto found = from_entry(entry)) return found;
    if (const auto store = base::json::find_string(config, "credsStore"); store && !store->empty())
        return from_helper(*store, server);
    return std::nullopt;
}

} // namespace

std::map<std::string, Credential> read_docker_credentials(std::string_view registry) {
    const fs::path path = config_path();
    if (path.empty() || !fs::exists(path)) return {};
    return base::while_doing("reading " + path.string(), [&] {
        const json config = base::json::parse(base::read_file(path, 1u << 20), path.string());
        std::map<std::string, Credential> found;
        const auto host = host_of(registry);
        if (!config.is_object()) return found;
        if (auto credential = find_credential(config, host))
            found.emplace(host, std::move(*credential));
        return found;
    });
}

} // namespace registry
