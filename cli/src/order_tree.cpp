#include "order_tree.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

namespace cli {
namespace {

using base::json::Value;

std::string target_text(const Value& target) {
    if (!target.is_object()) return {};
    std::string text;
    for (const auto* key : {"os", "arch", "variant"})
        if (const auto part = text_of(target, key); !part.empty())
            text += (text.empty() ? "" : "/") + part;
    const auto distributions = target.find("distros");
    if (distributions == target.end() || !distributions->is_array()) return text;
    for (const auto& distribution : *distributions)
        if (distribution.is_object())
            text += " " + text_of(distribution, "name") + " " + text_of(distribution, "version");
    return text;
}

std::string joined(const Value& entry, const char* key,
                   const std::function<std::string(const Value&)>& render) {
    std::string text;
    const auto list = entry.find(key);
    if (list == entry.end()) return text;
    for (const auto& one : *list) text += (text.empty() ? "" : ", ") + render(one);
    return text;
}

std::string works_on(const Value& entry) {
    const auto targets = joined(entry, "targets", target_text);
    if (!targets.empty()) return targets;
    return joined(entry, "stacks", [](const Value& stack) {
        return stack.is_object() ? "stack " + text_of(stack, "id") : std::string();
    });
}

void print_groups(const Value& order, const std::string& indent);

void print_elements(const Value& group, const std::string& indent) {
    for (const auto& element : group) {
        auto line = indent + text_of(element, "id");
        if (const auto version = text_of(element, "version"); !version.empty())
            line += "@" + version;
        if (base::json::find_bool(element, "optional", false)) line += " (optional)";
        print_line(line);
        if (element.contains("order")) print_groups(element.at("order"), indent + "  ");
    }
}

void print_groups(const Value& order, const std::string& indent) {
    int number = 0;
    for (const auto& group : order) {
        print_line(indent + "group " + std::to_string(++number));
        print_elements(group.at("group"), indent + "  ");
    }
}

} // namespace

void print_buildpacks(const Value& described) {
    std::vector<Row> rows;
    for (const auto& entry : described.at("buildpacks"))
        rows.push_back({text_of(entry, "id"), text_of(entry, "version"), text_of(entry, "api"),
                        works_on(entry), text_of(entry, "homepage")});
    print_line("");
    print_table({"BUILDPACK", "VERSION", "API", "WORKS ON", "HOMEPAGE"}, rows);
}

void print_order(const Value& described) {
    print_line("\nOrder:");
    print_groups(described.at("order"), "  ");
    const auto system = described.find("system");
    if (system == described.end()) return;
    for (const auto& [key, title] :
         {std::pair("pre", "Before every group:"), std::pair("post", "After every group:")})
        if (!system->at(key).empty()) {
            print_line(title);
            print_elements(system->at(key), "  ");
        }
}

} // namespace cli
