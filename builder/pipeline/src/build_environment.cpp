#include "build_environment.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "buildpacks/environment.h"

#include <charconv>
#include <set>

namespace builder {
namespace {

std::string find_variable(const registry::PinnedImage& image, const std::string& name) {
    for (const auto& entry : image.image.config().environment)
        if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    return {};
}

unsigned id_from(const registry::PinnedImage& image, const std::string& name) {
    const auto text = find_variable(image, name);
    unsigned id = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (failure != std::errc{} || end != text.data() + text.size() || id == 0 || id >= 65535)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the build image " + image.reference.render() + " has no usable " + name,
                          "A build image names its unprivileged user by CNB_USER_ID and "
                          "CNB_GROUP_ID, both from 1 to 65534.");
    return id;
}

// Of the build image's variables those that the lifecycle lets through; the specification promises
// no other ("Base Image-Provided Variables"). A buildpack that needs more brings it itself.
buildpacks::Environment inherited(const registry::PinnedImage& build_image) {
    static const std::set<std::string> names{"PATH",        "LD_LIBRARY_PATH", "LIBRARY_PATH",
                                             "CPATH",       "PKG_CONFIG_PATH", "HTTP_PROXY",
                                             "HTTPS_PROXY", "NO_PROXY",        "http_proxy",
                                             "https_proxy", "no_proxy",        "CNB_STACK_ID"};
    buildpacks::Environment environment;
    for (const auto& entry : build_image.image.config().environment) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos && names.contains(entry.substr(0, equals)))
            environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    return environment;
}

// Of a line NAME=VALUE or NAME="VALUE".
std::string value_in(const std::string& text, const std::string& name) {
    std::string found;
    base::LineSplitter lines([&](std::string_view line) {
        if (!line.starts_with(name + "=")) return;
        found = base::trim(line.substr(name.size() + 1));
        if (found.size() >= 2 && (found.front() == '"' || found.front() == '\''))
            found = found.substr(1, found.size() - 2);
    });
    lines.feed(text);
    lines.finish();
    return found;
}

void check_name(const std::string& name, const char* what) {
    if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
        throw base::Error(base::ErrorKind::invalid_input,
                          "\"" + name + "\" cannot be the name of " + what);
}

} // namespace

BuildUser build_user(const registry::PinnedImage& build_image) {
    return {id_from(build_image, "CNB_USER_ID"), id_from(build_image, "CNB_GROUP_ID")};
}

std::optional<buildpacks::Distribution>
distribution_of(const registry::PinnedImage& run_image,
                const std::vector<std::filesystem::path>& root_layers) {
    const auto& labels = run_image.image.config().labels;
    const auto label = [&](const char* name) {
        const auto it = labels.find(name);
        return it == labels.end() ? std::string() : it->second;
    };
    buildpacks::Distribution told{label("io.buildpacks.base.distro.name"),
                                  label("io.buildpacks.base.distro.version")};
    if (!told.name.empty() || !told.version.empty()) return told;
    const auto release = registry::read_image_file(root_layers, "etc/os-release");
    told = {value_in(release, "ID"), value_in(release, "VERSION_ID")};
    if (told.name.empty() && told.version.empty()) return std::nullopt;
    return told;
}

buildpacks::Environment base_environment(const StackImagesRead& images, const Job& job,
                                         const Workspace& workspace) {
    auto environment = inherited(images.build);
    environment["HOME"] = workspace.home_inside;
    environment["CNB_TARGET_OS"] = "linux";
    environment["CNB_TARGET_ARCH"] = images.run.image.architecture();
    environment["CNB_EXEC_ENV"] = "production";
    if (images.distribution) {
        const auto& [name, version] = *images.distribution;
        if (!name.empty()) environment["CNB_TARGET_DISTRO_NAME"] = name;
        if (!version.empty()) environment["CNB_TARGET_DISTRO_VERSION"] = version;
    }
    if (!job.bindings.empty())
        environment["SERVICE_BINDING_ROOT"] = workspace.inside.platform + "/bindings";
    // Programs that bring certificates of their own ask one of these for more.
    if (!job.ca_file.empty())
        for (const char* name : {"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
                                 "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"})
            environment[name] = workspace.ca_file_inside;
    return environment;
}

std::vector<buildpacks::Modification>
operator_variables(const std::vector<std::filesystem::path>& root_layers) {
    return buildpacks::read_modifications(
        registry::read_image_directory(root_layers, "cnb/build-config/env"),
        buildpacks::Modification::Action::default_);
}

void write_platform(const Job& job, const Workspace& workspace) {
    for (const auto& [name, value] : job.environment) {
        check_name(name, "a variable");
        base::write_file(workspace.platform / "env" / name, value);
    }
    for (const auto& [binding, files] : job.bindings) {
        check_name(binding, "a service binding");
        const auto directory = workspace.platform / "bindings" / binding;
        std::filesystem::create_directories(directory);
        for (const auto& [name, value] : files) {
            check_name(name, "a service binding's file");
            base::write_file(directory / name, value);
        }
    }
}

bool write_ca_file(const Job& job, const Workspace& workspace,
                   const std::vector<std::filesystem::path>& root_layers) {
    if (job.ca_file.empty()) return false;
    const auto own = registry::read_image_file(root_layers, workspace.ca_file_inside.substr(1));
    base::write_file(workspace.ca_file, own + "\n" + base::read_file(job.ca_file));
    return true;
}

buildpacks::Target target_of(const registry::PinnedImage& run_image,
                             const std::optional<buildpacks::Distribution>& distribution) {
    buildpacks::Target target{.os = "linux", .architecture = run_image.image.architecture()};
    if (distribution) target.distributions.push_back(*distribution);
    return target;
}

engine::SandboxSpec sandbox_spec(const Job& job, const Workspace& workspace, BuildUser user) {
    engine::SandboxSpec spec{.runtime = job.runtime,
                             .init = job.launcher_directory / "slipway-init",
                             .scratch = workspace.scratch,
                             .uid = user.uid,
                             .gid = user.gid,
                             .network = job.network == "none" ? engine::Network::none
                                                              : engine::Network::internet};
    spec.limits.memory_bytes = job.limits.memory_bytes;
    spec.limits.pids = job.limits.pids;
    spec.limits.cpus = job.limits.cpus;
    const auto writable = engine::Mount::Access::read_write;
    const auto& inside = workspace.inside;
    spec.mounts = {{workspace.app, inside.app, writable},
                   {workspace.layers, inside.layers, writable},
                   {workspace.plans, inside.scratch, writable},
                   {workspace.home, workspace.home_inside, writable},
                   {workspace.platform, inside.platform}};
    return spec;
}

std::string names_of_variables(const std::map<std::string, std::string>& environment) {
    std::string names;
    for (const auto& [name, value] : environment) names += (names.empty() ? "" : " ") + name;
    return names.empty() ? "none" : base::printable(names);
}

} // namespace builder
