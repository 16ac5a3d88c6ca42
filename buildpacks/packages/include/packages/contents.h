// What goes into a buildpackage or a builder: Cloud Native buildpacks, each in a folder of ours.
// Values; any thread.
#pragma once

#include "buildpacks/catalog.h"

#include <filesystem>
#include <string>
#include <vector>

namespace packages {

struct Component {
    buildpacks::Info info;
    buildpacks::Order order; // of a composite; empty: it detects and builds itself
    std::filesystem::path directory;
    std::string descriptor_json; // its buildpack.toml
};

// Sorted by id and version, each of them once.
using Contents = std::vector<Component>;

// All that the catalog holds. Throws Error{invalid_input} naming the buildpack when it is a classic
// one, has no bin/build, or a version that is no X.Y.Z.
Contents contents_of(const buildpacks::Catalog& catalog);

// The one component that is meant. `where` starts the message: "builder.toml, line 3". Throws
// Error{not_found} when it is not there, Error{invalid_input} when a version must be named.
const Component& find(const Contents& contents, const buildpacks::OrderElement& element,
                      const std::string& where);

// Whatever the composites' orders name is there. Throws Error{not_found}.
void check_composites(const Contents& contents);

// Reads the Cloud Native buildpack in a folder into the catalog and answers its name.
buildpacks::OrderElement add_folder(const std::filesystem::path& folder,
                                    buildpacks::Catalog& catalog);

} // namespace packages
