// The OCI bundle of a sandbox: config.json (runtime-spec 1.0.2) and the system call filter in it.
// Text for the worker that calls it, whose ids and limits it asks for; changes nothing. Any thread.
#pragma once

#include "engine/sandbox.h"

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace engine {

struct BundlePaths {
    std::filesystem::path root;    // the mounted overlay
    std::filesystem::path etc;     // holds resolv.conf, hosts and hostname
    std::filesystem::path network; // the network namespace's name
};

// Where slipway-init stands in the sandbox.
inline constexpr const char* init_path = "/slipway/init";

std::string render_config(const SandboxSpec& spec, const BundlePaths& paths);

// linux.seccomp: see docs/sandbox.md for the reasons.
nlohmann::json seccomp_filter();

} // namespace engine
