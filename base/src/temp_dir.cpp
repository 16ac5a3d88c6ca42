#include "base/temp_dir.h"

#include "base/error.h"
#include "base/process.h"

#include <cstdlib>
#include <utility>
#include <vector>

namespace base {

namespace fs = std::filesystem;

TempDir::TempDir(std::string_view prefix, fs::path parent) {
    if (parent.empty()) parent = fs::temp_directory_path();
    auto pattern = (parent / (std::string(prefix) + "-XXXXXX")).string();
    if (::mkdtemp(pattern.data()) == nullptr) throw_errno("could not make " + pattern);
    path_ = pattern;
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDir::~TempDir() {
    if (path_.empty()) return;
    try {
        remove_tree(path_);
    } catch (const std::exception&) {
        // A destructor has nobody to tell; the sweep at the next start takes what is left.
    }
}

void remove_tree(const fs::path& path) {
    std::error_code failure;
    fs::remove_all(path, failure);
    if (!failure) return;
    // A directory without write permission (Go's module cache makes them) stops an ordinary user.
    std::error_code ignored;
    for (auto it = fs::recursive_directory_iterator(
             path, fs::directory_options::skip_permission_denied, ignored);
         it != fs::recursive_directory_iterator(); it.increment(ignored)) {
        if (it->is_directory(ignored) && !it->is_symlink(ignored))
            fs::permissions(it->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
        if (ignored) break;
    }
    fs::remove_all(path, failure);
    if (!failure) return;
    // remove_all holds a descriptor for each level: a build that nests its directories a few
    // thousand deep would be there for ever. rm(1) climbs down with a few.
    const auto removed = run({.argv = {"rm", "-rf", "--", fs::absolute(path).string()},
                              .environment = minimal_environment()},
                             {});
    if (!removed.status.ok()) throw_errno(failure.value(), "could not remove " + path.string());
}

} // namespace base
