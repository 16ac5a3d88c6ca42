// docker-registry's own files (its storage/paths.go): what no request of its API tells. Reading is
// safe while it runs. Any thread.
#pragma once

#include "image/digest.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace server {

class RegistryFiles {
  public:
    explicit RegistryFiles(std::filesystem::path data)
        : root_(std::move(data) / "docker/registry/v2") {}

    struct Manifest {
        image::Digest digest;
        std::filesystem::file_time_type written;
    };
    std::vector<std::string> repositories() const; // sorted
    std::vector<Manifest> manifests(const std::string& repository) const;
    std::map<std::string, image::Digest> tags(const std::string& repository) const;
    std::map<image::Digest, std::uint64_t> blobs() const; // with their bytes
    // Of a blob that is a manifest; empty when it is not there.
    std::optional<std::string> read(const image::Digest& digest) const;

    // The repository no longer has it; its blobs stay. Nobody may write there meanwhile.
    void remove_manifest(const std::string& repository, const image::Digest& digest) const;
    void remove_tag(const std::string& repository, const std::string& tag) const;
    // All of it, but not the repositories below it; its blobs stay.
    void remove_repository(const std::string& repository) const;

  private:
    std::filesystem::path of(const std::string& repository) const {
        return root_ / "repositories" / repository;
    }
    std::filesystem::path root_;
};

} // namespace server
