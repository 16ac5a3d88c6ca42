// A directory that is removed with all it holds when its owner goes.
#pragma once

#include <filesystem>
#include <string_view>

namespace base {

class TempDir {
  public:
    // Made with mode 0700 inside `parent` (TMPDIR or /tmp when empty).
    explicit TempDir(std::string_view prefix, std::filesystem::path parent = {});
    TempDir(TempDir&& other) noexcept;
    TempDir& operator=(TempDir&&) = delete;
    ~TempDir();

    const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
};

// Removes a tree, read-only directories included; what is not there is fine.
void remove_tree(const std::filesystem::path& path);

} // namespace base
