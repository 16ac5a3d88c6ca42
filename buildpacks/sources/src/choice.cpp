#include "sources/choice.h"

#include "app_json.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"

namespace sources {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::size_t most_buildpacks = 100;

// What is wrong with an entry, with the place it stands in.
Wanted wanted(const std::string& text, Dialect dialect, const std::string& where) {
    try {
        return {without_credentials(text), parse_uri(text, dialect)};
    } catch (const Error& error) {
        throw Error(error.kind(), where + ": " + error.message(), error.hint());
    }
}

Wanted wanted(const ProjectBuildpack& buildpack, const std::string& where) {
    Wanted result;
    if (buildpack.script) {
        result = {buildpack.id, *buildpack.script};
    } else if (!buildpack.uri.empty()) {
        result = wanted(buildpack.uri, Dialect::pack, where);
    } else {
        result = {buildpack.id, Uri(ById{buildpack.id, buildpack.version, false, {}})};
    }
    result.optional = buildpack.optional;
    return result;
}

std::vector<Wanted> wanted(const std::vector<ProjectBuildpack>& group, const std::string& key) {
    std::vector<Wanted> list;
    for (const auto& buildpack : group)
        list.push_back(
            wanted(buildpack, "project.toml, [[" + key + "]] " + std::to_string(list.size() + 1)));
    return list;
}

std::string variable(const Question& question, const char* name) {
    const auto found = question.environment.find(name);
    return found == question.environment.end() ? "" : base::trim(found->second);
}

// "nodejs" of BUILDPACK_NAME is ours of that name; some people write "nodejs-buildpack".
std::string bundled_id(std::string name) {
    constexpr std::string_view suffix = "-buildpack";
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    return name.find('/') == name.npos ? "slipway/" + name : name;
}

void from_dot_buildpacks(const Question& question, Choice& choice) {
    const auto text = base::read_beneath(question.app, ".buildpacks");
    if (!text) return;
    for (const auto& entry : parse_dot_buildpacks(*text))
        choice.buildpacks.push_back(wanted(entry.text, Dialect::classic,
                                           ".buildpacks, line " + std::to_string(entry.line)));
    choice.rule = "the file .buildpacks";
}

void from_json(const std::string& json, const std::string& file, Choice& choice) {
    std::vector<std::string> urls;
    try {
        urls = buildpacks_of_app_json(json, file);
    } catch (const Error& error) {
        // Other programs have an app.json, too, with comments in it: it is not ours to refuse.
        if (error.message().starts_with(file + ":")) throw;
        choice.warnings.push_back(file + " cannot be read; no buildpacks are taken from it");
    }
    for (const auto& url : urls)
        choice.buildpacks.push_back(wanted(url, Dialect::classic,
                                           file + ", number " +
                                               std::to_string(choice.buildpacks.size() + 1) +
                                               " of \"buildpacks\""));
    choice.rule = "the file " + file;
}

void from_json_files(const Question& question, Choice& choice) {
    for (const char* file : {"scalingo.json", "app.json"}) {
        const auto text = base::read_beneath(question.app, file);
        if (text) from_json(*text, file, choice);
        if (!choice.automatic()) return;
    }
    for (const auto& [file, text] : question.parents_json) {
        from_json(text, file + " above PROJECT_DIR", choice);
        if (!choice.automatic()) return;
    }
}

void from_outside(const Question& question, Choice& choice) {
    for (const auto& text : question.given)
        choice.buildpacks.push_back(wanted(text, Dialect::classic, question.given_by));
    if (!choice.automatic()) {
        choice.rule = question.given_by;
        return;
    }
    if (const auto url = variable(question, "BUILDPACK_URL"); !url.empty()) {
        choice.rule = "the variable BUILDPACK_URL";
        choice.buildpacks.push_back(wanted(url, Dialect::classic, "BUILDPACK_URL"));
    } else if (const auto name = variable(question, "BUILDPACK_NAME"); !name.empty()) {
        choice.rule = "the variable BUILDPACK_NAME";
        choice.buildpacks.push_back(wanted(bundled_id(name), Dialect::pack, "BUILDPACK_NAME"));
    }
}

} // namespace

Choice choose(const Question& question) {
    Choice choice;
    choice.project = read_project(question.app);
    choice.warnings = choice.project.warnings;
    choice.pre = wanted(choice.project.pre, "io.buildpacks.pre.group");
    choice.post = wanted(choice.project.post, "io.buildpacks.post.group");
    from_outside(question, choice);
    if (choice.automatic()) {
        choice.buildpacks = wanted(choice.project.group, "io.buildpacks.group");
        choice.rule = "the file project.toml";
    }
    if (choice.automatic()) from_dot_buildpacks(question, choice);
    if (choice.automatic()) from_json_files(question, choice);
    if (choice.automatic()) choice.rule = "detection";
    if (choice.buildpacks.size() > most_buildpacks)
        throw Error(ErrorKind::invalid_input, choice.rule + " names more than 100 buildpacks");
    return choice;
}

} // namespace sources
