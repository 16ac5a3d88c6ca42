#include "buildpacks/environment.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"

#include <array>
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

void add_directory(Environment& environment, const std::filesystem::path& layers,
                   const std::string& directory) {
    std::size_t total = 0;
    for (const auto& entry : base::list_beneath(layers, directory)) {
        if (entry.type != base::EntryType::file) continue;
        const auto bytes = base::read_beneath(layers, directory + "/" + entry.name);
        if (!bytes) continue;
        if ((total += bytes->size()) > largest_directory)
            throw base::Error(base::ErrorKind::buildpack_failed,
                              base::quoted(directory) + " has more than 1 MiB of variables");
        const auto dot = entry.name.find('.');
        const auto name = entry.name.substr(0, dot);
        const auto suffix = dot == std::string::npos ? std::string() : entry.name.substr(dot + 1);
        if (name.empty()) continue;
        static const std::set<std::string> known{"", "override", "default", "append", "prepend"};
        if (!known.contains(suffix)) continue;
        std::string& value = environment[name];
        const auto delimiter =
            base::read_beneath(layers, directory + "/" + name + ".delim").value_or("");
        if (suffix.empty() || suffix == "override") value = *bytes;
        if (suffix == "default" && value.empty()) value = *bytes;
        if (suffix == "append") value = value.empty() ? *bytes : value + delimiter + *bytes;
        if (suffix == "prepend") prepend(value, *bytes, delimiter);
    }
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
    return info().clear_env ? variables.base : with_platform(variables.base, variables.platform);
}

std::vector<std::string> render(const Environment& environment) {
    std::vector<std::string> lines;
    for (const auto& [name, value] : environment) lines.push_back(name + "=" + value);
    return lines;
}

} // namespace buildpacks
