// The directory that all builds share (fetcher.h): trees that appear whole or not at all. Several
// processes use it at a time.
#pragma once

#include "base/fd.h"
#include "base/stop.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace sources {

class Store {
  public:
    // Makes what is missing.
    explicit Store(std::filesystem::path root);

    // The tree of that name, in use (base/in_use.h) until this process ends; empty when it is not
    // here.
    std::optional<std::filesystem::path> find(const std::string& name) const;
    // The same, made by `fill` into an empty directory when it is missing. One process fills, the
    // others wait for it; what a killed one left is thrown away.
    std::filesystem::path obtain(const std::string& name,
                                 const std::function<void(const std::filesystem::path&)>& fill,
                                 const base::Stop& stop) const;

    // Held until it goes out of scope, or its process ends in whatever way.
    base::UniqueFd lock(const std::string& name, const base::Stop& stop) const;
    std::filesystem::path mirror(const std::string& key) const { return root_ / "git" / key; }
    std::filesystem::path remembered(const std::string& key) const {
        return root_ / "urls" / (key + ".json");
    }
    std::filesystem::path images() const { return root_ / "images"; }
    // For files on their way in; on the same file system as the trees.
    std::filesystem::path incoming() const { return root_ / "incoming"; }

  private:
    std::filesystem::path root_;
};

// A file name for a URL: 32 hex digits of its digest.
std::string key_of(std::string_view text);

} // namespace sources
