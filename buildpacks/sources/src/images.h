// Buildpackages: images, and .cnb files, which are an image's OCI layout. One thread.
#pragma once

#include "store.h"

#include "image/image.h"
#include "sources/fetcher.h"

#include <functional>

namespace sources {

struct Package {
    buildpacks::OrderElement root;
    std::vector<std::filesystem::path> layers; // unpacked
    std::string pinned;                        // "host/name@sha256:..."
};

class Images {
  public:
    Images(const Store& store, const FetcherSettings& settings,
           const std::function<void(const std::string&)>& on_line)
        : store_(store), settings_(settings), on_line_(on_line) {}

    // A tag is asked for each time, a digest that is here is not. Throws Error{invalid_input} for
    // an image that is no buildpackage.
    Package fetch(const ImageName& name, const base::Stop& stop) const;
    // A directory that holds an OCI layout.
    Package open(const std::filesystem::path& layout, const std::string& name,
                 const base::Stop& stop) const;

  private:
    const Store& store_;
    const FetcherSettings& settings_;
    const std::function<void(const std::string&)>& on_line_;
};

// Buildpacks in the layers' /cnb/buildpacks, composites too.
void add_buildpacks_of_layers(const std::vector<std::filesystem::path>& layers,
                              buildpacks::Buildpack::Mounting mounting, const std::string& origin,
                              buildpacks::Catalog& catalog);

// Image extensions in a builder's /cnb/extensions, where they lie.
void add_extensions_of_layers(const std::vector<std::filesystem::path>& layers,
                              buildpacks::Catalog& catalog);

} // namespace sources
