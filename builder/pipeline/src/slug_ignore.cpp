#include "slug_ignore.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sstream>

namespace builder {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_patterns = 1000;

std::vector<std::string> segments(const std::string& glob) {
    std::vector<std::string> parts;
    std::istringstream stream(glob);
    for (std::string part; std::getline(stream, part, '/');)
        if (!part.empty() && part != ".") parts.push_back(part);
    return parts;
}

// A bracket that nothing closes matches nothing: a mistake, and one that people make.
bool is_closed(const std::string& segment) {
    for (std::size_t i = 0; i < segment.size(); ++i) {
        if (segment[i] == '\\') {
            if (++i == segment.size()) return false;
        } else if (segment[i] == '[') {
            const auto first = i + 1 + (segment.compare(i + 1, 1, "!") == 0 ? 1 : 0);
            i = segment.find(']', first + 1);
            if (i == std::string::npos) return false;
        }
    }
    return true;
}

std::string problem_of(const std::string& glob) {
    const auto parts = segments(glob);
    if (parts.empty()) return "it names the whole app";
    for (const auto& part : parts) {
        if (part == "..") return "it leads outside of the app";
        if (!is_closed(part)) return "a bracket or a backslash is not closed";
    }
    return {};
}

class Pruning {
  public:
    explicit Pruning(const fs::path& app) : app_(app) {}

    void remove(const std::string& directory, const std::vector<std::string>& parts,
                std::size_t at) {
        for (const auto& entry : base::list_beneath(app_, directory)) {
            if (::fnmatch(parts[at].c_str(), entry.name.c_str(), FNM_PERIOD) != 0) continue;
            if (at + 1 == parts.size())
                remove_entry(directory, entry.name);
            else if (entry.type == base::EntryType::directory)
                remove(directory.empty() ? entry.name : directory + "/" + entry.name, parts,
                       at + 1);
        }
    }

    std::size_t removed() const noexcept { return removed_; }

  private:
    // Through the folder's descriptor: what detection left running may exchange folders for links.
    void remove_entry(const std::string& directory, const std::string& name) {
        const auto folder = base::open_beneath(app_, directory, O_RDONLY | O_DIRECTORY);
        if (!folder) return;
        base::remove_tree(fs::path("/proc/self/fd") / std::to_string(folder.get()) / name);
        ++removed_;
    }

    const fs::path& app_;
    std::size_t removed_ = 0;
};

} // namespace

SlugIgnorePatterns parse_slug_ignore(std::string_view text) {
    SlugIgnorePatterns patterns;
    std::istringstream stream{std::string(text)};
    std::size_t number = 0;
    for (std::string line; std::getline(stream, line);) {
        ++number;
        auto glob = base::trim(line);
        if (glob.empty() || glob.front() == '#') continue;
        auto problem = problem_of(glob);
        if (problem.empty() && patterns.globs.size() == most_patterns)
            problem = "there are more than 1000 lines";
        if (problem.empty())
            patterns.globs.push_back(std::move(glob));
        else
            patterns.bad.push_back(".slugignore, line " + std::to_string(number) + ": " +
                                   base::quoted(glob) + " was left out, " + problem);
    }
    return patterns;
}

void apply_slug_ignore(const fs::path& app, Reporter& report) {
    const auto text = base::read_beneath(app, ".slugignore");
    if (!text) return;
    const auto patterns = parse_slug_ignore(*text);
    for (const auto& sentence : patterns.bad) report.body(sentence);
    Pruning pruning(app);
    for (const auto& glob : patterns.globs) pruning.remove("", segments(glob), 0);
    report.body(".slugignore keeps " + std::to_string(pruning.removed()) +
                (pruning.removed() == 1 ? " entry" : " entries") + " out of the image");
}

} // namespace builder
