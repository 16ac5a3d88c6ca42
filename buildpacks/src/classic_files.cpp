#include "classic_files.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"
#include "release_yaml.h"

#include <algorithm>
#include <set>

namespace buildpacks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_name = 200;

std::vector<std::string> split_zero(const std::string& bytes) {
    std::vector<std::string> parts;
    for (std::size_t start = 0; start < bytes.size();) {
        const auto end = std::min(bytes.find('\0', start), bytes.size());
        parts.push_back(bytes.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

std::optional<std::string> read(const fs::path& slot, const char* file) {
    return base::read_beneath(slot.parent_path(), slot.filename().string() + "/" + file);
}

Environment parse_environment(const std::string& bytes) {
    Environment environment;
    for (const auto& entry : split_zero(bytes)) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos && equals != 0)
            environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    return environment;
}

// What sourcing `export` changed.
Environment read_exported(const fs::path& slot) {
    static const std::set<std::string> of_the_shell{"_", "PWD", "OLDPWD", "SHLVL"};
    const auto before = parse_environment(read(slot, "environment").value_or(""));
    auto after = parse_environment(read(slot, "exported").value_or(""));
    std::erase_if(after, [&](const auto& entry) {
        const auto it = before.find(entry.first);
        return of_the_shell.contains(entry.first) || entry.first.starts_with("BASH_FUNC_") ||
               (it != before.end() && it->second == entry.second);
    });
    return after;
}

// A glob of its own is only what no glob can be.
bool is_plain(const std::string& name) {
    return name.find_first_of("*?[]\\{}!") == std::string::npos;
}

// Directories that the build added to what was there, each a slice: whole runtimes and
// dependencies, which a change of the app's own lines leaves as they are.
std::vector<Slice> added_directories(const HostPlaces& places) {
    static const std::set<std::string> shared{".heroku", ".scalingo", "vendor"};
    const auto listed = split_zero(read(places.slot, "before").value_or(""));
    const std::set<std::string> before(listed.begin(), listed.end());
    std::vector<Slice> slices;
    const auto add_below = [&](const std::string& directory, auto&& self) -> void {
        for (const auto& entry : base::list_beneath(places.app, directory)) {
            if (entry.type != base::EntryType::directory || !is_plain(entry.name)) continue;
            const auto path = directory.empty() ? entry.name : directory + "/" + entry.name;
            if (directory.empty() && shared.contains(entry.name))
                self(entry.name, self);
            else if (!before.contains(path) && path != ".profile.d")
                slices.push_back({{path}});
        }
    };
    add_below("", add_below);
    return slices;
}

Process shell_process(const std::string& type, const std::string& command) {
    Process process{.type = type, .command = {command}};
    process.is_default = type == "web";
    process.direct = false;
    return process;
}

} // namespace

std::string read_name(const fs::path& slot) {
    const auto text = read(slot, "name").value_or("");
    return base::printable(base::trim(text.substr(0, text.find('\n'))).substr(0, longest_name));
}

Built read_classic_build(const HostPlaces& places, const Info& info) {
    Built built;
    built.layers = {{"cache", {.cache = true}, "null", true},
                    {"profile", {.launch = true}, "null", true}};
    built.direct_process_program = "profile/programs/app-profile";
    built.exported = read_exported(places.slot);
    built.slices = added_directories(places);
    if (const auto yaml = read(places.slot, "release.yml")) {
        auto release = parse_release(*yaml, info.id);
        for (const auto& [type, command] : release.process_types)
            built.processes.push_back(shell_process(type, command));
        built.process_set = "classic";
        built.config_vars = std::move(release.config_vars);
        built.addons = std::move(release.addons);
    }
    return built;
}

std::optional<std::string> read_classic_report(const HostPlaces& places) {
    try {
        const auto text = read(places.slot, "report");
        if (!text) return std::nullopt;
        auto json = report_to_json(*text);
        if (json.empty()) return std::nullopt;
        return json;
    } catch (const base::Error&) {
        return std::nullopt; // its failure is nobody's
    }
}

} // namespace buildpacks
