#include "phases/project_dir.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <fcntl.h>

namespace builder {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

// "./a//b/" is "a/b"; "." is the root.
fs::path normalized(const std::string& project) {
    auto path = fs::path(project).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    const bool escapes = path.is_absolute() || (!path.empty() && *path.begin() == "..");
    if (escapes || project.find('\0') != std::string::npos)
        throw Error(ErrorKind::invalid_input,
                    "PROJECT_DIR is " + base::quoted(project) + ", which is not in the source",
                    "Give a folder of the repository, relative to its root.");
    return path == "." ? fs::path() : path;
}

std::vector<sources::ParentJson> read_parents(const fs::path& app, fs::path folder) {
    std::vector<sources::ParentJson> found;
    do {
        folder = folder.parent_path();
        for (const char* name : {"scalingo.json", "app.json"})
            if (auto text = base::read_beneath(app, (folder / name).string()))
                found.push_back({(folder / name).string(), std::move(*text)});
    } while (!folder.empty());
    return found;
}

} // namespace

std::vector<sources::ParentJson> enter_project_directory(const fs::path& app,
                                                         const std::string& project) {
    const auto folder = normalized(project);
    if (folder.empty()) return {};
    if (!base::open_beneath(app, folder.string(), O_RDONLY | O_DIRECTORY))
        throw Error(ErrorKind::invalid_input,
                    "PROJECT_DIR is " + base::quoted(project) +
                        ", but the source has no such folder",
                    "Commit the folder, or change the variable PROJECT_DIR.");
    auto parents = read_parents(app, folder);
    const auto aside = app.parent_path() / "whole-source";
    fs::rename(app, aside);
    fs::rename(aside / folder, app);
    base::remove_tree(aside);
    return parents;
}

} // namespace builder
