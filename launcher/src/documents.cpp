#include "documents.h"

#include "failure.h"
#include "files.h"

#include <cerrno>

// Only the parser, and numbers through <charconv>: formatters and iostreams double the program.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_FLOAT_CHARCONV 1
#include <toml++/toml.h>

namespace launch {
namespace {

constexpr size_t metadata_limit = 4 * 1024 * 1024;

toml::table parse(std::string_view text, const std::string& source) {
    toml::parse_result result = toml::parse(text);
    if (result) return std::move(result).table();
    const toml::parse_error& error = result.error();
    fail(source + " is not TOML: line " + std::to_string(error.source().begin.line) + ": " +
         std::string{error.description()});
}

// One entry of a list of tables, with failures that name the file and the key.
class Entry {
  public:
    Entry(const toml::table& table, const std::string& where) : table_(table), where_(where) {}

    std::string text(std::string_view key) const {
        const toml::node* node = table_.get(key);
        if (node == nullptr) return {};
        if (!node->is_string()) refuse(key, "a string");
        return node->as_string()->get();
    }

    bool flag(std::string_view key) const {
        const toml::node* node = table_.get(key);
        if (node == nullptr) return false;
        if (!node->is_boolean()) refuse(key, "true or false");
        return node->as_boolean()->get();
    }

    std::vector<std::string> texts(std::string_view key) const {
        const toml::node* node = table_.get(key);
        if (node == nullptr) return {};
        if (!node->is_array()) refuse(key, "a list of strings");
        std::vector<std::string> list;
        for (const toml::node& item : *node->as_array()) {
            if (!item.is_string()) refuse(key, "a list of strings");
            list.push_back(item.as_string()->get());
        }
        return list;
    }

    // `command` was one string before Platform API 0.10.
    std::vector<std::string> text_or_texts(std::string_view key) const {
        const toml::node* node = table_.get(key);
        if (node != nullptr && node->is_string()) return {node->as_string()->get()};
        return texts(key);
    }

  private:
    [[noreturn]] void refuse(std::string_view key, std::string_view expected) const {
        fail(where_ + ": `" + std::string{key} + "` must be " + std::string{expected});
    }

    const toml::table& table_;
    const std::string& where_;
};

template <typename Visit>
void each_entry(const toml::table& document, std::string_view key, const std::string& path,
                Visit visit) {
    const toml::node* node = document.get(key);
    if (node == nullptr) return;
    const std::string where = path + ": [[" + std::string{key} + "]]";
    if (!node->is_array()) fail(where + " must be a list of tables");
    for (const toml::node& item : *node->as_array()) {
        if (!item.is_table()) fail(where + " must be a list of tables");
        visit(Entry{*item.as_table(), where});
    }
}

Buildpack read_buildpack(const Entry& entry) {
    Buildpack buildpack{.id = entry.text("id"), .api = {}};
    const std::string api = entry.text("api");
    const auto version = parse_api_version(api);
    if (!version || !buildpack_api_supported(*version))
        fail(ExitCode::buildpack_api_incompatible,
             "the buildpack " + buildpack.id + " uses Buildpack API '" + api +
                 "', which this launcher does not support (0.7 to 0.12)");
    buildpack.api = *version;
    return buildpack;
}

Process read_process(const Entry& entry) {
    return Process{
        .type = entry.text("type"),
        .command = entry.text_or_texts("command"),
        .args = entry.texts("args"),
        .exec_env = entry.texts("exec-env"),
        .working_directory = entry.text("working-dir"),
        .buildpack_id = entry.text("buildpack-id"),
        .direct = entry.flag("direct"),
    };
}

} // namespace

Metadata read_metadata(const std::string& path) {
    const auto text = read_file(path, metadata_limit);
    if (!text)
        fail("cannot read " + path + ": " + reason(errno) +
             "; set CNB_LAYERS_DIR if the layers are not in /layers");
    const toml::table document = parse(*text, path);
    Metadata metadata;
    each_entry(document, "buildpacks", path,
               [&](const Entry& entry) { metadata.buildpacks.push_back(read_buildpack(entry)); });
    each_entry(document, "processes", path,
               [&](const Entry& entry) { metadata.processes.push_back(read_process(entry)); });
    return metadata;
}

Variables parse_variables(std::string_view text, const std::string& source) {
    Variables variables;
    for (const auto& [key, node] : parse(text, source)) {
        const std::string name{key.str()};
        if (name.empty() || name.find_first_of(std::string_view{"=\0", 2}) != std::string::npos)
            fail(source + ": '" + name + "' cannot be the name of an environment variable");
        if (!node.is_string()) fail(source + ": the value of " + name + " must be a string");
        variables.emplace_back(name, node.as_string()->get());
    }
    return variables;
}

} // namespace launch
