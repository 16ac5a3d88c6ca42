#include "cgroup.h"

#include "base/fd.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>
#include <unistd.h>

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> wanted = {"memory", "pids", "cpu", "cpuacct", "freezer"};

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::stringstream stream{std::string(text)};
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

std::vector<std::string> only_wanted(const std::vector<std::string>& names) {
    std::vector<std::string> kept;
    for (const auto& name : names)
        if (std::find(wanted.begin(), wanted.end(), name) != wanted.end()) kept.push_back(name);
    return kept;
}

// proc(5): spaces, tabs, newlines and backslashes stand as \ooo.
std::string unescape(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 3 >= text.size()) {
            plain += text[i];
            continue;
        }
        plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                   (text[i + 3] - '0'));
        i += 3;
    }
    return plain;
}

struct MountLine {
    std::string root, point, type;
    std::vector<std::string> options; // of the super block
};

std::optional<MountLine> parse_mount(const std::string& line) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) return std::nullopt;
    return MountLine{unescape(fields[3]), unescape(fields[4]), dash[1], split(dash[3], ',')};
}

// /proc/self/cgroup: "4:memory:/a/b", "0::/a/b". By controller, "" for version 2.
std::map<std::string, std::string> own_paths(std::string_view self_cgroup) {
    std::map<std::string, std::string> paths;
    for (const auto& line : split(self_cgroup, '\n')) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const auto names = line.substr(first + 1, second - first - 1);
        const auto path = line.substr(second + 1);
        if (names.empty()) paths[""] = path;
        for (const auto& name : split(names, ',')) paths[name] = path;
    }
    return paths;
}

// The directory of cgroup `path` in a mount that shows the hierarchy from `root` on.
fs::path below_mount(const fs::path& point, const std::string& root, const std::string& path) {
    std::string rest = path;
    if (root != "/" && rest.starts_with(root)) rest = rest.substr(root.size());
    const auto relative = fs::path(rest).relative_path();
    return relative.empty() ? point : point / relative;
}

} // namespace

std::vector<Hierarchy> find_hierarchies(std::string_view mountinfo, std::string_view self_cgroup,
                                        bool privileged, const fs::path& root) {
    const auto paths = own_paths(self_cgroup);
    std::vector<Hierarchy> found;
    std::set<std::string> covered;
    for (const auto& line : split(mountinfo, '\n')) {
        const auto mount = parse_mount(line);
        if (!mount || (mount->type != "cgroup" && mount->type != "cgroup2")) continue;
        Hierarchy hierarchy;
        hierarchy.unified = mount->type == "cgroup2";
        const fs::path point = root / fs::path(mount->point).relative_path();
        std::error_code absent;
        if (!fs::exists(point, absent)) continue;
        if (hierarchy.unified) try {
                auto text = base::read_file(point / "cgroup.controllers");
                std::replace(text.begin(), text.end(), '\n', ' ');
                hierarchy.controllers = only_wanted(split(text, ' '));
            } catch (const std::exception&) {
                continue;
            }
        else
            hierarchy.controllers = only_wanted(mount->options);
        std::erase_if(hierarchy.controllers, [&](auto& name) { return covered.contains(name); });
        if (hierarchy.controllers.empty()) continue;
        covered.insert(hierarchy.controllers.begin(), hierarchy.controllers.end());
        const auto own = paths.find(hierarchy.unified ? "" : hierarchy.controllers.front());
        hierarchy.own = own == paths.end() ? point : below_mount(point, mount->root, own->second);
        hierarchy.base = privileged ? point : hierarchy.own;
        found.push_back(std::move(hierarchy));
    }
    return found;
}

std::vector<Hierarchy> find_hierarchies() {
    return find_hierarchies(base::read_file("/proc/self/mountinfo"),
                            base::read_file("/proc/self/cgroup"), ::geteuid() == 0);
}

} // namespace engine
