#include "labels.h"

#include "base/error.h"
#include "base/json.h"

#include <algorithm>

namespace packages {
namespace {

using nlohmann::json;

const json none = json::array();

json descriptor_of(const Component& component) {
    return json::parse(component.descriptor_json);
}

void put(json& object, const char* key, const json& value) {
    if (!value.is_null() && value != "" && value != none && value != false) object[key] = value;
}

// [[stacks]] of Buildpack API 0.9 and below; one that has none works on any (distribution.md wants
// at least one to be named). A composite has none of its own.
json stacks_of(const Component& component) {
    const auto stacks = descriptor_of(component).value("stacks", none);
    if (stacks.empty() && component.order.empty()) return json::array({{{"id", "*"}}});
    return stacks;
}

json merge_mixins(const json& one, const json& other) {
    json all = one.value("mixins", none);
    for (const auto& mixin : other.value("mixins", none))
        if (std::find(all.begin(), all.end(), mixin) == all.end()) all.push_back(mixin);
    std::sort(all.begin(), all.end());
    return all;
}

// The stacks that suit both, with the mixins of both.
json merge_stacks(const json& ours, const json& theirs) {
    json merged = json::array();
    for (const auto& one : ours)
        for (const auto& other : theirs) {
            const auto a = base::json::get_string(one, "id"),
                       b = base::json::get_string(other, "id");
            if (a != b && a != "*" && b != "*") continue;
            json stack{{"id", a == "*" ? b : a}};
            put(stack, "mixins", merge_mixins(one, other));
            const bool is_there = std::any_of(merged.begin(), merged.end(), [&](const json& there) {
                return there["id"] == stack["id"];
            });
            if (!is_there) merged.push_back(std::move(stack));
        }
    return merged;
}

json common_stacks(const Contents& contents) {
    json common = none;
    for (const auto& component : contents) {
        const auto stacks = stacks_of(component);
        if (stacks.empty()) continue;
        common = common.empty() ? stacks : merge_stacks(common, stacks);
        if (common.empty())
            throw base::Error(base::ErrorKind::invalid_input,
                              component.info.full_name() +
                                  " wants another stack than the buildpacks before it",
                              "All buildpacks of a package must have a stack in common.");
    }
    return common;
}

} // namespace

json module_info(const Component& component) {
    const auto own = descriptor_of(component).value("buildpack", json::object());
    json info{{"id", component.info.id}, {"version", component.info.version}};
    for (const auto* key :
         {"name", "description", "homepage", "keywords", "licenses", "clear-env", "exec-env"})
        if (own.contains(key)) put(info, key, own[key]);
    return info;
}

json group_json(const buildpacks::OrderGroup& group) {
    json list = json::array();
    for (const auto& element : group) {
        json entry{{"id", element.id}};
        put(entry, "version", element.version);
        put(entry, "optional", element.optional);
        list.push_back(std::move(entry));
    }
    return list;
}

json order_json(const buildpacks::Order& order) {
    json list = json::array();
    for (const auto& group : order) list.push_back({{"group", group_json(group)}});
    return list;
}

json run_image_json(const RunImage& run_image) {
    return {{"image", run_image.image}, {"mirrors", run_image.mirrors}};
}

json layers_label(const Contents& contents, const DiffIds& diff_ids) {
    json label = json::object();
    for (const auto& component : contents) {
        const auto descriptor = descriptor_of(component);
        json entry{{"api", component.info.api}};
        put(entry, "stacks", descriptor.value("stacks", none));
        put(entry, "targets", descriptor.value("targets", none));
        put(entry, "order", order_json(component.order));
        put(entry, "name", component.info.name);
        put(entry, "homepage", component.info.homepage);
        const auto diff_id = diff_ids.find(component.info.full_name());
        if (diff_id != diff_ids.end()) entry["layerDiffID"] = diff_id->second;
        label[component.info.id][component.info.version] = std::move(entry);
    }
    return label;
}

json buildpackage_label(const Contents& contents, const Component& main) {
    auto label = module_info(main);
    label["stacks"] = common_stacks(contents);
    return label;
}

} // namespace packages
