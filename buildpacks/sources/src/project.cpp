#include "sources/project.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sources {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::find_string;
using base::json::Value;

constexpr const char* file_name = "project.toml";
constexpr std::size_t most_buildpacks = 100; // of one list

[[noreturn]] void refuse(const std::string& where, const std::string& why, std::string hint = {}) {
    throw Error(ErrorKind::invalid_input, std::string(file_name) + ", " + where + " " + why,
                std::move(hint));
}

// A table inside of a table; empty object when it is absent.
const Value& table_of(const Value& parent, const char* name, const std::string& where) {
    static const Value none = Value::object();
    const auto it = parent.find(name);
    if (it == parent.end()) return none;
    if (!it->is_object()) refuse(where, "is not a table");
    return *it;
}

const Value& list_of(const Value& parent, const char* name, const std::string& where) {
    static const Value none = Value::array();
    const auto it = parent.find(name);
    if (it == parent.end()) return none;
    if (!it->is_array()) refuse(where, "is not a list of tables");
    if (it->size() > most_buildpacks) refuse(where, "has more than 100 entries");
    for (const auto& element : *it)
        if (!element.is_object()) refuse(where, "is not a list of tables");
    return *it;
}

InlineScript read_script(const Value& script, const ProjectBuildpack& buildpack,
                         const std::string& where) {
    if (buildpack.id.empty())
        refuse(where, "has a script but no id", "Give it one: id = \"me/my-step\".");
    InlineScript inline_script{.id = buildpack.id,
                               .version = buildpack.version.empty() ? "0.0.0" : buildpack.version,
                               .api = find_string(script, "api").value_or(""),
                               .text = find_string(script, "inline").value_or("")};
    if (inline_script.api.empty())
        refuse(where, "has a script without an api", "Say api = \"0.12\" beside inline.");
    if (inline_script.text.empty()) refuse(where, "has a script without inline");
    inline_script.shell = find_string(script, "shell").value_or(inline_script.shell);
    if (!inline_script.shell.starts_with('/') ||
        inline_script.shell.find_first_of("\r\n") != std::string::npos)
        refuse(where, "has a shell that is not a path: " + base::quoted(inline_script.shell));
    return inline_script;
}

ProjectBuildpack read_buildpack(const Value& table, const std::string& where) {
    ProjectBuildpack buildpack{.id = find_string(table, "id").value_or(""),
                               .version = find_string(table, "version").value_or(""),
                               .uri = find_string(table, "uri").value_or(""),
                               .script = {},
                               .optional = base::json::find_bool(table, "optional", false)};
    const auto& script = table_of(table, "script", where + ".script");
    if (!buildpack.uri.empty() && !script.empty()) refuse(where, "has both a uri and a script");
    if (!buildpack.uri.empty() && !buildpack.version.empty())
        refuse(where, "has both a uri and a version", "The uri alone says which one.");
    if (buildpack.id.empty() && buildpack.uri.empty() && script.empty())
        refuse(where, "has neither an id, a uri nor a script");
    if (!script.empty()) buildpack.script = read_script(script, buildpack, where);
    return buildpack;
}

std::vector<ProjectBuildpack> read_group(const Value& parent, const char* key,
                                         const std::string& name) {
    std::vector<ProjectBuildpack> group;
    for (const auto& table : list_of(parent, key, name)) {
        const auto where = "[[" + name + "]] " + std::to_string(group.size() + 1);
        group.push_back(
            base::while_doing("reading " + where, [&] { return read_buildpack(table, where); }));
    }
    return group;
}

void read_environment(const Value& parent, const char* key, const std::string& name,
                      Project& project) {
    for (const auto& table : list_of(parent, key, name)) {
        const auto variable = find_string(table, "name").value_or("");
        if (variable.empty() ||
            variable.find_first_of(std::string_view("=\0/", 3)) != variable.npos)
            refuse("[[" + name + "]]",
                   "has no name, or one that no variable has: " + base::quoted(variable));
        project.build_environment[variable] = base::json::get_string(table, "value");
    }
}

