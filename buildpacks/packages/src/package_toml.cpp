#include "packages/configuration.h"

#include "configuration_parts.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>

namespace packages {

using base::Error;
using base::ErrorKind;

Source read_source(const TomlTable& table) {
    const auto uri = table.text("uri"), image = table.text("image");
    if (!uri.empty() && !image.empty()) table.refuse("image", "and uri exclude each other");
    if (uri.empty() && image.empty())
        table.refuse("uri", "is missing", "Say where the buildpack is: uri or image.");
    return {.uri = uri.empty() ? "docker://" + image : uri, .where = table.where()};
}

std::vector<buildpacks::Target> read_targets(const TomlTable& root) {
    std::vector<buildpacks::Target> targets;
    for (const auto& table : root.tables("targets")) {
        table.allow({"os", "arch", "variant", "distros", "path"});
        buildpacks::Target target{.os = table.text("os"),
                                  .architecture = table.text("arch"),
                                  .variant = table.text("variant")};
        for (const auto& distribution : table.tables("distros"))
            target.distributions.push_back(
                {distribution.text("name"), distribution.text("version")});
        if (!target.os.empty() && target.os != "linux")
            table.refuse("os", "is " + base::quoted(target.os) +
                                   ", and Slipway makes images for linux alone");
        targets.push_back(std::move(target));
    }
    return targets;
}

PackageToml read_package_toml(const std::filesystem::path& file) {
    const auto parsed = parse_toml_file(file.string());
    const TomlTable root(parsed, file.string(), "");
    root.allow({"buildpack", "extension", "dependencies", "platform", "targets"});
    if (root.has("extension"))
        root.refuse("extension", "is an image extension, which Slipway does not package");
    PackageToml package{.buildpack = {.uri = ".", .where = root.where()}};
    if (const auto buildpack = root.table("buildpack")) {
        buildpack->allow({"uri"});
        package.buildpack = {.uri = buildpack->required_text("uri"), .where = buildpack->where()};
    }
    for (const auto& dependency : root.tables("dependencies")) {
        dependency.allow({"uri", "image"});
        package.dependencies.push_back(read_source(dependency));
    }
    if (const auto platform = root.table("platform")) {
        platform->allow({"os"});
        if (const auto os = platform->text("os"); !os.empty() && os != "linux")
            platform->refuse("os", "is " + base::quoted(os) +
                                       ", and Slipway makes images for linux alone");
    }
    package.targets = read_targets(root);
    return package;
}

std::string choose_architecture(const std::vector<buildpacks::Target>& targets,
                                const std::string& here) {
    std::vector<std::string> listed;
    for (const auto& target : targets) {
        if (target.architecture.empty() || target.architecture == here) return here;
        if (std::find(listed.begin(), listed.end(), target.architecture) == listed.end())
            listed.push_back(target.architecture);
    }
    if (listed.empty()) return here;
    if (listed.size() == 1) return listed.front();
    throw Error(ErrorKind::invalid_input,
                "the targets are several architectures, and none is this machine's (" + here + ")",
                "One image is made at a time: list the target that you want.");
}

} // namespace packages
