#include "cnb_files.h"

#include "base/beneath.h"
#include "base/json.h"
#include "buildpacks/toml_text.h"

#include <fcntl.h>
#include <set>

namespace buildpacks {
namespace {

using nlohmann::json;

std::optional<json> read_toml(const std::filesystem::path& root, const std::string& file) {
    const auto text = base::read_beneath(root, file);
    if (!text) return std::nullopt;
    return in_file(file, [&] { return toml_to_json(*text, "TOML"); });
}

PlanSection read_section(const json& table) {
    PlanSection section;
    for (const auto& provided : list_of(table, "provides"))
        section.provides.push_back(base::json::get_string(provided, "name"));
    for (const auto& required : list_of(table, "requires")) {
        const auto name = base::json::get_string(required, "name");
        if (!base::json::find_string(required, "version").value_or("").empty())
            refuse("\"" + name + "\" has a version at its top level; it belongs into its metadata");
        const auto metadata = table_of(required, "metadata");
        section.requires_.push_back({name, metadata.is_null() ? "{}" : metadata.dump()});
    }
    return section;
}

BuiltLayer read_layer(const std::filesystem::path& layers, const std::string& directory,
                      const std::string& name) {
    const auto file = directory + "/" + name + ".toml";
    const json table = read_toml(layers, file).value_or(json::object());
    return in_file(file, [&] {
        for (const char* type : {"launch", "build", "cache"})
            if (table.contains(type))
                refuse("launch, build and cache belong into the table [types]");
        const json types = table_of(table, "types");
        const auto is = [&](const char* type) {
            return types.is_object() && base::json::find_bool(types, type, false);
        };
        BuiltLayer layer{.name = name,
                         .types = {is("launch"), is("build"), is("cache")},
                         .metadata_json = table_of(table, "metadata").dump(),
                         .has_content = static_cast<bool>(base::open_beneath(
                             layers, directory + "/" + name, O_RDONLY | O_DIRECTORY))};
        // The image's old layer would be meant, while the cache needs one that is here.
        if (layer.types.launch && layer.types.cache && !layer.has_content)
            refuse("the layer is to be cached but has no directory");
        return layer;
    });
}

// launch.toml, build.toml and store.toml are no layers: their names are reserved.
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

void hide_ignored(const std::filesystem::path& layers, const std::string& id,
                  const BuiltLayer& layer) {
    if (layer.types.launch || layer.types.build || layer.types.cache || !layer.has_content) return;
    const auto directory = base::open_beneath(layers, id, O_RDONLY | O_DIRECTORY);
    const auto hidden = layer.name + ".ignore";
    if (directory &&
        ::renameat(directory.get(), layer.name.c_str(), directory.get(), hidden.c_str()) != 0)
        throw base::Error(base::ErrorKind::buildpack_failed,
                          "the layer " + base::quoted(id + "/" + layer.name) +
                              " is to be ignored but cannot be put aside: there is a " +
                              base::quoted(hidden));
}

void read_layers(const std::filesystem::path& layers, const std::string& id, Built& built) {
    for (const auto& name : layer_names(layers, id)) {
        built.layers.push_back(read_layer(layers, id, name));
        hide_ignored(layers, id, built.layers.back());
    }
}

void read_store(const std::filesystem::path& layers, const std::string& id, Built& built) {
    const auto file = id + "/store.toml";
    if (const auto table = read_toml(layers, file))
        built.store_json = in_file(file, [&] { return table_of(*table, "metadata").dump(); });
}

} // namespace

const json& list_of(const json& table, const char* name) {
    static const json none = json::array();
    const auto it = table.find(name);
    if (it == table.end()) return none;
    if (!it->is_array()) refuse(std::string("\"") + name + "\" must be a list");
    return *it;
}

json table_of(const json& table, const char* name) {
    const auto it = table.find(name);
    if (it == table.end()) return nullptr;
    if (!it->is_object()) refuse(std::string("\"") + name + "\" must be a table");
    return *it;
}

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

Built read_layers_directory(const std::filesystem::path& layers, const Info& info) {
    const auto id = info.escaped_id();
    Built built;
    read_layers(layers, id, built);
    const auto launch = id + "/launch.toml";
    if (const auto table = read_toml(layers, launch))
        in_file(launch, [&] { read_launch(*table, info, built); });
    const auto build = id + "/build.toml";
    if (const auto table = read_toml(layers, build))
        in_file(build, [&] {
            for (const auto& unmet : list_of(*table, "unmet"))
                built.unmet.push_back(base::json::get_string(unmet, "name"));
        });
    read_store(layers, id, built);
    read_bills(layers, info, built);
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
    return entries.empty() ? std::string() : json_to_toml(json{{"entries", entries}});
}

} // namespace buildpacks
