#include "buildpacks/environment.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"

#include <array>
#include <optional>
#include <set>

namespace buildpacks {
namespace {

constexpr std::size_t largest_directory = 1u << 20; // no command takes a larger environment

struct Root {
    const char* directory;
    std::array<const char*, 2> variables;
};

constexpr std::array roots{
    Root{"bin", {"PATH", nullptr}},
    Root{"lib", {"LD_LIBRARY_PATH", "LIBRARY_PATH"}},
    Root{"include", {"CPATH", nullptr}},
    Root{"pkgconfig", {"PKG_CONFIG_PATH", nullptr}},
};

void prepend(std::string& value, const std::string& added, const std::string& delimiter) {
    value = value.empty() ? added : added + delimiter + value;
}

std::optional<Modification::Action> action_of(const std::string& suffix) {
    using Action = Modification::Action;
    static const std::map<std::string, Action> known{{"override", Action::override_},
                                                     {"default", Action::default_},
                                                     {"append", Action::append},
                                                     {"prepend", Action::prepend}};
    const auto it = known.find(suffix);
    return it == known.end() ? std::nullopt : std::optional(it->second);
}

void add_directory(Environment& environment, const std::filesystem::path& layers,
                   const std::string& directory) {
    std::size_t total = 0;
    std::map<std::string, std::string> files;
    for (const auto& entry : base::list_beneath(layers, directory)) {
        if (entry.type != base::EntryType::file) continue;
        auto bytes = base::read_beneath(layers, directory + "/" + entry.name);
        if (!bytes) continue;
        if ((total += bytes->size()) > largest_directory)
            throw base::Error(base::ErrorKind::buildpack_failed,
                              base::quoted(directory) + " has more than 1 MiB of variables");
        files.emplace(entry.name, std::move(*bytes));
    }
    modify(environment, read_modifications(files, Modification::Action::override_));
}

} // namespace

void add_build_layer(Environment& environment, const std::filesystem::path& layers,
                     const std::string& relative, const std::string& inside) {
    for (const auto& root : roots) {
        if (!base::open_beneath(layers, relative + "/" + root.directory, 0)) continue;
        for (const char* variable : root.variables)
            if (variable) prepend(environment[variable], inside + "/" + root.directory, ":");
    }
    add_directory(environment, layers, relative + "/env");
    add_directory(environment, layers, relative + "/env.build");
}

std::vector<Modification> read_modifications(const std::map<std::string, std::string>& files,
                                             Modification::Action plain) {
    std::vector<Modification> modifications;
    for (const auto& [file, value] : files) {
        const auto dot = file.find('.');
        const auto name = file.substr(0, dot);
        const auto action =
            dot == std::string::npos ? std::optional(plain) : action_of(file.substr(dot + 1));
        if (name.empty() || !action) continue;
        const auto delimiter = files.find(name + ".delim");
        modifications.push_back(
            {name, *action, value, delimiter == files.end() ? "" : delimiter->second});
    }
    return modifications;
}

void modify(Environment& environment, const std::vector<Modification>& modifications) {
    using Action = Modification::Action;
    for (const auto& [name, action, value, delimiter] : modifications) {
        std::string& current = environment[name];
        if (action == Action::override_) current = value;
        if (action == Action::default_ && current.empty()) current = value;
        if (action == Action::append)
            current = current.empty() ? value : current + delimiter + value;
        if (action == Action::prepend) prepend(current, value, delimiter);
    }
}

Environment with_platform(Environment environment, const Environment& platform) {
    static const std::set<std::string> path_like{"PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH",
                                                 "PKG_CONFIG_PATH"};
    for (const auto& [name, value] : platform) {
        std::string& current = environment[name];
        if (path_like.contains(name))
            prepend(current, value, ":");
        else
            current = value;
    }
    return environment;
}

Environment Buildpack::environment(const Variables& variables) const {
    auto environment =
        info().clear_env ? variables.base : with_platform(variables.base, variables.platform);
    modify(environment, variables.operators);
    return environment;
}

std::vector<std::string> render(const Environment& environment) {
    std::vector<std::string> lines;
    for (const auto& [name, value] : environment) lines.push_back(name + "=" + value);
    return lines;
}

} // namespace buildpacks
