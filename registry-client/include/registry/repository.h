// One repository of a registry as an image::BlobStore, to the letter of the OCI distribution
// specification 1.1. Thread-safe. Retries what may be retried (bounded, jitter, Retry-After),
// never 401/403 of a refused credential; keeps credentials from other hosts.
#pragma once

#include "base/secret.h"
#include "image/blob_store.h"
#include "image/reference.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace registry {

// What a registry knows us by: a name, a client certificate, or both.
struct Credential {
    std::string user; // empty: no name
    base::Secret password;
    std::string certificate = {}; // PEM, the chain, ours first; empty: none
    base::Secret key = {};        // PEM, of the certificate
    // It may go with references that strangers wrote: it reads nothing that they may not.
    bool for_strangers = false;
};

struct Settings {
    // Registries (host[:port]) spoken to in plain HTTP. 127.0.0.0/8, ::1 and localhost always may.
    std::vector<std::string> insecure;
    std::string ca_file;                           // extra PEM bundle
    std::map<std::string, Credential> credentials; // by host[:port]
    int attempts = 5;                              // of one request
    std::chrono::milliseconds first_backoff{500};
    std::chrono::seconds stall_timeout{60}; // without a byte either way
    // As http::ClientOptions::allow_address: for references that strangers wrote.
    std::function<bool(const std::string& address)> allow_address;
};

// Reads ~/.docker/config.json (or $DOCKER_CONFIG/config.json): "auths" and credential helpers.
std::map<std::string, Credential> read_docker_credentials(std::string_view registry);

std::unique_ptr<image::BlobStore> open_repository(std::string registry, std::string repository,
                                                  Settings settings);

} // namespace registry
