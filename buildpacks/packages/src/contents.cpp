#include "packages/contents.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unordered_set>

namespace packages {
namespace {

using base::Error;
using base::ErrorKind;
using buildpacks::OrderElement;

// A part of a path in the image, and of every order that names it.
void check_version(const buildpacks::Info& info) {
    static constexpr std::string_view allowed =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-";
    const auto& version = info.version;
    if (version.empty() || version.find_first_not_of(allowed) != std::string::npos ||
        version.front() < '0' || version.front() > '9')
        throw Error(ErrorKind::invalid_input, "the buildpack " + base::quoted(info.id) +
                                                  " has the version " + base::quoted(version) +
                                                  ", which is not of the form X.Y.Z");
}

// Mode 0644 in the image would be a buildpack that fails with "permission denied".
void check_executable(const Component& component, const char* name, bool required) {
    const auto file = base::open_beneath(component.directory, name, O_RDONLY);
    struct stat status;
    const bool is_file = file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode);
    if (!is_file && !required) return;
    if (!is_file)
        throw Error(ErrorKind::invalid_input,
                    "the buildpack " + component.info.full_name() + " has no " + name,
                    "Is " + component.directory.string() + " the buildpack's folder?");
    if (!(status.st_mode & S_IXUSR))
        throw Error(ErrorKind::invalid_input,
                    "the buildpack " + component.info.full_name() + " has a " + name +
                        " that is not executable",
                    "Run chmod +x " + (component.directory / name).string());
}

Component component_of(const buildpacks::Info& info, const std::filesystem::path& directory) {
    const auto text = base::read_beneath(directory, "buildpack.toml");
    if (!text || buildpacks::kind_of(directory) == buildpacks::Kind::classic)
        throw Error(ErrorKind::invalid_input,
                    info.full_name() + " is not a Cloud Native buildpack: it has no buildpack.toml",
                    "Classic buildpacks are named by apps, not packaged.");
    const auto what = (directory / "buildpack.toml").string();
    Component component{.info = info,
                        .order = buildpacks::parse_order(*text, what),
                        .directory = directory,
                        .descriptor_json =
                            base::json::render(buildpacks::toml_to_json(*text, what))};
    check_version(info);
    if (component.order.empty()) {
        check_executable(component, "bin/build", true);
        check_executable(component, "bin/detect", false);
    }
    return component;
}

auto key_of(const Component& component) {
    return std::tie(component.info.id, component.info.version);
}

} // namespace

Contents contents_of(const buildpacks::Catalog& catalog) {
    Contents contents;
    std::unordered_set<std::string> seen; // the first of a name is the one that builds would use
    const auto add = [&](const buildpacks::Info& info, const std::filesystem::path& directory) {
        if (seen.insert(info.full_name()).second) contents.push_back(component_of(info, directory));
    };
    for (const auto* buildpack : catalog.all()) add(buildpack->info(), buildpack->directory());
    for (const auto& composite : catalog.composites()) add(composite.info, composite.directory);
    std::sort(contents.begin(), contents.end(),
              [](const Component& a, const Component& b) { return key_of(a) < key_of(b); });
    return contents;
}

const Component& find(const Contents& contents, const OrderElement& element,
                      const std::string& where) {
    const auto prefix = where.empty() ? "" : where + ": ";
    const Component* found = nullptr;
    std::string there;
    for (const auto& component : contents) {
        if (component.info.id != element.id) continue;
        there += (there.empty() ? "" : ", ") + component.info.full_name();
        if (!element.version.empty() && component.info.version != element.version) continue;
        if (found)
            throw Error(ErrorKind::invalid_input,
                        prefix + "there are several versions of " + base::quoted(element.id),
                        "Name one: there is " + there + ".");
        found = &component;
    }
    if (found) return *found;
    throw Error(ErrorKind::not_found,
                prefix + "there is no buildpack " + base::quoted(element.full_name()),
                there.empty() ? "Add it to [[buildpacks]] or [[dependencies]]."
                              : "There is " + there + ".");
}

void check_composites(const Contents& contents) {
    for (const auto& component : contents)
        for (const auto& group : component.order)
            for (const auto& element : group)
                find(contents, element, "the order of " + component.info.full_name());
}

OrderElement add_folder(const std::filesystem::path& folder, buildpacks::Catalog& catalog) {
    const auto directory = std::filesystem::weakly_canonical(folder);
    switch (buildpacks::kind_of(directory)) {
    case buildpacks::Kind::composite: {
        auto composite = buildpacks::load_composite(directory);
        OrderElement element{composite->info.id, composite->info.version};
        catalog.add(std::move(*composite));
        return element;
    }
    case buildpacks::Kind::cnb: {
        auto buildpack = buildpacks::load_cnb(directory);
        OrderElement element{buildpack->info().id, buildpack->info().version};
        catalog.add(std::move(buildpack));
        return element;
    }
    default:
        throw Error(ErrorKind::not_found,
                    folder.string() + " is no Cloud Native buildpack: it has no buildpack.toml "
                                      "that names an api");
    }
}

} // namespace packages
