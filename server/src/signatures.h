// Signs what this server built, and knows its public keys. The key never leaves this process: a
// worker says what it used, the server says that it believes it. main owns the one Signatures; any
// thread.
#pragma once

#include "server/build_log.h"

#include "apps/records.h"
#include "builder/proof.h"
#include "registry/host.h"

#include "base/key_pair.h"
#include "base/stop.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace server {

struct SignatureSettings {
    std::filesystem::path key;         // made when it is not there
    std::filesystem::path public_keys; // PEM: this server's key and all it had before
    std::string builder;               // URI in provenance; empty: named by its key
    std::string version;
    // Where an app's repository is pushed to.
    std::function<std::string(const std::string& app)> repository_url;
    // With what the server itself works on the registry: unlike a build it may delete what gives
    // way. Empty: as the build does.
    std::function<registry::Settings()> registry_access = {};
};

// A build whose image has been published.
struct PublishedBuild {
    const builder::Job& job;
    const apps::Build& row;
    const builder::Published& published;
    std::string materials; // the record's JSON; empty: its worker told none
    std::string log;
};

class Signatures {
  public:
    explicit Signatures(SignatureSettings settings);

    // The one that signs comes first.
    const std::vector<base::PublicKey>& public_keys() const noexcept { return public_keys_; }
    // Provenance, bills of materials and log beside the image, all signed. Throws what the registry
    // throws.
    void attach(const PublishedBuild& build, const base::Stop& stop) const;

  private:
    const SignatureSettings settings_;
    const base::KeyPair key_;
    std::vector<base::PublicKey> public_keys_;
};

// As people read it, but no more than 16 MiB; a last line says so when there was more.
std::string whole_log(BuildLog& log);

} // namespace server
