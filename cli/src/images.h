// Images in a registry, as the CLI needs them. main's thread.
#pragma once

#include "context.h"

#include "image/image.h"
#include "registry/repository.h"

#include <string>
#include <vector>

namespace cli {

// Credentials: the server's own for its registry, Docker's files for others.
registry::Settings registry_settings(const base::json::Value& server_info,
                                     const std::string& registry);
// "host/repo:tag" -> "host/repo@sha256:...". Throws Error{not_found}.
std::string pin(const std::string& reference, const registry::Settings& settings,
                const base::Stop& stop);

// An image for this machine, or for `architecture`, as its registry has it.
struct RegistryImage {
    image::Image image;
    image::Digest digest;  // of what the name means: a manifest or an index
    std::string reference; // with that digest
};
// Throws Error{not_found | unavailable} with the name.
RegistryImage read_registry_image(const Context& context, const std::string& name,
                                  const base::json::Value& server_info,
                                  const std::string& architecture = {});

} // namespace cli