void read_patterns(const Value& table, const std::string& where, Project& project) {
    project.include = base::json::get_strings(table, "include");
    project.exclude = base::json::get_strings(table, "exclude");
    if (table.contains("include") && table.contains("exclude"))
        refuse(where, "has both include and exclude", "Keep one of the two.");
}

void warn_of_unknown(const Value& table, const std::string& where,
                     std::initializer_list<std::string_view> known, Project& project) {
    for (const auto& [key, value] : table.items())
        if (std::find(known.begin(), known.end(), key) == known.end())
            project.warnings.push_back("project.toml: nobody reads " + base::quoted(key) + " of " +
                                       where);
}

// 0.2 and later: [_] and [io.buildpacks].
void read_current(const Value& root, Project& project) {
    const auto& own = table_of(table_of(root, "io", "[io]"), "buildpacks", "[io.buildpacks]");
    read_patterns(own, "[io.buildpacks]", project);
    project.builder = find_string(own, "builder").value_or("");
    project.group = read_group(own, "group", "io.buildpacks.group");
    project.pre =
        read_group(table_of(own, "pre", "[io.buildpacks.pre]"), "group", "io.buildpacks.pre.group");
    project.post = read_group(table_of(own, "post", "[io.buildpacks.post]"), "group",
                              "io.buildpacks.post.group");
    // An old misspelling first, so that the right one wins.
    read_environment(table_of(own, "env", "[io.buildpacks.env]"), "build",
                     "io.buildpacks.env.build", project);
    read_environment(table_of(own, "build", "[io.buildpacks.build]"), "env",
                     "io.buildpacks.build.env", project);
    warn_of_unknown(own, "[io.buildpacks]",
                    {"include", "exclude", "builder", "group", "pre", "post", "env", "build",
                     "schema-version", "exec-env"},
                    project);
}

// 0.1: [project] and [build].
void read_first(const Value& root, Project& project) {
    project.schema_version = "0.1";
    project.warnings.push_back("project.toml has no schema-version: it is read as schema 0.1. "
                               "Write [_] schema-version = \"0.2\" and [io.buildpacks].");
    const auto& own = table_of(root, "build", "[build]");
    read_patterns(own, "[build]", project);
    project.builder = find_string(own, "builder").value_or("");
    project.group = read_group(own, "buildpacks", "build.buildpacks");
    read_environment(own, "env", "build.env", project);
    warn_of_unknown(own, "[build]", {"include", "exclude", "builder", "buildpacks", "env"},
                    project);
}

Project read(const Value& root) {
    Project project{.present = true};
    const auto& about = table_of(root, "_", "[_]");
    project.schema_version = find_string(about, "schema-version").value_or("");
    const auto& version = project.schema_version;
    if (version == "0.2" || version == "0.3") {
        read_current(root, project);
    } else if (version.empty() && root.contains("io")) {
        project.schema_version = "0.2"; // its tables cannot be meant otherwise
        project.warnings.push_back("project.toml has no schema-version: its [io.buildpacks] is "
                                   "read as schema 0.2.");
        read_current(root, project);
    } else if (version.empty() || version == "0.1") {
        read_first(root, project);
    } else {
        refuse("[_] schema-version", base::quoted(version) + " is not supported",
               "Supported are 0.1, 0.2 and 0.3.");
    }
    if (!project.builder.empty())
        project.warnings.push_back("project.toml: builder " + base::quoted(project.builder) +
                                   " is not used; the server's or the app's own builder is. Choose "
                                   "it with: slipway builder use IMAGE --app APP");
    return project;
}

} // namespace

Project read_project(const std::filesystem::path& app) {
    const auto text = base::read_beneath(app, file_name);
    if (!text) return {};
    const auto root = buildpacks::toml_to_json(*text, file_name);
    try {
        return read(root);
    } catch (const Error& error) { // a value of the wrong type names its key; its place is ours
        if (error.message().starts_with(file_name)) throw;
        const auto where = error.trail().empty() ? "" : ", " + error.trail().front().substr(8);
        throw Error(error.kind(), std::string(file_name) + where + ": " + error.message(),
                    error.hint());
    }
}

} // namespace sources
