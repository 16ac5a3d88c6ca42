#include "environment.h"

#include "failure.h"
#include "files.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace launch {
namespace {

constexpr std::string_view process_directory = "/cnb/process";
constexpr std::string_view lifecycle_directory = "/cnb/lifecycle";

// The kernel takes at most 128 KiB in one environment string, so a larger file only delays a
// less clear failure.
constexpr size_t env_file_limit = 128 * 1024;

bool belongs_to_launcher(std::string_view name) {
    constexpr std::string_view names[] = {"CNB_LAYERS_DIR", "CNB_APP_DIR", "CNB_PROCESS_TYPE",
                                          "CNB_PLATFORM_API", "CNB_DEPRECATION_MODE"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// The application must not find the launcher under the names of its processes.
std::string without_cnb_directories(std::string_view path) {
    std::string kept;
    bool first = true;
    for (;;) {
        const size_t colon = path.find(':');
        const std::string_view part = path.substr(0, colon);
        if (part != process_directory && part != lifecycle_directory) {
            if (!std::exchange(first, false)) kept += ':';
            kept += part;
        }
        if (colon == std::string_view::npos) return kept;
        path.remove_prefix(colon + 1);
    }
}

std::string joined(std::string_view front, std::string_view delimiter, std::string_view back) {
    std::string text{front};
    return text.append(delimiter).append(back);
}

} // namespace

Environment::Environment(char** environ_block) {
    for (; *environ_block != nullptr; ++environ_block) {
        const std::string_view entry = *environ_block;
        const size_t equals = entry.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view name = entry.substr(0, equals);
        const std::string_view value = entry.substr(equals + 1);
        if (belongs_to_launcher(name)) continue;
        set(name, name == "PATH" ? without_cnb_directories(value) : std::string{value});
    }
}

std::string Environment::get(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string{} : found->second;
}

void Environment::set(std::string_view name, std::string value) {
    if (value.find('\0') != std::string::npos)
        fail("the value of the environment variable " + std::string{name} + " has a NUL byte");
    values_.insert_or_assign(std::string{name}, std::move(value));
}

void Environment::add_layer_root(const std::string& layer) {
    constexpr std::pair<std::string_view, std::string_view> roots[] = {{"bin", "PATH"},
                                                                       {"lib", "LD_LIBRARY_PATH"}};
    for (const auto& [child, variable] : roots) {
        const std::string directory = join(layer, child);
        if (!exists(directory)) continue;
        const std::string old = get(variable);
        set(variable, joined(directory, old.empty() ? "" : ":", old));
    }
}

void Environment::add_directory(const std::string& directory) {
    for (const DirectoryEntry& entry : list_directory(directory)) {
        const std::string path = join(directory, entry.name);
        if (entry.is_directory || is_directory(path)) continue;
        auto content = read_file(path, env_file_limit);
        if (!content) fail("cannot read the environment file " + path + ": " + reason(errno));
        apply(directory, entry.name, std::move(*content));
    }
}

void Environment::apply(const std::string& directory, std::string_view file, std::string content) {
    const size_t dot = file.find('.');
    const std::string_view name = file.substr(0, dot);
    const std::string_view suffix =
        dot == std::string_view::npos ? "override" : file.substr(dot + 1);
    const std::string old = get(name);
    // The delimiter of a variable counts for this one directory.
    const auto delimiter = [&]() -> std::string {
        if (old.empty()) return {};
        const auto text = read_file(join(directory, name) + ".delim", env_file_limit);
        return text.value_or(std::string{});
    };
    if (suffix == "override") {
        set(name, std::move(content));
    } else if (suffix == "default") {
        if (old.empty()) set(name, std::move(content));
    } else if (suffix == "append") {
        set(name, joined(old, delimiter(), content));
    } else if (suffix == "prepend") {
        set(name, joined(content, delimiter(), old));
    }
}

std::vector<std::string> Environment::entries() const {
    std::vector<std::string> list;
    list.reserve(values_.size());
    for (const auto& [name, value] : values_) list.push_back(joined(name, "=", value));
    return list;
}

} // namespace launch
