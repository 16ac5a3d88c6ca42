#include "packages/inspect.h"

#include "labels.h"

#include "base/error.h"
#include "base/json.h"

#include <algorithm>

namespace packages {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::find_string;
using nlohmann::json;

// A composite may hold itself: what is deeper than this is not shown.
constexpr int deepest_nesting = 16;
constexpr int most_groups = 10'000;

std::optional<json> find_label(const image::Image& image, const char* name) {
    const auto& labels = image.config().labels;
    const auto found = labels.find(name);
    if (found == labels.end() || found->second.empty()) return std::nullopt;
    auto value = base::json::parse(found->second, std::string("the label ") + name);
    return value.is_null() ? std::nullopt : std::optional(std::move(value));
}

json get_label(const image::Image& image, const char* name, const char* kind) {
    if (auto value = find_label(image, name)) return *value;
    throw Error(ErrorKind::invalid_input,
                std::string("this image is no ") + kind + ": it has no label " + name);
}

// Members of a stranger's JSON that are of another type than they should be count as absent.
const json& member(const json& object, const char* name, json::value_t type) {
    static const json array = json::array(), table = json::object();
    const auto& nothing = type == json::value_t::array ? array : table;
    if (!object.is_object()) return nothing;
    const auto found = object.find(name);
    return found == object.end() || found->type() != type ? nothing : *found;
}
const json& list_in(const json& object, const char* name) {
    return member(object, name, json::value_t::array);
}
const json& table_in(const json& object, const char* name) {
    return member(object, name, json::value_t::object);
}
void copy_text(json& to, const json& from, const char* name) {
    if (const auto text = from.is_object() ? find_string(from, name) : std::nullopt;
        text && !text->empty())
        to[name] = *text;
}

// The layers label has one entry for each id and version.
json list_buildpacks(const json& layers) {
    json list = json::array();
    for (const auto& [id, versions] : layers.items()) {
        if (!versions.is_object()) continue;
        for (const auto& [version, entry] : versions.items()) {
            json one{{"id", id}, {"version", version}};
            for (const auto* name : {"api", "name", "homepage"}) copy_text(one, entry, name);
            for (const auto* name : {"targets", "stacks"})
                if (!list_in(entry, name).empty()) one[name] = list_in(entry, name);
            list.push_back(std::move(one));
        }
    }
    return list;
}

// Orders with composites' own orders inside of them.
class OrderTree {
  public:
    explicit OrderTree(const json& layers) : layers_(layers) {}

    json expand(const json& order, int depth = 0) {
        json tree = json::array();
        for (const auto& group : order) {
            if (++groups_ > most_groups) break;
            tree.push_back({{"group", expand_group(list_in(group, "group"), depth)}});
        }
        return tree;
    }
    json expand_group(const json& group, int depth = 0) {
        json elements = json::array();
        for (const auto& element : group) {
            if (!element.is_object()) continue;
            json one = json::object();
            for (const auto* name : {"id", "version"}) copy_text(one, element, name);
            if (base::json::find_bool(element, "optional", false)) one["optional"] = true;
            const auto& inner = order_of(one);
            if (!inner.empty() && depth < deepest_nesting) one["order"] = expand(inner, depth + 1);
            elements.push_back(std::move(one));
        }
        return elements;
    }

  private:
    const json& order_of(const json& element) const {
        const auto& versions = table_in(layers_, find_string(element, "id").value_or("").c_str());
        const auto version = find_string(element, "version").value_or("");
        if (version.empty() && versions.size() == 1) return list_in(versions.front(), "order");
        return list_in(table_in(versions, version.c_str()), "order");
    }

    const json& layers_;
    int groups_ = 0;
};

json describe_package(const json& metadata, const json& layers) {
    json described = json::object();
    for (const auto* name : {"id", "version", "name", "homepage", "description"})
        copy_text(described, metadata, name);
    described["stacks"] = list_in(metadata, "stacks");
    described["buildpacks"] = list_buildpacks(layers);
    const json itself = json::array({{{"id", find_string(metadata, "id").value_or("")},
                                      {"version", find_string(metadata, "version").value_or("")}}});
    described["order"] = OrderTree(layers).expand(json::array({{{"group", itself}}}));
    return described;
}

json run_images_in(const json& metadata) {
    const auto& images = list_in(metadata, "images");
    if (!images.empty()) return images;
    const auto& of_stack = table_in(table_in(metadata, "stack"), "runImage");
    return find_string(of_stack, "image").value_or("").empty() ? json::array()
                                                               : json::array({of_stack});
}

json describe_lifecycle(const json& lifecycle) {
    json described = json::object();
    copy_text(described, lifecycle, "version");
    if (!table_in(lifecycle, "apis").empty()) described["apis"] = lifecycle["apis"];
    return described;
}

} // namespace

json describe_buildpackage(const image::Image& image) {
    if (image.config().labels.contains(label::builder))
        throw Error(ErrorKind::invalid_input, "this image is a builder and no buildpackage",
                    "Look at it with slipway builder inspect.");
    const auto metadata = get_label(image, label::buildpackage, "buildpackage");
    return describe_package(metadata, get_label(image, label::layers, "buildpackage"));
}

json describe_contents(const Contents& contents, const buildpacks::OrderElement& main) {
    return describe_package(buildpackage_label(contents, find(contents, main, "")),
                            layers_label(contents, {}));
}

json describe_builder(const image::Image& image) {
    const auto metadata = get_label(image, label::builder, "builder");
    const auto layers = find_label(image, label::layers).value_or(json::object());
    const auto system = find_label(image, label::system).value_or(json::object());
    json described = json::object();
    copy_text(described, metadata, "description");
    const auto& labels = image.config().labels;
    if (const auto id = labels.find(label::stack_id); id != labels.end())
        described["stack"] = id->second;
    described["created_by"] = table_in(metadata, "createdBy");
    described["lifecycle"] = describe_lifecycle(table_in(metadata, "lifecycle"));
    described["run_images"] = run_images_in(metadata);
    described["buildpacks"] = list_buildpacks(layers);
    OrderTree tree(layers);
    described["order"] = tree.expand(find_label(image, label::order).value_or(json::array()));
    for (const auto* part : {"pre", "post"})
        described["system"][part] =
            tree.expand_group(list_in(table_in(system, part), "buildpacks"));
    return described;
}

std::vector<std::string> run_images_of(const image::Image& builder) {
    std::vector<std::string> names;
    for (const auto& entry :
         run_images_in(find_label(builder, label::builder).value_or(json::object()))) {
        if (const auto name = entry.is_object() ? find_string(entry, "image") : std::nullopt)
            names.push_back(*name);
        for (const auto& mirror : list_in(entry, "mirrors"))
            if (mirror.is_string()) names.push_back(mirror.get<std::string>());
    }
    return names;
}

} // namespace packages
