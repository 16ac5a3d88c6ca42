#include "packages/configuration.h"

#include "configuration_parts.h"

#include "base/text.h"

#include <algorithm>

namespace packages {
namespace {

std::vector<OrderedBuildpack> read_elements(const std::vector<TomlTable>& tables) {
    std::vector<OrderedBuildpack> elements;
    for (const auto& table : tables) {
        table.allow({"id", "version", "optional", "name", "homepage", "description"});
        elements.push_back(
            {{table.required_text("id"), table.text("version"), table.flag("optional")},
             table.where()});
    }
    return elements;
}

std::vector<Source> read_buildpacks(const TomlTable& root) {
    std::vector<Source> sources;
    for (const auto& table : root.tables("buildpacks")) {
        table.allow({"id", "version", "uri", "image", "name", "description", "homepage", "keywords",
                     "licenses", "clear-env", "exec-env"});
        auto source = read_source(table);
        source.id = table.text("id");
        source.version = table.text("version");
        sources.push_back(std::move(source));
    }
    return sources;
}

void read_order(const TomlTable& root, BuilderToml& toml) {
    for (const auto& table : root.tables("order")) {
        table.allow({"group"});
        toml.order.push_back(read_elements(table.tables("group")));
        if (toml.order.back().empty()) table.refuse("group", "is missing");
    }
    if (toml.order.empty())
        root.refuse("order", "is missing", "Say what is tried: [[order]] and [[order.group]].");
    const auto system = root.table("system");
    if (!system) return;
    system->allow({"pre", "post"});
    for (const auto& [key, elements] :
         {std::pair("pre", &toml.system_pre), std::pair("post", &toml.system_post)})
        if (const auto part = system->table(key)) {
            part->allow({"buildpacks"});
            *elements = read_elements(part->tables("buildpacks"));
        }
}

void put(std::vector<BuildVariable>& variables, const TomlTable& table, std::string file,
         std::string value) {
    const auto there = std::find_if(variables.begin(), variables.end(),
                                    [&](const BuildVariable& one) { return one.file == file; });
    if (there == variables.end())
        variables.push_back({std::move(file), std::move(value)});
    else if (there->value != value)
        table.refuse("name", "stands here twice with different values (" + file + ")");
}

// platform.md, "Operator-Defined Variables": NAME[.suffix] and one NAME.delim for both of append
// and prepend.
void read_variable(const TomlTable& table, BuilderToml& toml) {
    table.allow({"name", "value", "suffix", "delim"});
    const auto name = table.required_text("name"), suffix = table.text("suffix"),
               delimiter = table.text("delim");
    if (name.find_first_of("./=") != std::string::npos || name.find('\0') != std::string::npos)
        table.refuse("name", "is " + base::quoted(name) + ", which is no name of a variable");
    static const std::vector<std::string> suffixes{"", "default", "override", "append", "prepend"};
    if (std::find(suffixes.begin(), suffixes.end(), suffix) == suffixes.end())
        table.refuse("suffix", "is " + base::quoted(suffix),
                     "It may be default, override, append or prepend.");
    if (delimiter.empty() && (suffix == "append" || suffix == "prepend"))
        table.refuse("delim", "is missing", "It joins what is there and what is added: \":\".");
    put(toml.build_environment, table, suffix.empty() ? name : name + "." + suffix,
        table.text("value"));
    if (!delimiter.empty()) put(toml.build_environment, table, name + ".delim", delimiter);
}

void read_build(const TomlTable& root, BuilderToml& toml) {
    const auto stack = root.table("stack"), build = root.table("build");
    if (stack) {
        stack->allow({"id", "build-image", "run-image", "run-image-mirrors"});
        toml.stack_id = stack->text("id");
        toml.build_image = stack->text("build-image");
    }
    if (build) {
        build->allow({"image", "env"});
        const auto image = build->text("image");
        if (!image.empty() && !toml.build_image.empty() && image != toml.build_image)
            build->refuse("image", "and stack.build-image name different images");
        if (!image.empty()) toml.build_image = image;
        for (const auto& variable : build->tables("env")) read_variable(variable, toml);
        std::sort(toml.build_environment.begin(), toml.build_environment.end(),
                  [](const BuildVariable& a, const BuildVariable& b) { return a.file < b.file; });
    }
    if (toml.build_image.empty())
        root.refuse("build.image", "is missing", "Name the image that builds run in.");
}

void read_run(const TomlTable& root, BuilderToml& toml) {
    if (const auto run = root.table("run")) {
        run->allow({"images"});
        for (const auto& table : run->tables("images")) {
            table.allow({"image", "mirrors"});
            toml.run_images.push_back({table.required_text("image"), table.texts("mirrors")});
        }
    }
    const auto stack = root.table("stack");
    if (const auto image = stack ? stack->text("run-image") : ""; !image.empty()) {
        if (toml.run_images.empty())
            toml.run_images.push_back({image, stack->texts("run-image-mirrors")});
        else if (toml.run_images.front().image != image)
            stack->refuse("run-image", "and the first of run.images are different images");
    }
    if (toml.run_images.empty())
        root.refuse("run.images", "is missing", "Name the image that apps run on.");
}

void refuse_extensions(const TomlTable& root) {
    for (const auto* key : {"extensions", "order-extensions"})
        if (root.has(key))
            root.refuse(key, "are image extensions, which Slipway does not put into builders",
                        "Remove them, or make this builder with pack.");
}

} // namespace

BuilderToml read_builder_toml(const std::filesystem::path& file) {
    const auto parsed = parse_toml_file(file.string());
    const TomlTable root(parsed, file.string(), "");
    root.allow({"description", "buildpacks", "extensions", "order", "order-extensions", "stack",
                "lifecycle", "run", "build", "targets", "system"});
    refuse_extensions(root);
    BuilderToml toml{.description = root.text("description"), .buildpacks = read_buildpacks(root)};
    read_order(root, toml);
    read_build(root, toml);
    read_run(root, toml);
    toml.targets = read_targets(root);
    if (const auto lifecycle = root.table("lifecycle")) {
        lifecycle->allow({"uri", "version"});
        toml.notes.push_back(lifecycle->where() +
                             ": Slipway brings its own lifecycle; this one is not used");
    }
    return toml;
}

} // namespace packages
