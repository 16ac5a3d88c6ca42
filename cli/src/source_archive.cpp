#include "source_archive.h"

#include "image/layer_writer.h"

#include "base/error.h"
#include "base/process.h"

#include <set>
#include <string>

namespace cli {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr std::size_t longest_list = 256u << 20;

base::Captured git(const fs::path& directory, std::vector<std::string> arguments,
                   const base::Stop& stop) {
    base::Command command;
    command.argv = {"git", "-C", directory.string()};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = base::minimal_environment();
    return base::run(std::move(command), stop, {}, longest_list);
}

// The files and every directory above them; a directory's own entry covers what is below it.
std::set<std::string, std::less<>> listed_paths(const fs::path& directory, const base::Stop& stop) {
    const auto listing = git(directory, {"ls-files", "-co", "--exclude-standard", "-z"}, stop);
    if (!listing.status.ok())
        throw Error(ErrorKind::internal, "git could not list the files: " + listing.error);
    std::set<std::string, std::less<>> paths;
    const auto& text = listing.output;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = text.find('\0', begin);
        fs::path path = text.substr(begin, end - begin);
        begin = end == std::string::npos ? text.size() : end + 1;
        if (path.filename().empty()) // "sub/": a repository of its own inside
            throw Error(ErrorKind::invalid_input, path.string() + " is a git repository of its own",
                        "Submodules are not supported: remove it, or make it part of the app.");
        for (; !path.empty(); path = path.parent_path()) paths.insert(path.string());
    }
    return paths;
}

bool is_work_tree(const fs::path& directory, const base::Stop& stop) {
    if (base::find_program("git").empty()) return false;
    const auto answer = git(directory, {"rev-parse", "--is-inside-work-tree"}, stop);
    return answer.status.ok() && answer.output == "true\n";
}

} // namespace

void write_source_archive(const fs::path& directory, const fs::path& archive,
                          const base::Stop& stop, const SourceArchive& form) {
    if (!fs::is_directory(directory))
        throw Error(ErrorKind::not_found, directory.string() + " is not a directory");
    std::set<std::string, std::less<>> paths;
    const bool tracked = is_work_tree(directory, stop);
    if (tracked) paths = listed_paths(directory, stop);
    const auto keep = [&](std::string_view relative) {
        return tracked ? paths.contains(relative) : relative != ".git";
    };
    image::write_layer_file(
        archive, {.compression = form.compression, .names = image::Names::relative},
        [&](image::LayerWriter& writer) { writer.add_tree(directory, form.root, {}, keep); });
}

} // namespace cli
