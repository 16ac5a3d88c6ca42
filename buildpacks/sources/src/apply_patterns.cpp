#include "patterns.h"
#include "sources/project.h"

#include "base/temp_dir.h"

#include <algorithm>

namespace sources {
namespace {

namespace fs = std::filesystem;

enum class Matching { removes, keeps };

class Sweep {
  public:
    Sweep(const fs::path& app, const std::vector<std::string>& patterns, Matching matching)
        : app_(app), patterns_(patterns), matching_(matching) {}

    std::size_t run() {
        sweep("");
        return removed_;
    }

  private:
    // Answers whether anything stays in it.
    bool sweep(const std::string& folder) {
        std::vector<fs::directory_entry> entries{fs::directory_iterator(app_ / folder), {}};
        bool stays = false;
        for (const auto& entry : entries) {
            const auto name = entry.path().filename().string();
            if (keep(folder.empty() ? name : folder + "/" + name, entry)) stays = true;
        }
        return stays;
    }

    bool keep(const std::string& path, const fs::directory_entry& entry) {
        // Not asked of a link: it may lead round in a circle.
        const bool directory = !entry.is_symlink() && entry.is_directory();
        const auto type = directory ? PathType::directory : PathType::file;
        const bool matched = patterns_.matches(path, type);
        if (matched) {
            if (matching_ == Matching::removes) remove(entry.path());
            return matching_ == Matching::keeps;
        }
        if (!directory) {
            if (matching_ == Matching::keeps) remove(entry.path());
            return matching_ == Matching::removes;
        }
        const bool stays = sweep(path);
        if (!stays && matching_ == Matching::keeps) fs::remove(entry.path());
        return stays || matching_ == Matching::removes;
    }

    void remove(const fs::path& path) {
        removed_ += count(path);
        base::remove_tree(path);
    }

    static std::size_t count(const fs::path& path) {
        if (!fs::is_directory(fs::symlink_status(path))) return 1;
        std::size_t files = 0;
        for (const auto& entry : fs::recursive_directory_iterator(path))
            files += !entry.is_symlink() && entry.is_directory() ? 0 : 1;
        return files;
    }

    const fs::path& app_;
    Patterns patterns_;
    Matching matching_;
    std::size_t removed_ = 0;
};

} // namespace

std::size_t apply_patterns(const Project& project, const fs::path& app) {
    if (!project.exclude.empty()) return Sweep(app, project.exclude, Matching::removes).run();
    if (!project.include.empty()) return Sweep(app, project.include, Matching::keeps).run();
    return 0;
}

} // namespace sources
