#include "release_yaml.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <sstream>

namespace buildpacks {
namespace {

using base::Error;
using base::ErrorKind;
using nlohmann::json;

constexpr std::size_t largest_text = 256u << 10;
constexpr int deepest = 16;
// The parser calls itself for each bracket: text is refused before it meets more than these.
constexpr std::ptrdiff_t most_brackets = 500;

struct Wrong {
    int line; // from 1; 0: the whole
    std::string reason;
};

// Builds JSON from the parser's events, so that an alias is refused where it stands and never
// expanded, and depth is counted while it grows. Scalars stay text, but for null.
class JsonBuilder final : public YAML::EventHandler {
  public:
    json take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { value(mark, nullptr); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        throw Wrong{mark.line + 1, "aliases are not supported"};
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  const std::string& text) override {
        const bool plain = tag == "?";
        if (plain && (text == "~" || text == "null" || text.empty()))
            value(mark, nullptr);
        else
            value(mark, text);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        open(mark, json::array());
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {
        open(mark, json::object());
    }
    void OnMapEnd() override { close(); }

  private:
    struct Level {
        json* container;
        std::optional<std::string> key;
    };

    json* value(const YAML::Mark& mark, json item) {
        if (levels_.empty()) {
            root_ = std::move(item);
            return &root_;
        }
        auto& level = levels_.back();
        if (level.container->is_array()) return &level.container->emplace_back(std::move(item));
        if (!level.key) {
            if (!item.is_string()) throw Wrong{mark.line + 1, "a key must be a word"};
            level.key = item.get<std::string>();
            return nullptr;
        }
        auto& slot = (*level.container)[*std::exchange(level.key, std::nullopt)];
        slot = std::move(item);
        return &slot;
    }

    void open(const YAML::Mark& mark, json container) {
        if (levels_.size() >= deepest) throw Wrong{mark.line + 1, "it is nested too deep"};
        levels_.push_back({value(mark, std::move(container)), std::nullopt});
    }
    void close() { levels_.pop_back(); }

    json root_;
    std::vector<Level> levels_;
};

// The first document.
json parse_yaml(std::string_view text) {
    if (text.size() > largest_text) throw Wrong{0, "it is larger than 256 KiB"};
    if (std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; }) >
        most_brackets)
        throw Wrong{0, "it has more than 500 brackets"};
    std::istringstream stream{std::string(text)};
    try {
        YAML::Parser parser(stream);
        JsonBuilder builder;
        parser.HandleNextDocument(builder);
        return builder.take();
    } catch (const YAML::Exception& error) {
        throw Wrong{error.mark.line + 1, error.msg};
    }
}

const json& member(const json& object, const char* name, const json& otherwise) {
    const auto it = object.find(name);
    return it == object.end() || it->is_null() ? otherwise : *it;
}

// Names and values, where a value may be null.
std::vector<std::pair<std::string, std::string>> text_map(const json& root, const char* name) {
    static const json none = json::object();
    const auto& table = member(root, name, none);
    if (table.is_array() && table.empty()) return {};
    if (!table.is_object()) throw Wrong{0, std::string(name) + " must be a map"};
    std::vector<std::pair<std::string, std::string>> entries;
    for (const auto& [key, value] : table.items()) {
        if (!value.is_string() && !value.is_null())
            throw Wrong{0, std::string(name) + ": " + base::quoted(key) + " must be a text"};
        entries.emplace_back(key, value.is_string() ? value.get<std::string>() : "");
    }
    return entries;
}

void check_type(const std::string& type, const std::string& command) {
    static constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (type.empty() || type.size() > 200 || type == "." || type == ".." ||
        type.find_first_not_of(allowed) != std::string::npos)
        throw Wrong{0, base::quoted(type) + " cannot be a process type"};
    if (command.empty()) throw Wrong{0, "the process type " + type + " has no command"};
}

void check_variable(const std::string& name) {
    static constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (name.empty() || (name.front() >= '0' && name.front() <= '9') ||
        name.find_first_not_of(allowed) != std::string::npos)
        throw Wrong{0, base::quoted(name) + " cannot be the name of a variable"};
}

Release read_release(const json& root) {
    Release release;
    if (root.is_null()) return release;
    if (!root.is_object()) throw Wrong{0, "it is not a map"};
    release.process_types = text_map(root, "default_process_types");
    for (const auto& [type, command] : release.process_types) check_type(type, command);
    for (auto& [name, value] : text_map(root, "config_vars")) {
        check_variable(name);
        release.config_vars[name] = value;
    }
    static const json none = json::array();
    for (const auto& addon : member(root, "addons", none))
        if (addon.is_string()) release.addons.push_back(addon.get<std::string>());
    return release;
}

// It becomes a part of other JSON, whose depth is bounded, too.
bool is_deeper(const json& value, int most) {
    if (!value.is_structured()) return false;
    return most == 0 || std::any_of(value.begin(), value.end(), [&](const json& element) {
               return is_deeper(element, most - 1);
           });
}

} // namespace

Release parse_release(std::string_view yaml, const std::string& whose) {
    try {
        return read_release(parse_yaml(yaml));
    } catch (const Wrong& wrong) {
        throw Error(ErrorKind::buildpack_failed,
                    "what bin/release of " + whose + " printed cannot be read" +
                        (wrong.line > 0 ? " (line " + std::to_string(wrong.line) + ")" : "") +
                        ": " + base::printable(wrong.reason));
    }
}

std::string report_to_json(std::string_view text) {
    if (base::trim(text).empty()) return {};
    try {
        const auto report = base::json::parse(text, "report");
        return is_deeper(report, deepest) ? std::string() : base::json::render(report);
    } catch (const Error&) {
        // Older packs print YAML.
    }
    try {
        const auto from_yaml = parse_yaml(text);
        return from_yaml.is_object() ? base::json::render(from_yaml) : std::string();
    } catch (const Wrong&) {
        return {};
    }
}

} // namespace buildpacks
