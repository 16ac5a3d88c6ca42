#include "git_session.h"

#include "base/error.h"
#include "base/text.h"

#include <map>
#include <sstream>

namespace sources {
namespace {

// "../name" of a .gitmodules file against the URL of the repository that has it.
std::string absolute_url(const std::string& url, std::string base) {
    if (!url.starts_with("./") && !url.starts_with("../")) return url;
    std::string_view rest = url;
    while (base.ends_with('/')) base.pop_back();
    while (true) {
        if (rest.starts_with("./")) {
            rest.remove_prefix(2);
        } else if (rest.starts_with("../")) {
            rest.remove_prefix(3);
            base.resize(std::min(base.rfind('/'), base.size()));
        } else {
            return base + "/" + std::string(rest);
        }
    }
}

} // namespace

std::vector<Submodule> Git::Session::submodules(const std::string& commit) {
    const auto listed = run(command(), {"ls-tree", "-r", "-z", commit}, 64u << 20);
    std::vector<Submodule> found;
    std::istringstream entries(listed.output);
    for (std::string entry; std::getline(entries, entry, '\0');) {
        // "160000 commit <object>\t<path>"
        if (!entry.starts_with("160000 commit ") || entry.size() < 56) continue;
        found.push_back({entry.substr(55), {}, entry.substr(14, 40)});
    }
    if (found.empty()) return found;
    const auto config = run(command(), {"config", "--blob", commit + ":.gitmodules", "-z",
                                        "--get-regexp", "^submodule\\..*\\.(path|url)$"});
    std::map<std::string, std::string> path_of, url_of; // by name
    std::istringstream settings(config.output);
    for (std::string setting; std::getline(settings, setting, '\0');) {
        const auto end = setting.find('\n');
        if (end == setting.npos) continue;
        const auto key = setting.substr(0, end);
        const auto dot = key.rfind('.');
        (key.substr(dot) == ".path" ? path_of : url_of)[key.substr(10, dot - 10)] =
            setting.substr(end + 1);
    }
    for (auto& submodule : found)
        for (const auto& [name, path] : path_of)
            if (path == submodule.path) submodule.url = absolute_url(url_of[name], remote_.url);
    std::erase_if(found, [](const Submodule& submodule) { return submodule.url.empty(); });
    return found;
}

} // namespace sources
