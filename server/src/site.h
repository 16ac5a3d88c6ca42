// What the verbs work on, put together by main and borrowed by everything else.
#pragma once

#include "server/config.h"
#include "server/config_vars.h"
#include "server/queue.h"

#include "build_events.h"
#include "config_values.h"
#include "host_keys.h"
#include "repositories.h"
#include "retention.h"
#include "state_directory.h"
#include "uploads.h"

#include "apps/store.h"

#include <functional>
#include <string>
#include <vector>

namespace server {

class RegistryTokens;
class Signatures;
class Webhooks;

// Where images go.
struct Registry {
    std::string host;   // host[:port]: where the server and its builds reach it
    std::string prefix; // "" or "team/"
    std::vector<std::string> insecure;
    std::string user;
    std::filesystem::path password_file;
    std::filesystem::path client_certificate, client_key;
    std::string public_host = {};           // what people call it; empty: `host`
    const RegistryTokens* tokens = nullptr; // of the one that we run

    const std::string& shown_host() const { return public_host.empty() ? host : public_host; }
    std::string repository_of(const apps::App& app) const { return prefix + app.path(); }
};

struct Site {
    const Config& config;
    const StateDirectory& state;
    apps::Store& store;
    Queue& queue;
    const Repositories& repositories;
    ConfigVars& variables;
    base::KeyRing& keys; // of everything that the database keeps sealed
    const Registry& registry;
    std::string version;
    std::string ssh_address; // host of the listener
    std::uint16_t ssh_port;
    std::vector<HostKey> host_keys;
    std::filesystem::path launcher;
    std::vector<std::filesystem::path> buildpacks;
    std::string http_url; // "https://builds.example.com", for links; empty without a listener
    UploadStore& uploads;
    BuildEvents& build_events;
    std::function<PruneReport(DryRun)> prune;
    Webhooks* webhooks = nullptr; // null: deliveries are not taken
    std::string name = {};        // of this server in the store: the same one after its restart
    const Signatures* signatures = nullptr; // null: there are no public keys

    std::string ssh_url() const; // "ssh://git@host:port"
};

// "ssh://git@host:port"
std::string ssh_url(const Config& config, const Address& listener);

} // namespace server
