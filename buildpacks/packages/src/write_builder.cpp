#include "layers.h"

#include "base/error.h"
#include "base/text.h"
#include "buildpacks/target.h"
#include "buildpacks/toml_text.h"

#include <algorithm>
#include <charconv>

namespace packages {
namespace {

using base::Error;
using base::ErrorKind;
using nlohmann::json;

std::string find_variable(const image::ContainerConfig& config, const std::string& name) {
    for (const auto& variable : config.environment)
        if (variable.starts_with(name + "=")) return variable.substr(name.size() + 1);
    return {};
}

// platform.md, "Build Image": both MUST be set.
unsigned read_id(const image::ContainerConfig& config, const char* name,
                 const std::string& build_image) {
    const auto text = find_variable(config, name);
    unsigned id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        throw Error(ErrorKind::invalid_input,
                    "the build image " + base::quoted(build_image) +
                        (text.empty() ? " does not set " : " has no number in ") + name,
                    "A build image names the user that builds run as: CNB_USER_ID and "
                    "CNB_GROUP_ID.");
    return id;
}

buildpacks::OrderElement resolve(const Contents& contents, const OrderedBuildpack& ordered) {
    auto element = ordered.element;
    element.version = find(contents, element, ordered.where).info.version;
    return element;
}

buildpacks::OrderGroup resolve(const Contents& contents,
                               const std::vector<OrderedBuildpack>& group) {
    buildpacks::OrderGroup resolved;
    for (const auto& ordered : group) resolved.push_back(resolve(contents, ordered));
    return resolved;
}

buildpacks::Target target_of(const image::Image& image) {
    const auto& labels = image.config().labels;
    const auto read = [&](const char* name) {
        const auto found = labels.find(name);
        return found == labels.end() ? std::string() : found->second;
    };
    buildpacks::Target target{.os = "linux", .architecture = image.architecture()};
    const buildpacks::Distribution distribution{read("io.buildpacks.base.distro.name"),
                                                read("io.buildpacks.base.distro.version")};
    // A base that does not say what it is fits all of them.
    if (!distribution.name.empty()) target.distributions.push_back(distribution);
    return target;
}

void check_targets(const Contents& contents, const BuilderToml& toml, const image::Image& image) {
    const auto here = target_of(image);
    for (const auto& component : contents) {
        auto info = component.info;
        if (here.distributions.empty())
            for (auto& target : info.targets) target.distributions.clear();
        if (component.order.empty() && !buildpacks::satisfies(here, info))
            throw Error(ErrorKind::invalid_input, info.full_name() +
                                                      " does not work on the build image " +
                                                      base::quoted(toml.build_image) +
                                                      ", which is " + buildpacks::render(here));
    }
}

struct Resolved {
    buildpacks::Order order;
    buildpacks::OrderGroup pre, post;
    bool has_system() const { return !pre.empty() || !post.empty(); }
};

Resolved resolve(const Contents& contents, const BuilderToml& toml) {
    Resolved resolved{.pre = resolve(contents, toml.system_pre),
                      .post = resolve(contents, toml.system_post)};
    for (const auto& group : toml.order) resolved.order.push_back(resolve(contents, group));
    return resolved;
}

json system_json(const Resolved& resolved) {
    return {{"pre", {{"buildpacks", group_json(resolved.pre)}}},
            {"post", {{"buildpacks", group_json(resolved.post)}}}};
}

// platform.md: order.toml, run.toml, system.toml, build-config; stack.toml for old platforms.
image::WrittenLayer write_files(const BuilderToml& toml, const Resolved& resolved,
                                image::Owner user, const std::filesystem::path& path) {
    json images = json::array();
    for (const auto& image : toml.run_images) images.push_back(run_image_json(image));
    return image::write_layer_file(path, {}, [&](image::LayerWriter& writer) {
        const auto file = [&](const std::string& name, const std::string& text) {
            writer.add_file(name, 0644, root_owner, text);
        };
        writer.add_directory("cnb", 0755, root_owner);
        writer.add_directory("cnb/build-config", 0755, root_owner);
        writer.add_directory("cnb/build-config/env", 0755, root_owner);
        for (const auto& variable : toml.build_environment)
            file("cnb/build-config/env/" + variable.file, variable.value);
        writer.add_directory("cnb/buildpacks", 0755, root_owner);
        file("cnb/order.toml", buildpacks::json_to_toml({{"order", order_json(resolved.order)}}));
        file("cnb/run.toml", buildpacks::json_to_toml({{"images", images}}));
        file("cnb/stack.toml", buildpacks::json_to_toml({{"run-image", images.front()}}));
        if (resolved.has_system())
            file("cnb/system.toml", buildpacks::json_to_toml({{"system", system_json(resolved)}}));
        writer.add_directory("layers", 0755, user);
        writer.add_directory("platform", 0755, root_owner);
        writer.add_directory("platform/env", 0755, root_owner);
        writer.add_directory("workspace", 0755, user);
    });
}

json builder_label(const BuilderToml& toml, const Contents& contents, const std::string& version) {
    json buildpacks = json::array(), images = json::array();
    for (const auto& component : contents) buildpacks.push_back(module_info(component));
    for (const auto& image : toml.run_images) images.push_back(run_image_json(image));
    return {{"description", toml.description},
            {"buildpacks", buildpacks},
            {"extensions", json::array()},
            {"stack", {{"runImage", images.front()}}},
            {"images", images},
            {"createdBy", {{"name", "Slipway"}, {"version", version}}}};
}

} // namespace

WrittenImage write_builder(const BuilderToml& toml, const Contents& contents,
                           const image::Image& build_image, const std::string& version,
                           const std::filesystem::path& scratch) {
    auto config = build_image.config();
    const image::Owner user{read_id(config, "CNB_USER_ID", toml.build_image),
                            read_id(config, "CNB_GROUP_ID", toml.build_image)};
    const auto resolved = resolve(contents, toml);
    check_composites(contents);
    check_targets(contents, toml, build_image);

    LayerList layers(scratch);
    const auto diff_ids = layers.add_buildpacks(contents);
    layers.add(write_files(toml, resolved, user, layers.next_path()), "Builder configuration");

    config.labels[label::builder] = builder_label(toml, contents, version).dump();
    config.labels[label::layers] = layers_label(contents, diff_ids).dump();
    config.labels[label::order] = order_json(resolved.order).dump();
    config.labels.erase(label::system); // of a build image that was a builder
    if (resolved.has_system()) config.labels[label::system] = system_json(resolved).dump();
    if (!toml.stack_id.empty()) config.labels[label::stack_id] = toml.stack_id;
    config.working_directory = "/layers";
    return layers.finish(build_image, std::move(config));
}

} // namespace packages
