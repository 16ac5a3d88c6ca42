// Brings the buildpacks that package.toml and builder.toml name here, and the stores that images
// come from and go to. main's thread.
#pragma once

#include "context.h"

#include "packages/configuration.h"
#include "packages/contents.h"
#include "packages/write.h"
#include "registry/repository.h"

#include <filesystem>
#include <string>
#include <vector>

namespace cli {

struct Gathered {
    buildpacks::Catalog catalog;
    buildpacks::OrderElement main; // of the first source
};

// Relative folders and files lie below `folder`. `scratch` must outlive the catalog. Throws as
// sources::Fetcher does, with the line of the file that named the source.
Gathered gather(const Context& context, const std::vector<packages::Source>& sources,
                const std::filesystem::path& folder, const std::filesystem::path& scratch,
                const base::json::Value& server);

// server_info, or an empty object when there is no server: credentials are Docker's then.
base::json::Value ask_registry(const Context& context);

// Pushes to `reference` (a tag; default latest); answers "host/name@sha256:...".
std::string publish(const Context& context, const packages::WrittenImage& written,
                    const packages::BaseImage& base, const std::string& reference,
                    const base::json::Value& server);

// A progress line; nothing with --json.
void say(const Context& context, const std::string& line);

} // namespace cli
