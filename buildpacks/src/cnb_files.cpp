#include "cnb_files.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fcntl.h>
#include <set>

namespace buildpacks {
namespace {

using nlohmann::json;

[[noreturn]] void wrong(const std::string& file, const std::string& reason) {
    throw base::Error(base::ErrorKind::buildpack_failed, base::printable(file) + ": " + reason);
}

// A wrong type deep in a file names the file: base::json names the member.
template <class F>
auto in_file(const std::string& file, F&& f) -> decltype(f()) {
    try {
        return f();
    } catch (const base::Error& error) {
        if (error.kind() != base::ErrorKind::invalid_input) throw;
        wrong(file, error.message());
    } catch (const json::exception&) {
        wrong(file, "a value has the wrong type");
    }
}

std::optional<json> read_toml(const std::filesystem::path& root, const std::string& file) {
    const auto text = base::read_beneath(root, file);
    if (!text) return std::nullopt;
    return in_file(file, [&] { return toml_to_json(*text, "TOML"); });
}

const json& list_of(const json& table, const char* name) {
    static const json none = json::array();
    const auto it = table.find(name);
    return it != table.end() && it->is_array() ? *it : none;
}

json table_of(const json& table, const char* name) {
    const json value = table.value(name, json::object());
    if (!value.is_object())
        throw base::Error(base::ErrorKind::invalid_input,
                          std::string("\"") + name + "\" must be a table");
    return value;
}

PlanSection read_section(const json& table) {
    PlanSection section;
    for (const auto& provided : list_of(table, "provides"))
        section.provides.push_back(base::json::get_string(provided, "name"));
    for (const auto& required : list_of(table, "requires"))
        section.requires_.push_back(
            {base::json::get_string(required, "name"), table_of(required, "metadata").dump()});
    return section;
}

// "X" or ["X", "y"]: API 0.9 made `command` a list.
std::vector<std::string> read_command(const json& process) {
    const auto it = process.find("command");
    if (it != process.end() && it->is_string()) return {it->get<std::string>()};
    return base::json::get_strings(process, "command");
}

Process read_process(const json& table) {
    Process process;
    process.type = base::json::get_string(table, "type");
    static constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (process.type.empty() || process.type.find_first_not_of(allowed) != std::string::npos)
        throw base::Error(base::ErrorKind::invalid_input,
                          "a process type may have letters, digits and . _ - only");
    process.command = read_command(table);
    if (process.command.empty())
        throw base::Error(base::ErrorKind::invalid_input,
                          "the process " + process.type + " has no command");
    process.args = base::json::get_strings(table, "args");
    process.working_directory = base::json::find_string(table, "working-dir").value_or("");
    process.is_default = base::json::find_bool(table, "default", false);
    return process;
}

void read_launch(const json& table, Built& built) {
    for (const auto& process : list_of(table, "processes"))
        built.processes.push_back(read_process(process));
    for (const auto& label : list_of(table, "labels"))
        built.labels.emplace_back(base::json::get_string(label, "key"),
                                  base::json::get_string(label, "value"));
    const auto defaults = std::count_if(built.processes.begin(), built.processes.end(),
                                        [](const Process& process) { return process.is_default; });
    if (defaults > 1)
        throw base::Error(base::ErrorKind::invalid_input, "more than one process is the default");
}

BuiltLayer read_layer(const std::filesystem::path& layers, const std::string& directory,
                      const std::string& name) {
    const auto file = directory + "/" + name + ".toml";
    const json table = read_toml(layers, file).value_or(json::object());
    return in_file(file, [&] {
        const json types = table_of(table, "types");
        return BuiltLayer{
            .name = name,
            .types = {.launch = base::json::find_bool(types, "launch", false),
                      .build = base::json::find_bool(types, "build", false),
                      .cache = base::json::find_bool(types, "cache", false)},
            .metadata_json = table_of(table, "metadata").dump(),
            .has_content = static_cast<bool>(
                base::open_beneath(layers, directory + "/" + name, O_RDONLY | O_DIRECTORY)),
        };
    });
}

void check(const BuiltLayer& layer, const std::string& file) {
    if (layer.name == "build" || layer.name == "launch" || layer.name == "store")
        wrong(file, "a layer may not have this name");
    if (!layer.has_content && layer.types.cache)
        wrong(file, "the layer is to be cached but has no directory");
    if (!layer.has_content && layer.types.build)
        wrong(file, "the layer is for the build but has no directory");
}

std::set<std::string> layer_names(const std::filesystem::path& layers,
                                  const std::string& directory) {
    static const std::set<std::string> files{"launch.toml", "build.toml", "store.toml"};
    constexpr std::string_view ending = ".toml";
    std::set<std::string> names;
    for (const auto& entry : base::list_beneath(layers, directory)) {
        const bool toml = entry.name.size() > ending.size() && entry.name.ends_with(ending);
        if (entry.type == base::EntryType::file && toml && !files.contains(entry.name))
            names.insert(entry.name.substr(0, entry.name.size() - ending.size()));
    }
    return names;
}

} // namespace

std::vector<PlanSection> read_build_plan(const std::filesystem::path& slot, const std::string& file,
                                         const std::string& whose) {
    const auto table = read_toml(slot, file);
    if (!table) return {PlanSection{}};
    return in_file("the build plan of " + whose, [&] {
        std::vector<PlanSection> sections{read_section(*table)};
        for (const auto& alternative : list_of(*table, "or"))
            sections.push_back(read_section(alternative));
        return sections;
    });
}

Built read_layers_directory(const std::filesystem::path& layers, const std::string& escaped_id) {
    Built built;
    for (const auto& name : layer_names(layers, escaped_id)) {
        const auto layer = read_layer(layers, escaped_id, name);
        check(layer, escaped_id + "/" + name + ".toml");
        built.layers.push_back(layer);
    }
    const auto launch = escaped_id + "/launch.toml";
    if (const auto table = read_toml(layers, launch))
        in_file(launch, [&] { read_launch(*table, built); });
    const auto build = escaped_id + "/build.toml";
    if (const auto table = read_toml(layers, build))
        in_file(build, [&] {
            for (const auto& unmet : list_of(*table, "unmet"))
                built.unmet.push_back(base::json::get_string(unmet, "name"));
        });
    if (const auto table = read_toml(layers, escaped_id + "/store.toml"))
        built.store_json = table_of(*table, "metadata").dump();
    return built;
}

std::string render_plan(const std::vector<PlanEntry>& plan) {
    json entries = json::array();
    for (const auto& entry : plan) {
        json rendered = {{"name", entry.name}};
        const auto metadata = base::json::parse(entry.metadata_json, "plan metadata");
        if (!metadata.empty()) rendered["metadata"] = metadata;
        entries.push_back(rendered);
    }
    return json_to_toml({{"entries", entries}});
}

} // namespace buildpacks
